"""Other packages on the same image: sources and moments of SEP, and GalSim's REGAUSS with a given PSF."""

from dataclasses import dataclass

import galsim
import numpy as np
import sep
from numpy.typing import NDArray
from real.hst import Array, Shapes

import darkmatter_features as dm
from darkmatter_features.galaxies.noisy.psf.model import PsfModel

BOX = 64
"""Side of the boxes of SEP's background, pixels."""

THRESHOLD = 1.3
"""Threshold of SEP's detection, standard deviations of the noise."""

MIN_AXIS = 2.2
"""Minimum sqrt(a b) of the galaxies, pixels: smaller ones are stars or have hardly a shape."""

STAMP = 20
"""Half-side of the stamps for REGAUSS, pixels."""


@dataclass(frozen=True)
class SepGalaxies:
    """Galaxies of an image by SEP.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Positions.
    e : (n,) complex128 array
        Ellipticities of SEP's moments, not corrected for the PSF.
    regauss : (n,) complex128 array
        Ellipticities by REGAUSS (Hirata & Seljak 2003), nan where it failed.
    """

    x: Array
    y: Array
    e: Shapes
    regauss: Shapes


def sep_galaxies(sky: dm.Sky, psf: PsfModel) -> SepGalaxies:
    """Return the galaxies that SEP finds in an image, without flagged and small ones."""
    light, noise = _subtracted(sky)
    found = sep.extract(light, THRESHOLD, err=noise, mask=sky.mask)
    found = found[(found["flag"] == 0) & (np.sqrt(found["a"] * found["b"]) > MIN_AXIS)]
    e = (found["a"] - found["b"]) / (found["a"] + found["b"]) * np.exp(2j * found["theta"])
    regauss = [_regauss(light, noise, x, y, psf) for x, y in zip(found["x"], found["y"])]
    return SepGalaxies(found["x"], found["y"], e, np.array(regauss))


def _subtracted(sky: dm.Sky) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the light above SEP's background, and the noise."""
    image = sky.pixels.sum(axis=2).astype(np.float32)
    background = sep.Background(image, mask=sky.mask, bw=BOX, bh=BOX)
    return image - background.back().astype(np.float32), background.rms().astype(np.float32)


def _regauss(light: NDArray[np.float32], noise: NDArray[np.float32], x: float, y: float, psf: PsfModel) -> complex:
    """Return the ellipticity of a galaxy by REGAUSS, nan where it fails."""
    row, column = round(y), round(x)
    stamp = light[max(row - STAMP, 0) : row + STAMP + 1, max(column - STAMP, 0) : column + STAMP + 1]
    if stamp.shape != (2 * STAMP + 1, 2 * STAMP + 1):
        return complex("nan")
    images = [galsim.Image(np.ascontiguousarray(each), scale=1.0) for each in (stamp, psf.stamp(x, y))]
    found = galsim.hsm.EstimateShear(*images, sky_var=float(noise[row, column]) ** 2, strict=False)
    distortion = found.corrected_e1 + 1j * found.corrected_e2
    return (
        complex("nan")
        if found.error_message or abs(distortion) >= 1.0
        else distortion / (1.0 + np.sqrt(1.0 - abs(distortion) ** 2))
    )
