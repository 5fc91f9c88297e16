"""Drawing galaxies with GalSim: a bank of shapes, painted stamp by stamp."""

from dataclasses import dataclass
from functools import lru_cache

import galsim
import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation.morphology import EXTENT, KINDS, STAMP, Morphology
from darkmatter_features.simulation.population import Galaxies

Array = NDArray[np.float64]

# Stamps are sampled on half pixels and summed: the thinnest bars are 1 px wide.
_FINE = 2
# Brightness, of the body's, from which a galaxy hides all behind it: arms and rims are narrower than a pixel.
_OPAQUE = np.float32(0.6)


@dataclass(frozen=True)
class Bank:
    """Shapes to draw from.

    Attributes
    ----------
    profiles : tuple of galsim.InterpolatedImage
        Of unit radius and unit body brightness, about their centroids.
    kinds : (n,) int64 array
        Place of each shape's kind in ``KINDS``.
    areas : (n,) float64 array
        Lit areas, in squares of the radius.
    centroids : (n, 2) float64 array
        Centres of light from the middle of the stamps, in radii.
    moments : (n, 2, 2) float64 array
        Second moments, in squares of the radius.
    """

    profiles: tuple[galsim.InterpolatedImage, ...]
    kinds: NDArray[np.int64]
    areas: Array
    centroids: Array
    moments: Array


@lru_cache(maxsize=2)
def make_bank(size: int, seed: int) -> Bank:
    """Make `size` shapes, of every kind its share; the same seed makes the same bank."""
    rng = np.random.default_rng(seed)
    edges = np.cumsum([share for _, share in KINDS])
    kinds = np.searchsorted(edges, (np.arange(size) + 0.5) / size * edges[-1])
    shapes = [KINDS[k][0](rng) for k in kinds]
    return Bank(
        tuple(_profile(shape) for shape in shapes),
        kinds.astype(np.int64),
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


def paint_galaxies(planes: NDArray[np.float32], galaxies: Galaxies, colours: Array, bank: Bank) -> None:
    """Paint galaxies over a picture, each hiding what is behind it.

    Parameters
    ----------
    planes : (n_bands, n_rows, n_columns) float32 array
        Painted on in place.
    galaxies : Galaxies
    colours : (n, n_bands) float64 array
        Surface brightness of each galaxy's body in each band.
    bank : Bank

    Notes
    -----
    Where an orange galaxy lies on a grey disc of the published skies, none of the grey is left: the drawings are
    opaque, the order is any. Light that added up would saturate 60 pixels a sky; there are 1 and 2.
    """
    # A stamp's corner is 2^(1/2) EXTENT from its middle, but its light ends at radius 1 about it.
    reach = np.hypot(galaxies.frame[:, :, 0], galaxies.frame[:, :, 1])
    shift = np.einsum("nij,nj->ni", galaxies.frame, bank.centroids[galaxies.kind])
    for i in range(len(galaxies)):
        middle = (galaxies.x[i] - shift[i, 0], galaxies.y[i] - shift[i, 1])
        box = _box(middle, reach[i], planes.shape)
        if box is None:
            continue
        stamp = _stamp(bank.profiles[galaxies.kind[i]], galaxies.frame[i], (galaxies.x[i], galaxies.y[i]), box)
        c0, c1, r0, r1 = box
        under = planes[:, r0:r1, c0:c1]
        under *= 1.0 - np.minimum(stamp / _OPAQUE, 1.0)
        under += colours[i].astype(np.float32)[:, None, None] * stamp


def _box(middle: tuple[float, float], reach: Array, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Columns and rows that a galaxy may touch, clipped to the picture; None when it touches none."""
    c0, c1 = max(0, int(middle[0] - reach[0] - 1.0)), min(shape[2], int(middle[0] + reach[0] + 3.0))
    r0, r1 = max(0, int(middle[1] - reach[1] - 1.0)), min(shape[1], int(middle[1] + reach[1] + 3.0))
    return (c0, c1, r0, r1) if c0 < c1 and r0 < r1 else None


def _stamp(
    profile: galsim.InterpolatedImage,
    frame: Array,
    centre: tuple[float, float],
    box: tuple[int, int, int, int],
) -> NDArray[np.float32]:
    """Surface brightness of a galaxy on the pixels of a box."""
    c0, c1, r0, r1 = box
    image = galsim.ImageF((c1 - c0) * _FINE, (r1 - r0) * _FINE, scale=1.0 / _FINE)
    # GalSim counts pixels from 1; the fine pixels of coarse pixel 0 lie at -1/4 and +1/4.
    place = galsim.PositionD(*(_FINE * (z - low + 0.5) + 0.5 for z, low in zip(centre, (c0, r0))))
    profile.transform(*frame.ravel()).drawImage(image=image, method="sb", center=place)
    fine = image.array.reshape(r1 - r0, _FINE, c1 - c0, _FINE)
    return np.asarray(fine.mean(axis=(1, 3)), dtype=np.float32)
