"""Stamps of a PSF: checked, shifted by fractions of a pixel, centred on the middle pixel, resampled and trimmed."""

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.adaptive_moments import adaptive_moments

Array = NDArray[np.float64]

MIN_SIDE = 5
"""Minimum side of a stamp, pixels."""

MAX_SIDE = 1025
"""Maximum side of a stamp, pixels: larger ones are images of the sky."""

LANCZOS_ORDER = 4
"""Number of zeros of the Lanczos kernel on each side: PSFEx has the same for its models."""

CENTRED = 0.01
"""Maximum offset of the centroid of a stamp that is centred, pixels."""

MIN_SIGMAS = 4.0
"""Minimum half-side of a trimmed stamp, widths of the PSF."""

NEGLIGIBLE = 1e-4
"""Fraction of the flux that a trimmed stamp may lose."""

SIGNIFICANCE = 3.0
"""Number of standard errors above which the mean of a ring is light."""

MIN_SHARE = 0.25
"""Minimum part of the light of a PSF in the Gaussian that fits its peak; it is 0.7 to 1 in images of stars."""

MAX_WIDTH = 0.3
"""Maximum width of a PSF in sides of its image: beyond, its wings are outside, or its background is not subtracted."""

ONE_PIXEL = 0.5
"""Part of the light in the brightest pixel above which the centroid is that pixel."""

NARROW = 0.5
"""Minimum fraction of the light in the 3 x 3 pixels about the peak of a PSF that is too narrow for moments; it is 0.62
for the PSF of HST in pixels of 0.05 arcsec."""

REMEDY = "give an image of the PSF alone, background subtracted, in the pixels of the sky"


def check_stamp(stamp: Array, name: str) -> None:
    """Raise a SkyError if an image cannot be a PSF.

    Parameters
    ----------
    stamp : (n_rows, n_columns) float64 array
        Image.
    name : str
        File, for the message.
    """
    n_bad = int((~np.isfinite(stamp)).sum())
    rows, columns = stamp.shape
    if min(rows, columns) < MIN_SIDE:
        raise SkyError(f"{name} has {rows} x {columns} pixels, a PSF needs at least {MIN_SIDE} x {MIN_SIDE}; {REMEDY}")
    if max(rows, columns) > MAX_SIDE:
        raise SkyError(f"{name} has {rows} x {columns} pixels, more than {MAX_SIDE} on a side; {REMEDY}")
    if n_bad:
        raise SkyError(f"{name} has {n_bad} of {stamp.size} pixels that are not finite; fill them or {REMEDY}")
    total, positive = float(stamp.sum()), float(np.abs(stamp).sum())
    if not total > 1e-6 * positive:
        found = "are all 0" if positive == 0.0 else f"sum to {total:.3g}"
        raise SkyError(f"{name} has pixels that {found}, a PSF has a positive sum; {REMEDY}")


