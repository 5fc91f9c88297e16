"""Shape catalogues made elsewhere: positions and ellipticities from a table in any common format."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.io.copies import present
from darkmatter_features.io.parts import split_part
from darkmatter_features.io.shape_tables.choice import choose_table
from darkmatter_features.io.shape_tables.conventions import describe as describe_convention
from darkmatter_features.io.shape_tables.conventions import ellipticity_of, mean_response, with_signs
from darkmatter_features.io.shape_tables.conventions import hint as distortion_hint
from darkmatter_features.io.shape_tables.formats import opened_tables
from darkmatter_features.io.shape_tables.options import COLUMN_OPTIONS, CatalogOptions
from darkmatter_features.io.shape_tables.outliers import leave_out_borders, leave_out_far
from darkmatter_features.io.shape_tables.positions import (
    MIN_ROTATION,
    detectors_overlap,
    from_local_north,
    pixels_overlap,
    projected,
)
from darkmatter_features.io.shape_tables.raw import RawTable
from darkmatter_features.io.shape_tables.repeats import merge_repeats
from darkmatter_features.io.shape_tables.rows import (
    LABELS,
    Rows,
    check_enough,
    describe_weights,
    leave_out_heaps,
    leave_out_long,
    leave_out_sheared,
    leave_out_stars,
    leave_out_unknown,
)
from darkmatter_features.io.shape_tables.rows import describe as describe_left_out
from darkmatter_features.io.shape_tables.units import numbers, same_unit


@dataclass(frozen=True)
class ShapeCatalog:
    """Positions and ellipticities of galaxies; each array has one element for each galaxy.

    Attributes
    ----------
    name : str
        File name, for messages and tables.
    x, y : (n,) float64 arrays
        Positions in the unit of the catalogue; if computed from RA and Dec, offsets to the west and to the north of the
        centre of the field in arcmin, as in an image with north up and east left.
    e1, e2 : (n,) float64 arrays
        Ellipticity ``(a - b) / (a + b) exp(2i phi)``, phi from +x towards +y.
    weight : (n,) float64 array or None
        Positive weights; None if the table has none.
    size : (n,) float64 array or None
        Sizes in the unit of the table; None if it has none.
    ra, dec : (n,) float64 arrays or None, degrees
        Celestial coordinates; None if the table has none.
    bounds : (float, float, float, float)
        Minimum and maximum of x, then of y: the field in which a lens is searched.
    wcs : astropy.wcs.WCS or None
        Transformation from x and y (origin 0) to RA and Dec if x and y were computed from them.
    n_dropped : int
        Number of rows left out: of stars, without a position, an ellipticity or a weight, with ``|e| >= 1``, at one
        place outside the field, or merged with another row of the same galaxy.
    notes : tuple of str
        How the table was read: the table, the columns, units, the convention of the shapes, and rows left out.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    e1: NDArray[np.float64]
    e2: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    size: NDArray[np.float64] | None
    ra: NDArray[np.float64] | None
    dec: NDArray[np.float64] | None
    bounds: tuple[float, float, float, float]
    wcs: Any = None
    n_dropped: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for column in (self.x, self.y, self.e1, self.e2, self.weight, self.size, self.ra, self.dec):
            if column is not None:
                column.flags.writeable = False

    def __len__(self) -> int:
        return self.x.size


