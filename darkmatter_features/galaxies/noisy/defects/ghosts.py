"""Ghosts of bright stars: faint, smooth discs and rings of light reflected in the optics, by their circular edges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Centres = list[tuple[float, float]]

CELL = 4
"""Side of the cells whose medians are searched, pixels: galaxies smaller than a few pixels do not change them."""

WIDTHS = (2, 4)
"""Widths of an annulus, cells: for edges that are sharp, and soft."""

RADII = (32, 240)
"""Minimum and maximum radius of a ghost, pixels."""

MAX_DISTANCE = 160
"""Maximum distance of the centre of a ghost from its star along rows and columns, pixels."""

MAX_STARS = 16
"""Maximum number of stars, the largest, about which ghosts are searched."""

MAX_LIGHT = 5.0
"""Light above which cells are no part of a ghost, standard deviations of a pixel."""

MIN_EDGE = 0.25
"""Minimum contrast of an edge, standard deviations of a pixel."""

MIN_SNR = 8.0
"""Minimum S/N of an edge, by the scatter of all circles of its radius and width about the star."""

MIN_KNOWN = 0.5
"""Minimum fraction of the cells of an annulus that are known."""

N_SECTORS = 12
"""Number of sectors in each of which an edge is looked for."""

MIN_SECTORS = 10
"""Minimum number of sectors with known cells on both sides of an edge."""

MAX_SCATTER = 0.35
"""Maximum standard deviation of the steps of the sectors in units of their mean: 0.1 to 0.3 for ghosts, more than 0.38
where circles touch the light of galaxies."""

INSIDE, OUTSIDE = 16.0, 8.0
"""Width inside and outside an edge that is left out, pixels: the background is smooth further away."""

CENTRE_DISTANCE = MAX_DISTANCE // CELL
"""Distance of the centres from the star, cells."""

N_RINGS = RADII[1] // CELL + 2 * max(WIDTHS)
"""Number of rings of the width of a cell about a centre."""


@dataclass(frozen=True)
class Ghost:
    """Circular edge of a ghost.

    Attributes
    ----------
    row, column : float, pixels
        Centre.
    radius : float, pixels
        Radius of the outer edge.
    """

    row: float
    column: float
    radius: float


def find_ghosts(values: Floats, noise: float, mask: Mask, stars: Centres) -> list[Ghost]:
    """Return the ghosts around bright stars.

    Parameters
    ----------
    values : (n_rows, n_columns) float32 array, counts
        The image with its background.
    noise : float, counts
        Standard deviation of a pixel.
    mask : (n_rows, n_columns) bool array
        Pixels that have no measurement, or that of saturated stars and tracks.
    stars : list of (float, float), pixels
        Rows and columns of saturated stars, the largest first.

    Notes
    -----
    The light of a ghost is even on both sides of its edge. With the means m of four adjacent annuli, from the innermost
    one, the contrast of an edge is ``m2 - m3 - |m1 - m2| / 2 - |m3 - m4| / 2``. It is 0 on a slope, and negative in the
    profile of a galaxy, whose steps decrease outwards.
    """
    if not stars or min(values.shape) < 4 * RADII[0] or noise <= 0.0:
        return []
    light, known = _cells(values, noise, mask)
    found: list[tuple[float, Ghost]] = []
    for row, column in stars[:MAX_STARS]:
        found += _ghosts_of(light, known, (int(row / CELL), int(column / CELL)))
    return _distinct(sorted(found, key=lambda each: -each[0]))


def ghost_mask(ghost: Ghost, shape: tuple[int, ...]) -> Mask:
    """Return the pixels along the edge of a ghost, where the background does not follow it."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    radius = np.hypot(y - ghost.row, x - ghost.column)
    return np.asarray((radius > ghost.radius - INSIDE) & (radius < ghost.radius + OUTSIDE))


