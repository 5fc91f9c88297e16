"""From footprints to a catalogue of ellipses."""

from dataclasses import dataclass, fields
from enum import IntFlag
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.kernels.moments import footprint_moments
from darkmatter_features.galaxies.psf import (
    CHECKED_FACTOR,
    MIN_HALF_AXIS,
    are_edges_sharper,
    is_unresolved,
    psf_width,
    without_psf,
)
from darkmatter_features.galaxies.segmentation import Segments

Array = NDArray[np.float64]


class Flag(IntFlag):
    """Reasons why the measurement of a galaxy may be wrong."""

    EDGE = 1
    """The footprint touches the border of the image: part of the galaxy is missing."""
    BLENDED = 2
    """The galaxy shares its segment with others."""
    MASKED = 4
    """The footprint touches pixels without a measurement."""
    UNRESOLVED = 8
    """The galaxy is so much smaller than the PSF that its ellipticity is not known."""


@dataclass(frozen=True)
class ImageProperties:
    """Properties of an image that its galaxies do not have one by one.

    Attributes
    ----------
    psf_sigma : float, pixels
        Standard deviation of the PSF that shapes are corrected for.
    noise : float, counts
        Standard deviation of the noise of a pixel's flux summed over bands; on a noiseless background, that of
        rounding to integers.
    n_bands : int
        Number of bands.
    """

    psf_sigma: float
    noise: float
    n_bands: int


IMAGE_COLUMNS = tuple(field.name for field in fields(ImageProperties))
"""Names of the properties of an image."""

UNKNOWN_IMAGE = ImageProperties(float("nan"), float("nan"), 0)
"""Properties of an image that was not measured."""


@dataclass(frozen=True)
class GalaxyCatalog:
    """Galaxies of a sky; each array has one element for each galaxy.

    Attributes
    ----------
    name : str
        Name of the sky.
    shape : (int, int)
        Rows and columns of the image.
    x, y : (n,) float64 arrays, pixels
        Flux-weighted centroid: column and row.
    e1, e2 : (n,) float64 arrays
        Ellipticity ``(a - b) / (a + b) exp(2i phi)``.
    theta : (n,) float64 array, radians
        Orientation of the major axis, in (-pi/2, pi/2], from +x towards +y.
    size : (n,) float64 array, pixels
        ``det(Q)**(1/4)``: the geometric mean of the rms half-axes, corrected for the PSF.
    fill_factor : (n,) float64 array
        Area that the light fills, relative to that of a uniform ellipse with the same moments, before the correction
        for the PSF. It is 1 for a uniform ellipse and for a Gaussian, and at most 9/8 except for pixelisation. Lensing
        leaves it unchanged except through the PSF, so it separates galaxies by morphology and inclination.
    flux : (n,) float64 array, counts
        Flux of the footprint, summed over bands.
    snr : (n,) float64 array
        Flux over its standard deviation. The noise is that of the background; on a noiseless background, that of
        rounding to integers.
    n_pixels : (n,) int32 array
        Number of pixels in the footprint.
    flags : (n,) uint8 array
        Sum of :class:`Flag` values.
    image : ImageProperties
        Properties of the image.

    Notes
    -----
    For light f with second moments Q, ``fill_factor = (sum f)^2 / sum(f^2) / (4 pi sqrt(det Q))``.
    """

    name: str
    shape: tuple[int, int]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    e1: NDArray[np.float64]
    e2: NDArray[np.float64]
    theta: NDArray[np.float64]
    size: NDArray[np.float64]
    fill_factor: NDArray[np.float64]
    flux: NDArray[np.float64]
    snr: NDArray[np.float64]
    n_pixels: NDArray[np.int32]
    flags: NDArray[np.uint8]
    image: ImageProperties = UNKNOWN_IMAGE

    def __post_init__(self) -> None:
        for column in self.columns().values():
            column.flags.writeable = False

    def __len__(self) -> int:
        return self.x.size

    @cached_property
    def is_partial(self) -> NDArray[np.bool_]:
        """True where a galaxy is blended or cut by the border of the image, (n,)."""
        return _read_only((self.flags & (Flag.BLENDED | Flag.EDGE)) != 0)

    @cached_property
    def is_resolved(self) -> NDArray[np.bool_]:
        """True where the ellipticity of a galaxy is known, (n,)."""
        return _read_only((self.flags & Flag.UNRESOLVED) == 0)

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in CATALOG_COLUMNS}


def _read_only(values: NDArray[np.bool_]) -> NDArray[np.bool_]:
    values.flags.writeable = False
    return values


CATALOG_COLUMNS = tuple(field.name for field in fields(GalaxyCatalog) if field.name not in ("name", "shape", "image"))
"""Names of the arrays of a catalogue, in the order of its fields."""