def read_catalog(path: str | Path, **options: Any) -> ShapeCatalog:
    """Read a catalogue of galaxy shapes.

    Parameters
    ----------
    path : str or Path
        Table: Parquet, FITS, HDF5, VOTable, ECSV, IPAC, SExtractor's ASCII_HEAD, or CSV, recognised by its first bytes,
        packed by gzip, bzip2 or xz or not. A part of the file may follow in brackets, as ``shapes.fits[CAT,2]``.
    **options
        Columns, table and conventions: the fields of
        :class:`~darkmatter_features.io.shape_tables.options.CatalogOptions`. Columns that are not given are searched by
        their usual names. Weight, size, and either x and y or RA and Dec may be missing. x and y have priority over RA
        and Dec unless only the latter are given by name, or x and y start anew on each of several detectors.

    Returns
    -------
    ShapeCatalog
        Catalogue of the usable rows, the number of the others, and notes on how it was read.

    Raises
    ------
    TableError
        If the table cannot be read, lacks a column, has several columns with common names of one quantity, or has fewer
        than 10 usable galaxies, or if the galaxies do not cover a field.

    Notes
    -----
    Ellipticities refer to the axes of x and y. For positions from RA and Dec, x points to the west and y to the north:
    a galaxy with e1 > 0 is elongated east-west, one with e2 > 0 south-east to north-west. Positions are projected
    gnomonically about their mean direction (TAN in [1]_), and shapes are turned from north at each galaxy to north at
    the centre of the field (option `local_north`).

    References
    ----------
    .. [1] Calabretta & Greisen (2002), doi:10.1051/0004-6361:20021327

    Examples
    --------
    >>> catalog = read_catalog("shapes.fits", e1="E1_CORR", e2="E2_CORR")  # doctest: +SKIP
    >>> len(catalog), catalog.n_dropped  # doctest: +SKIP
    (5210, 37)
    """
    given, path = CatalogOptions(**options), Path(path)
    return catalog_of(path, *read_rows(path, given), given)


def catalog_of(path: Path, rows: Rows, notes: list[str | None], given: CatalogOptions) -> ShapeCatalog:
    """Return the catalogue of the rows of a table, which are changed: those left out and merged are counted.

    Parameters
    ----------
    path : Path
        Table, for messages.
    rows : Rows
        All rows, see :func:`read_rows`.
    notes : list of str or None
        Notes on how they were read; more are added.
    given : CatalogOptions
        Conventions.

    Raises
    ------
    TableError
        As :func:`read_catalog`.
    """
    n_rows = len(rows)
    leave_out_sheared(rows)
    leave_out_stars(rows)
    position = _positioned(path, rows, given, notes)
    response = _with_shapes(path, rows, given)
    check_enough(path, rows, n_rows)
    wcs = None if position == ("x", "y") else _on_tangent_plane(path, rows, given, notes)
    repeated = merge_repeats(rows, given.merge)
    check_enough(path, rows, n_rows)
    has_response = "response 1" in rows.columns
    convention = describe_convention(given, response, has_response=has_response)
    notes += [convention, describe_left_out(rows), repeated, describe_weights(rows)]
    return ShapeCatalog(
        name=path.name,
        bounds=_bounds(path, rows.columns),
        wcs=wcs,
        n_dropped=n_rows - len(rows),
        notes=tuple(note for note in notes if note),
        **{key: rows.columns.get(key) for key in COLUMN_OPTIONS},  # type: ignore[arg-type]
    )


def read_rows(path: Path, options: CatalogOptions) -> tuple[Rows, list[str | None]]:
    """Return the columns of the chosen table as numbers, all rows, and notes.

    Raises
    ------
    TableError
        If the table cannot be read, lacks a column, or has several columns with common names of one quantity.
    """
    file, part = split_part(present(path))
    with opened_tables(file) as tables:
        table, chosen, choice = choose_table(path, tables, options.named, part or options.part)
        labels = _labels(path, table, {key: chosen.pop(key, None) for key in LABELS})
        columns, converted = _numbers(path, table, chosen, options)
    names = _describe_columns({key: chosen[key] for key in columns})
    return Rows(columns | labels), [choice, names, converted, distortion_hint(options, chosen["e1"])]


def _labels(path: Path, table: RawTable, named: Mapping[str, str | None]) -> dict[str, NDArray[np.float64]]:
    """Return the columns that group rows, as numbers of the groups."""
    single = {key: name for key, name in named.items() if name is not None and not table.shapes.get(name)}
    return {key: LABELS[key](path, name, table.column(path, name)) for key, name in single.items()}


