"""Compiled loops over the pixels of an image with noise."""
