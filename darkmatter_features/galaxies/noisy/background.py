"""Level and noise of the background of an image with noise, at every pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.kernels.background import (
    BoxPixels,
    Mesh,
    Taps,
    box_statistics,
    gather_boxes,
    interpolate,
    median_of_nine,
)

Array = NDArray[np.float64]

MIN_FRACTION = 0.125
"""Minimum fraction of the pixels of a box that are measured; other boxes are filled from their neighbours."""

MIN_PIXELS = 16
"""Minimum number of measured pixels in a box, and in an image: the error of the noise is 18 per cent with 16."""

MIN_NOISE_FRACTION = 0.1
"""Minimum variance of a box after that of its slope is subtracted, as a fraction of the variance before."""


MIN_RESIDUAL = 4.0
"""Residual of a box from its smooth surroundings up to which it is noise, in standard errors of white noise."""


@dataclass(frozen=True)
class Background:
    """Background of an image.

    Attributes
    ----------
    level : (n_rows, n_columns) float32 array, counts
        Light of the sky, of halos and of unresolved galaxies.
    noise : (n_rows, n_columns) float32 array, counts
        Standard deviation of a pixel. It is 0 only if all measured pixels are equal in every box.
    """

    level: NDArray[np.float32]
    noise: NDArray[np.float32]


def background_of(
    image: NDArray[Any],
    is_bad: NDArray[np.bool_],
    box: int,
    sources: NDArray[np.bool_] | None = None,
    *,
    name: str = "image",
) -> Background:
    """Return level and noise of the background of an image.

    Parameters
    ----------
    image : (n_rows, n_columns) array of real numbers or integers, counts
        One band. Pixels that are not finite are left out.
    is_bad : (n_rows, n_columns) bool array
        True where a pixel has no measurement.
    box : int, pixels
        Approximate side of the boxes in which the background is estimated: larger than a galaxy, smaller than the
        halos and gradients that belong to the background.
    sources : (n_rows, n_columns) bool array or None
        True where a pixel has light of a known source; these are left out too.
    name : str
        Name of the image in messages.

    Returns
    -------
    Background
        Level and noise at every pixel, also where none is measured.

    Raises
    ------
    SkyError
        If fewer than MIN_PIXELS pixels are measured and without source.

    Notes
    -----
    Boxes of nearly equal size tile the image. In each, a Gaussian is fitted to the pixels from 3 standard deviations
    below the level to 1 to 2.5 above it: galaxies add light, so that the faint side shows the background (for images
    without galaxies, the mean clipped at 2.5 standard deviations). The cut above is the lower, the more pixels beyond 2
    standard deviations are bright than faint; where it is low, half the difference to the level with the highest cut is
    subtracted once more.

    Medians of 3 x 3 boxes reject boxes full of a galaxy. The same medians of the residuals are added to them (twicing,
    Tukey 1977), which keeps the peaks of halos; where `sources` are left out, no box is full of a galaxy, and what
    stands out from its neighbours by more than MIN_RESIDUAL standard errors is kept. Natural cubic splines interpolate
    the level, and continue its slope to the border. Cubic B-splines of the noise are not exact at the boxes, but
    positive.

    Light fainter than the noise that covers most of a box counts as background: the level is high by 0.05 standard
    deviations where the mean light of galaxies is 0.24, and by 0.24 where it is 0.9. Noise that is itself skew gives a
    level below its mean: by up to 0.16 counts for Poisson noise of 1 to 100 counts.
    """
    with np.errstate(over="ignore"):
        pixels = np.ascontiguousarray(image, dtype=np.float32)
    is_good = np.isfinite(pixels) & ~is_bad
    if sources is not None:
        is_good &= ~sources
    mesh = Mesh(*(_edges(side, box) for side in pixels.shape))
    boxes = _boxes(pixels, is_good, mesh)
    n_measured = int(boxes.n_pixels.sum())
    if n_measured < MIN_PIXELS:
        raise SkyError(
            f"{name}: only {n_measured} of {pixels.size} pixels are measured and without source, "
            f"{MIN_PIXELS} are needed for the background; check how the image and its mask were made"
        )
    if boxes.n_pixels.max() < MIN_PIXELS:  # few pixels, far apart: one box
        return background_of(pixels, ~is_good, max(pixels.shape), name=name)
    shape = mesh.rows.size - 1, mesh.columns.size - 1
    level, noise = _statistics(boxes, pixels.size / boxes.n_pixels.size)
    level, noise = _smooth_mesh(boxes, mesh, level.reshape(shape), noise.reshape(shape), is_clean=sources is not None)
    taps = [_taps(side, n) for side, n in zip(pixels.shape, shape, strict=True)]
    return Background(
        _interpolated(_spline_coefficients(level), taps), _interpolated(np.pad(noise, 2, mode="edge"), taps)
    )


def _edges(side: int, box: int) -> NDArray[np.int64]:
    """Return the borders of boxes along an axis, the first 0 and the last the number of pixels."""
    n_boxes = max(1, round(side / box))
    return np.arange(n_boxes + 1) * side // n_boxes


def _boxes(pixels: NDArray[np.float32], is_good: NDArray[np.bool_], mesh: Mesh) -> BoxPixels:
    """Return the measured pixels of each box, ascending."""
    n_boxes = (mesh.rows.size - 1) * (mesh.columns.size - 1)
    n_most = int(np.diff(mesh.rows).max() * np.diff(mesh.columns).max())
    boxes = BoxPixels(
        np.empty((n_boxes, n_most + 1), dtype=np.float32),
        np.empty(n_boxes, dtype=np.int64),
        *np.empty((2, n_boxes)),
    )
    gather_boxes(pixels, is_good, mesh, boxes)
    boxes.values.sort(axis=1)
    return boxes


def _statistics(boxes: BoxPixels, n_pixels: float) -> tuple[Array, Array]:
    """Return level and noise of boxes of `n_pixels` pixels, nan for those with few measured pixels."""
    level, noise = np.empty((2, boxes.n_pixels.size))
    n_needed = min(max(MIN_PIXELS, int(MIN_FRACTION * n_pixels)), boxes.n_pixels.max())
    box_statistics(boxes, n_needed, level, noise)
    return level, noise


def _smooth_mesh(boxes: BoxPixels, mesh: Mesh, level: Array, noise: Array, *, is_clean: bool) -> tuple[Array, Array]:
    """Return level and noise at the centres of the boxes, those of outliers and of empty boxes from their neighbours.

    A first smooth level gives the slopes, by which levels are moved from the mean position of the pixels of a box to
    its centre, and the noise is corrected for the range of the level in a box. If boxes are clean of known sources,
    residuals beyond MIN_RESIDUAL standard errors are kept.
    """
    smooth = _filtered(_filled(level))
    steps = tuple(edges[-1] / n for edges, n in zip(mesh, level.shape, strict=True))
    slopes = [_slopes(smooth, axis) / step for axis, step in enumerate(steps)]
    centres = ((np.arange(n) + 0.5) * step - 0.5 for n, step in zip(level.shape, steps, strict=True))
    offset_y, offset_x = (
        position.reshape(level.shape) - centre
        for position, centre in zip((boxes.y, boxes.x), np.ix_(*centres), strict=True)
    )
    level = level - slopes[0] * offset_y - slopes[1] * offset_x
    slope_variance = ((slopes[0] * steps[0]) ** 2 + (slopes[1] * steps[1]) ** 2) / 12.0
    noise = _without_slopes(noise, slope_variance)
    smooth = _filtered(_filled(level))
    if is_clean:
        limit = MIN_RESIDUAL * noise / np.sqrt(np.maximum(boxes.n_pixels.reshape(level.shape), 1))
        residual = level - smooth
        smooth += np.nan_to_num(residual - np.clip(residual, -limit, limit))
    return smooth, _median_of_nine(_filled(noise, is_flat=True))


def _without_slopes(noise: Array, slope_variance: Array) -> Array:
    """Return the noise of boxes, less the variance of a slope; nan for boxes without noise if others have some.

    Slopes are errors where they make the noise smaller than in most boxes. Pixels clipped at the black of a picture do
    not show the noise.
    """
    if not (noise > 0.0).any():
        return np.zeros(noise.shape)
    noise = np.where(noise > 0.0, noise, np.nan)
    variance = np.maximum(noise**2 - slope_variance, MIN_NOISE_FRACTION * noise**2)
    return np.asarray(np.sqrt(np.maximum(variance, np.minimum(noise**2, np.nanmedian(variance)))))


def _slopes(mesh: Array, axis: int) -> Array:
    """Return the slope of a mesh: half the difference of the neighbours, at most twice that to either of them.

    A step, such as at the edge of a caption, is no slope: this is the limiter of van Leer (1977),
    doi:10.1016/0021-9991(77)90095-X.
    """
    if mesh.shape[axis] == 1:
        return np.zeros(mesh.shape)
    differences = np.moveaxis(np.diff(mesh, axis=axis), axis, 0)
    before, after = (np.concatenate(pair) for pair in ((differences[:1], differences), (differences, differences[-1:])))
    limit = 2.0 * np.minimum(np.abs(before), np.abs(after))
    slope = np.where(before * after > 0.0, np.clip(0.5 * (before + after), -limit, limit), 0.0)
    return np.moveaxis(slope, 0, axis)


def _filled(mesh: Array, *, is_flat: bool = False) -> Array:
    """Return a mesh whose nan are those of the nearest box, after a plane is subtracted unless `is_flat`."""
    from scipy.ndimage import distance_transform_edt

    is_empty = np.isnan(mesh)
    if not is_empty.any():
        return mesh
    plane = np.zeros(mesh.shape) if is_flat else _plane(mesh)
    nearest = distance_transform_edt(is_empty, return_distances=False, return_indices=True)
    return np.asarray(np.where(is_empty, plane + (mesh - plane)[tuple(nearest)], mesh))


def _plane(mesh: Array) -> Array:
    """Return the least-squares plane of the values of a mesh that are not nan, at all of them."""
    y, x = (np.arange(n) - 0.5 * (n - 1) for n in mesh.shape)
    is_good = ~np.isnan(mesh)
    if is_good.all():  # the terms are orthogonal
        slope_y = mesh.mean(axis=1) @ y / max(y @ y, 1.0)
        slope_x = mesh.mean(axis=0) @ x / max(x @ x, 1.0)
        return np.asarray(mesh.mean() + slope_y * y[:, None] + slope_x * x)
    terms = np.stack(np.broadcast_arrays(1.0, y[:, None], x), axis=-1)
    coefficients, *_ = np.linalg.lstsq(terms[is_good], mesh[is_good], rcond=None)
    return np.asarray(terms @ coefficients)


def _filtered(mesh: Array) -> Array:
    """Return the medians of 3 x 3 values less a plane, plus those of the residuals.

    On the slope of a plane, the median would be the central value itself, and have its noise.
    """
    plane = _plane(_median_of_nine(mesh))
    smooth = _median_of_nine(mesh - plane)
    return plane + smooth + _median_of_nine(mesh - plane - smooth)


def _median_of_nine(mesh: Array) -> Array:
    """Return the median of the 3 x 3 values about each, beyond the border continued with their slope."""
    medians = np.empty(mesh.shape)
    median_of_nine(np.ascontiguousarray(_continued(mesh, 1)), medians)
    return medians


def _continued(mesh: Array, n: int) -> Array:
    """Return a mesh with `n` more values on all sides, on the line through the last two."""
    for _ in range(n):
        for axis in (0, 1):
            rows = mesh if axis == 0 else mesh.T
            first, last = (rows[0], rows[-1]) if len(rows) == 1 else (2 * rows[0] - rows[1], 2 * rows[-1] - rows[-2])
            rows = np.concatenate([first[None], rows, last[None]])
            mesh = rows if axis == 0 else rows.T
    return mesh


def _spline_coefficients(mesh: Array) -> Array:
    """Return the coefficients of the natural cubic spline through a mesh, with two more on all sides."""
    from scipy.linalg import solve_banded

    for axis in (0, 1):
        n = mesh.shape[axis]
        bands = np.repeat([[1.0 / 6.0], [4.0 / 6.0], [1.0 / 6.0]], n, axis=1)
        bands[1, [0, -1]] = 1.0  # the second derivative at the ends is 0
        bands[0, 1:2] = bands[2, -2:-1] = 0.0
        if n > 1:
            mesh = np.moveaxis(solve_banded((1, 1), bands, np.moveaxis(mesh, axis, 0)), 0, axis)
    return np.ascontiguousarray(_continued(mesh, 2))


def _taps(n_pixels: int, n_boxes: int) -> Taps:
    """Return the weights of coefficients with two more at each end."""
    position = (np.arange(n_pixels) + 0.5) * n_boxes / n_pixels - 0.5
    index = np.floor(position)
    t = position - index
    weights = np.stack([(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3], axis=1) / 6.0
    return Taps(index.astype(np.int64) + 1, weights)


def _interpolated(coefficients: Array, taps: list[Taps]) -> NDArray[np.float32]:
    image = np.empty(tuple(axis.starts.size for axis in taps), dtype=np.float32)
    interpolate(np.ascontiguousarray(coefficients), *taps, image)
    image.flags.writeable = False
    return image
