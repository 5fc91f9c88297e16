"""A table as its file has it: names, units and shapes of the columns, which are read one by one."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError

Values = NDArray[Any]
"""Values of a column: float64 with nan where there is none, or str with "" where there is none."""

MAX_COMPONENTS = 16
"""Maximum number of values in a cell that are named one by one: a matrix of 4 x 4."""

_COMPONENT = re.compile(r"(?P<name>.+)\[(?P<index>\d+(\s*,\s*\d+)*)\]")


@dataclass(frozen=True)
class RawTable:
    """Table of a file.

    Attributes
    ----------
    shapes : mapping of str to tuple of int
        Shape of the values in one cell, by column; () for single values.
    n_rows : int
        Number of rows.
    values : callable
        Function of a column's name that returns its values, of shape (n_rows, ...).
    units : mapping of str to str
        Units by column, as the file has them.
    index, name, version : int, str, int
        Number, name and version of the part of the file, see :class:`~darkmatter_features.io.parts.Part`.
    """

    shapes: Mapping[str, tuple[int, ...]]
    n_rows: int
    values: Callable[[str], Values]
    units: Mapping[str, str] = field(default_factory=dict)
    index: int = 1
    name: str = ""
    version: int = 1

    @property
    def names(self) -> list[str]:
        """Names of the columns, and of the components of those with several values in a cell."""
        return list(self._names())

    @property
    def label(self) -> str:
        """Name of the table for messages, with its version beyond the first; its number if it has no name."""
        version = f",{self.version}" if self.version > 1 else ""
        return f"{self.name}{version}" if self.name else str(self.index)

    def _names(self) -> Iterator[str]:
        for name, shape in self.shapes.items():
            yield name
            if shape and np.prod(shape) <= MAX_COMPONENTS:
                yield from (f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape))

    def unit(self, name: str) -> str | None:
        """Return the unit of a column or component; None if the file gives none."""
        return self.units.get(name, self.units.get(_column_and_index(self.shapes, name)[0])) or None

    def column(self, path: Path, name: str) -> Values:
        """Return the values of a column or of a component such as ``g[0]``.

        Raises
        ------
        TableError
            If there is no such column, or it has several values in a cell and no component is named.
        """
        column, index = _column_and_index(self.shapes, name)
        if column not in self.shapes:
            raise TableError(f"{path} has no column {column}; its columns are {', '.join([*self.shapes][:12])}")
        shape = self.shapes[column]
        if len(index) != len(shape):
            raise TableError(
                f"{path}: column {column} has {np.prod(shape):g} values per row; name a component, such as "
                f"{column}[{','.join('0' * len(shape))}]"
            )
        values: Any = self.values(column)
        found = as_values(values[(slice(None), *index)])
        if found.shape != (self.n_rows,):
            raise TableError(
                f"{path}: column {column} has no single value per row, or occurs twice; name another column"
            )
        return found


def _column_and_index(shapes: Mapping[str, Any], name: str) -> tuple[str, tuple[int, ...]]:
    """Return the column and the component that a name such as ``g[0]`` stands for."""
    found = None if name in shapes else _COMPONENT.fullmatch(name)
    return (name, ()) if found is None else (found["name"], tuple(map(int, found["index"].split(","))))


def unrolled(table: RawTable) -> RawTable:
    """Return a table of one row that holds whole columns, as IDL writes them, as a table of many rows."""
    lengths = Counter(max(shape) for shape in table.shapes.values() if shape)
    if table.n_rows != 1 or not lengths or max(lengths) < 2:
        return table
    n_rows = max(lengths, key=lambda length: (lengths[length], length))
    axes = {name: shape.index(n_rows) for name, shape in table.shapes.items() if n_rows in shape}
    shapes = {name: tuple(n for k, n in enumerate(table.shapes[name]) if k != axis) for name, axis in axes.items()}
    return replace(
        table,
        shapes=shapes,
        n_rows=n_rows,
        values=lambda name: np.moveaxis(table.values(name)[0], axes[name], 0),
    )


def as_values(values: Any) -> Values:
    """Return numbers as native float64 with nan where a value is masked, words as str with "" there."""
    mask, data = np.ma.getmaskarray(values), np.ma.getdata(values)
    if data.dtype.kind in "SUO":
        return _words(data, mask)
    return np.array(np.where(mask, np.nan, data.astype(np.float64)), dtype=np.float64)


def _words(data: Values, mask: NDArray[np.bool_]) -> Values:
    """Return an array of words or objects as numbers if all are numbers, as words otherwise."""
    missing = mask | np.array([each is None or each is np.ma.masked or each != each for each in data], dtype=bool)
    words = np.array([_word(each) for each in np.where(missing, "", data.astype(object))], dtype=np.str_)
    try:
        return np.where(words == "", "nan", words).astype(np.float64)
    except ValueError:
        return words


def _word(value: Any) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()
