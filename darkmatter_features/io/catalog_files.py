"""Read columns of tables made elsewhere: CSV, ECSV, FITS and Parquet, distinguished by content, not by suffix.

No content of a file can run code: none of these formats stores pickled objects.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError, shown
from darkmatter_features.io.fits_headers import checked_fits
from darkmatter_features.io.gzips import check_rows, unpacked

Columns = dict[str, NDArray[np.float64]]
"""Columns by their quantity, such as `e1`."""

Chooser = Callable[[Sequence[str]], dict[str, str]]
"""Function of the column names of a table that returns {quantity: column name} for the columns to read."""

_LONGEST = 60
"""Maximum length of a name in a message."""

_SHOWN = 12
"""Maximum number of names in a message; survey catalogues have hundreds of columns."""


def read_columns(path: Path, choose: Chooser) -> Columns:
    """Read columns of a table made by another program.

    Parameters
    ----------
    path : Path
        CSV (separated by commas, semicolons, tabs or spaces; lines that start with ``#`` are comments, the last of
        which may contain the column names), ECSV, FITS (longest table) or Parquet. All but Parquet may be gzipped.
    choose : callable
        Function of the column names that returns {key: column name} for the columns to read.

    Returns
    -------
    dict of (n,) float64 arrays
        Columns by key; nan where the table has no value.

    Raises
    ------
    TableError
        If the file is missing, damaged or in another format, or a chosen column has not one number per row.
    """
    try:
        with _opened(path) as file:
            head = file.read(16)
            file.seek(0)
            return _reader(head)(path, file, choose)
    except TableError:
        raise
    except FileNotFoundError:
        raise TableError(f"{path} does not exist; check the path") from None
    except IsADirectoryError:
        raise TableError(f"{path} is a folder; give a table of galaxies in it") from None
    except Exception as error:  # readers raise many types for damaged bytes: ArrowInvalid, KeyError, ...
        reason = shown(error) or type(error).__name__
        raise TableError(f"{path} cannot be read as a table: {reason}; give CSV, ECSV, FITS or Parquet") from None


def listed(names: Iterable[str]) -> str:
    """Return names for a message: the first dozen, and their number."""
    names = list(names)
    rest = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(shown(name)[:_LONGEST] for name in names[:_SHOWN]) + rest


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, gzipped or not."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield unpacked(file) if packed else file


def _reader(head: bytes) -> Callable[[Path, IO[bytes], Chooser], Columns]:
    """Return the reader for the first bytes of a table."""
    if head.startswith(b"PAR1"):
        return _from_parquet
    if head.startswith(b"SIMPLE  ="):
        return _from_fits
    return _from_ecsv if head.startswith(b"# %ECSV") else _from_csv


def _from_parquet(path: Path, file: IO[bytes], choose: Chooser) -> Columns:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as table:
        chosen = choose(table.schema_arrow.names)
        check_rows(file, table.metadata.num_rows, len(chosen))
        frame = table.read(columns=sorted(set(chosen.values()))).to_pandas(ignore_metadata=True)
    return {key: _numbers(path, name, frame[name]) for key, name in chosen.items()}


def _from_fits(path: Path, file: IO[bytes], choose: Chooser) -> Columns:
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's warnings about headers that it corrects
        with fits.open(checked_fits(file)) as hdus:
            tables = [hdu for hdu in hdus if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))]
            if not tables:
                raise TableError(f"{path} contains images but no table; give a catalogue, or use `darkmatter predict`")
            table = max(tables, key=lambda hdu: hdu.header["NAXIS2"])
            chosen = choose(table.columns.names)
            return {key: _fits_column(path, name, table) for key, name in chosen.items()}


def _fits_column(path: Path, name: str, table: Any) -> NDArray[np.float64]:
    """Return a column with nan where its value is TNULL."""
    values = np.asarray(table.data[name])
    numbers = _numbers(path, name, values)
    null = table.columns[name].null
    return numbers if null in (None, "") else np.where(values == null, np.nan, numbers)


def _from_ecsv(path: Path, file: IO[bytes], choose: Chooser) -> Columns:
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about units unknown to astropy
        table = Table.read(file.read().decode("utf-8").splitlines(), format="ascii.ecsv")
    return {key: _numbers(path, name, table[name]) for key, name in choose(table.colnames).items()}


def _from_csv(path: Path, file: IO[bytes], choose: Chooser) -> Columns:
    import pandas as pd

    separator, names = _header(path, file)
    chosen, n_names = choose(names), len(names)
    options: dict[str, Any] = {"header": None, "names": range(n_names + 1), "index_col": False, "low_memory": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about rows that are too long, which are rejected below
        frame: pd.DataFrame = pd.read_csv(file, sep=separator, comment="#", skipinitialspace=True, **options)
    excess = frame[n_names].notna().to_numpy()
    if excess.any():
        raise TableError(
            f"{path}: row {excess.argmax() + 1} has more values than the {n_names} named columns; correct it"
        )
    return {key: _numbers(path, name, frame[names.index(name)]) for key, name in chosen.items()}


def _header(path: Path, file: IO[bytes]) -> tuple[str, Sequence[str]]:
    """Read past the header; return the separator for pandas and the column names."""
    comment, line = "", ""
    while True:
        start = file.tell()
        line = file.readline().decode("utf-8-sig").rstrip("\r\n")
        if line.startswith("#"):
            comment = line.lstrip("# ")
        elif line.strip():
            break
        elif file.tell() == start:
            raise TableError(f"{path} has no row; give a table with a line of column names and a line for each galaxy")
    if not _is_data(line):
        return _split(line)
    file.seek(start)
    if not comment or len(_split(comment)[1]) != len(_split(line)[1]):
        raise TableError(f"{path} has no column names: it starts with {line[:40]!r}; add a first line of names")
    return _split(line)[0], _split(comment)[1]


def _split(line: str) -> tuple[str, Sequence[str]]:
    separator = next((mark for mark in ",;\t" if mark in line), None)
    names = [name.strip().strip('"') for name in line.split(separator)]
    return separator or r"\s+", names


def _is_data(line: str) -> bool:
    """Return whether a line contains a number; lines of column names contain none."""
    return any(_is_number(word) for word in _split(line)[1])


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return word.lower() not in ("nan", "inf", "infinity")


def _numbers(path: Path, name: str, values: Any) -> NDArray[np.float64]:
    """Return a column as native float64, nan where a value is masked or missing."""
    try:
        numbers = np.ma.filled(values.astype(np.float64), np.nan)
    except (ValueError, TypeError):
        example = next((repr(value) for value in values if not _is_number(str(value))), "no number")
        raise TableError(f"{path}: column {name} contains {example[:40]}, not numbers; give another column") from None
    if numbers.ndim != 1:
        raise TableError(
            f"{path}: column {name} has {numbers.shape[1]} values per row; give a column of single numbers"
        )
    return np.array(numbers, dtype=np.float64)
