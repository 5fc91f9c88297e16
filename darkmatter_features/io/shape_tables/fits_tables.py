"""Tables of a FITS file: binary and text ones, scaled columns, and values that stand for none."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from darkmatter_features.errors import TableError
from darkmatter_features.io.fits_headers import checked_fits
from darkmatter_features.io.shape_tables.raw import RawTable, Values, as_values


def fits_tables(path: Path, file: IO[bytes]) -> Iterator[RawTable]:
    """Yield the tables of a FITS file.

    Raises
    ------
    TableError
        If it has images alone.
    """
    from astropy.io import fits

    hdus, n_tables = fits.open(checked_fits(file)), 0
    for index, hdu in enumerate(hdus):
        if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU)) and not isinstance(hdu, fits.CompImageHDU):
            n_tables += 1
            yield _table(hdu, index)
    if not n_tables:
        raise TableError(f"{path} contains images but no table; give a catalogue, or use `darkmatter predict`")


def _table(hdu: Any, index: int) -> RawTable:
    n_rows = hdu.header["NAXIS2"]
    shapes = {column.name: _shape(hdu, column, n_rows) for column in hdu.columns}
    return RawTable(
        shapes={name: shape for name, shape in shapes.items() if shape is not None},
        n_rows=n_rows,
        values=partial(column_values, hdu),
        units={column.name: column.unit for column in hdu.columns if column.unit},
        index=index,
        name=hdu.name,
        version=hdu.ver,
    )


def _shape(hdu: Any, column: Any, n_rows: int) -> tuple[int, ...] | None:
    """Return the shape of a cell; None where it differs from row to row."""
    if str(column.format).lstrip("0123456789")[:1] in ("P", "Q"):
        return np.shape(hdu.data[column.name][0]) if n_rows == 1 else None
    shape: tuple[int, ...] = hdu.columns.dtype[column.name].shape
    return () if shape == (1,) else shape


def column_values(hdu: Any, name: str) -> Values:
    """Return a column with nan where its value is TNULL."""
    column, raw = hdu.columns[name], hdu.data[name]
    values = np.stack(raw) if raw.dtype == object else np.asarray(raw)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if column.null in (None, ""):
        return values
    if isinstance(column.null, str):  # a text table: astropy returns 0 for the null string
        written = np.char.strip(np.asarray(hdu.data.view(np.ndarray)[name]).astype(np.str_))
        return np.where(written == column.null.strip(), np.nan, as_values(values))
    null = column.null * (column.bscale or 1) + (column.bzero or 0)  # TNULL is a value before TSCAL and TZERO
    return np.where(np.isclose(values, null, rtol=1e-12, atol=0.0), np.nan, values)