def centred_stamp(stamp: Array, name: str) -> Array:
    """Return a stamp of odd side with the centroid of its light on the middle pixel and a sum of 1.

    Parameters
    ----------
    stamp : (n_rows, n_columns) float64 array
        Image of the PSF: sides may be even or unequal, and the peak anywhere.
    name : str
        File, for messages.

    Returns
    -------
    (side, side) float64 array
        The stamp, moved by whole pixels and a Fourier shift of at most half of one, with 0 where it has no pixel.

    Raises
    ------
    SkyError
        If it cannot be a PSF, or has no peak.
    """
    check_stamp(stamp, name)
    x, y = _centre(stamp, name)
    column, row = round(x), round(y)
    dx, dy = column - x, row - y
    if max(abs(dx), abs(dy)) > CENTRED:
        stamp = shifted(stamp[np.newaxis], np.array([dx]), np.array([dy]))[0]
    half = max(column, row, stamp.shape[1] - 1 - column, stamp.shape[0] - 1 - row, MIN_SIDE // 2)
    padded = np.zeros((2 * half + 1, 2 * half + 1))
    top, left = half - row, half - column
    padded[top : top + stamp.shape[0], left : left + stamp.shape[1]] = stamp
    return np.asarray(padded / padded.sum())


def _centre(stamp: Array, name: str) -> tuple[float, float]:
    """Return x and y of the adaptive centroid of a PSF, pixels; of the peak where the light is in one pixel."""
    row, column = np.unravel_index(int(stamp.argmax()), stamp.shape)
    if stamp[row, column] > ONE_PIXEL * np.abs(stamp).sum():
        return float(column), float(row)
    found = adaptive_moments(stamp[np.newaxis], x=np.array([float(column)]), y=np.array([float(row)]))
    if np.isnan(found.flux[0]) and (narrow := _narrow_centre(stamp, row, column)) is not None:
        return narrow
    share, sigma = float(found.flux[0]) / float(stamp.sum()), float(found.sigma[0])
    if not (share > MIN_SHARE and sigma < MAX_WIDTH * min(stamp.shape)):
        content = "no peak" if np.isnan(share) else f"a peak of width {sigma:.1f} px with {share:.0%} of the light"
        rows, columns = stamp.shape
        raise SkyError(f"{name} has {content} in {rows} x {columns} pixels, which is no PSF; {REMEDY}")
    return float(found.x[0]), float(found.y[0])


def _narrow_centre(stamp: Array, row: np.intp, column: np.intp) -> tuple[float, float] | None:
    """Return the centroid, x and y, of a PSF too narrow for adaptive moments; None if it is not that.

    It is the centroid of the 3 x 3 pixels about the peak, which hold most of its light.
    """
    top, left = max(int(row) - 1, 0), max(int(column) - 1, 0)
    core = np.maximum(stamp[top : top + 3, left : left + 3], 0.0)
    if core.sum() < NARROW * np.abs(stamp).sum():
        return None
    rows, columns = np.indices(core.shape)
    return left + float((columns * core).sum() / core.sum()), top + float((rows * core).sum() / core.sum())


def shifted(stamps: Array, dx: Array, dy: Array) -> Array:
    """Return stamps (n, n_rows, n_columns) with their light moved by dx and dy (n,), pixels.

    The interpolation by sinc is a Fourier shift of stamps with 0 all around: what leaves a stamp does not return on the
    other side.
    """
    along_y, along_x = (_sinc(np.asarray(d), side) for d, side in zip((dy, dx), stamps.shape[1:]))
    return np.asarray(along_y @ stamps @ along_x.transpose(0, 2, 1))


def _sinc(shift: Array, side: int) -> Array:
    """Return the weights sinc(i - j - shift) of pixels j for pixels i, (n, side, side)."""
    lags = np.sinc(np.arange(1 - side, side) - shift[:, None])
    pixels = np.arange(side)
    return np.asarray(lags[:, pixels[:, None] - pixels + side - 1])


def resampled(planes: Array, sampling: float) -> Array:
    """Return planes (n, n_rows, n_columns) on pixels of 1 / `sampling` of theirs, about the pixel n // 2, flux kept.

    Parameters
    ----------
    planes : (n, n_rows, n_columns) float64 array
        Samples of the PSF at a distance of `sampling` image pixels.
    sampling : float, image pixels
        Distance of the samples.

    Returns
    -------
    (n, side, side) float64 array
        Values at image pixels, side odd, by a Lanczos kernel of four zeros.
    """
    half = max(int((max(planes.shape[1:]) // 2) * sampling), MIN_SIDE // 2)
    positions = np.arange(-half, half + 1) / sampling
    rows, columns = (_lanczos(positions + side // 2, side) for side in planes.shape[1:])
    return np.asarray(rows @ planes @ columns.T) / sampling**2


def _lanczos(positions: Array, n: int) -> Array:
    """Return the weights (m, n) of n samples for values at positions (m,), in samples; 0 outside them."""
    offset = positions[:, None] - np.arange(n)
    weights = np.where(np.abs(offset) < LANCZOS_ORDER, np.sinc(offset) * np.sinc(offset / LANCZOS_ORDER), 0.0)
    inside = np.arange(np.floor(positions.min()) - LANCZOS_ORDER, np.ceil(positions.max()) + LANCZOS_ORDER + 1)
    full = positions[:, None] - inside
    norm = np.where(np.abs(full) < LANCZOS_ORDER, np.sinc(full) * np.sinc(full / LANCZOS_ORDER), 0.0).sum(axis=1)
    return np.asarray(weights / norm[:, None])


def light_radius(stamp: Array, sigma: float) -> int:
    """Return the half-side of the smallest centred square that holds the light of a centred stamp, pixels.

    Rings further out hold noise alone, or a negligible part of the flux. The square is at least MIN_SIGMAS widths.
    """
    half = stamp.shape[0] // 2
    rings = square_rings(half)
    n = np.bincount(rings)
    total, square = (np.bincount(rings, weights=values.ravel()) for values in (stamp, stamp**2))
    mean = total / n
    error = np.sqrt(np.maximum(square / n - mean**2, 0.0) / n)
    outside = np.cumsum(np.abs(total)[::-1])[::-1]
    is_light = (np.abs(mean) > SIGNIFICANCE * error) & (outside > NEGLIGIBLE * stamp.sum()) & (mean != 0.0)
    last = int(np.flatnonzero(is_light).max(initial=0))
    return int(min(half, max(last, int(np.ceil(MIN_SIGMAS * sigma)), MIN_SIDE // 2)))


def square_rings(half: int) -> NDArray[np.int64]:
    """Return the index of the square ring about the middle of each pixel of a stamp, flat."""
    offset = np.abs(np.arange(-half, half + 1))
    return np.asarray(np.maximum(offset[:, None], offset[None, :]).ravel())


def cropped(planes: Array, half: int) -> Array:
    """Return the central pixels of planes (n, side, side), of half-side `half`."""
    middle = planes.shape[1] // 2
    return planes[:, middle - half : middle + half + 1, middle - half : middle + half + 1]
