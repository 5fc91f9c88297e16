"""Draw galaxies with GalSim: a bank of shapes, painted stamp by stamp."""

from dataclasses import dataclass
from functools import lru_cache

import galsim
import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation.morphology import EXTENT, MORPHOLOGIES, STAMP, Morphology
from darkmatter_features.simulation.population import Galaxies

Array = NDArray[np.float64]

OVERSAMPLING = 2
"""Number of samples per pixel along each axis: the thinnest bars are 1 px wide."""

OPAQUE_BRIGHTNESS = np.float32(0.6)
"""Minimum brightness, relative to the body, at which a galaxy is opaque: arms and edges are narrower than a pixel."""


@dataclass(frozen=True)
class Bank:
    """A bank of shapes from which galaxies are drawn.

    Attributes
    ----------
    profiles : tuple of galsim.InterpolatedImage
        Light profiles of unit radius and unit body brightness about their centroids.
    morphologies : (n,) int64 array
        Index of the morphology of each shape in ``MORPHOLOGIES``.
    areas : (n,) float64 array
        Lit areas, squares of the radius.
    centroids : (n, 2) float64 array
        Centroids from the centre of the stamps, radii.
    moments : (n, 2, 2) float64 array
        Second moments, squares of the radius.
    """

    profiles: tuple[galsim.InterpolatedImage, ...]
    morphologies: NDArray[np.int64]
    areas: Array
    centroids: Array
    moments: Array


@lru_cache(maxsize=2)
def make_bank(size: int, seed: int) -> Bank:
    """Make a bank of `size` shapes, each morphology with its fraction; the same seed makes the same bank."""
    rng = np.random.default_rng(seed)
    edges = np.cumsum([fraction for _, fraction in MORPHOLOGIES])
    morphologies = np.searchsorted(edges, (np.arange(size) + 0.5) / size * edges[-1])
    shapes = [MORPHOLOGIES[k][0](rng) for k in morphologies]
    return Bank(
        tuple(_profile(shape) for shape in shapes),
        morphologies.astype(np.int64),
        np.array([shape.area for shape in shapes]),
        np.array([shape.centroid for shape in shapes]),
        np.array([shape.moments for shape in shapes]),
    )


def _profile(shape: Morphology) -> galsim.InterpolatedImage:
    scale = 2.0 * EXTENT / STAMP
    return galsim.InterpolatedImage(
        galsim.Image(shape.stamp, scale=scale),
        x_interpolant="linear",
        normalization="sb",
        offset=tuple(shape.centroid / scale),
        calculate_stepk=False,
        calculate_maxk=False,
    )


def paint_galaxies(planes: NDArray[np.float32], galaxies: Galaxies, colors: Array, bank: Bank) -> None:
    """Paint galaxies onto an image, each one opaque to the light behind it.

    Parameters
    ----------
    planes : (n_bands, n_rows, n_columns) float32 array
        Image, changed in place.
    galaxies : Galaxies
        Galaxies to paint.
    colors : (n, n_bands) float64 array
        Surface brightness of the body of each galaxy in each band.
    bank : Bank
        Light profiles of the galaxies.

    Notes
    -----
    In the published skies, no grey is left where an orange galaxy overlaps a grey disc: the drawings are opaque, in
    arbitrary order. If the light were added, 60 pixels of a sky would saturate; there are 1 and 2.
    """
    # The corner of a stamp is 2^(1/2) EXTENT from its centre, but the light ends at radius 1.
    extent = np.hypot(galaxies.frame[:, :, 0], galaxies.frame[:, :, 1])
    shift = np.einsum("nij,nj->ni", galaxies.frame, bank.centroids[galaxies.profile])
    for i in range(len(galaxies)):
        centre = (galaxies.x[i] - shift[i, 0], galaxies.y[i] - shift[i, 1])
        box = _box(centre, extent[i], planes.shape)
        if box is None:
            continue
        stamp = _stamp(bank.profiles[galaxies.profile[i]], galaxies.frame[i], (galaxies.x[i], galaxies.y[i]), box)
        c0, c1, r0, r1 = box
        transparency = stamp / OPAQUE_BRIGHTNESS
        np.subtract(1.0, np.minimum(transparency, 1.0, out=transparency), out=transparency)
        for plane, brightness in zip(planes[:, r0:r1, c0:c1], colors[i].astype(np.float32)):
            plane *= transparency
            plane += brightness * stamp


def _box(centre: tuple[float, float], extent: Array, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Return the ranges of columns and rows that a galaxy may cover inside the image; None if it covers none."""
    c0, c1 = max(0, int(centre[0] - extent[0] - 1.0)), min(shape[2], int(centre[0] + extent[0] + 3.0))
    r0, r1 = max(0, int(centre[1] - extent[1] - 1.0)), min(shape[1], int(centre[1] + extent[1] + 3.0))
    return (c0, c1, r0, r1) if c0 < c1 and r0 < r1 else None


def _stamp(
    profile: galsim.InterpolatedImage,
    frame: Array,
    centroid: tuple[float, float],
    box: tuple[int, int, int, int],
) -> NDArray[np.float32]:
    """Return the surface brightness of a galaxy on the pixels of a box."""
    c0, c1, r0, r1 = box
    half_width, half_height = ((high - low) * OVERSAMPLING // 2 for low, high in ((c0, c1), (r0, r1)))
    bounds = galsim.BoundsI(-half_width, half_width - 1, -half_height, half_height - 1)
    image = galsim.ImageF(bounds, scale=1.0)
    # The fine pixels of coarse pixel 0 lie at -1/4 and +1/4; GalSim draws about pixel 0 of the bounds.
    x, y = (
        OVERSAMPLING * (z - low + 0.5) - 0.5 - half
        for z, low, half in zip(centroid, (c0, r0), (half_width, half_height))
    )
    jacobian = OVERSAMPLING * frame
    area = abs(jacobian[0, 0] * jacobian[1, 1] - jacobian[0, 1] * jacobian[1, 0])
    # `transform` and `drawImage` give the same values; their checks take as long as the drawing.
    profile._drawReal(image, jacobian, (x, y), area)
    fine = image.array
    above, below = (fine[k::OVERSAMPLING, ::OVERSAMPLING] + fine[k::OVERSAMPLING, 1::OVERSAMPLING] for k in (0, 1))
    return np.asarray((above + below) * np.float32(0.25))
