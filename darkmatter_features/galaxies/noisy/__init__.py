"""Galaxies of images with noise: detection, and shapes corrected for the PSF with their response to shear."""
