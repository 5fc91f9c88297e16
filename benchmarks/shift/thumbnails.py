"""Images treated like the published thumbnails: shrunk to 252 px and enlarged by cubic splines."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

THUMBNAIL_SIDE = 252
"""Side of a published thumbnail, pixels."""

MARK_RADIUS = 8.0
"""Radius of the mark of a lens in a published thumbnail, which was blanked to black, thumbnail pixels."""


def enlarged_thumbnail(pixels: NDArray[np.uint8], lens: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Return an image that was averaged to 252 px, blanked about its lens and enlarged to its size.

    Parameters
    ----------
    pixels : (n, n, 3) uint8 array
        Image.
    lens : (float, float), optional
        Row and column of a lens, pixels.
    """
    side = pixels.shape[0]
    shrunk = Image.fromarray(pixels).resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
    thumbnail = np.asarray(shrunk).astype(np.float64)
    if lens is not None:
        row, column = ((z + 0.5) * THUMBNAIL_SIDE / side - 0.5 for z in lens)
        rows, columns = np.indices(thumbnail.shape[:2])
        thumbnail[np.hypot(rows - row, columns - column) < MARK_RADIUS] = 0.0
    planes = [
        zoom(thumbnail[..., band], side / THUMBNAIL_SIDE, order=3, mode="nearest", grid_mode=True) for band in range(3)
    ]
    return np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)
