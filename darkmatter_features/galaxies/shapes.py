"""From footprints to a catalogue of ellipses."""

from dataclasses import dataclass, fields
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.kernels.moments import footprint_moments
from darkmatter_features.galaxies.segmentation import Segments, segment
from darkmatter_features.io.sky import Sky

Array = NDArray[np.float64]

# Least half-axis of a galaxy once the blur is taken off, pixels (standard deviation of its light).
THINNEST = 0.3


class Flag(IntFlag):
    """What may be wrong with a galaxy's measurement."""

    EDGE = 1
    """The footprint touches the border of the picture: part of the galaxy is missing."""
    BLENDED = 2
    """The galaxy was split from others."""
    MASKED = 4
    """The footprint touches pixels without a measurement."""


@dataclass(frozen=True)
class GalaxyCatalog:
    """The galaxies of a sky, one element a galaxy in each array.

    Attributes
    ----------
    name : str
        The sky's name.
    shape : (int, int)
        Rows and columns of the picture.
    x, y : (n,) float64 arrays, pixels
        Flux-weighted centroid: column and row.
    e1, e2 : (n,) float64 arrays
        Ellipticity ``(a - b) / (a + b) exp(2i phi)``.
    theta : (n,) float64 array, radians
        Orientation of the major axis, in (-pi/2, pi/2], from +x towards +y.
    size : (n,) float64 array, pixels
        ``det(Q)**(1/4)``: the geometric mean of the rms half-axes.
    fill factor : (n,) float64 array
        ``(sum f)^2 / sum(f^2)``, the area that the light f fills, over ``4 pi det(Q)^(1/2)``, that of an ellipse of
        even light with the same moments, the blur left on: 1 for such an ellipse and for a Gaussian, 9/8 at most, but
        for the grain of the pixels. But for the blur a lens does not change it; it tells what sort of galaxy it is,
        seen from where.
    flux : (n,) float64 array, counts
        Light summed over the footprint and the bands.
    snr : (n,) float64 array
        Flux over its standard deviation (of the background's noise or, without any, of rounding to integers).
    n_pixels : (n,) int32 array
        Pixels of the footprint.
    flags : (n,) uint8 array
        Sum of :class:`Flag` values.
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

    def __post_init__(self) -> None:
        for column in self.columns().values():
            column.flags.writeable = False

    def __len__(self) -> int:
        return self.x.size

    @property
    def is_partial(self) -> NDArray[np.bool_]:
        """Which galaxies are not measured whole and alone: split from others, or cut by the border, (n,)."""
        return np.asarray((self.flags & (Flag.BLENDED | Flag.EDGE)) != 0)

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in CATALOG_COLUMNS}


CATALOG_COLUMNS = tuple(field.name for field in fields(GalaxyCatalog) if field.name not in ("name", "shape"))
"""The names of a catalogue's arrays, in their order."""


def ellipticity(
    q_xx: NDArray[np.float64], q_yy: NDArray[np.float64], q_xy: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (e1, e2) of second moments.

    Notes
    -----
    ``e = (q_xx - q_yy + 2i q_xy) / (q_xx + q_yy + 2 sqrt(q_xx q_yy - q_xy^2))`` (Seitz & Schneider 1997; Bartelmann &
    Schneider 2001, eq. 4.10), which is (a - b) / (a + b) for an ellipse.

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
    """Measure the ellipse of every galaxy.

    Parameters
    ----------
    segments : Segments
        Footprints of n galaxies.
    config : MeasureConfig, optional
        Settings; the defaults when not given.

    Returns
    -------
    GalaxyCatalog
        With n elements a column. Footprints without extent (all light in one pixel) have zero ellipticity.

    Notes
    -----
    Second moments add under convolution: those of the picture's blur come off (Bartelmann & Schneider 2001, section
    4.6.1, for a round one), and what is left of an axis is at least 0.3 px.
    """
    config = config or MeasureConfig()
    moments, extents = np.empty((len(segments), 7)), np.empty((len(segments), 4), dtype=np.int64)
    footprint_moments(segments.starts, segments.pixels, segments.flux, segments.sky.shape[1], moments, extents)
    flux, x, y, q_xx, q_yy, q_xy, filled = np.ascontiguousarray(moments.T)
    even = 4.0 * np.pi * np.sqrt(np.maximum(q_xx * q_yy - q_xy**2, THINNEST**4))
    q_xx, q_yy, q_xy = _sharpened(q_xx, q_yy, q_xy, config.psf_sigma)
    e1, e2 = ellipticity(q_xx, q_yy, q_xy)
    n_pixels = np.diff(segments.starts).astype(np.int32)
    return GalaxyCatalog(
        name=segments.sky.name,
        shape=segments.sky.shape,
        x=x,
        y=y,
        e1=e1,
        e2=e2,
        theta=0.5 * np.arctan2(e2, e1),
        size=np.maximum(q_xx * q_yy - q_xy**2, 0.0) ** 0.25,
        fill_factor=filled / even,
        flux=flux,
        snr=flux / (segments.noise * np.sqrt(n_pixels)),
        n_pixels=n_pixels,
        flags=_flags(segments, extents),
    )


def _sharpened(q_xx: Array, q_yy: Array, q_xy: Array, psf_sigma: float) -> tuple[Array, Array, Array]:
    """Return second moments less that of a round blur, each axis at least THINNEST."""
    mean, half = 0.5 * (q_xx + q_yy), np.hypot(0.5 * (q_xx - q_yy), q_xy)
    major, minor = (np.maximum(mean + sign * half - psf_sigma**2, THINNEST**2) for sign in (1.0, -1.0))
    stretch = 0.5 * (major - minor) / np.maximum(half, np.finfo(np.float64).tiny)
    middle, plus, cross = 0.5 * (major + minor), 0.5 * (q_xx - q_yy) * stretch, q_xy * stretch
    return middle + plus, middle - plus, cross


def _flags(segments: Segments, extents: NDArray[np.int64]) -> NDArray[np.uint8]:
    n_rows, n_columns = segments.sky.shape
    at_edge = (extents == (0, n_rows - 1, 0, n_columns - 1)).any(axis=1)
    flags = np.where(segments.blended, Flag.BLENDED, 0) | np.where(at_edge, Flag.EDGE, 0)
    if segments.sky.mask is not None and len(segments):
        masked = _grown(segments.sky.mask).flat[segments.pixels]
        flags |= np.where(np.logical_or.reduceat(masked, segments.starts[:-1]), Flag.MASKED, 0)
    return flags.astype(np.uint8)


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask grown by one pixel: galaxies are not found on masked pixels, but may touch them."""
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, np.ones((3, 3))))


def measure(sky: Sky, config: MeasureConfig | None = None) -> GalaxyCatalog:
    """Find and measure the galaxies of a sky: :func:`segment`, then :func:`measure_shapes`.

    Raises
    ------
    SkyError
        If the picture is too small, or fewer than `config.min_galaxies` galaxies are found.
    """
    config = config or MeasureConfig()
    segments = segment(sky, config)
    if len(segments) < config.min_galaxies:
        raise SkyError(
            f"{sky.name}: {len(segments)} galaxies of at least n_pixels={config.n_pixels} pixels found above "
            f"{segments.threshold:.3g} counts, {config.min_galaxies} needed; is this a sky? "
            f"if so, lower the threshold, n_pixels or min_galaxies"
        )
    return measure_shapes(segments, config)
