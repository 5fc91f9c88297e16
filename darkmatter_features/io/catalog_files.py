"""Columns out of tables made elsewhere: CSV, ECSV, FITS and Parquet, told apart by content, not by ending.

Nothing in them can run code: no format here holds pickled objects, and none is asked to.
"""

import gzip
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError

Columns = dict[str, NDArray[np.float64]]
"""Columns by what they hold."""

Chooser = Callable[[Sequence[str]], dict[str, str]]
"""Given the names of a table's columns, gives {what it holds: its name} of those to read."""

_SHOWN = 12
"""Columns that a message lists; survey catalogues have hundreds."""


def read_columns(path: Path, choose: Chooser) -> Columns:
    """Read the columns of a table that somebody else wrote.

    Parameters
    ----------
    path : Path
        CSV (commas, semicolons, tabs or spaces between; lines that start with ``#`` are remarks, of which the last
        one may hold the names), ECSV, FITS (the longest of its tables) or Parquet; CSV, ECSV and FITS also gzipped.
    choose : callable
        Given the names of the table's columns, gives {key: name} of those to read.

    Returns
    -------
    dict of (n,) float64 arrays
        By key; nan where the table holds no value.

    Raises
    ------
    TableError
        Where the file is missing, no such table, damaged, or a chosen column does not hold one number a row.
    """
    try:
        with _opened(path) as file:
            head = file.read(16)
            file.seek(0)
            return _reader(head)(path, file, choose)
    except TableError:
        raise
    except FileNotFoundError:
        raise TableError(f"{path} does not exist; look at the spelling and the folder") from None
    except IsADirectoryError:
        raise TableError(f"{path} is a folder, a table of galaxies is wanted; name a file in it") from None
    except Exception as error:  # what decoders raise given damaged bytes: ArrowInvalid, OSError, KeyError, EOFError ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TableError(f"{path} cannot be read as a table: {reason}; give CSV, ECSV, FITS or Parquet") from None


def listed(names: Iterable[str]) -> str:
    """Return names for a message: the first dozen and how many there are."""
    names = list(names)
    rest = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, gzipped or not."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if packed else file


def _reader(head: bytes) -> Callable[[Path, IO[bytes], Chooser], Columns]:
    """Choose by the first bytes who reads the table."""
    if head.startswith(b"PAR1"):
        return _from_parquet
    if head.startswith(b"SIMPLE  ="):
        return _from_fits
    return _from_ecsv if head.startswith(b"# %ECSV") else _from_csv


def _from_parquet(path: Path, file: IO[bytes], choose: Chooser) -> Columns:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as table:
        chosen = choose(table.schema_arrow.names)
        frame = table.read(columns=sorted(set(chosen.values()))).to_pandas(ignore_metadata=True)
    return {key: _numbers(path, name, frame[name]) for key, name in chosen.items()}


def _from_fits(path: Path, file: IO[bytes], choose: Chooser) -> Columns:
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's remarks on headers that it mends
        with fits.open(file) as parts:
            tables = [part for part in parts if isinstance(part, (fits.BinTableHDU, fits.TableHDU))]
            if not tables:
                raise TableError(f"{path} holds no table, only pictures; give a catalogue, or use `darkmatter predict`")
            table = max(tables, key=lambda part: part.header["NAXIS2"])
            chosen = choose(table.columns.names)
            return {key: _of_fits(path, name, table) for key, name in chosen.items()}


def _of_fits(path: Path, name: str, table: Any) -> NDArray[np.float64]:
    """Return a column with nan where it holds TNULL."""
    values = np.asarray(table.data[name])
    numbers = _numbers(path, name, values)
    null = table.columns[name].null
    return numbers if null in (None, "") else np.where(values == null, np.nan, numbers)


def _from_ecsv(path: Path, file: IO[bytes], choose: Chooser) -> Columns:
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units that astropy does not know
        table = Table.read(file.read().decode("utf-8"), format="ascii.ecsv")
    return {key: _numbers(path, name, table[name]) for key, name in choose(table.colnames).items()}


def _from_csv(path: Path, file: IO[bytes], choose: Chooser) -> Columns:
    import pandas as pd

    separator, names = _header(path, file)
    chosen, n_names = choose(names), len(names)
    options: dict[str, Any] = {"header": None, "names": range(n_names + 1), "index_col": False, "low_memory": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on rows too long, which are refused below
        frame: pd.DataFrame = pd.read_csv(file, sep=separator, comment="#", skipinitialspace=True, **options)
    beyond = frame[n_names].notna().to_numpy()
    if beyond.any():
        raise TableError(
            f"{path}: row {beyond.argmax() + 1} has more values than the {n_names} columns that are named; mend it"
        )
    return {key: _numbers(path, name, frame[names.index(name)]) for key, name in chosen.items()}


def _header(path: Path, file: IO[bytes]) -> tuple[str, Sequence[str]]:
    """Read past the header; return the separator as pandas wants it and the columns' names."""
    remark, line = "", ""
    while True:
        start = file.tell()
        line = file.readline().decode("utf-8-sig").rstrip("\r\n")
        if line.startswith("#"):
            remark = line.lstrip("# ")
        elif line.strip():
            break
        elif file.tell() == start:
            raise TableError(f"{path} holds no row; give a table with a line of names and a line for each galaxy")
    if not _is_data(line):
        return _split(line)
    file.seek(start)
    if not remark or len(_split(remark)[1]) != len(_split(line)[1]):
        raise TableError(f"{path} does not name its columns: it starts with {line[:40]!r}; put a line of names first")
    return _split(line)[0], _split(remark)[1]


def _split(line: str) -> tuple[str, Sequence[str]]:
    separator = next((mark for mark in ",;\t" if mark in line), None)
    names = [name.strip().strip('"') for name in line.split(separator)]
    return separator or r"\s+", names


def _is_data(line: str) -> bool:
    """Whether a line holds a number, as no line of names does."""
    return any(_is_number(word) for word in _split(line)[1])


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return word.lower() not in ("nan", "inf", "infinity")


def _numbers(path: Path, name: str, values: Any) -> NDArray[np.float64]:
    """Return a column as native float64, nan where masked or missing."""
    try:
        numbers = np.ma.filled(values.astype(np.float64), np.nan)
    except (ValueError, TypeError):
        example = next((repr(value) for value in values if not _is_number(str(value))), "no number")
        raise TableError(f"{path}: column {name} holds {example[:40]}, numbers are wanted; name another") from None
    if numbers.ndim != 1:
        raise TableError(f"{path}: column {name} holds {numbers.shape[1]} values a row, one is wanted; name another")
    return np.array(numbers, dtype=np.float64)
