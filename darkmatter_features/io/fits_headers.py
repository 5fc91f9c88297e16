"""Sizes declared in FITS headers, checked before they are used.

A header of a few bytes can declare billions of axes, columns or bytes, for which FITS libraries loop, allocate memory
or crash. One pass over the headers compares them with the standard and with the length of the file; data are skipped.

References
----------
Pence et al. (2010), Definition of the Flexible Image Transport System, version 3.0, doi:10.1051/0004-6361/201015362
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from darkmatter_features.io.packed import unpacked

BLOCK = 2880
"""Bytes of a block of a FITS file."""

CARD = 80
"""Bytes of a line of a header."""

MAX_BLOCKS = 2048
"""Maximum number of blocks of a header: 73,728 lines; long processing histories have some thousand."""

MAX_EXTENSIONS = 2000
"""Maximum number of headers of a file; mosaics of large cameras have some hundred."""

MAX_AXES = 9
"""Maximum number of axes of celestial coordinates; the parameters of the standard have room for no more digits."""

MAX_ORDER = 9
"""Maximum order of the polynomials of a distortion (SIP)."""

MAX_LENGTH = 2**48
"""Maximum of any length in a header, beyond all files."""

TILE = 64
"""Side of a tile of a packed image that is right for any image, pixels; compressions may exceed short axes."""

BITS = (8, 16, 32, 64, -32, -64)
"""Values of BITPIX."""

_RANGES = {
    "NAXIS": (0, 999),
    "NAXISn": (0, MAX_LENGTH),
    "PCOUNT": (0, MAX_LENGTH),
    "GCOUNT": (0, MAX_LENGTH),
    "THEAP": (0, MAX_LENGTH),
    "TFIELDS": (0, 999),
    "TBCOLn": (1, MAX_LENGTH),
    "ZNAXIS": (1, 999),
    "ZNAXISn": (0, MAX_LENGTH),
    "ZTILEn": (1, MAX_LENGTH),
    "WCSAXES": (0, MAX_AXES),
    **dict.fromkeys(("A_ORDER", "B_ORDER", "AP_ORDER", "BP_ORDER"), (0, MAX_ORDER)),
}
"""Least and largest value of whole numbers, by the keyword; n stands for an index."""

_KEYWORDS = (
    rb"(?:HIERARCH +)?(XTENSION|GROUPS|Z?BITPIX|[PG]COUNT|THEAP|TFIELDS|(?:Z?NAXIS|ZTILE|TFORM|TBCOL)\d*|WCSAXES[A-Z]?"
    rb"|[AB]P?_ORDER)"
)
_CARD = re.compile(_KEYWORDS + rb" *= *('[^']*'?|[^/]*)", re.IGNORECASE)
"""A line that declares a size, with any of the spellings that FITS libraries accept."""

_FIRST = frozenset(b"ABGHNPTWXZabghnptwxz")
"""First letters of such lines, for speed."""

_COLUMN = re.compile(r"(\d*)([LXBIJKAEDCMPQ])")
_COLUMN_BYTES = dict(zip("LBIJKAEDCMPQ", (1, 1, 2, 4, 8, 1, 4, 8, 8, 16, 8, 16), strict=True))
"""Bytes of an element of a column of a binary table, by its code; X stands for bits."""


class HeaderError(ValueError):
    """Header of a FITS file that contradicts the standard or its file; the caller adds the path."""


@dataclass
class _Header:
    """Declared sizes of one header, the number of which is `place`."""

    place: int
    numbers: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def fail(self, found: str) -> NoReturn:
        raise HeaderError(f"header {self.place} {found}")

    def add(self, key: str, value: str) -> None:
        """Store a declaration; a second one must agree, as libraries differ in which they use."""
        if key in ("XTENSION", "GROUPS") or key.startswith("TFORM"):
            new: str | int = value.strip("' ")
            old: str | int = self.texts.setdefault(key, str(new))
        else:
            new = self._whole(key, value)
            old = self.numbers.setdefault(key, new)
        if old != new:
            self.fail(f"declares both {key} = {old} and {key} = {new}")

    def _whole(self, key: str, value: str) -> int:
        """Return a whole number in its range."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"has {key} = {value[:30]}, no whole number")
        if key in ("BITPIX", "ZBITPIX"):
            if number not in BITS:
                self.fail(f"has {key} = {number}, none of {', '.join(map(str, BITS))}")
            return number
        stem = key if key in _RANGES else "WCSAXES" if key.startswith("WCSAXES") else key.rstrip("0123456789") + "n"
        least, most = _RANGES[stem]
        if not least <= number <= most:
            self.fail(f"has {key} = {number}, not {least} to {most}")
        return number

    def n_bytes(self) -> int:
        """Return the declared bytes of the data."""
        axes = self._axes("NAXIS")
        if self.texts.get("GROUPS") == "T" and axes and axes[0] == 0:
            axes = axes[1:]
        values = self.numbers.get("PCOUNT", 0) + math.prod(axes) if axes else 0
        return abs(self.numbers.get("BITPIX", 8)) // 8 * self.numbers.get("GCOUNT", 1) * values

    def _axes(self, key: str) -> list[int]:
        n_axes = self.numbers.get(key, 0)
        missing = next((f"{key}{k}" for k in range(1, n_axes + 1) if f"{key}{k}" not in self.numbers), None)
        if missing:
            self.fail(f"has {key} = {n_axes}, but no {missing}")
        return [self.numbers[f"{key}{k}"] for k in range(1, n_axes + 1)]

    def check(self) -> None:
        """Check that lengths which are declared twice agree."""
        for k, length in enumerate(self._axes("ZNAXIS"), start=1):
            if self.numbers.get(f"ZTILE{k}", 1) > 2 * length + TILE:
                self.fail(f"has ZTILE{k} = {self.numbers[f'ZTILE{k}']}, but an axis of {length} pixels")
        if self.texts.get("XTENSION") == "BINTABLE":
            self._check_columns()

    def _check_columns(self) -> None:
        n_columns, width = self.numbers.get("TFIELDS", 0), self.numbers.get("NAXIS1", 0)
        found = sum(self._column_bytes(k) for k in range(1, n_columns + 1))
        if found != width:
            self.fail(f"declares rows of {width} bytes, but columns of {found} bytes")

    def _column_bytes(self, k: int) -> int:
        form = self.texts.get(f"TFORM{k}")
        if form is None:
            self.fail(f"declares {self.numbers['TFIELDS']} columns, but no TFORM{k}")
        match = _COLUMN.match(form.upper())
        if match is None:
            self.fail(f"has TFORM{k} = {form[:30]!r}, no format of a column")
        n, code = int(match[1] or 1), match[2]
        return (n + 7) // 8 if code == "X" else n * _COLUMN_BYTES[code]


