"""Cubes of several bands: one band of them, or their mean with weights by their noise."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.images.decoded import Bands, band_of
from darkmatter_features.io.images.fits_masks import Role, is_variance, noise_of

Floats = NDArray[np.float32]

MAX_BANDS = 64
"""Maximum number of bands of a cube; J-PAS has 60, spectral cubes have thousands of planes."""

COLOURS = (1, 3)
"""Numbers of planes of grey and of colour images, which are no cubes."""

DIFFERENCE_TO_SIGMA = 1.4826 / 2**0.5
"""Standard deviation of a pixel over the median absolute difference of neighbours, for Gaussian noise."""

SAMPLED_ROWS = 3
"""One of so many rows gives the noise of a band."""

BRIGHT_SNR = 5.0
"""S/N in the mean image of the pixels whose light in each band gives the colour of the sources."""


class Plane(NamedTuple):
    """Image beside another one: an extension, or one plane of it.

    Attributes
    ----------
    data : (n_planes, n_rows, n_columns) or (n_rows, n_columns) array
        Values.
    header : mapping
        Header of the extension.
    """

    data: NDArray[Any]
    header: Any


Companions = Sequence[tuple[Role, str, Any]]
"""Role, name, and :class:`Plane` or extension of each mask, weight and noise map of an image."""


def with_few_bands(values: Floats, companions: Companions, band: int | None) -> tuple[Floats, Companions, Bands | None]:
    """Return an image of one band or of colours, its companions, and how it was made of a cube; None for no cube.

    Parameters
    ----------
    values : (n_rows, n_columns, n_bands) float32 array
        Image or cube.
    companions : sequence of (Role, str, HDU)
        Masks, weights and noise maps, each with one plane for all bands or one for each.
    band : int or None
        Number of the band to read, 1 for the first; None for the mean of the bands of a cube.

    Raises
    ------
    UnreadableError
        If there is no such band.
    """
    n_bands = values.shape[2]
    if band is not None:
        chosen = band_of(values, band)
        weights = tuple(float(k == band) for k in range(1, n_bands + 1))
        return chosen, _planes_of(companions, values.shape, [band - 1]), Bands(weights, weights)
    if n_bands in COLOURS:
        return values, companions, None
    mean, bands = mean_band(values, companions)
    used = [k for k, weight in enumerate(bands.weights) if weight > 0.0]
    return mean, _planes_of(companions, values.shape, used), bands


def _planes_of(companions: Companions, shape: tuple[int, ...], bands: list[int]) -> Companions:
    """Return companions with the planes of some bands alone, where they have one for each."""
    found = []
    for role, label, hdu in companions:
        planes = np.asarray(hdu.data).reshape(-1, *shape[:2])
        found.append((role, label, Plane(planes[bands] if len(planes) == shape[2] else planes, hdu.header)))
    return found


def note_on_bands(bands: Bands | None) -> tuple[str, ...]:
    """Return a note on the bands that were combined; none on a band that was chosen."""
    if bands is None or max(bands.weights) == 1.0:
        return ()
    weights = ", ".join(f"{weight:.3f}" for weight in bands.weights)
    return (f"mean of {len(bands.weights)} bands, with weights {weights}; --band chooses one",)


def mean_band(values: Floats, companions: Companions) -> tuple[Floats, Bands]:
    """Return the mean of the bands of a cube, weighted by the inverse variances of their noise.

    Parameters
    ----------
    values : (n_rows, n_columns, n_bands) float32 array
        The cube.
    companions : sequence of (Role, str, HDU)
        Masks, weights and noise maps; without a noise map of each band, noise is that of differences of neighbours.

    Returns
    -------
    mean : (n_rows, n_columns, 1) float32 array
        Mean image; not finite where any band is not. A band without any value has no weight.
    bands : Bands
        Weights of the bands, and those of their PSFs.
    """
    variances = _variances(values, companions)
    is_used = np.isfinite(variances) & (variances > 0.0)
    if not is_used.any():
        is_used, variances = np.ones_like(is_used), np.ones_like(variances)
    weights = np.where(is_used, 1.0 / np.where(is_used, variances, 1.0), 0.0)
    weights /= weights.sum()
    mean = (values[..., is_used] @ weights[is_used].astype(np.float32))[..., np.newaxis]
    light = weights * np.where(is_used, _fluxes(values, mean[..., 0]), 0.0)
    own = tuple(map(float, weights))
    return mean, Bands(own, tuple(map(float, light / light.sum())) if light.sum() > 0.0 else own)


def _variances(values: Floats, companions: Companions) -> NDArray[np.float64]:
    """Return the variance of a pixel of each band (n_bands,): by a map of each band, or else as measured."""
    n_bands = values.shape[2]
    for wanted in (Role.NOISE, Role.WEIGHT):
        for role, label, hdu in companions:
            planes = np.asarray(hdu.data).reshape(-1, *values.shape[:2])
            if role is wanted and len(planes) == n_bands:
                maps = [noise_of(role, plane[np.newaxis], is_variance(label, hdu.header), (1.0,)) for plane in planes]
                return np.array([_median(each[np.isfinite(each)]) for each in maps]) ** 2
    differences = np.abs(np.diff(values[::SAMPLED_ROWS], axis=1))
    return np.array(
        [(DIFFERENCE_TO_SIGMA * _median(band[np.isfinite(band)])) ** 2 for band in np.moveaxis(differences, 2, 0)]
    )


def _median(values: Floats) -> float:
    return float(np.median(values)) if values.size else np.nan


def _fluxes(values: Floats, mean: Floats) -> NDArray[np.float64]:
    """Return the light of the bright pixels of a mean image in each band (n_bands,), at least 0."""
    known = np.isfinite(mean)
    level = _median(mean[known])
    noise = 1.4826 * _median(np.abs(mean[known] - level))
    is_bright = known & (mean > level + BRIGHT_SNR * noise)
    if not is_bright.any():
        return np.ones(values.shape[2])
    sky = np.median(values[known], axis=0)
    return np.asarray(np.maximum((values[is_bright] - sky).mean(axis=0, dtype=np.float64), 0.0))
