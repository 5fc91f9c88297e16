"""Result and errors of decoding an image."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.images.fits_photometry import UNKNOWN, Photometry

MAX_PIXELS = 2**28
"""Maximum number of pixels of an image, 16384 x 16384: its measurement fits the memory of a workstation."""

MAX_COMPRESSION = 1032
"""Maximum ratio of decoded to stored bytes with deflate (zlib's technical details); a larger one means lost data."""

COPY_AGAIN = "copy or download it again"
"""Remedy for a damaged file."""


PREVIEW_AREA = 0.6
"""Maximum area of a preview, as a fraction of that of the image, if it has the same ratio of sides."""

SMALL_AREA = 0.2
"""Maximum area of any other image beside a larger one that is taken for an accessory of it."""

ASPECT_TOLERANCE = 0.05
"""Maximum relative difference of the ratios of sides of an image and its preview."""


class UnreadableError(Exception):
    """Defect of an image and its remedy; the caller adds the path."""


class Bands(NamedTuple):
    """Weights with which the bands of a cube were combined to one image.

    Attributes
    ----------
    weights : tuple of float
        Weight of each band; their sum is 1.
    psf_weights : tuple of float
        Weight of the PSF of each band in that of the image: the weight of the band times the light of its bright
        pixels.
    """

    weights: tuple[float, ...]
    psf_weights: tuple[float, ...]


class Decoded(NamedTuple):
    """Content of an image file.

    Attributes
    ----------
    values : (n_rows, n_columns) or (n_rows, n_columns, n_bands) array
        Values as in the file: any type and any number of bands, alpha included. Row 0 is the first row as displayed,
        of FITS the first one stored.
    wcs : astropy.wcs.WCS or None
        Transformation from pixels to RA and Dec; None if the file has none.
    mask : (n_rows, n_columns) bool array or None
        True where a pixel has no measurement, by a mask or weight in the file; None without one.
    notes : tuple of str
        Choices that were made in reading, such as the part of the file.
    noise : (n_rows, n_columns) float32 array or None
        Standard deviation of each pixel summed over bands, in an unknown unit, by a weight or noise map in the file;
        infinite where there is no measurement; None without one.
    photometry : Photometry
        Zero point and saturation.
    bands : Bands or None
        How the bands of a cube became one; None for other images.
    """

    values: NDArray[Any]
    wcs: Any = None
    mask: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    noise: NDArray[np.float32] | None = None
    photometry: Photometry = UNKNOWN
    bands: Bands | None = None


def check_size(n_rows: int, n_columns: int, n_bytes: float, n_stored: int) -> None:
    """Raise an error, before memory is allocated, if an image is too large or `n_stored` bytes cannot encode it."""
    size = f"{n_rows} x {n_columns} pixels"
    if n_bytes > MAX_COMPRESSION * n_stored:
        raise UnreadableError(f"is truncated: its {n_stored} bytes cannot encode {size}; {COPY_AGAIN}")
    if n_rows * n_columns > MAX_PIXELS:
        raise UnreadableError(f"is too large: it has {size}, the limit is {MAX_PIXELS} pixels; cut it into tiles")


def band_of(values: NDArray[Any], band: int) -> NDArray[Any]:
    """Return a band (n_rows, n_columns, 1) of an image, by its number from 1."""
    n_bands = values.shape[2]
    if not 1 <= band <= n_bands:
        if n_bands == 1:
            raise UnreadableError(f"has 1 band, no band {band}; leave the band out")
        raise UnreadableError(f"has {n_bands} bands, no band {band}; choose one from 1 to {n_bands}")
    return values[:, :, band - 1 : band]


def are_full_size(sides: Sequence[tuple[int, int]]) -> list[bool]:
    """Return whether each of several images (rows, columns) in a file has full size: others are previews."""
    if not sides:
        return []
    n_rows, n_columns = max(sides, key=math.prod)
    flags = []
    for own in sides:
        area = math.prod(own) / (n_rows * n_columns)
        is_similar = abs(own[0] * n_columns / (own[1] * n_rows) - 1.0) <= ASPECT_TOLERANCE
        flags.append(area > (PREVIEW_AREA if is_similar else SMALL_AREA))
    return flags
