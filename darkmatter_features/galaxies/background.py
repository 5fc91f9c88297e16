"""Level and noise of a background that is not flat, by photutils."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def subtract_background(image: NDArray[Any], mask: NDArray[np.bool_] | None, box: int) -> NDArray[np.float64]:
    """Return a band less its smooth background.

    Parameters
    ----------
    image : (n_rows, n_columns) array, counts
        One band.
    mask : (n_rows, n_columns) bool array or None
        True where a pixel has no measurement; the result is 0 there.
    box : int, pixels
        Side of the boxes whose medians give the background.

    Returns
    -------
    (n_rows, n_columns) float64 array, counts
        Light above the background.

    Notes
    -----
    A plane is subtracted first: the mesh of boxes ends half a box from the border, and its interpolation cannot follow
    a slope from there to the border.
    """
    level = image - _fit_plane(_background(image, mask, box).background_mesh, image.shape)
    level -= _background(level, mask, box).background
    return np.asarray(level if mask is None else np.where(mask, 0.0, level))


def _background(image: NDArray[Any], mask: NDArray[np.bool_] | None, box: int) -> Any:
    from photutils.background import Background2D, MedianBackground

    boxes = tuple(min(box, side) for side in image.shape)
    return Background2D(image, boxes, mask=mask, bkg_estimator=MedianBackground(), exclude_percentile=50.0)


def _fit_plane(mesh: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the least-squares plane of a mesh of equal boxes, evaluated at every pixel of an image of this shape."""
    y, x = np.indices(mesh.shape)
    terms = np.column_stack([np.ones(mesh.size), y.ravel(), x.ravel()])
    (level, slope_y, slope_x), *_ = np.linalg.lstsq(terms, mesh.ravel(), rcond=None)
    rows, columns = ((np.arange(side) + 0.5) * n / side - 0.5 for side, n in zip(shape, mesh.shape, strict=True))
    return np.asarray(level + slope_y * rows[:, None] + slope_x * columns[None, :])


def noise_level(image: NDArray[Any], mask: NDArray[np.bool_] | None) -> float:
    """Return the standard deviation of the background, counts.

    It is estimated from the median absolute deviation, after pixels beyond three standard deviations are clipped.
    """
    from astropy.stats import SigmaClip
    from photutils.background import MADStdBackgroundRMS

    return float(MADStdBackgroundRMS(sigma_clip=SigmaClip(3.0))(image if mask is None else image[~mask]))
