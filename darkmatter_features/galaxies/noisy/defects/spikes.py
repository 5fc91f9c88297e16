"""Diffraction spikes of bright stars."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.kernels.plateaus import flood
from darkmatter_features.galaxies.noisy.kernels.polar import sample_circles

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

N_ANGLES = 360
"""Number of directions about a star."""

ARMS = (4, 6)
"""Numbers of spikes of a star, at equal angles: those of four vanes or two, and those of three vanes or hexagons."""

STAR_SNR = 800.0
"""Minimum S/N of a pixel of a star that is examined."""

MIN_FILLED = 0.4
"""Minimum number of its pixels of that S/N over the square of its longer side: cosmic rays are elongated."""

MAX_STARS = 20
"""Maximum number of stars that are examined."""

MAX_LENGTH = 400
"""Maximum length of a spike, pixels."""

MIN_ARM_SNR = 6.0
"""Minimum S/N of each spike but one."""

SEGMENT = 8
"""Length of the segments in which a spike is followed, pixels."""

SEGMENT_SNR = 2.5
"""Minimum S/N of a segment."""

HALF_WIDTH = 2.5
"""Half of the width of the strip that is left out, pixels."""


class Spike(NamedTuple):
    """A spike: angle from the x axis towards the y axis, radians, and length from the centre of its star, pixels."""

    angle: float
    length: float


def find_spikes(
    light: Floats, noise: float, mask: Mask, star: tuple[float, float], reach: tuple[float, float]
) -> list[Spike]:
    """Return the spikes of a star.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    noise : float, counts
        Standard deviation of a pixel.
    mask : (n_rows, n_columns) bool array
        Pixels without measurement.
    star : (float, float), pixels
        Row and column of the star.
    reach : (float, float), pixels
        Radii from which and up to which spikes are searched; those that are found may be longer.

    Notes
    -----
    The median of each circle about the star is subtracted. Spikes are excesses at four or six equal angles, all but one
    of which are significant: one may be hidden by a neighbour or be outside of the image.
    """
    first = reach[0] + 2.0
    radii = np.arange(first, max(reach[1], first + 2 * SEGMENT))
    angles = np.linspace(0.0, 2.0 * np.pi, N_ANGLES, endpoint=False)
    near = np.empty((radii.size, N_ANGLES))
    sample_circles(light, mask, star, first, angles, near)
    near = np.nan_to_num(near - _medians(near))
    spikes = []
    for k in _arms(near, noise):
        angle = _refined(light, mask, star, radii, angles[k])
        length = _length(light, noise, mask, star, reach[0] + 2.0, angle)
        spikes.append(Spike(angle, length))
    return [spike for spike in spikes if spike.length > radii[0] + SEGMENT]


def _light_at(
    light: Floats, mask: Mask, star: tuple[float, float], radii: Any, angles: Any, offset: float = 0.0
) -> Array:
    """Return the light at polar coordinates about a star, moved by an offset across; nan where there is none."""
    rows = np.rint(star[0] + radii * np.sin(angles) + offset * np.cos(angles)).astype(np.int64)
    columns = np.rint(star[1] + radii * np.cos(angles) - offset * np.sin(angles)).astype(np.int64)
    inside = (rows >= 0) & (rows < light.shape[0]) & (columns >= 0) & (columns < light.shape[1])
    rows, columns = np.where(inside, rows, 0), np.where(inside, columns, 0)
    return np.where(inside & ~mask[rows, columns], light[rows, columns], np.nan)


def _medians(near: Array) -> Array:
    """Return the median of each circle (n_radii, 1), 0 where it has no pixels; nan are left out."""
    ascending = np.sort(near, axis=1)  # nan last
    n_known = np.isfinite(near).sum(axis=1)
    return np.where(n_known > 0, ascending[np.arange(n_known.size), n_known // 2 - (n_known > 1)], 0.0)[:, None]


def _refined(light: Floats, mask: Mask, star: tuple[float, float], radii: Array, angle: float) -> float:
    """Return the angle near another one along which a star is brightest."""
    angles = angle + np.radians(np.arange(-2.0, 2.1, 0.25))
    lines = _light_at(light, mask, star, radii[:, None], angles)
    excess = np.nan_to_num(lines - _medians(lines))
    return float(angles[np.argmax(np.sqrt(np.maximum(excess, 0.0)).sum(axis=0))])


def _arms(near: Array, noise: float) -> list[int]:
    """Return the numbers of the angles of spikes near a star, possibly none."""
    scatter = np.maximum(1.4826 * np.median(np.abs(near), axis=1, keepdims=True), noise)
    snr = np.clip(near / scatter, -3.0, 8.0).sum(axis=0) / np.sqrt(near.shape[0])
    snr = np.maximum(snr, np.maximum(np.roll(snr, 1), np.roll(snr, -1)))
    best: list[int] = []
    best_snr = MIN_ARM_SNR
    for n_arms in ARMS:
        folded = np.sort(snr.reshape(n_arms, -1), axis=0)[1]  # the weakest may be hidden
        k = int(np.argmax(folded))
        if folded[k] > best_snr and not _is_broad(snr, k, n_arms):
            best, best_snr = [k + j * N_ANGLES // n_arms for j in range(n_arms)], float(folded[k])
    return best


def _is_broad(snr: Array, k: int, n_arms: int) -> bool:
    """Return whether the excess between the spikes is as large as half of theirs."""
    between = [snr[(k + (2 * j + 1) * N_ANGLES // (2 * n_arms)) % N_ANGLES] for j in range(n_arms)]
    return bool(np.median(between) > 0.5 * MIN_ARM_SNR)


def _length(light: Floats, noise: float, mask: Mask, star: tuple[float, float], first: float, angle: float) -> float:
    """Return the radius up to which a spike is brighter than the light beside it, pixels."""
    radii = np.arange(first, first + min(MAX_LENGTH, max(light.shape)))
    spike = np.mean([_light_at(light, mask, star, radii, angle, offset) for offset in (-1.0, 0.0, 1.0)], axis=0)
    beside = np.mean([_light_at(light, mask, star, radii, angle, offset) for offset in (-6.0, -5.0, 5.0, 6.0)], axis=0)
    n = radii.size // SEGMENT
    excess = (spike - beside)[: n * SEGMENT].reshape(n, SEGMENT)
    n_known = np.isfinite(excess).sum(axis=1)
    snr = np.nan_to_num(excess).sum(axis=1) / (noise * np.sqrt(np.maximum(n_known, 1) * (1 / 3 + 1 / 4)))
    is_faint = (snr < SEGMENT_SNR) & (n_known > 0)
    both = np.flatnonzero(is_faint[:-1] & is_faint[1:])
    return first + SEGMENT * float(both[0] if both.size else n)


def mark_spikes(spikes: list[Spike], star: tuple[float, float], mask: Mask) -> None:
    """Mark the pixels of the spikes of a star in `mask` (n_rows, n_columns)."""
    for spike in spikes:
        t = np.arange(0.0, spike.length + 2.0, 0.5)
        for offset in np.arange(-HALF_WIDTH, HALF_WIDTH + 0.1, 0.5):
            rows = np.rint(star[0] + t * np.sin(spike.angle) + offset * np.cos(spike.angle)).astype(int)
            columns = np.rint(star[1] + t * np.cos(spike.angle) - offset * np.sin(spike.angle)).astype(int)
            inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
            mask[rows[inside], columns[inside]] = True


def bright_stars(light: Floats, noise: float, bright: NDArray[np.int64], is_done: Mask) -> list[tuple[float, float]]:
    """Return row and column of the sources that are bright enough to have spikes, the brightest first.

    Parameters
    ----------
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    noise : float, counts
        Standard deviation of a pixel.
    bright : (n,) int64 array
        Flat indices of bright pixels, among them those of an S/N of STAR_SNR.
    is_done : (n_rows, n_columns) bool array
        Pixels that are left out.
    """
    limit = np.float32(STAR_SNR * noise)
    values = light.ravel()[bright]
    seeds = bright[values > limit][np.argsort(values[values > limit])[::-1]]
    centres: list[tuple[float, float]] = []
    if seeds.size == 0:
        return centres
    is_seen, stack = is_done.copy(), np.empty(bright.size, dtype=np.int64)
    for start in seeds:
        if len(centres) < MAX_STARS and not is_seen.flat[start]:
            rows, columns = np.divmod(stack[: flood(light, start, limit, is_seen, stack)], light.shape[1])
            side = 1 + max(int(np.ptp(rows)), int(np.ptp(columns)))
            if rows.size >= MIN_FILLED * side**2:
                centres.append((0.5 * float(rows.min() + rows.max()), 0.5 * float(columns.min() + columns.max())))
    return centres
