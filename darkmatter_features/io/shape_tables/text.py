"""Tables in plain text: CSV and its dialects, and the ASCII_HEAD format of SExtractor."""

import csv
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from darkmatter_features.errors import TableError
from darkmatter_features.io.shape_tables.raw import RawTable

_UNIT_BEHIND = re.compile(r"(?P<name>.+?)\s*[\[(](?P<unit>[^\[\]()]*[^\[\]()\d\s,][^\[\]()]*)[\])]")
"""Name of a column with its unit in brackets; a number in brackets is a component."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_SEPARATOR_HINT = re.compile(r"\"?sep=.\"?", re.IGNORECASE)
"""First line with which spreadsheets name the separator."""

_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")
_TRAILING_COMMENT = re.compile(r"\s#.*$", re.MULTILINE)
_MISSING = ("", "-", "--", "nan", "null", "none", "n/a", "na")
"""Words for a missing value."""

_N_SAMPLE = 100
"""Number of rows in which decimal commas are sought."""


class Dialect(NamedTuple):
    """Separator, None for white space, and decimal mark of a table in text."""

    separator: str | None
    decimal: str


def text_tables(path: Path, file: IO[bytes]) -> list[RawTable]:
    """Return the table of a CSV file: a line of column names, perhaps behind ``#``, and a line for each row."""
    lines = _lines(file.read())
    names, rows = _names_and_rows(path, lines)
    units, n_above = _units(rows[:2], len(names))
    return [_table(path, names, rows[n_above:], dict(zip(names, units)))]


def sextractor_tables(path: Path, file: IO[bytes]) -> list[RawTable]:
    """Return the table of an ASCII_HEAD file of SExtractor: a line of the head for each column."""
    from astropy.table import Table

    lines = _lines(file.read())
    head, rows = [line for line in lines if line.startswith("#")], _without_comments(lines)
    if not rows:
        raise TableError(f"{path} has no row below its head; give a catalogue of galaxies")
    table = Table.read([*head, rows[0]], format="ascii.sextractor")
    units = {name: str(table[name].unit) for name in table.colnames if table[name].unit}
    return [_table(path, table.colnames, rows, units)]


def _lines(content: bytes) -> list[str]:
    """Return the lines of a text; `str.splitlines` would end them at other marks, too."""
    return re.split(r"\r\n|\r|\n", _decoded(content))


def _decoded(content: bytes) -> str:
    """Return text in UTF-8, in UTF-16 if it starts with the byte order mark of that, or in Latin-1 without controls."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if _CONTROL.search(content):
            raise
        return content.decode("latin-1")


def _without_comments(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _names_and_rows(path: Path, lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the column names and the lines of the rows."""
    rows = _without_comments(lines)
    rows = rows[1:] if rows and _SEPARATOR_HINT.fullmatch(rows[0].strip()) else rows
    if not rows:
        raise TableError(f"{path} has no row; give a table with a line of column names and a line for each galaxy")
    if not _is_data(rows[0]):
        return _split(rows[0]), rows[1:]
    n_above = next(k for k, line in enumerate(lines) if line == rows[0])
    comments = [line.lstrip("# ").rstrip() for line in lines[:n_above] if line.lstrip().startswith("#")]
    fitting = [line for line in comments if len(_split(line)) == len(_split(rows[0]))]
    if len(fitting) > 1 and _is_no_names(fitting[-1]):
        return _split(fitting[-2]), [fitting[-1], *rows]
    if not fitting:
        raise TableError(f"{path} has no column names: it starts with {rows[0][:40]!r}; add a first line of names")
    return _split(fitting[-1]), rows


def _is_no_names(line: str) -> bool:
    """Return whether a line below the names repeats a word or has blanks, as units do."""
    cells = _split(line)
    return len(set(cells)) < len(cells) or any(set(cell) <= {"-"} for cell in cells)


def _units(rows: Sequence[str], n_names: int) -> tuple[list[str], int]:
    """Return the units below the column names, and the number of lines before the rows: VizieR adds dashes."""
    first = _split(rows[0]) if rows else []
    if len(first) != n_names or _is_data(rows[0]) or all(cell.lower() in _MISSING for cell in first):
        return [], 0
    if _is_ruled(rows[0]):
        return [], 1
    return first, 2 if _is_ruled(rows[-1]) else 1


def _is_ruled(line: str) -> bool:
    return all(set(cell) == {"-"} for cell in _split(line))


def _table(path: Path, names: Sequence[str], rows: Sequence[str], units: dict[str, str]) -> RawTable:
    found = {name: _UNIT_BEHIND.fullmatch(name) for name in names}
    plain = [name if each is None else each["name"] for name, each in found.items()]
    if len(set(plain)) == len(names):
        units |= {each["name"]: each["unit"] for each in found.values() if each is not None}
        names = plain
    frame = _frame(path, len(names), rows)
    return RawTable(
        shapes=dict.fromkeys(names, ()),
        n_rows=len(frame),
        values=lambda name: frame[list(names).index(name)].to_numpy(),
        units=units,
    )


def _frame(path: Path, n_names: int, rows: Sequence[str]) -> Any:
    """Return the rows as a frame with columns 0, 1, ...; raise an error if a row has more values than names."""
    import pandas as pd

    if not rows:
        raise TableError(f"{path} has column names but no row; give a catalogue of galaxies")
    dialect = _dialect(rows[:_N_SAMPLE])
    text = "\n".join(rows)
    text = _TRAILING_COMMENT.sub("", text) if dialect.separator is None and "#" in text else text
    frame: Any = pd.read_csv(
        StringIO(text), sep=dialect.separator or r"\s+", decimal=dialect.decimal, header=None,
        names=range(n_names + 1), index_col=False, low_memory=False, skipinitialspace=True,
    )  # fmt: skip
    excess = frame[n_names].notna().to_numpy()
    if excess.any():
        row = int(np.argmax(excess)) + 1
        raise TableError(f"{path}: row {row} has more values than the {n_names} named columns; correct it")
    return frame


def _dialect(rows: Sequence[str]) -> Dialect:
    cells = [cell for row in rows for cell in _split(row)]
    return Dialect(_separator(rows[0]), "," if any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells) else ".")


def _separator(line: str) -> str | None:
    """Return the separator of a line; commas between semicolons or tabs are decimal marks."""
    for mark in ";\t|":
        cells = [cell.strip(' "') for cell in line.split(mark)]
        if len(cells) > 1 and all("," not in cell or _DECIMAL_COMMA.fullmatch(cell) for cell in cells):
            return mark
    return next((mark for mark in ",;\t|" if mark in line), None)


def _split(line: str) -> list[str]:
    separator = _separator(line)
    cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True)) if separator else line.split()
    return [cell.strip().strip('"') for cell in cells]


def _is_data(line: str) -> bool:
    """Return whether a line contains a number; lines of column names contain none."""
    return any(_is_number(word) for word in _split(line))


def _is_number(word: str) -> bool:
    if _DECIMAL_COMMA.fullmatch(word):
        return True
    try:
        float(word)
    except ValueError:
        return False
    return word.lower() not in ("nan", "inf", "infinity")
