"""Tables of Parquet and HDF5 files, of which the columns in use are read alone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from darkmatter_features.errors import TableError, install_command
from darkmatter_features.io.packed import check_rows
from darkmatter_features.io.shape_tables.marked_up import astropy_table
from darkmatter_features.io.shape_tables.raw import RawTable, Values

META = "__table_column_meta__"
"""End of the name of the data set in which astropy writes units."""

N_NEEDED = 4
"""Columns that are read at least: a position and a shape."""


def parquet_tables(path: Path, file: IO[bytes]) -> Iterator[RawTable]:
    """Yield the table of a Parquet file."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file)
    schema = table.schema_arrow
    check_rows(file, table.metadata.num_rows, min(len(schema), N_NEEDED))
    yield RawTable(
        shapes={each.name: _list_shape(table, each) for each in schema},
        n_rows=table.metadata.num_rows,
        values=partial(_parquet_values, table),
        units=_parquet_units(schema),
    )


def _list_shape(table: Any, field: Any) -> tuple[int, ...]:
    """Return the shape of the cells of a column; lists of unequal lengths are single objects."""
    import pyarrow.types as pt

    is_list = pt.is_list(field.type) or pt.is_large_list(field.type) or pt.is_fixed_size_list(field.type)
    return _parquet_values(table, field.name).shape[1:] if is_list else ()


def _parquet_values(table: Any, name: str) -> Values:
    values = table.read(columns=[name]).to_pandas(ignore_metadata=True)[name].to_numpy()
    if values.dtype != object or not all(isinstance(each, np.ndarray) for each in values):
        return np.asarray(values)
    n_values = {each.size for each in values}
    return np.stack(values) if len(n_values) == 1 else np.asarray(values)


def _parquet_units(schema: Any) -> dict[str, str]:
    """Return the units in the metadata of the fields, or in the header that astropy writes."""
    units = {each.name: (each.metadata or {}).get(b"unit", b"").decode() for each in schema}
    header = (schema.metadata or {}).get(b"table_meta_yaml")
    if header is not None:
        from astropy.table.meta import get_header_from_yaml

        columns = get_header_from_yaml(header.decode().splitlines())["datatype"]
        units |= {each["name"]: str(each["unit"]) for each in columns if "unit" in each}
    return units


def hdf5_tables(path: Path, file: IO[bytes]) -> Iterator[RawTable]:
    """Yield the tables of an HDF5 file: compound data sets, and groups of data sets of equal length.

    Raises
    ------
    TableError
        If h5py is not installed, or the file holds no table.
    """
    try:
        import h5py
    except ImportError:
        raise TableError(f"{path} is an HDF5 file; reading it needs h5py: {install_command('hdf5')}") from None
    nodes: list[Any] = []
    root = h5py.File(file, "r")
    root.visititems(lambda _, node: nodes.append(node))
    index = -1
    for index, (node, make) in enumerate(_hdf5_nodes(h5py, [root, *nodes])):
        yield make(node, index=index, name=node.name.strip("/"))
    if index < 0:
        raise TableError(f"{path} holds no table: neither a compound data set nor a group of columns of equal length")


def _hdf5_nodes(h5py: Any, nodes: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each data set or group that is a table, with the function that reads it."""
    for node in nodes:
        if isinstance(node, h5py.Dataset) and node.dtype.names is not None:
            yield node, _compound_table
        elif isinstance(node, h5py.Group) and _columns(h5py, node):
            yield node, partial(_group_table, h5py)


def _compound_table(node: Any, **part: Any) -> RawTable:
    """Return a compound data set; units that astropy wrote beside it are found by the path alone."""
    from astropy.table import Table

    return astropy_table(Table.read(node.file, path=node.name, format="hdf5"), **part)


def _columns(h5py: Any, group: Any) -> dict[str, Any]:
    """Return the data sets of a group that have the most common number of rows."""
    found = {name: each for name, each in group.items() if isinstance(each, h5py.Dataset) and each.shape}
    found = {name: each for name, each in found.items() if each.dtype.names is None and not name.endswith(META)}
    lengths = [each.shape[0] for each in found.values()]
    n_rows = max(lengths, key=lambda length: (lengths.count(length), length), default=0)
    return {name: each for name, each in found.items() if each.shape[0] == n_rows}


def _group_table(h5py: Any, group: Any, **part: Any) -> RawTable:
    columns = _columns(h5py, group)
    units = {name: each.attrs.get("unit", each.attrs.get("units", "")) for name, each in columns.items()}
    return RawTable(
        shapes={name: each.shape[1:] for name, each in columns.items()},
        n_rows=next(iter(columns.values())).shape[0],
        values=lambda name: columns[name][()],
        units={name: each.decode() if isinstance(each, bytes) else str(each) for name, each in units.items()},
        **part,
    )
