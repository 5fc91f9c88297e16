"""From the bytes of a picture to its values: PNG, JPEG, TIFF and FITS, told apart by content, not by ending.

The libraries that decode are loaded when the first picture of their kind is: reading PNGs costs no astropy.
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

MAX_PIXELS = 2**28
"""Pixels of the largest picture that is read, 16384 x 16384: measuring it fits a workstation's memory."""

MAX_COMPRESSION = 1032
"""Deflate makes at most 1032 bytes out of one (zlib's technical details); who promises more lost data."""

COPY_AGAIN = "copy or download it again"


class UnreadableError(Exception):
    """What is wrong with a picture, and the remedy; who catches it adds which picture."""


def decode(path: Path) -> tuple[NDArray[Any], Any]:
    """Decode a picture.

    Parameters
    ----------
    path : Path
        A PNG, JPEG, TIFF or FITS picture.

    Returns
    -------
    values : (n_rows, n_columns) or (n_rows, n_columns, n_bands) array
        As in the file: any type, any number of bands, alpha among them.
    wcs : astropy.wcs.WCS or None
        From pixels to RA and Dec, where the file has one.

    Raises
    ------
    UnreadableError
        With what is wrong and the remedy, where that is known. Given damaged bytes, the libraries that decode
        raise whatever comes up in them besides.
    """
    return _decoder(path)(path)


def _decoder(path: Path) -> Callable[[Path], tuple[NDArray[Any], Any]]:
    """Choose by the file's first bytes who decodes it."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        raise UnreadableError("does not exist; look at the spelling and the folder") from None
    except IsADirectoryError:
        raise UnreadableError("is a folder; give the pictures in it") from None
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror}; look at its permissions") from None
    if not head:
        raise UnreadableError(f"is empty; {COPY_AGAIN}")
    for magic, decoder in _DECODERS.items():
        if head.startswith(magic):
            return decoder
    raise UnreadableError(f"is no picture: it starts with {head!r}; give a PNG, JPEG, TIFF or FITS file")


_GREY_ALPHA = 4
_PNG_BANDS = {0: 1, 2: 3, 3: 1, _GREY_ALPHA: 2, 6: 4}
"""Values a pixel has in the file, by the PNG's colour type."""


def _decode_png(path: Path) -> tuple[NDArray[Any], None]:
    """Decode a PNG with pyspng.

    Each of the two 512 x 512 RGB skies of the seed takes 2.4 ms (median of 60, one core); imagecodecs takes
    2.7 ms, Pillow 2.8 and 4.2 ms, scikit-image 3.1 and 4.6 ms. The last two also cut 16 bit colour to 8 bit.
    """
    import pyspng

    data = path.read_bytes()
    n_columns, n_rows, depth, colour = _check_png(data)
    _check_size(n_rows, n_columns, n_rows * n_columns * _PNG_BANDS[colour] * depth / 8, len(data))
    if colour == _GREY_ALPHA:  # pyspng finds no format by itself; the one asked for has grey in three bands
        formats = {8: pyspng.c.SPNG_FMT_RGBA8, 16: pyspng.c.SPNG_FMT_RGBA16}
        return pyspng.c.spng_decode_image_bytes(data, formats[depth])[:, :, 2:], None
    return pyspng.load(data), None  # at 16 bit always with an alpha channel, opaque where the file has none


def _check_png(data: bytes) -> tuple[int, int, int, int]:
    """Check every chunk's sum, and give columns, rows, bits per value and colour type.

    pyspng looks at no sum: a file with flipped bits, or one without its end, would become a picture.
    """
    chunks = list(_png_chunks(data))
    kind, header = chunks[0]
    if kind != b"IHDR" or len(header) != 13:
        raise UnreadableError(f"is a damaged PNG: it has no header; {COPY_AGAIN}")
    return int.from_bytes(header[:4]), int.from_bytes(header[4:8]), header[8], header[9]


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(data)
    start, kind = 8, b""
    while kind != b"IEND":
        stop = start + 8 + int.from_bytes(view[start : start + 4])
        if stop + 4 > len(view):
            raise UnreadableError(f"is cut short: its {len(view)} bytes end amid the PNG; {COPY_AGAIN}")
        kind = bytes(view[start + 4 : start + 8])
        if zlib.crc32(view[start + 4 : stop]) != int.from_bytes(view[stop : stop + 4]):
            raise UnreadableError(f"is damaged: a wrong check sum in the PNG, byte {start}; {COPY_AGAIN}")
        yield kind, view[start + 8 : stop]
        start = stop + 4


