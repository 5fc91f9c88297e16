"""Candidates for stars, found by SEP or made up."""

import numpy as np
import sep

from darkmatter_features.galaxies.noisy.psf.stars import StarCandidates


def detected(light, noise, *, saturation=np.inf):
    """Return the sources of an image by SEP."""
    light = np.ascontiguousarray(light, dtype=np.float64)
    found = sep.extract(light, 2.5, err=noise, minarea=5)
    radius, flag = sep.flux_radius(light, found["x"], found["y"], 6.0 * found["a"], 0.5, subpix=5)
    snr = found["flux"] / (noise * np.sqrt(4 * np.pi) * np.sqrt(np.maximum(found["a"] * found["b"], 0.25)))
    is_saturated = found["peak"] >= saturation
    flags = found["flag"].astype(int) | flag
    return StarCandidates(found["x"], found["y"], found["flux"], radius, found["peak"], snr, flags, is_saturated)


def candidates(size, snr=100.0):
    """Return clean candidates of given sizes."""
    size = np.asarray(size, dtype=np.float64)
    snr = np.broadcast_to(np.asarray(snr, dtype=np.float64), size.shape)
    zeros = np.zeros(size.size, dtype=np.int64)
    return StarCandidates(zeros * 1.0, zeros * 1.0, snr * 10.0, size, snr, snr, zeros, zeros.astype(bool))
