"""Decode images: PNG, JPEG, TIFF and FITS, distinguished by content, not by suffix.

Each decoding library is imported when the first image of its format is read: PNG files do not import astropy.
"""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np

from darkmatter_features.io.formats import FORMATS, format_of
from darkmatter_features.io.images.decoded import COPY_AGAIN, Decoded, UnreadableError
from darkmatter_features.io.images.orientation import ORIENTATION, UPRIGHT, oriented
from darkmatter_features.io.parts import split_part

NUMPY_SUFFIXES = (".npz", ".npy")
"""Suffixes of files of NumPy."""

AS_FITS = "write its image, mask and variance to the extensions IMAGE, MASK and VARIANCE of a FITS file"
"""Remedy for them."""


def decode(path: Path, band: int | None = None) -> Decoded:
    """Decode an image.

    Parameters
    ----------
    path : Path
        PNG, JPEG, TIFF or FITS file, or a part of a TIFF or FITS file, such as ``FILE[SCI,2]``.
    band : int, optional
        Band of a FITS image to read, 1 for the first; images of other formats are read with all their bands.

    Raises
    ------
    UnreadableError
        If the defect is known. For damaged bytes, the decoding libraries may raise any other exception.
    """
    file, part = split_part(path)
    name = _format(file)
    if name == "FITS":
        from darkmatter_features.io.images.fits import decode_fits

        return decode_fits(file, part, band)
    if name == "TIFF":
        from darkmatter_features.io.images.tiff import decode_tiff

        return decode_tiff(file, part)
    if part is not None:
        raise UnreadableError(f"is a {name} file, which has no parts; leave [{part}] out")
    if name == "PNG":
        from darkmatter_features.io.images.png import decode_png

        return decode_png(file)
    return _decode_jpeg(file)


def is_fits(path: Path) -> bool:
    """Return whether a file is a FITS file, by its first bytes.

    Raises
    ------
    UnreadableError
        If it cannot be opened, or is no image.
    """
    return _format(path) == "FITS"


def _format(path: Path) -> str:
    """Return the format of a file by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        raise UnreadableError("does not exist; check the path") from None
    except IsADirectoryError:
        raise UnreadableError("is a folder; give the images in it") from None
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror}; check its permissions") from None
    if not head:
        raise UnreadableError(f"is empty; {COPY_AGAIN}")
    found = format_of(head)
    if found is None and path.suffix.lower() in NUMPY_SUFFIXES:
        raise UnreadableError(f"is a file of NumPy, whose arrays have no agreed names; {AS_FITS}")
    if found is None:
        *names, last = (own.name for own in FORMATS)
        known = f"{', '.join(names)} or {last}"
        raise UnreadableError(f"is not an image: it starts with {head!r}; give a {known} file")
    return found.name


def _decode_jpeg(path: Path) -> Decoded:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(BytesIO(path.read_bytes()), formats=["JPEG"]) as image:
                if image.mode not in ("L", "RGB"):
                    raise UnreadableError(f"has printing colours ({image.mode}); save it as RGB")
                values, orientation = np.asarray(image), int(image.getexif().get(ORIENTATION, UPRIGHT))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            limit = f"the limit for JPEG is {Image.MAX_IMAGE_PIXELS} pixels"
            raise UnreadableError(f"is too large: {limit}; cut it into tiles or save it as FITS") from None
    values, turned = oriented(values, orientation)
    return Decoded(values, notes=turned)
