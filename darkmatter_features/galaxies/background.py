"""The background of pictures that have one: its level and its noise, by photutils."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def off_background(image: NDArray[Any], mask: NDArray[np.bool_] | None, box: int) -> NDArray[np.float64]:
    """Return a band with its smooth background taken off.

    Parameters
    ----------
    image : (n_rows, n_columns) array, counts
        One band.
    mask : (n_rows, n_columns) bool array or None
        True where it holds no measurement; 0 is returned there.
    box : int, pixels
        Side of the boxes whose medians make the background.

    Notes
    -----
    A plane comes off first: the mesh of boxes, which ends half a box from the border, cannot follow a slope to there.
    """
    level = image - _plane(_background(image, mask, box).background_mesh, image.shape)
    level -= _background(level, mask, box).background
    return np.asarray(level if mask is None else np.where(mask, 0.0, level))


def _background(image: NDArray[Any], mask: NDArray[np.bool_] | None, box: int) -> Any:
    from photutils.background import Background2D, MedianBackground

    boxes = tuple(min(box, side) for side in image.shape)
    return Background2D(image, boxes, mask=mask, bkg_estimator=MedianBackground(), exclude_percentile=50.0)


def _plane(mesh: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the plane of the given shape that fits a mesh of equal boxes over it best (least squares)."""
    y, x = np.indices(mesh.shape)
    terms = np.column_stack([np.ones(mesh.size), y.ravel(), x.ravel()])
    (level, slope_y, slope_x), *_ = np.linalg.lstsq(terms, mesh.ravel(), rcond=None)
    rows, columns = ((np.arange(side) + 0.5) * n / side - 0.5 for side, n in zip(shape, mesh.shape, strict=True))
    return np.asarray(level + slope_y * rows[:, None] + slope_x * columns[None, :])


def noise_level(image: NDArray[Any], mask: NDArray[np.bool_] | None) -> float:
    """Return the standard deviation of what is no galaxy: clipped, from the median absolute deviation."""
    from astropy.stats import SigmaClip
    from photutils.background import MADStdBackgroundRMS

    return float(MADStdBackgroundRMS(sigma_clip=SigmaClip(3.0))(image if mask is None else image[~mask]))
