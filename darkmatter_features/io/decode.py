"""Decode images: PNG, JPEG, TIFF and FITS, distinguished by content, not by suffix.

Each decoding library is imported when the first image of its format is read: PNG files do not import astropy.
"""

import math
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.fits_headers import checked_fits

MAX_PIXELS = 2**28
"""Maximum number of pixels of an image, 16384 x 16384: its measurement fits the memory of a workstation."""

MAX_COMPRESSION = 1032
"""Maximum ratio of decoded to stored bytes with deflate (zlib's technical details); a larger one means lost data."""

COPY_AGAIN = "copy or download it again"
"""Remedy for a damaged file."""


class UnreadableError(Exception):
    """Defect of an image and its remedy; the caller adds the path."""


def decode(path: Path) -> tuple[NDArray[Any], Any]:
    """Decode an image.

    Parameters
    ----------
    path : Path
        PNG, JPEG, TIFF or FITS file.

    Returns
    -------
    values : (n_rows, n_columns) or (n_rows, n_columns, n_bands) array
        Values as in the file: any type and any number of bands, alpha included.
    wcs : astropy.wcs.WCS or None
        Transformation from pixels to RA and Dec; None if the file has none.

    Raises
    ------
    UnreadableError
        If the defect is known. For damaged bytes, the decoding libraries may raise any other exception.
    """
    return _decoder(path)(path)


def _decoder(path: Path) -> Callable[[Path], tuple[NDArray[Any], Any]]:
    """Return the decoder for the first bytes of a file."""
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
    for magic, decoder in _DECODERS.items():
        if head.startswith(magic):
            return decoder
    raise UnreadableError(f"is not an image: it starts with {head!r}; give a PNG, JPEG, TIFF or FITS file")


_GREY_ALPHA = 4
"""Colour type of a grey PNG with an alpha channel."""

_PNG_BANDS = {0: 1, 2: 3, 3: 1, _GREY_ALPHA: 2, 6: 4}
"""Number of values per pixel in the file, by the colour type of a PNG."""


def _decode_png(path: Path) -> tuple[NDArray[Any], None]:
    """Decode a PNG with pyspng.

    A 512 x 512 RGB sky takes 2.4 ms (two seed skies, median of 60, one core); imagecodecs takes 2.7 ms, Pillow 2.8 and
    4.2 ms, scikit-image 3.1 and 4.6 ms. The last two also reduce 16-bit colour to 8 bits.
    """
    import pyspng

    data = path.read_bytes()
    n_columns, n_rows, depth, colour = _check_png(data)
    _check_size(n_rows, n_columns, n_rows * n_columns * _PNG_BANDS[colour] * depth / 8, len(data))
    if colour == _GREY_ALPHA:  # pyspng detects no format here; the requested one has grey in three bands
        formats = {8: pyspng.c.SPNG_FMT_RGBA8, 16: pyspng.c.SPNG_FMT_RGBA16}
        return pyspng.c.spng_decode_image_bytes(data, formats[depth])[:, :, 2:], None
    return pyspng.load(data), None  # at 16 bits always with an alpha channel, opaque if the file has none


