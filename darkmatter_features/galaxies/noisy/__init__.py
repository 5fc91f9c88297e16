"""Measurement of noisy images: PSF, stars, detection and shapes."""
