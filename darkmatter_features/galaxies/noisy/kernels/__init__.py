"""Compiled inner loops for images with noise."""
