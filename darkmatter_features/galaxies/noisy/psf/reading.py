"""The PSF of an image from a file: an image of it, or a model of PSFEx."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from darkmatter_features.errors import SkyError, path_text
from darkmatter_features.galaxies.noisy.psf.model import PsfModel
from darkmatter_features.galaxies.noisy.psf.stamps import MAX_SIDE, check_stamp, resampled
from darkmatter_features.io.psf_files import read_psf_file
from darkmatter_features.io.psfex import PsfArrays


def read_psf(path: str | Path, shape: tuple[int, int], weights: Sequence[float] = ()) -> PsfModel:
    """Read the PSF of an image.

    Parameters
    ----------
    path : str or Path
        FITS image of the PSF, background subtracted, in image pixels, or a model of PSFEx of the image;
        ``FILE[EXT]`` chooses an extension.
    shape : (int, int), pixels
        Rows and columns of the image.
    weights : (n_bands,) sequence of float
        Weights of the PSFs of the bands in that of an image of several bands, where the file has a plane for each.

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
    found = read_psf_file(path, weights)
    model = _of_arrays(found, path_text(Path(path)))
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
