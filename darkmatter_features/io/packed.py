"""Packed files, unpacked within bounds: a few kilobytes of gzip or Parquet can expand to any size."""

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from io import BytesIO
from typing import IO, Any

MAX_UNPACKED = 2**27
"""Maximum size to which any packed file may expand, bytes: twice an image of 4096 x 4096 pixels as float32."""

MAX_RATIO = 100
"""Maximum ratio of unpacked to packed size of larger files. Images and catalogues have ratios below 20."""

BYTES_PER_NUMBER = 8
"""Bytes of a number in memory."""

CHUNK = 2**20
"""Bytes that are unpacked at a time."""


def max_unpacked(n_packed: int) -> int:
    """Return the maximum size, bytes, to which a file of `n_packed` bytes may expand."""
    return max(MAX_UNPACKED, MAX_RATIO * n_packed)


def check_rows(file: IO[bytes], n_rows: int, n_columns: int) -> None:
    """Raise a ValueError if a Parquet file, at its start before and after, has too many numbers for its size.

    A column of one repeated value takes some bytes for any number of rows.
    """
    limit = max_unpacked(_size(file)) // BYTES_PER_NUMBER
    if n_rows * n_columns > limit:
        found = f"it declares {n_rows} rows of {n_columns} columns, the limit for its size is {limit} numbers"
        raise ValueError(f"{found}; write it again without compression if it is genuine")


_READERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
"""Readers of packed files by the first bytes."""


def unpacked(file: IO[bytes]) -> IO[bytes]:
    """Return the unpacked content of a file packed by gzip, bzip2 or xz, or the file itself if it is not packed.

    Parameters
    ----------
    file : binary file
        File, at its start.

    Raises
    ------
    ValueError
        If it expands to more than 128 MiB and to more than 100 times its size.
    OSError, EOFError, zlib.error, lzma.LZMAError
        If it is damaged or truncated.
    """
    head = file.read(6)
    file.seek(0)
    reader = next((reader for start, reader in _READERS.items() if head.startswith(start)), None)
    if reader is None:
        return file
    limit, content = max_unpacked(_size(file)), BytesIO()
    with reader(file) as packed:
        while chunk := packed.read(CHUNK):
            if content.tell() + len(chunk) > limit:
                raise ValueError(f"expands to more than {limit >> 20} MiB; unpack it by hand if it is genuine")
            content.write(chunk)
    content.seek(0)
    return content


def _size(file: IO[bytes]) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size
