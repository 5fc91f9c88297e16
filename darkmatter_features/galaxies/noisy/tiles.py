"""Tiles of an image: each is smoothed at once, with the PSF of its middle."""

from collections.abc import Iterator

import numpy as np

TILE = 1024
"""Maximum side of a tile that is smoothed at once, pixels."""

TILE_OF_VARIABLE_PSF = 192
"""The same where the PSF varies: within a tile, it is that of the tile's centre."""

MARGIN = 16.0
"""Margin of a tile, in units of the PSF's standard deviation times the scale of the smoothing."""

Slices = tuple[slice, slice]


def tiles_of(shape: tuple[int, ...], side: int, sigma: float) -> Iterator[tuple[Slices, Slices]]:
    """Yield the cores of tiles that cover an image, and the same with a margin.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    side : int, pixels
        Maximum side of a core.
    sigma : float, pixels
        Standard deviation of the PSF times the scale of the smoothing.
    """
    margin = int(np.ceil(MARGIN * sigma))
    edges = [np.linspace(0, n, -(-n // side) + 1).astype(int) for n in shape]
    if all(edge.size == 2 for edge in edges):
        margin = 0
    for top, bottom in zip(edges[0], edges[0][1:]):
        for left, right in zip(edges[1], edges[1][1:]):
            core = slice(top, bottom), slice(left, right)
            yield (
                core,
                tuple(  # type: ignore[misc]
                    slice(max(part.start - margin, 0), min(part.stop + margin, n)) for part, n in zip(core, shape)
                ),
            )


def middle_of(core: Slices) -> tuple[float, float]:
    """Return x and y of the middle of a tile."""
    return 0.5 * (core[1].start + core[1].stop - 1), 0.5 * (core[0].start + core[0].stop - 1)


def within(core: Slices, outer: Slices) -> Slices:
    """Return the slices of a core in its tile."""
    rows, columns = (slice(c.start - o.start, c.stop - o.start) for c, o in zip(core, outer))
    return rows, columns
