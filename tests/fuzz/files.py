"""Small hostile files, made by code."""

import gzip
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

N_DIGITS = 5000
"""Digits of a number that Python does not convert."""


def card(key: str, value: Any) -> bytes:
    """Return a line of a FITS header."""
    return f"{key:8}= {value!s:>20}".ljust(80).encode()[:80]


def with_card(data: bytes, key: str, value: Any) -> bytes:
    """Return a FITS file in whose headers a line is replaced, or added before the end of the first one."""
    for start in range(0, len(data), 80):
        if data[start : start + 10] == card(key, "")[:10]:
            return data[:start] + card(key, value) + data[start + 80 :]
    start = next(start for start in range(0, len(data), 80) if data[start : start + 80].rstrip() == b"END")
    header = data[:start] + card(key, value) + b"END".ljust(80)
    rest = data[start + 80 :]
    if rest[:80].strip():
        raise ValueError("no room in the block of the header")
    return header + rest[80:]


def image() -> bytes:
    """Return a FITS image."""
    file = BytesIO()
    fits.PrimaryHDU(np.random.default_rng(1).normal(size=(20, 30)).astype(np.float32)).writeto(file)
    return file.getvalue()


def packed_image() -> bytes:
    """Return a FITS image in tiles, compressed."""
    file = BytesIO()
    pixels = np.random.default_rng(1).normal(size=(20, 30)).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(file)
    return file.getvalue()


def catalog() -> bytes:
    """Return a FITS table of galaxies."""
    file, rng = BytesIO(), np.random.default_rng(2)
    columns = dict(zip(("x", "y", "e1", "e2"), rng.uniform(-0.4, 0.4, (4, 40)), strict=True))
    Table(columns).write(file, format="fits")
    return file.getvalue()


def bomb(head: bytes, fill: bytes = b"\0", n: int = 2**27) -> bytes:
    """Return a gzipped file that starts with `head` and expands to n bytes more."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(head)] + [packer.compress(fill * 2**22) for _ in range(n // 2**22)]
    return b"".join(parts) + packer.flush()


def write(path: Path, content: bytes | str) -> Path:
    """Write a file, and return its path."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(content: bytes) -> bytes:
    """Return gzipped content."""
    return gzip.compress(content)
