"""Insets: other images, such as enlarged parts, that stand in a drawn rectangle."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_SIDE = 24
"""Minimum sides of an inset, pixels."""

MIN_COVERED = 0.9
"""Minimum fraction of each side of a rectangle that is drawn."""

NOISE_RATIO = 1.3
"""Minimum ratio, either way, of the noise inside and outside: rectangles that mark a part of the sky have its noise,
and enlarged images are smoother."""

MAX_LEVEL = 3.0
"""Maximum difference of the median light inside from that of the sky, standard deviations of the noise."""


def find_insets(values: Values, ink: Mask, is_left_out: Mask) -> Mask:
    """Return the pixels inside drawn rectangles that are not of the same sky.

    Parameters
    ----------
    values : (n_rows, n_columns) float32 array, counts
        The picture.
    ink : (n_rows, n_columns) bool array
        Pixels of drawings.
    is_left_out : (n_rows, n_columns) bool array
        Pixels that are no sky, such as those of a frame.
    """
    from scipy.ndimage import find_objects, label

    found = np.zeros(ink.shape, dtype=np.bool_)
    labels, _ = label(ink, np.ones((3, 3)))
    for k, part in enumerate(find_objects(labels), 1):
        own = labels[part] == k
        if min(own.shape) < MIN_SIDE or not _is_rectangle(own):
            continue
        inside = np.zeros(ink.shape, dtype=np.bool_)
        inside[part] = ~ink[part]
        if _differs(values, inside, ~(inside | ink | is_left_out)):
            found[part] = True
    return found


def _is_rectangle(own: Mask) -> bool:
    """Return whether the pixels of a drawing cover the four sides of the box about it."""
    sides = (own[:3].any(axis=0), own[-3:].any(axis=0), own[:, :3].any(axis=1), own[:, -3:].any(axis=1))
    return all(side.mean() >= MIN_COVERED for side in sides) and own.mean() < 0.5


def _differs(values: Values, inside: Mask, outside: Mask) -> bool:
    """Return whether noise or level differ between two parts of an image."""
    if not inside.any() or not outside.any():
        return False
    noises = [_noise(values, part) for part in (inside, outside)]
    levels = [float(np.median(values[part])) for part in (inside, outside)]
    if max(noises) > NOISE_RATIO * min(noises):
        return True
    return abs(levels[0] - levels[1]) > MAX_LEVEL * max(noises)


def _noise(values: Values, part: Mask) -> float:
    """Return the standard deviation of pixels from their neighbours in a row, over the root of 2."""
    steps = np.abs(np.diff(values, axis=1))[part[:, 1:] & part[:, :-1]]
    return 1.0483 * float(np.mean(np.minimum(steps, 3.0 * np.median(steps) + 1e-9))) if steps.size else 0.0