def _decode_jpeg(path: Path) -> tuple[NDArray[Any], None]:
    pixels = _skimage_decode(path.read_bytes())
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        raise UnreadableError("is in printing colours (CMYK); save it as RGB")
    return pixels, None


def _skimage_decode(data: bytes) -> NDArray[Any]:
    """Decode the first page of 8 bit pictures, palettes and all their compressions included."""
    from PIL import Image  # scikit-image's decoder
    from skimage.io import imread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return np.asarray(imread(BytesIO(data)))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            limit = f"the limit for JPEG and 8 bit TIFF is {Image.MAX_IMAGE_PIXELS} pixels"
            raise UnreadableError(f"is too large: {limit}; cut it into tiles or save it as FITS") from None


def _decode_tiff(path: Path) -> tuple[NDArray[Any], None]:
    """Decode the first page of a TIFF.

    scikit-image knows the palettes, inversions and compressions of 8 bit pictures, but would cut deeper
    colour to 8 bit; tifffile leaves it whole.
    """
    import tifffile

    data = path.read_bytes()
    with tifffile.TiffFile(BytesIO(data)) as file:
        page: Any = file.pages[0]
        _check_size(page.imagelength, page.imagewidth, page.nbytes, len(data))
        if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
            raise UnreadableError("is in printing colours (CMYK); save it as RGB")
        if page.bitspersample <= 8:
            return _skimage_decode(data), None
        pixels = _page_values(page)
        return (np.moveaxis(pixels, 0, -1) if page.axes == "SYX" else pixels), None


def _page_values(page: Any) -> NDArray[Any]:
    """Decode a TIFF page; some compressions need a package that reading skies does not ask for otherwise."""
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
        warnings.simplefilter("ignore")  # of headers beside the standard, of values beyond float32
        with fits.open(path, memmap=False) as hdus:
            hdu = next((hdu for hdu in hdus if hdu.is_image and _n_bands(hdu.shape)), None)
            if hdu is None:
                found = f"holds no whole picture in {len(hdus)} parts"
                raise UnreadableError(f"{found}; give a FITS image of two axes, or {COPY_AGAIN}")
            n_rows, n_columns = hdu.shape[-2:]
            n_bytes = math.prod(hdu.shape) * abs(hdu.header["BITPIX"]) / 8
            _check_size(n_rows, n_columns, n_bytes, path.stat().st_size)
            values = np.asarray(hdu.data, dtype=np.float32).reshape(-1, n_rows, n_columns)
            return np.moveaxis(values, 0, -1), _celestial_wcs(hdu.header, hdus)


def _n_bands(shape: tuple[int, ...]) -> int:
    """Count the bands of a FITS image of this shape; 0 where it is no picture."""
    n_bands = math.prod(shape[:-2])
    return n_bands if len(shape) >= 2 and n_bands in (1, 3) and min(shape) > 0 else 0


def _celestial_wcs(header: Any, hdus: Any) -> Any:
    """Give the header's way from pixels to the sky; None where there is none that can be understood."""
    from astropy.wcs import WCS

    try:
        wcs = WCS(header, fobj=hdus)
    except (ValueError, KeyError, TypeError):  # the picture can be measured without
        return None
    return wcs.celestial if wcs.has_celestial else None


def _check_size(n_rows: int, n_columns: int, n_bytes: float, n_stored: int) -> None:
    """Refuse, before memory is taken, what is too large or what `n_stored` bytes cannot hold."""
    size = f"{n_rows} x {n_columns} pixels"
    if n_bytes > MAX_COMPRESSION * n_stored:
        raise UnreadableError(f"is cut short: its {n_stored} bytes cannot hold the {size} it announces; {COPY_AGAIN}")
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
