"""Letters of captions: lines of small ones, and the boxes about blocks of text."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_STEP = 0.55
"""Minimum step between neighbours in a small letter, as a fraction of its contrast: 0.5 in a star of a PSF of
1.2 px."""

LONE_HEIGHT = 7
"""Minimum height of fewer letters, which must be beside another drawing, pixels."""

MIN_LETTERS = 3
"""Minimum number of small letters beside each other."""

LETTER_HEIGHTS = (4, 40)
"""Minimum and maximum height of small letters, pixels."""

TEXT_SIDE = 120
"""Maximum height and width of a letter, pixels; larger drawings are lines."""

MARGIN = 3
"""Distance from a stroke within which pixels are left out, pixels."""


class Drawings(NamedTuple):
    """Pixels that are drawn, with a margin, and number of blocks of text and of other drawings."""

    mask: Mask
    n_objects: int


def small_letters(contrast: Values, limit: float, ink: Mask) -> Mask:
    """Return the pixels of letters whose strokes are as narrow as a pixel: hard edges, and several side by side.

    Parameters
    ----------
    contrast : (n_rows, n_columns) float32 array, counts
        Image less its background.
    limit : float, counts
        Minimum contrast.
    ink : (n_rows, n_columns) bool array
        Drawings found so far: one letter beside them is enough.
    """
    from scipy.ndimage import find_objects, label

    labels, n = label(contrast > limit, np.ones((3, 3)))
    if n == 0:
        return np.asarray(labels > 0)
    steps = np.zeros(contrast.shape, dtype=np.float32)
    for axis in (0, 1):
        difference = np.abs(np.diff(contrast, axis=axis))
        for part in (np.s_[:-1], np.s_[1:]):
            cut = part if axis == 0 else (slice(None), part)
            steps[cut] = np.maximum(steps[cut], difference)
    is_hard = largest(steps, labels, n) >= MIN_STEP * largest(contrast, labels, n)
    boxes = find_objects(labels)
    heights = np.array([part[0].stop - part[0].start for part in boxes])
    widths = np.array([part[1].stop - part[1].start for part in boxes])
    low, high = LETTER_HEIGHTS
    is_hard[1:] &= (heights >= low) & (heights <= high) & (widths <= 2 * high)
    is_hard[0] = False
    is_letter = np.zeros(n + 1, dtype=np.bool_)
    for line in _lines_of_text(boxes, np.flatnonzero(is_hard)):
        if len(line) >= MIN_LETTERS or (heights[line[0] - 1] >= LONE_HEIGHT and ink[_about(boxes, line)].any()):
            is_letter[line] = True
    return np.asarray(is_letter[labels])


def largest(values: NDArray[Any], labels: NDArray[np.int32], n: int) -> NDArray[np.float32]:
    """Return the largest value of each of `n` labelled objects, not negative; the first element, for none, is 0."""
    result = np.zeros(n + 1, dtype=np.float32)
    inside = labels > 0
    np.maximum.at(result, labels[inside], values[inside].astype(np.float32))
    return result


def _about(boxes: list[tuple[slice, ...]], line: list[int]) -> tuple[slice, ...]:
    """Return the box about a line of text, with a margin of the height of a letter."""
    parts = [boxes[k - 1] for k in line]
    margin = max(part[0].stop - part[0].start for part in parts)
    return tuple(
        slice(max(0, min(part[axis].start for part in parts) - margin), max(part[axis].stop for part in parts) + margin)
        for axis in (0, 1)
    )


def _lines_of_text(boxes: list[tuple[slice, ...]], letters: NDArray[np.int64]) -> list[list[int]]:
    """Return the numbers of letters that stand side by side, from 1, for each line of text.

    Neighbours differ by less than a factor of two in height, overlap in rows by half of it, and are less than it apart.
    """
    lines: list[list[int]] = []
    for k in sorted(letters.tolist(), key=lambda k: boxes[k - 1][1].start):
        for line in lines:
            if _is_next(boxes[line[-1] - 1], boxes[k - 1]):
                line.append(k)
                break
        else:
            lines.append([k])
    return lines


def _is_next(letter: tuple[slice, ...], other: tuple[slice, ...]) -> bool:
    """Return whether a letter stands to the right of another one in a line of text."""
    rows, columns = zip(letter, other, strict=True)
    heights = [part.stop - part.start for part in rows]
    overlap = min(part.stop for part in rows) - max(part.start for part in rows)
    gap = columns[1].start - columns[0].stop
    return bool(2 * min(heights) > max(heights) and 2 * overlap >= max(heights) and -2 <= gap <= max(heights))


def text_blocks(ink: Mask) -> Drawings:
    """Return drawn pixels with a margin, and letters in boxes about their lines.

    Letters are objects smaller than TEXT_SIDE; two or more belong to a block if their distance is less than their
    height.
    """
    from scipy.ndimage import binary_dilation, find_objects, label

    labels, n = label(ink, np.ones((3, 3)))
    if n == 0:
        return Drawings(ink, 0)
    mask = np.asarray(binary_dilation(ink, np.ones((3, 3)), iterations=MARGIN))
    near = np.zeros(ink.shape, dtype=np.bool_)
    is_letter = np.zeros(n + 1, dtype=np.bool_)
    for k, part in enumerate(find_objects(labels), 1):
        height, width = (axis.stop - axis.start for axis in part)
        if max(height, width) > TEXT_SIDE:
            continue
        is_letter[k] = True
        margin = max(MARGIN, min(height, 40))
        rows, columns = (
            slice(max(0, axis.start - step), axis.stop + step)
            for axis, step in zip(part, (MARGIN, margin), strict=True)
        )
        near[rows, columns] = True
    blocks, n_blocks = label(near | (ink & is_letter[labels]))
    n_others = n - int(is_letter.sum())
    for k, part in enumerate(find_objects(blocks), 1):
        letters = labels[part][(blocks[part] == k) & is_letter[labels[part]]]
        if np.unique(letters).size > 1:
            _box(mask, labels, part, k, blocks, is_letter)
    return Drawings(mask, n_blocks + n_others)


def _box(
    mask: Mask, labels: NDArray[np.int32], part: tuple[slice, ...], k: int, blocks: NDArray[np.int32], is_letter: Mask
) -> None:
    """Mark the box about the letters of a block."""
    rows, columns = np.nonzero((blocks[part] == k) & is_letter[labels[part]])
    top, left = part[0].start + rows.min() - MARGIN, part[1].start + columns.min() - MARGIN
    bottom, right = part[0].start + rows.max() + MARGIN + 1, part[1].start + columns.max() + MARGIN + 1
    mask[max(top, 0) : bottom, max(left, 0) : right] = True
