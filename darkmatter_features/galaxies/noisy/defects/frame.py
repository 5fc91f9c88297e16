"""Borders of an image that have one value: drawn frames, rounded corners, and areas that were not observed."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]

OUTERMOST_FRACTION = 0.9
"""Minimum fraction of the outermost row or column of a frame that has the frame's value."""

TEXT_FRACTION = 0.3
"""The same for rows and columns further in: captions cover the rest."""

SKY_FRACTION = 0.05
"""Maximum fraction of the middle of the image with the frame's value: otherwise it is that of the sky."""

MAX_LINE = 6
"""Maximum width of a line drawn about an image, with its smooth edges, pixels."""

MIN_SIDE = 16
"""Minimum sides of the part inside the frame, pixels."""

MIN_PATCH = 30
"""Minimum number of pixels of a corner, or another part at the border, of one value."""


@dataclass(frozen=True)
class Rectangle:
    """Part of an image: rows from `top` to `bottom`, columns from `left` to `right`, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Slices of rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def is_small(self) -> bool:
        """Whether too little is left to be an image."""
        return min(self.bottom - self.top, self.right - self.left) < MIN_SIDE

    def line(self, values: Values, side: str, depth: int = 0) -> Values:
        """Return the row or the column at a distance `depth` from a side."""
        part = values[self.slices] if side in ("top", "bottom") else values[self.slices].T
        line: Values = part[depth if side in ("top", "left") else -1 - depth]
        return line

    def without(self, side: str, n: int = 1) -> "Rectangle":
        """Return the rectangle without `n` rows or columns at a side."""
        return replace(self, **{side: getattr(self, side) + (n if side in ("top", "left") else -n)})


SIDES = ("top", "bottom", "left", "right")


@dataclass(frozen=True)
class Frame:
    """Frame of an image.

    Attributes
    ----------
    mask : (n_rows, n_columns) bool array
        Pixels of the frame, its lines and corners.
    letters : (n_rows, n_columns) bool array
        Pixels in the frame of other values: captions.
    """

    mask: Mask
    letters: Mask


def find_frame(values: Values, tolerance: float, margin: int) -> Frame | None:
    """Return the frame of an image, or None if it has none.

    Parameters
    ----------
    values : (n_rows, n_columns) float32 array, counts
        The image.
    tolerance : float, counts
        Maximum difference of values that count as one: 0, or more where an image was compressed.
    margin : int, pixels
        Width of the strip inside the frame that compression or interpolation spoils.

    Notes
    -----
    A frame is peeled off row by row. Its value is rare in the middle of the image: rows of sky that is clipped at
    black, or so smooth that its noise is below the tolerance, are no frame.
    """
    whole = Rectangle(0, values.shape[0], 0, values.shape[1])
    if whole.is_small:
        return None
    inside, value = _peeled(values, whole, tolerance)
    if value is None:
        return None
    letters = np.abs(values - value) > 2.0 * tolerance
    letters[inside.slices] = False
    bare = _without_lines(values, inside, tolerance) if tolerance > 0.0 else inside
    corners = _patches(values, bare, value, tolerance)
    for side in SIDES:
        if getattr(inside, side) != getattr(whole, side):
            bare = bare.without(side, margin)
    if bare.is_small:
        return None
    mask = np.ones(values.shape, dtype=np.bool_)
    mask[bare.slices] = False
    return Frame(mask | corners, letters)


def _peeled(values: Values, rectangle: Rectangle, tolerance: float) -> tuple[Rectangle, float | None]:
    """Return what is inside the rows and columns of one value, and that value; None if there are none."""
    value: float | None = None
    limit = OUTERMOST_FRACTION
    while True:
        before = rectangle
        for side in SIDES:
            limit, depth = OUTERMOST_FRACTION, 0
            while not rectangle.is_small:
                line = rectangle.line(values, side)
                level = float(np.median(line)) if value is None else value
                if np.mean(np.abs(line - level) <= tolerance) < limit or _is_sky(values, level, tolerance):
                    break
                value, rectangle, depth, limit = level, rectangle.without(side), depth + 1, TEXT_FRACTION
        if rectangle == before or rectangle.is_small:
            break
    return (before, None) if rectangle.is_small else (rectangle, value)


def _is_sky(values: Values, level: float, tolerance: float) -> bool:
    """Return whether a value is frequent in the middle of an image."""
    rows, columns = (slice(n // 4, 3 * n // 4, max(1, n // 128)) for n in values.shape)
    return bool(np.mean(np.abs(values[rows, columns] - level) <= tolerance) > SKY_FRACTION)


def _without_lines(values: Values, inside: Rectangle, tolerance: float) -> Rectangle:
    """Return a rectangle without the lines at its sides that differ from what is further in."""
    for side in SIDES:
        if inside.is_small:
            break
        further = float(np.median(inside.line(values, side, MAX_LINE)))
        lines = [inside.line(values, side, depth) for depth in range(MAX_LINE)]
        is_line = [
            abs(float(np.median(line)) - further) > tolerance
            and np.mean(np.abs(line - np.median(line)) <= 2.0 * tolerance) > OUTERMOST_FRACTION
            for line in lines
        ]
        inside = inside.without(side, 1 + max((k for k, found in enumerate(is_line) if found), default=-1))
    return inside


def _patches(values: Values, inside: Rectangle, value: float, tolerance: float) -> Mask:
    """Return the pixels of the frame's value that are connected to the border of a rectangle: rounded corners."""
    from scipy.ndimage import binary_dilation, label, maximum_filter, minimum_filter

    found = np.zeros(values.shape, dtype=np.bool_)
    part = values[inside.slices]
    is_flat = np.abs(part - value) <= tolerance
    if is_flat[[0, -1]].sum() + is_flat[:, [0, -1]].sum() < 4:
        return found
    is_flat &= maximum_filter(part, 3) - minimum_filter(part, 3) <= 2.0 * tolerance
    labels, _ = label(is_flat)
    sizes = np.bincount(labels.ravel())
    at_border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    kept = [k for k in at_border if k and sizes[k] >= MIN_PATCH]
    if kept:
        found[inside.slices] = binary_dilation(np.isin(labels, kept), np.ones((3, 3)), iterations=2)
    return found
