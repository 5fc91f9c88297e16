"""PNG files, by pyspng."""

import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.images.decoded import COPY_AGAIN, Decoded, UnreadableError, check_size
from darkmatter_features.io.images.orientation import ORIENTATION, UPRIGHT, oriented

_GREY = 0
"""Colour type of a grey PNG."""

_PALETTE = 3
"""Colour type of a PNG with a palette."""

_GREY_ALPHA = 4
"""Colour type of a grey PNG with an alpha channel."""

_N_BANDS = {_GREY: 1, 2: 3, _PALETTE: 1, _GREY_ALPHA: 2, 6: 4}
"""Number of values per pixel in the file, by the colour type of a PNG."""


def decode_png(path: Path) -> Decoded:
    """Decode a PNG file.

    A 512 x 512 RGB sky takes 2.4 ms (two seed skies, median of 60, one core); imagecodecs takes 2.7 ms, Pillow 2.8 and
    4.2 ms, scikit-image 3.1 and 4.6 ms. The last two also reduce 16-bit colour to 8 bits.
    """
    data = path.read_bytes()
    chunks = list(_chunks(data))
    n_columns, n_rows, depth, colour = _header(chunks)
    check_size(n_rows, n_columns, n_rows * n_columns * _N_BANDS[colour] * depth / 8, len(data))
    extra = {kind: content for kind, content in chunks if kind in (b"tRNS", b"eXIf")}
    values = _pixels(data, depth, colour)
    if b"tRNS" in extra:
        values = _with_transparency(data, values, extra[b"tRNS"], depth, colour)
    values, turned = oriented(values, _orientation(extra.get(b"eXIf")))
    return Decoded(values, notes=turned)


def _pixels(data: bytes, depth: int, colour: int) -> NDArray[Any]:
    import pyspng

    if colour == _GREY_ALPHA:  # pyspng detects no format here; the requested one has grey in three bands
        formats = {8: pyspng.c.SPNG_FMT_RGBA8, 16: pyspng.c.SPNG_FMT_RGBA16}
        return np.asarray(pyspng.c.spng_decode_image_bytes(data, formats[depth])[:, :, 2:])
    return np.asarray(pyspng.load(data))  # at 16 bits always with an alpha channel, opaque if the file has none


def _with_transparency(
    data: bytes, values: NDArray[Any], transparent: memoryview, depth: int, colour: int
) -> NDArray[Any]:
    """Return an image with an alpha channel by its chunk tRNS: one of each palette entry, or a transparent colour."""
    if colour == _PALETTE:
        from PIL import Image

        with Image.open(BytesIO(data)) as image:
            return np.asarray(image.convert("RGBA"))
    if colour not in (_GREY, 2):
        return values
    opaque = np.iinfo(values.dtype).max
    key = np.frombuffer(transparent, dtype=">u2").astype(np.int64)
    colours = values.reshape(*values.shape[:2], -1)[:, :, : _N_BANDS[colour]]
    key = key * (opaque // (2**depth - 1))
    alpha = np.where((colours == key).all(axis=2), 0, opaque).astype(values.dtype)
    return np.dstack([colours, alpha])


def _orientation(exif: memoryview | None) -> int:
    if exif is None:
        return UPRIGHT
    from PIL import Image

    tags = Image.Exif()
    tags.load(bytes(exif))
    return int(tags.get(ORIENTATION, UPRIGHT))


def _header(chunks: list[tuple[bytes, memoryview]]) -> tuple[int, int, int, int]:
    """Return columns, rows, bits per value and colour type."""
    kind, header = chunks[0]
    if kind != b"IHDR" or len(header) != 13:
        raise UnreadableError(f"is a damaged PNG without header; {COPY_AGAIN}")
    return int.from_bytes(header[:4]), int.from_bytes(header[4:8]), header[8], header[9]


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind and the content of each chunk, whose checksum is checked.

    pyspng checks none: it would decode a file with flipped bits or without its end.
    """
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
