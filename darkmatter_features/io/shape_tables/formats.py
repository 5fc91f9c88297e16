"""Formats of tables, distinguished by their first bytes, and files opened whether packed or not.

No content of a file can run code: none of these formats stores pickled objects.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from darkmatter_features.errors import TableError, shown
from darkmatter_features.io.packed import unpacked
from darkmatter_features.io.shape_tables.columnar import hdf5_tables, parquet_tables
from darkmatter_features.io.shape_tables.fits_tables import fits_tables
from darkmatter_features.io.shape_tables.marked_up import ecsv_tables, ipac_tables, votable_tables
from darkmatter_features.io.shape_tables.raw import RawTable, unrolled
from darkmatter_features.io.shape_tables.text import sextractor_tables, text_tables

N_HEAD = 4096
"""Number of first bytes by which a format is recognised."""


class Format(NamedTuple):
    """Format of a file of tables."""

    name: str
    start: re.Pattern[bytes]
    tables: Callable[[Path, IO[bytes]], Iterable[RawTable]]


FORMATS = tuple(
    Format(name, re.compile(start), tables) for name, start, tables in (
        ("Parquet", rb"PAR1", parquet_tables),
        ("FITS", rb"SIMPLE  =", fits_tables),
        ("HDF5", rb"\x89HDF\r\n\x1a\n", hdf5_tables),
        ("VOTable", rb"(\xef\xbb\xbf)?\s*<(\?xml|!--|VOTABLE)", votable_tables),
        ("ECSV", rb"# %ECSV", ecsv_tables),
        ("IPAC", rb"(\\[^\n]*\n)*\|[^\n]*\|", ipac_tables),
        ("SExtractor ASCII_HEAD", rb"#\s*1\s+[A-Za-z]\w*[^\n]*\n#\s*\d+\s+[A-Za-z]", sextractor_tables),
        ("CSV", rb"", text_tables),
    )
)  # fmt: skip
"""Formats; the first whose pattern matches the first bytes of a file reads it."""


@contextmanager
def opened_tables(path: Path) -> Iterator[list[RawTable]]:
    """Open a file, packed or not, and yield its tables; their columns are read while it is open.

    Raises
    ------
    TableError
        If the file is missing, damaged or in another format.
    """
    with _one_line_errors(path), warnings.catch_warnings(), path.open("rb") as packed:
        warnings.simplefilter("ignore")  # about headers that violate a standard, and units unknown to astropy
        with unpacked(packed) as file:
            head = file.read(N_HEAD)
            file.seek(0)
            known = next(each for each in FORMATS if each.start.match(head))
            yield [unrolled(table) for table in known.tables(path, file)]


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except TableError:
        raise
    except FileNotFoundError:
        raise TableError(f"{path} does not exist; check the path") from None
    except IsADirectoryError:
        raise TableError(f"{path} is a folder; give a table of galaxies in it") from None
    except Exception as error:  # readers raise many types for damaged bytes: ArrowInvalid, KeyError, ...
        reason = shown(error) or type(error).__name__
        formats = ", ".join(each.name for each in FORMATS)
        raise TableError(f"{path} cannot be read as a table: {reason}; give one of {formats}") from None
