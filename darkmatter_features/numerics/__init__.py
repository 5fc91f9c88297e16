"""Numerics for all stages: the compiling decorator, sums by Fourier transform, areas, shear profiles, p-values."""