def _cells(values: Floats, noise: float, mask: Mask) -> tuple[Floats, Floats]:
    """Return the light of cells in units of the noise, 0 where it is not known, and whether it is known."""
    from scipy.ndimage import maximum_filter

    n_rows, n_columns = (n // CELL for n in values.shape)
    part = np.where(mask, np.float32(np.nan), values)[: n_rows * CELL, : n_columns * CELL]
    blocks = part.reshape(n_rows, CELL, n_columns, CELL).swapaxes(1, 2).reshape(n_rows, n_columns, CELL * CELL)
    median = np.median(blocks, axis=2)  # nan where any pixel is
    light = (median - np.float32(np.nanmedian(median))) / np.float32(noise)
    is_source = maximum_filter((np.abs(light) > MAX_LIGHT).view(np.uint8), 3).view(np.bool_)
    known = np.isfinite(light) & ~is_source
    return np.where(known, light, np.float32(0.0)), known.astype(np.float32)


def _ghosts_of(light: Floats, known: Floats, star: tuple[int, int]) -> list[tuple[float, Ghost]]:
    """Return the S/N of the edges about a star, in cells, and their circles."""
    weights, sums = (_ring_sums(each, star) for each in (known, light))
    n_cells = _ring_sums(np.ones_like(known[:1, :1]), (0, 0), is_whole=True)
    found = []
    for width in WIDTHS:
        means = _annulus_means(weights, sums, n_cells, width)
        for radius in range(max(RADII[0] // CELL, 2 * width), RADII[1] // CELL + 1):
            m1, m2, m3, m4 = (means[radius + k * width] for k in (-2, -1, 0, 1))
            contrast = m2 - m3 - 0.5 * np.abs(m1 - m2) - 0.5 * np.abs(m3 - m4)
            found += _edges(contrast, (radius, width), star, light, known)
    return found


def _ring_sums(cells: Floats, star: tuple[int, int], *, is_whole: bool = False) -> Floats:
    """Return sums of cells in rings of the width of a cell about places near a star, (N_RINGS, n, n) with n odd.

    With `is_whole`, return the number of cells of each ring, (N_RINGS, 1, 1).
    """
    from scipy.fft import irfft2, rfft2

    offsets = np.arange(-N_RINGS, N_RINGS + 1)
    ring = np.hypot(offsets[:, np.newaxis], offsets).astype(np.int64)
    if is_whole:
        return np.bincount(ring.ravel())[:N_RINGS, np.newaxis, np.newaxis].astype(np.float32)
    window = _window(cells, star, N_RINGS + CENTRE_DISTANCE)
    transform = rfft2(window)
    sums = np.empty((N_RINGS, 2 * CENTRE_DISTANCE + 1, 2 * CENTRE_DISTANCE + 1), dtype=np.float32)
    for k in range(N_RINGS):
        kernel = np.zeros_like(window)
        kernel[: ring.shape[0], : ring.shape[1]] = ring == k
        start = 2 * N_RINGS
        sums[k] = irfft2(transform * rfft2(kernel), window.shape)[start:, start:][
            : 2 * CENTRE_DISTANCE + 1, : 2 * CENTRE_DISTANCE + 1
        ]
    return sums


def _window(cells: Floats, centre: tuple[int, int], reach: int) -> Floats:
    """Return the cells within a distance of one, 0 beyond the border of the image."""
    window = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.float32)
    first = [max(0, reach - c) for c in centre]
    part = cells[max(0, centre[0] - reach) : centre[0] + reach + 1, max(0, centre[1] - reach) : centre[1] + reach + 1]
    window[first[0] : first[0] + part.shape[0], first[1] : first[1] + part.shape[1]] = part
    return window


def _annulus_means(weights: Floats, sums: Floats, n_cells: Floats, width: int) -> Floats:
    """Return the mean light in annuli (n_annuli, n, n) by their first ring; nan where too few cells are known."""
    weight, light, whole = (_running(each, width) for each in (weights, sums, n_cells))
    is_enough = weight > MIN_KNOWN * whole
    return np.where(is_enough, light / np.where(is_enough, weight, np.float32(1.0)), np.float32(np.nan))


def _running(rings: Floats, width: int) -> Floats:
    """Return the sums of `width` rings from each on."""
    total = np.concatenate([np.zeros_like(rings[:1]), np.cumsum(rings, axis=0)])
    return np.asarray(total[width:] - total[:-width])


def _edges(
    contrast: Floats, size: tuple[int, int], star: tuple[int, int], light: Floats, known: Floats
) -> list[tuple[float, Ghost]]:
    """Return the S/N and the circle of the clearest edge of a radius and width, in cells, if it is one."""
    is_known = np.isfinite(contrast)
    if is_known.mean() < MIN_KNOWN:
        return []
    middle = float(np.median(contrast[is_known]))
    scatter = 1.4826 * float(np.median(np.abs(contrast[is_known] - middle)))
    row, column = np.unravel_index(np.nanargmax(contrast), contrast.shape)
    highest = float(contrast[row, column])
    if highest < max(MIN_EDGE, middle + MIN_SNR * scatter):
        return []
    centre = star[0] + int(row) - CENTRE_DISTANCE, star[1] + int(column) - CENTRE_DISTANCE
    if not _is_round(light, known, centre, size):
        return []
    place = [CELL * (each + 0.5) - 0.5 for each in centre]
    return [((highest - middle) / scatter, Ghost(place[0], place[1], float(CELL * size[0])))]


def _is_round(light: Floats, known: Floats, centre: tuple[int, int], size: tuple[int, int]) -> bool:
    """Return whether an edge of a radius and width is alike in nearly all sectors."""
    y, x = (np.arange(n) - c for n, c in zip(light.shape, centre, strict=True))
    distance = np.hypot(y[:, np.newaxis], x) - size[0]
    sector = ((np.arctan2(y[:, np.newaxis], x) / (2.0 * np.pi) + 0.5) * N_SECTORS).astype(np.int64) % N_SECTORS
    means = []
    for low in (-size[1], 0):
        own = (distance >= low) & (distance < low + size[1]) & (known > 0.0)
        counts = np.bincount(sector[own], minlength=N_SECTORS)
        sums = np.bincount(sector[own], weights=light[own], minlength=N_SECTORS)
        means.append(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
    steps = means[0] - means[1]
    steps = steps[np.isfinite(steps)]
    return bool(steps.size >= MIN_SECTORS and steps.std() < MAX_SCATTER * steps.mean())


def _distinct(found: list[tuple[float, Ghost]]) -> list[Ghost]:
    """Return the edges that are not that of a clearer one."""
    kept: list[Ghost] = []
    for _, ghost in found:
        if all(_distance(ghost, own) > INSIDE + OUTSIDE for own in kept):
            kept.append(ghost)
    return kept


def _distance(one: Ghost, other: Ghost) -> float:
    """Return the largest distance of two circles, pixels."""
    return float(np.hypot(one.row - other.row, one.column - other.column) + abs(one.radius - other.radius))
