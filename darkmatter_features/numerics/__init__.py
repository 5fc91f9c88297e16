"""Numerics that any stage may use: the compiling decorator, sums by Fourier transform, areas and profiles."""