def ellipticity(
    q_xx: NDArray[np.float64], q_yy: NDArray[np.float64], q_xy: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ellipticity of an ellipse with the given second moments.

    Parameters
    ----------
    q_xx, q_yy, q_xy : (n,) float64 arrays, pixels squared
        Second central moments.

    Returns
    -------
    e1, e2 : (n,) float64 arrays
        Components of the ellipticity.

    Notes
    -----
    Eq. 4.10 of [2]_, with modulus (a - b) / (a + b) for half-axes a and b; its mean over random orientations is the
    reduced shear [1]_::

        e1 + i e2 = (q_xx - q_yy + 2i q_xy) / (q_xx + q_yy + 2 sqrt(q_xx q_yy - q_xy^2))

    References
    ----------
    .. [1] Seitz & Schneider (1997), arXiv:astro-ph/9601079
    .. [2] Bartelmann & Schneider (2001), doi:10.1016/S0370-1573(00)00082-X

    Examples
    --------
    >>> e1, e2 = ellipticity(np.array([9.0]), np.array([1.0]), np.array([0.0]))  # half-axes 3 and 1
    >>> float(e1[0]), float(e2[0])
    (0.5, 0.0)
    """
    determinant = np.maximum(q_xx * q_yy - q_xy**2, 0.0)
    denominator = q_xx + q_yy + 2.0 * np.sqrt(determinant)
    return (q_xx - q_yy) / denominator, 2.0 * q_xy / denominator


def measure_shapes(segments: Segments, config: MeasureConfig | None = None) -> GalaxyCatalog:
    """Measure the position, ellipticity, size and flux of every galaxy.

    Parameters
    ----------
    segments : Segments
        Footprints of n galaxies.
    config : MeasureConfig, optional
        Settings. Default: all defaults.

    Returns
    -------
    GalaxyCatalog
        Catalogue of n galaxies. The ellipticity is 0 where all light is in one pixel.

    Notes
    -----
    Second moments add under convolution, so those of a round PSF of standard deviation sigma are subtracted [1]_, see
    :mod:`~darkmatter_features.galaxies.psf`::

        Q_ij(galaxy) = Q_ij(image) - sigma^2 delta_ij

    Each half-axis is then at least 0.3 px.

    References
    ----------
    .. [1] Bartelmann & Schneider (2001), Sect. 4.6.1, doi:10.1016/S0370-1573(00)00082-X
    """
    config = config or MeasureConfig()
    moments, extents = np.empty((len(segments), 7)), np.empty((len(segments), 4), dtype=np.int64)
    footprint_moments(segments.starts, segments.pixels, segments.flux, segments.sky.shape[1], moments, extents)
    flux, x, y, q_xx, q_yy, q_xy, filled = np.ascontiguousarray(moments.T)
    uniform = 4.0 * np.pi * np.sqrt(np.maximum(q_xx * q_yy - q_xy**2, MIN_HALF_AXIS**4))
    flags = _flags(segments, extents)
    psf_sigma = _psf_sigma(segments, q_xx, q_yy, q_xy, flags, config)
    q_xx, q_yy, q_xy = without_psf(q_xx, q_yy, q_xy, psf_sigma)
    e1, e2 = ellipticity(q_xx, q_yy, q_xy)
    size = np.maximum(q_xx * q_yy - q_xy**2, 0.0) ** 0.25
    flags = np.where(is_unresolved(size, psf_sigma), flags | np.uint8(Flag.UNRESOLVED), flags)
    n_pixels = np.diff(segments.starts).astype(np.int32)
    return GalaxyCatalog(
        name=segments.sky.name,
        shape=segments.sky.shape,
        x=x,
        y=y,
        e1=e1,
        e2=e2,
        theta=0.5 * np.arctan2(e2, e1),
        size=size,
        fill_factor=filled / uniform,
        flux=flux,
        snr=flux / (segments.noise * np.sqrt(n_pixels)),
        n_pixels=n_pixels,
        flags=flags,
        image=ImageProperties(psf_sigma, segments.noise, segments.sky.pixels.shape[2]),
    )


def _psf_sigma(
    segments: Segments, q_xx: Array, q_yy: Array, q_xy: Array, flags: NDArray[np.uint8], config: MeasureConfig
) -> float:
    """Return the width of the PSF: of this image where its background is noiseless, or else the expected one."""
    if not (config.measure_psf and segments.is_noiseless):
        return config.psf_sigma
    minor = 0.5 * (q_xx + q_yy) - np.hypot(0.5 * (q_xx - q_yy), q_xy)
    psf_sigma = psf_width(minor[flags == 0], config.psf_sigma)
    if psf_sigma > CHECKED_FACTOR * config.psf_sigma and are_edges_sharper(
        segments.sky.pixels, segments.starts, segments.pixels, psf_sigma
    ):
        return config.psf_sigma
    return psf_sigma


def _flags(segments: Segments, extents: NDArray[np.int64]) -> NDArray[np.uint8]:
    n_rows, n_columns = segments.sky.shape
    at_edge = (extents == (0, n_rows - 1, 0, n_columns - 1)).any(axis=1)
    flags = np.where(segments.blended, Flag.BLENDED, 0) | np.where(at_edge, Flag.EDGE, 0)
    if segments.sky.mask is not None and len(segments):
        from scipy.ndimage import binary_dilation

        # No galaxy has masked pixels, but its footprint may touch them.
        masked = binary_dilation(segments.sky.mask, np.ones((3, 3))).flat[segments.pixels]
        flags |= np.where(np.logical_or.reduceat(masked, segments.starts[:-1]), Flag.MASKED, 0)
    return flags.astype(np.uint8)