def _numbers(
    path: Path, table: RawTable, chosen: Mapping[str, str], options: CatalogOptions
) -> tuple[dict[str, NDArray[np.float64]], str]:
    """Return the columns as numbers, and the units from which they were converted."""
    columns, converted = {}, []
    unnecessary = {"size", "response 1", "response 2", *(("ra", "dec") if "x" in chosen else ())} - options.named.keys()
    for key, name in chosen.items():
        try:
            columns[key], unit = numbers(path, table, key, name)
            converted += [f"{name} from {unit}"] if unit else []
        except TableError:
            if key not in unnecessary:
                raise
    if {"x", "y"} <= chosen.keys():
        columns["y"] = columns["y"] * same_unit(path, table, chosen["x"], chosen["y"])
    if len({"ra", "dec"} & columns.keys()) == 1:
        columns = {key: values for key, values in columns.items() if key not in ("ra", "dec")}
    return columns, ", ".join(converted)


def _describe_columns(chosen: Mapping[str, str]) -> str:
    """Return the columns that were chosen."""
    shown = [(key, chosen[key]) for key in ("x", "y", "ra", "dec", "e1", "e2", "weight") if key in chosen]
    shown += [("response", name) for key, name in chosen.items() if key.startswith("response ")]
    return "columns " + ", ".join(name if name.lower() == key else f"{key} = {name}" for key, name in shown)


def _positioned(path: Path, rows: Rows, options: CatalogOptions, notes: list[str | None]) -> tuple[str, str]:
    """Return the quantities that are the position, and leave out rows without it, a shape or a weight."""
    position = ("x", "y") if "x" in rows.columns else ("ra", "dec")
    _leave_out(path, rows, position)
    if position == ("ra", "dec") or {"x", "y", "ra", "dec"} & options.named.keys():
        return position
    if "ra" in rows.columns and pixels_overlap(rows.columns):
        notes.append("x and y start anew on each of several detectors: positions by RA and Dec")
        position = ("ra", "dec")
        _leave_out(path, rows, position)
    elif detectors_overlap(rows.columns):
        raise TableError(
            f"{path}: x and y start anew on each of several detectors; give RA and Dec, or positions in one frame with "
            "--x and --y (Python: x=, y=)"
        )
    return position


def _leave_out(path: Path, rows: Rows, position: tuple[str, str]) -> None:
    leave_out_unknown(path, rows, position)
    leave_out_heaps(rows, position)
    leave_out_far(rows, position)
    leave_out_borders(rows, position)


def _with_shapes(path: Path, rows: Rows, options: CatalogOptions) -> float | None:
    """Set e1 and e2 by the convention of the table, leave out rows with ``|e| >= 1``, and return the response."""
    rows.columns = with_signs(rows.columns, options)
    leave_out_long(rows)
    e1, e2 = rows.columns["e1"], rows.columns["e2"]
    if options.distortion:
        e1, e2 = ellipticity_of(e1, e2)
    response = mean_response(path, rows.columns, options)
    scale = 1.0 if response is None else 1.0 / response
    rows.columns |= {"e1": e1 * scale, "e2": e2 * scale}
    return response


def _on_tangent_plane(path: Path, rows: Rows, options: CatalogOptions, notes: list[str | None]) -> Any:
    """Set x and y from RA and Dec, and turn the shapes from local north; return the projection."""
    rows.columns, wcs = projected(path, rows.columns)
    if options.local_north:
        rows.columns, most = from_local_north(rows.columns, wcs)
        if most >= MIN_ROTATION:
            notes.append(f"shapes turned from local north by up to {most:.0f} degrees")
    return wcs


def _bounds(path: Path, columns: Mapping[str, NDArray[np.float64]]) -> tuple[float, float, float, float]:
    """Return minimum and maximum of x, then of y."""
    x, y = columns["x"], columns["y"]
    bounds = float(x.min()), float(x.max()), float(y.min()), float(y.max())
    if bounds[0] == bounds[1] or bounds[2] == bounds[3]:
        raise TableError(
            f"{path}: all galaxies lie on one line, x {bounds[:2]} and y {bounds[2:]}; name other columns with --x and "
            "--y (Python: x=, y=)"
        )
    return bounds
