"""Rows of a survey's table in chunks, so that no more than one chunk is in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.io.copies import present
from darkmatter_features.io.formats import TABLE_SUFFIXES
from darkmatter_features.io.parts import split_part
from darkmatter_features.io.shape_tables.choice import choose_table
from darkmatter_features.io.shape_tables.conventions import ellipticity_of, with_signs
from darkmatter_features.io.shape_tables.fits_tables import column_values as fits_values
from darkmatter_features.io.shape_tables.formats import opened_tables
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.io.shape_tables.raw import RawTable
from darkmatter_features.io.shape_tables.rows import (
    LABELS,
    Rows,
    describe,
    leave_out_long,
    leave_out_sheared,
    leave_out_stars,
    leave_out_unknown,
)
from darkmatter_features.io.shape_tables.units import numbers
from darkmatter_features.surveys.lens_planes import MAX_SOURCE_REDSHIFT
from darkmatter_features.surveys.selection import Selection

Array = NDArray[np.float64]
Columns = dict[str, Array]

CHUNK_ROWS = 1_000_000
"""Number of rows of a chunk: some 100 MB with the columns in use."""

MAX_RA, MAX_DEC = 360.0, 90.0
"""Largest absolute values of RA and Dec, degrees."""


@dataclass
class SurveyTable:
    """Table of a survey and how it is read.

    Attributes
    ----------
    path : Path
        File, with the part of it in brackets if one is given, or folder.
    files : tuple of Path
        The file, or the tables of the folder.
    options : CatalogOptions
        Columns and conventions.
    chosen : dict
        Column of each quantity.
    position : (str, str)
        Quantities that are the position: RA and Dec, or x and y.
    index : int
        Number of the table in each file.
    n_rows : int
        Number of rows.
    selection : Selection or None
        Condition that rows must satisfy.
    factors : dict
        Further columns by quantity: redshifts, and those that calibrate the shear.
    left_out : dict
        Numbers of rows left out, by reason, filled as they are read.
    """

    path: Path
    files: tuple[Path, ...]
    options: CatalogOptions
    chosen: dict[str, str]
    position: tuple[str, str]
    index: int
    n_rows: int
    selection: Selection | None = None
    factors: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    def chunks(self, reading: Callable[[int], None] | None = None) -> Iterator[Columns]:
        """Yield the usable rows: the position, e1, e2, weight, and columns of the response and the calibration.

        Parameters
        ----------
        reading : callable, optional
            Function of the number of rows done, called where there is more than one chunk of :data:`CHUNK_ROWS`.
        """
        self.left_out.clear()
        done = reading if self.n_rows > CHUNK_ROWS else None
        n_done = 0
        for path in self.files:
            for raw in _raw_chunks(path, self.index):
                if done is not None:
                    done(n_done)
                rows = self._rows(path, raw)
                if len(rows):
                    yield rows.columns
                n_done += raw.n_rows
        if done is not None:
            done(n_done)

    def describe(self) -> str:
        """Return the numbers of rows left out, by reason, of the last reading."""
        return describe(Rows({"x": np.zeros(0)}, dict(self.left_out)))

    def _rows(self, path: Path, raw: RawTable) -> Rows:
        columns = {key: numbers(path, raw, key, name)[0] for key, name in self._used().items()}
        columns |= {
            key: LABELS[key](path, self.chosen[key], raw.column(path, self.chosen[key]))
            for key in ("step", "star")
            if key in self.chosen
        }
        rows = Rows(columns, self.left_out)
        if self.selection is not None:
            rows.leave_out(~self.selection.holds(path, raw), "not selected")
        if len(rows):
            self._clean(path, rows)
        return rows

    def _used(self) -> dict[str, str]:
        keys = [*self.position, "e1", "e2", "weight", *(key for key in self.chosen if key.startswith("response "))]
        return {key: self.chosen[key] for key in keys if key in self.chosen} | self.factors

    def _clean(self, path: Path, rows: Rows) -> None:
        leave_out_sheared(rows)
        leave_out_stars(rows)
        if "redshift" in rows.columns:
            known = (rows.columns["redshift"] > 0.0) & (rows.columns["redshift"] <= MAX_SOURCE_REDSHIFT)
            rows.leave_out(~known, f"without a redshift above 0 and up to {MAX_SOURCE_REDSHIFT:g}")
        if "weight" in rows.columns:
            rows.leave_out(~(rows.columns["weight"] > 0.0), "without a weight above 0")
        if len(rows):
            leave_out_unknown(path, rows, self.position)
        self._check_angles(path, rows)
        rows.columns = with_signs(rows.columns, self.options)
        leave_out_long(rows)
        if self.options.distortion:
            e1, e2 = ellipticity_of(rows.columns["e1"], rows.columns["e2"])
            rows.columns |= {"e1": e1, "e2": e2}

    def _check_angles(self, path: Path, rows: Rows) -> None:
        if self.position == ("ra", "dec") and len(rows):
            ra, dec = (float(np.abs(rows.columns[key]).max()) for key in self.position)
            if ra > MAX_RA or dec > MAX_DEC:
                raise TableError(
                    f"{path}: RA reaches {ra:g} and Dec {dec:g}; give degrees with --ra and --dec (Python: ra=, dec=)"
                )


def open_survey(
    path: Path, options: CatalogOptions, *, selection: str | None = None, factors: dict[str, str] | None = None
) -> SurveyTable:
    """Return the table of a survey, of which no row is read yet.

    Parameters
    ----------
    path : Path
        Table, as for :func:`~darkmatter_features.io.catalogs.read_catalog`, or folder of tables with the same columns:
        all its Parquet files, those of partitions included, or else its FITS or HDF5 files.
    options : CatalogOptions
        Columns and conventions.
    selection : str, optional
        Condition on the columns, see :func:`~darkmatter_features.surveys.selection.parse`.
    factors : dict, optional
        Further columns by quantity: redshifts, and those that calibrate the shear.

    Raises
    ------
    TableError
        If a table cannot be read or lacks a column, or a folder has none.
    ConfigError
        If the condition is none, or names an unknown column.
    """
    path = present(path)
    file, part = split_part(path)
    files = _files_of(path) if path.is_dir() else (file,)
    with opened_tables(files[0]) as tables:
        table, chosen, _ = choose_table(path, tables, options.named, part or options.part)
        names, n_rows = table.names, table.n_rows
    n_rows += sum(_n_rows(each, table.index) for each in files[1:])
    missing = [(key, name) for key, name in (factors or {}).items() if name not in names]
    if missing:
        use = "the redshifts" if missing[0][0] == "redshift" else "the calibration of the shear"
        raise TableError(f"{path} has no column {missing[0][1]}, named for {use}; its columns are {names[:12]}")
    on_sky = "ra" in chosen and not {"x", "y"} & options.named.keys()
    position = ("ra", "dec") if on_sky else ("x", "y")
    condition = None if selection is None else Selection.of(selection, path, names)
    return SurveyTable(path, files, options, chosen, position, table.index, n_rows, condition, dict(factors or {}))


def _files_of(folder: Path) -> tuple[Path, ...]:
    """Return the tables of a folder; names that start with a dot or an underscore are of files about others."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)
    ]
    for suffixes in TABLE_SUFFIXES:
        files = tuple(path for path in found if path.suffix.lower() in suffixes)
        if files:
            return files
    raise TableError(f"{folder} has no Parquet, FITS or HDF5 file; give a table of galaxies, or a folder of such files")


