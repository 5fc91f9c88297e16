"""Named arguments of the kernels: arrays and settings that belong together.

Numba compiles a named tuple to a struct of its fields, so a kernel reads a field at the cost of a local variable.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Array of real numbers in double precision."""

Integers = NDArray[np.signedinteger[Any]]
"""Array of integers of 32 or 64 bits."""

Booleans = NDArray[np.bool_]
"""Array of flags."""


class ImageBlocks(NamedTuple):
    """Image as rows of its pixels, and the same memory in blocks of 64-bit words.

    Attributes
    ----------
    values : (n, n_bands) array, counts
        Pixels of all rows, one after another.
    words : (n // 8, n_words) uint64 array
        Memory of `values`; row k holds the 8 pixels from 8 k on. Pixels after the last full block are left out.
    n_columns : int
        Pixels in a row of the image.
    """

    values: NDArray[Any]
    words: NDArray[np.uint64]
    n_columns: int


class FlatBackground(NamedTuple):
    """Background that has one level in each band. Tuples let the compiler unroll loops over bands.

    Attributes
    ----------
    levels : tuple of n_bands int or float, counts
        Level of each band, of a type from which pixels can be subtracted without overflow.
    words : tuple of n_words int
        Memory of 8 pixels at these levels, in 64-bit words.
    """

    levels: tuple[Any, ...]
    words: tuple[Any, ...]


class Foreground(NamedTuple):
    """Pixels above the background.

    Attributes
    ----------
    image : ((n_rows + 2) * (n_columns + 2),) array, counts
        Largest band above its background, with a margin of one pixel of value 0 on all sides.
    indices : (n_rows * n_columns,) int32 array
        Flat indices into `image` of the pixels above 0, ascending.
    flux : (n_rows * n_columns,) array, counts
        Values of `image` at `indices`.
    """

    image: NDArray[Any]
    indices: NDArray[np.int32]
    flux: NDArray[Any]


class FlatImage(NamedTuple):
    """Flat image with a margin of one pixel of value 0 on all sides, so that every pixel has eight neighbours.

    Attributes
    ----------
    values : (n,) array, counts
        Pixel values, row by row. Kernels set a pixel to 0 once it is in a list.
    width : int
        Pixels in a row, margins included.
    """

    values: NDArray[Any]
    width: int


class SegmentIndices(NamedTuple):
    """Lists of pixels; segment k has the flat indices ``indices[starts[k]:starts[k + 1]]``.

    Attributes
    ----------
    indices : (capacity,) int32 array
        Flat indices into an image with margins, those of one segment next to each other.
    starts : (n_segments + 1,) int64 array
        First entry of each segment, and the end of the last.
    """

    indices: NDArray[np.int32]
    starts: Integers


class SegmentPixels(NamedTuple):
    """Pixels of all segments; segment k has the entries ``starts[k]:starts[k + 1]``.

    Attributes
    ----------
    values : (m, n_bands) float64 array, counts
        Flux above the background in each band, at least 0.
    totals : (m,) float64 array, counts
        Sum of `values` over bands.
    rows, columns : (m,) int32 arrays, pixels
        Positions in the image.
    starts : (n_segments + 1,) int64 array
        First entry of each segment, and the end of the last.
    """

    values: Floats
    totals: Floats
    rows: Integers
    columns: Integers
    starts: Integers


class Light(NamedTuple):
    """Flux of the pixels of one segment.

    Attributes
    ----------
    values : (m, n_bands) float64 array, counts
        Flux above the background in each band, at least 0.
    totals : (m,) float64 array, counts
        Sum of `values` over bands.
    """

    values: Floats
    totals: Floats


class PixelGrid(NamedTuple):
    """Positions of the pixels of one segment on a grid of its own, with an empty margin of one pixel on all sides.

    Attributes
    ----------
    rows, columns : (m,) int32 arrays, pixels
        Positions on the grid.
    cells : (n_rows, n_columns) int32 array
        p + 1 at the position of pixel p, 0 elsewhere.
    """

    rows: Integers
    columns: Integers
    cells: NDArray[np.int32]


class VisiblePixels(NamedTuple):
    """Pixels in which a galaxy is visible.

    Attributes
    ----------
    rows, columns : (m,) int32 arrays, pixels
        Positions on the grid of the segment.
    flux : (m,) float64 array, counts
        Flux of the galaxy, summed over bands.
    """

    rows: Integers
    columns: Integers
    flux: Floats


class ColorSettings(NamedTuple):
    """Limits within which two colours count as equal.

    Attributes
    ----------
    noise : float, counts
        Standard deviation of a pixel's flux in a band.
    separation : float
        Minimum difference, in some band, between the colours of two galaxies. A colour is the flux of each band as a
        fraction of their sum.
    """

    noise: float
    separation: float


class SaddleSettings(NamedTuple):
    """Minimum height of a peak above the saddle that connects it to a higher one, and minimum size of its basin.

    Attributes
    ----------
    contrast : float
        Minimum height as a fraction of the peak's brightness.
    depth : float, counts
        Minimum height.
    n_pixels : int
        Minimum number of pixels of a basin.
    """

    contrast: float
    depth: float
    n_pixels: int


class SplitSettings(NamedTuple):
    """Settings by which a segment is split into galaxies.

    Attributes
    ----------
    by_color : bool
        Whether to split by colour; otherwise segments are split at saddles of the brightness.
    color : ColorSettings
        Used by the first method; its noise is also the minimum flux of a pixel in a footprint, counts.
    saddle : SaddleSettings
        Used by the second method; its `n_pixels` is also the minimum number of pixels of a galaxy.
    """

    by_color: bool
    color: ColorSettings
    saddle: SaddleSettings


class Footprints(NamedTuple):
    """Footprints of all galaxies; galaxy k has the entries ``starts[k]:starts[k + 1]`` of `pixels` and `flux`.

    Attributes
    ----------
    pixels : (capacity,) int64 array
        Flat indices into the image, without margins.
    flux : (capacity,) float64 array, counts
        Flux of the galaxy in each pixel, summed over bands.
    starts : (n_galaxies + 1,) int64 array
        First entry of each galaxy, and the end of the last.
    blended : (n_galaxies,) bool array
        True where the galaxy shares its segment with others.
    """

    pixels: Integers
    flux: Floats
    starts: Integers
    blended: Booleans
