"""Formats of image files: names of their files, and their first bytes."""

from typing import NamedTuple


class ImageFormat(NamedTuple):
    """Format of an image file.

    Attributes
    ----------
    name : str
        Name of the format.
    suffixes : tuple of str
        Suffixes of its files, in lower case.
    starts : tuple of bytes
        Possible first bytes of its files.
    """

    name: str
    suffixes: tuple[str, ...]
    starts: tuple[bytes, ...]


_FITS = (".fits", ".fit", ".fts")
_PACKED = (".fz", ".gz", ".bz2")

FORMATS = (
    ImageFormat("PNG", (".png",), (b"\x89PNG\r\n\x1a\n",)),
    ImageFormat("JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",)),
    ImageFormat("TIFF", (".tif", ".tiff"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ImageFormat(
        "FITS",
        (*_FITS, *(suffix + packed for suffix in _FITS for packed in _PACKED)),
        (b"SIMPLE  ", b"\x1f\x8b", b"BZh"),
    ),
)
"""All formats. Packed files are taken for FITS: the other formats are compressed by themselves."""

IMAGE_SUFFIXES = tuple(suffix for own in FORMATS for suffix in own.suffixes)
"""Suffixes of image files, in lower case."""

TABLE_SUFFIXES = ((".parquet", ".pq"), (".fits", ".fit"), (".h5", ".hdf5"))
"""Suffixes of the tables in a folder that is one survey; those of the first format that is there are read."""


def is_image_name(name: str) -> bool:
    """Return whether a file name is that of an image, and not hidden."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def without_suffix(name: str) -> str:
    """Return a file name without the suffix of an image; without its last suffix where that is of no image.

    Examples
    --------
    >>> without_suffix("DES0347.r.fits.fz"), without_suffix("field.weight.dat")
    ('DES0347.r', 'field.weight')
    """
    found = [suffix for suffix in IMAGE_SUFFIXES if name.lower().endswith(suffix)]
    return name[: -len(max(found, key=len))] if found else name.rpartition(".")[0] or name


def format_of(head: bytes) -> ImageFormat | None:
    """Return the format of a file with the given first bytes; None if it is no image."""
    return next((own for own in FORMATS if head.startswith(own.starts)), None)