def _n_rows(path: Path, index: int) -> int:
    with opened_tables(path) as tables:
        return sum(table.n_rows for table in tables if table.index == index)


def _raw_chunks(file: Path, index: int) -> Iterator[RawTable]:
    """Yield the rows of a table in chunks; of formats other than Parquet, FITS and HDF5 all at once."""
    with file.open("rb") as opened:
        start = opened.read(6)
    if start[:4] == b"PAR1":
        yield from _parquet_chunks(file)
    elif start == b"SIMPLE":
        yield from _fits_chunks(file, index)
    elif start[1:4] == b"HDF":
        yield from _hdf5_chunks(file, index)
    else:
        with opened_tables(file) as tables:
            yield next(table for table in tables if table.index == index)


def _parquet_chunks(file: Path) -> Iterator[RawTable]:
    import pyarrow.parquet as pq

    with opened_tables(file) as (whole,), pq.ParquetFile(file) as table:
        for group in _groups(table):
            frame = _LazyColumns(table, group)
            yield RawTable(whole.shapes, frame.n_rows, frame.values, whole.units)


def _groups(table: Any) -> Iterator[list[int]]:
    """Yield the numbers of row groups that together have at most one chunk of rows, or are one group."""
    group: list[int] = []
    n_rows = 0
    for k in range(table.num_row_groups):
        more = table.metadata.row_group(k).num_rows
        if group and n_rows + more > CHUNK_ROWS:
            yield group
            group, n_rows = [], 0
        group, n_rows = [*group, k], n_rows + more
    if group:
        yield group


class _LazyColumns:
    """Columns of some row groups of a Parquet file, read one by one when they are used."""

    def __init__(self, table: Any, groups: list[int]) -> None:
        self._table, self._groups = table, groups
        self.n_rows = sum(table.metadata.row_group(k).num_rows for k in groups)

    def values(self, name: str) -> Any:
        read = self._table.read_row_groups(self._groups, columns=[name])
        values = read.to_pandas(ignore_metadata=True)[name].to_numpy()
        is_list = values.dtype == object and len(values) and isinstance(values[0], np.ndarray)
        return np.stack(values) if is_list else np.asarray(values)


def _hdf5_chunks(file: Path, index: int) -> Iterator[RawTable]:
    import h5py

    with opened_tables(file) as tables:
        whole = next(table for table in tables if table.index == index)
    with h5py.File(file, "r") as root:
        node = root[whole.name or "/"]
        for start in range(0, whole.n_rows, CHUNK_ROWS):
            rows = slice(start, min(start + CHUNK_ROWS, whole.n_rows))
            yield RawTable(whole.shapes, rows.stop - start, partial(_hdf5_values, node, rows), whole.units)


def _hdf5_values(node: Any, rows: slice, name: str) -> Any:
    """Return some rows of a column: of a group of data sets, or of a compound data set."""
    return node[rows][name] if hasattr(node, "dtype") else node[name][rows]


def _fits_chunks(file: Path, index: int) -> Iterator[RawTable]:
    from astropy.io import fits

    with opened_tables(file) as tables:
        whole = next(table for table in tables if table.index == index)
    n_rows = whole.n_rows
    for start in range(0, n_rows, CHUNK_ROWS):
        with fits.open(file, memmap=True) as hdus:  # opened anew: pages of earlier chunks are given back
            stop = min(start + CHUNK_ROWS, n_rows)
            part = SimpleNamespace(columns=hdus[index].columns, data=hdus[index].data[start:stop])
            yield RawTable(whole.shapes, stop - start, partial(fits_values, part), whole.units)