def _check_png(data: bytes) -> tuple[int, int, int, int]:
    """Check the checksum of every chunk; return columns, rows, bits per value and colour type.

    pyspng checks none: it would decode a file with flipped bits or without its end.
    """
    chunks = list(_png_chunks(data))
    kind, header = chunks[0]
    if kind != b"IHDR" or len(header) != 13:
        raise UnreadableError(f"is a damaged PNG without header; {COPY_AGAIN}")
    return int.from_bytes(header[:4]), int.from_bytes(header[4:8]), header[8], header[9]


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind and the content of each chunk."""
    view = memoryview(data)
    start, kind = 8, b""
    while kind != b"IEND":
        stop = start + 8 + int.from_bytes(view[start : start + 4])
        if stop + 4 > len(view):
            raise UnreadableError(f"is truncated: the PNG ends after {len(view)} bytes; {COPY_AGAIN}")
        kind = bytes(view[start + 4 : start + 8])
        if zlib.crc32(view[start + 4 : stop]) != int.from_bytes(view[stop : stop + 4]):
            raise UnreadableError(f"is damaged: wrong checksum in the PNG at byte {start}; {COPY_AGAIN}")
        yield kind, view[start + 8 : stop]
        start = stop + 4


def _decode_jpeg(path: Path) -> tuple[NDArray[Any], None]:
    pixels = _skimage_decode(path.read_bytes())
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        raise UnreadableError("has printing colours (CMYK); save it as RGB")
    return pixels, None


def _skimage_decode(data: bytes) -> NDArray[Any]:
    """Decode the first page of an 8-bit image, with a palette or not, in any compression."""
    from PIL import Image  # scikit-image's decoder
    from skimage.io import imread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return np.asarray(imread(BytesIO(data)))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            limit = f"the limit for JPEG and 8-bit TIFF is {Image.MAX_IMAGE_PIXELS} pixels"
            raise UnreadableError(f"is too large: {limit}; cut it into tiles or save it as FITS") from None


def _decode_tiff(path: Path) -> tuple[NDArray[Any], None]:
    """Decode the first page of a TIFF.

    scikit-image supports the palettes, inversions and compressions of 8-bit images, but reduces deeper colour to 8
    bits; tifffile keeps it.
    """
    import tifffile

    data = path.read_bytes()
    with tifffile.TiffFile(BytesIO(data)) as file:
        page: Any = file.pages[0]
        _check_size(page.imagelength, page.imagewidth, page.nbytes, len(data))
        if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
            raise UnreadableError("has printing colours (CMYK); save it as RGB")
        if page.bitspersample <= 8:
            return _skimage_decode(data), None
        pixels = _page_values(page)
        return (np.moveaxis(pixels, 0, -1) if page.axes == "SYX" else pixels), None


def _page_values(page: Any) -> NDArray[Any]:
    """Decode a TIFF page; some compressions need imagecodecs, which is no dependency."""
    try:
        return np.asarray(page.asarray())
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        found = f"is compressed with {page.compression.name}"
        raise UnreadableError(f"{found}; save it without compression, or install imagecodecs") from None


def _decode_fits(path: Path) -> tuple[NDArray[Any], Any]:
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers that violate the standard and values beyond float32
        with fits.open(checked_fits(path), memmap=False) as hdus:
            hdu = next((hdu for hdu in hdus if hdu.is_image and _n_bands(hdu.shape)), None)
            if hdu is None:
                found = f"contains no complete image in {len(hdus)} extensions"
                raise UnreadableError(f"{found}; give a FITS image of two axes, or {COPY_AGAIN}")
            n_rows, n_columns = hdu.shape[-2:]
            n_bytes = math.prod(hdu.shape) * abs(hdu.header["BITPIX"]) / 8
            _check_size(n_rows, n_columns, n_bytes, path.stat().st_size)
            values = np.asarray(hdu.data, dtype=np.float32).reshape(-1, n_rows, n_columns)
            return np.moveaxis(values, 0, -1), _celestial_wcs(hdu.header, hdus)


def _n_bands(shape: tuple[int, ...]) -> int:
    """Return the number of bands of a FITS image of this shape; 0 if it is no image of the sky."""
    n_bands = math.prod(shape[:-2])
    return n_bands if len(shape) >= 2 and n_bands in (1, 3) and min(shape) > 0 else 0


def _celestial_wcs(header: Any, hdus: Any) -> Any:
    """Return the header's transformation from pixels to the sky; None if there is no valid one."""
    from astropy.wcs import WCS

    try:
        wcs = WCS(header, fobj=hdus)
    except (ValueError, KeyError, TypeError, MemoryError):  # the image can be measured without it
        return None
    return wcs.celestial if wcs.has_celestial else None


def _check_size(n_rows: int, n_columns: int, n_bytes: float, n_stored: int) -> None:
    """Raise an error, before memory is allocated, if an image is too large or `n_stored` bytes cannot encode it."""
    size = f"{n_rows} x {n_columns} pixels"
    if n_bytes > MAX_COMPRESSION * n_stored:
        raise UnreadableError(f"is truncated: its {n_stored} bytes cannot encode {size}; {COPY_AGAIN}")
    if n_rows * n_columns > MAX_PIXELS:
        raise UnreadableError(f"is too large: it has {size}, the limit is {MAX_PIXELS} pixels; cut it into tiles")


_DECODERS = {
    b"\x89PNG\r\n\x1a\n": _decode_png,
    b"\xff\xd8\xff": _decode_jpeg,
    b"II*\0": _decode_tiff,
    b"MM\0*": _decode_tiff,
    b"II+\0": _decode_tiff,  # BigTIFF
    b"MM\0+": _decode_tiff,
    b"SIMPLE  ": _decode_fits,
    b"\x1f\x8b": _decode_fits,  # gzip
}
"""Decoders by the first bytes of a file."""
