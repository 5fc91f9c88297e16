"""Tables that astropy reads whole, with units and masks: ECSV, VOTable and IPAC."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from darkmatter_features.errors import TableError
from darkmatter_features.io.shape_tables.raw import RawTable

_DATA_ELSEWHERE = re.compile(rb"<(\w+:)?STREAM[^>]*\shref\s*=", re.IGNORECASE)


def astropy_table(table: Any, **part: Any) -> RawTable:
    """Return a table of astropy; `part` is the number and the name of the part of the file."""
    _add_coordinates(table)
    return RawTable(
        shapes={name: table[name].shape[1:] for name in table.colnames if hasattr(table[name], "dtype")},
        n_rows=len(table),
        values=lambda name: getattr(table[name], "value", table[name]),
        units={name: str(table[name].unit) for name in table.colnames if getattr(table[name], "unit", None)},
        **part,
    )


def _add_coordinates(table: Any) -> None:
    """Add the RA and Dec, degrees, of columns of celestial coordinates as ``NAME.ra`` and ``NAME.dec``."""
    from astropy.coordinates import SkyCoord

    for name in [name for name in table.colnames if isinstance(table[name], SkyCoord)]:
        direction = table[name].icrs
        table[f"{name}.ra"], table[f"{name}.dec"] = direction.ra.deg, direction.dec.deg


def ecsv_tables(path: Path, file: IO[bytes]) -> Iterator[RawTable]:
    """Yield the table of an ECSV file."""
    from astropy.table import Table

    yield astropy_table(Table.read(file.read().decode("utf-8").splitlines(), format="ascii.ecsv"))


def ipac_tables(path: Path, file: IO[bytes]) -> Iterator[RawTable]:
    """Yield the table of an IPAC file."""
    from astropy.table import Table

    yield astropy_table(Table.read(file.read().decode("utf-8").splitlines(), format="ascii.ipac"))


def votable_tables(path: Path, file: IO[bytes]) -> Iterator[RawTable]:
    """Yield the tables of a VOTable.

    Raises
    ------
    TableError
        If the XML document is another, or its data are in another file.
    """
    from io import BytesIO

    from astropy.io import votable

    content = file.read()
    if not re.search(rb"<(\w+:)?VOTABLE", content, re.IGNORECASE):
        raise TableError(f"{path} is an XML document but no VOTable; give a table of galaxies")
    if _DATA_ELSEWHERE.search(content):
        raise TableError(f"{path} refers to data in another place; save the VOTable with its data in it")
    tables = votable.parse(BytesIO(content), verify="ignore").iter_tables()
    for index, table in enumerate(tables):
        rows = table.to_table(use_names_over_ids=True)
        yield astropy_table(rows, index=index, name=table.name or table.ID or "")