def check_fits_headers(file: IO[bytes]) -> None:
    """Check the sizes that the headers of a FITS file declare; the file is at its start before and after.

    Parameters
    ----------
    file : binary file
        FITS file, not gzipped.

    Raises
    ------
    HeaderError
        If a header has no end, declares a number outside the standard, twice or in contradiction to another, or more
        data than the file has.
    """
    end = file.seek(0, os.SEEK_END)
    start = place = 0
    while start < end:
        file.seek(start)
        header = _read(file, place)
        if header is None:
            break
        header.check()
        start, n_bytes = file.tell(), header.n_bytes()
        if n_bytes > end - start:
            shape = " x ".join(str(header.numbers[f"NAXIS{k}"]) for k in range(1, 1 + header.numbers["NAXIS"]))
            header.fail(f"declares {shape[:80]} values in {n_bytes} bytes, but the file ends after {end - start}")
        start += -(-n_bytes // BLOCK) * BLOCK
        place += 1
        if place > MAX_EXTENSIONS:
            raise HeaderError(f"it has more than {MAX_EXTENSIONS} extensions")
    file.seek(0)


def checked_fits(source: Path | IO[bytes]) -> Path | IO[bytes]:
    """Return a FITS file for `astropy.io.fits.open`, after a check of its headers.

    Parameters
    ----------
    source : Path or binary file
        FITS file, packed by gzip, bzip2 or xz or not; a binary file is at its start.

    Returns
    -------
    Path or binary file
        The source; its unpacked content if it is packed.

    Raises
    ------
    HeaderError
        See :func:`check_fits_headers`.
    ValueError, OSError, EOFError, zlib.error, lzma.LZMAError
        If it is packed, and damaged or of an excessive size.
    """
    if isinstance(source, Path):
        with source.open("rb") as own:
            checked = checked_fits(own)
        return source if checked is own else checked
    file = unpacked(source)
    check_fits_headers(file)
    return file


def _read(file: IO[bytes], place: int) -> _Header | None:
    """Return the next header; None if there is none, only bytes after the last data."""
    header = _Header(place)
    for k, block in enumerate(_blocks(file, place)):
        if k == 0 and block[:8].upper() not in (b"SIMPLE  ", b"XTENSION"):
            return None
        for start in range(0, len(block), CARD):
            card = block[start : start + CARD]
            if card.startswith(b"END") and card.rstrip(b" ") == b"END":
                return header
            if card[0] in _FIRST and (match := _CARD.match(card)):
                header.add(match[1].decode().upper(), match[2].decode("latin-1").strip())
    raise HeaderError(f"header {place} has no end")


def _blocks(file: IO[bytes], place: int) -> Iterator[bytes]:
    for _ in range(MAX_BLOCKS):
        block = file.read(BLOCK)
        if not block:
            return
        yield block
    raise HeaderError(f"header {place} has more than {MAX_BLOCKS * BLOCK // CARD} lines")
