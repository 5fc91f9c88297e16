"""The PSF of an image: from a file, from its stars, or assumed."""
