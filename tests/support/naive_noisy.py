"""Slow, obvious twins of the compiled kernels for images with noise."""

import numpy as np


def owners(sources, places, radius):
    """Return the brightest source (3, n) within a radius of each place (2, m), or else the nearest."""
    found = []
    for place in places.T:
        distance = np.hypot(*(sources[:2] - place[:, np.newaxis]))
        near = np.flatnonzero(distance <= radius)
        found.append(max(near, key=lambda k: sources[2, k]) if near.size else int(np.argmin(distance)))
    return found


def bright_pixels(image, limit):
    """Return an image in a margin of 0, flat, and the indices of pixels above a limit, the brightest first."""
    padded = np.pad(image, 1).ravel()
    return padded, sorted(np.flatnonzero(padded > limit).tolist(), key=lambda k: (-padded[k], k))


def deconvolution(transform, squares, n_modes, noise_power):
    """Return the inverse of a transform, its modulus, and the variance of modes, for squares (n_ky, n_kx) below 1."""
    is_kept = (squares < 1.0) & (transform != 0.0)
    factors = np.where(is_kept, 1.0 / np.where(is_kept, transform, 1.0), 0.0)
    variance = np.abs(factors) ** 2 * np.maximum(noise_power, 0.0) / n_modes
    variance[:, 1:] *= 2.0  # with the opposite wave number
    return factors, np.abs(factors), variance


def divided_by_noise(light, noise, factor, first, spacing):
    """Return light over a factor times the noise at every few pixels from the first on."""
    levels = noise[first[0] :: spacing, first[1] :: spacing]
    return light / (np.float32(factor) * levels[: light.shape[0], : light.shape[1]])


def transform_of(stamp, ky, kx):
    """Return the sums of a stamp times exp(-i (ky y + kx x)) about its middle pixel."""
    y, x = (np.arange(side) - side // 2 for side in stamp.shape)
    return np.array([[(stamp * np.exp(-1j * (p * y[:, None] + q * x))).sum() for q in kx] for p in ky])
