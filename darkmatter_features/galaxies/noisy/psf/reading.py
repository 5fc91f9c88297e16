"""The PSF of an image from a file: an image of it, or a model of PSFEx or Piff."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.model import PsfModel, polynomial_powers, polynomial_terms
from darkmatter_features.galaxies.noisy.psf.stamps import MAX_SIDE, check_stamp, resampled
from darkmatter_features.io.psf_files import PiffFile, piff_stamps, read_psf_file
from darkmatter_features.io.psfex import PsfArrays

PIFF_GRID = 7
"""Number of positions along each side at which a model of Piff is evaluated."""

PIFF_DEGREE = 4
"""Degree of the polynomial through them."""

PIFF_SIDE = 41
"""Side of the stamps of a model of Piff, pixels."""


def read_psf(path: str | Path, shape: tuple[int, int]) -> PsfModel:
    """Read the PSF of an image.

    Parameters
    ----------
    path : str or Path
        FITS image of the PSF, background subtracted, in image pixels, or a model of PSFEx or Piff of the image;
        ``FILE[EXT]`` chooses an extension.
    shape : (int, int), pixels
        Rows and columns of the image.

    Returns
    -------
    PsfModel
        The PSF in image pixels.

    Raises
    ------
    SkyError
        If the file holds no PSF, or one that is not positive somewhere in the image.

    Notes
    -----
    A model of PSFEx has samples at a distance of PSF_SAMP image pixels, which are interpolated by a Lanczos kernel of
    four zeros [1]_. Its centre is the middle sample.

    References
    ----------
    .. [1] Bertin (2011), ASP Conf. Ser. 442, 435.

    Examples
    --------
    >>> psf = read_psf("field.psf", sky.shape)  # doctest: +SKIP
    >>> psf.stamp(120.0, 340.0).sum()  # doctest: +SKIP
    1.0
    """
    found = read_psf_file(path)
    if isinstance(found, PiffFile):
        return _of_piff(found, shape)
    model = _of_arrays(found, str(path))
    rows, columns = np.array([0.0, 0.0, 1.0, 1.0]) * (shape[0] - 1), np.array([0.0, 1.0, 0.0, 1.0]) * (shape[1] - 1)
    model.stamps(columns, rows)  # an error where there is no PSF
    return model


def _of_arrays(found: PsfArrays, name: str) -> PsfModel:
    """Return the model that arrays of a file hold; an image is centred and trimmed."""
    check_stamp(found.planes[0], name)
    if not found.is_model:
        return PsfModel.constant(found.planes[0], name=name)
    side = max(found.planes.shape[1:]) * found.sampling
    if side > MAX_SIDE:
        raise SkyError(
            f"{name} has a PSF of {side:.0f} pixels of the image, more than {MAX_SIDE}; write it again smaller"
        )
    planes = resampled(found.planes, found.sampling)
    return PsfModel(planes, found.powers, found.origin, found.scale, name).trimmed()


def _of_piff(file: PiffFile, shape: tuple[int, int]) -> PsfModel:
    """Return the polynomial through stamps of a model of Piff on a grid that covers the image."""
    half = (0.5 * (shape[1] - 1), 0.5 * (shape[0] - 1))
    v, u = (each.ravel() for each in np.mgrid[-1 : 1 : PIFF_GRID * 1j, -1 : 1 : PIFF_GRID * 1j])
    stamps = piff_stamps(file, half[0] * (1.0 + u), half[1] * (1.0 + v), PIFF_SIDE)
    for stamp in stamps:
        check_stamp(stamp, str(file.path))
    powers = polynomial_powers(PIFF_DEGREE)
    normalised = stamps / stamps.sum(axis=(1, 2), keepdims=True)
    planes = _least_squares(polynomial_terms(u, v, powers), normalised)
    return PsfModel(planes, powers, half, half, str(file.path)).trimmed()


def _least_squares(terms: NDArray[np.float64], stamps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the stamps (n_terms, side, side) of the polynomial through stamps (n, side, side)."""
    planes, *_ = np.linalg.lstsq(terms, stamps.reshape(len(stamps), -1), rcond=None)
    return np.asarray(planes.reshape(-1, *stamps.shape[1:]))
