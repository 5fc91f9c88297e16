"""Choice of the columns of a table, and of the table of a file: the one that has the columns, whatever its length."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from darkmatter_features.errors import TableError
from darkmatter_features.io.parts import Part, matches
from darkmatter_features.io.shape_tables.names import (
    COMMON_NAMES,
    SKY_SHAPES,
    UNSHEARED,
    VECTORS,
    candidates,
    names_for_message,
    of_one_family,
    responses,
    vectors,
)
from darkmatter_features.io.shape_tables.raw import RawTable

NO_COLUMN = "none"
"""Name that stands for no column of an optional quantity."""

OPTIONAL = ("weight", "star", "response 1")
"""Quantities that may be given no column."""

POSITIONS = (("x", "y"), ("ra", "dec"))
"""Pairs of quantities that are a position, in order of priority."""

QUANTITIES = ("e1", "e2", "x", "y", "ra", "dec", "weight", "size", "step", "detector", "star")
"""Quantities whose columns are found by their names."""

_RELATIVE = {"e2": "e1", "x": "e1", "y": "x", "ra": "e1", "dec": "ra", "weight": "e1"}
"""Quantity whose column begins like that of another where several have usual names."""

_SHEARED = re.compile(r"[a-z]*[12][pm]|sheared")
_UNSHEARED_WORD = re.compile(r"[a-z]*(noshear|unsheared|nosheared)")
_OTHER_OBJECTS = {"psf", "psfs", "psfcat", "psfstars", "star", "stars", "starcat", "random", "randoms"}
_TOKEN = re.compile(r"[a-z0-9]+")


class ColumnsError(TableError):
    """Table without a column that is needed, or with several; `n_found` counts the quantities found."""

    def __init__(self, message: str, n_found: int) -> None:
        super().__init__(message)
        self.n_found = n_found


def is_unsheared(name: str) -> bool:
    """Return whether a name is the one that calibrations by artificial shear give to galaxies as they are.

    Examples
    --------
    >>> is_unsheared("NOSHEAR_CAT"), is_unsheared("mcal_ns"), is_unsheared("COLUMNS")
    (True, True, False)
    """
    tokens = _TOKEN.findall(name.lower())
    joined = "_".join(tokens)
    return any(_UNSHEARED_WORD.fullmatch(token) for token in tokens) or f"_{joined}".endswith(
        tuple(f"_{end}" for end in UNSHEARED)
    )


def is_sheared(name: str) -> bool:
    """Return whether a name is one that calibrations by artificial shear give to galaxies with that shear.

    Examples
    --------
    >>> is_sheared("1P_SHEARED"), is_sheared("mcal_2m"), is_sheared("NOSHEAR_CAT")
    (True, True, False)
    """
    return not is_unsheared(name) and any(map(_SHEARED.fullmatch, _TOKEN.findall(name.lower())))


def choose_table(
    path: Path, tables: Sequence[RawTable], named: Mapping[str, str], part: Part | None
) -> tuple[RawTable, dict[str, str], str | None]:
    """Return the table to read, the column of each quantity in it, and a note on the choice if there was one.

    Raises
    ------
    TableError
        If no table has the part's name, or none has the columns: for the one that has most of them.
    """
    if part is not None:
        tables = [_named_table(path, tables, part)]
    found, errors = [], []
    for table in tables:
        try:
            found.append((table, choose_columns(path, table.names, named)))
        except ColumnsError as error:
            errors.append((error, table))
    if not found:
        worst, table = max(errors, key=lambda each: each[0].n_found)
        raise TableError(f"{worst}{f' (table {table.label} of {len(tables)})' if len(tables) > 1 else ''}")
    found.sort(key=lambda each: _calibration_rank(each[0].name))
    table, columns = found[0]
    others = ", ".join(other.label for other, _ in found[1:4]) + (", ..." if len(found) > 4 else "")
    note = f"table {table.label}" + (f", not {others} (--hdu)" if others else "")
    return table, columns, note if len(tables) > 1 or part is not None else None


def _named_table(path: Path, tables: Sequence[RawTable], part: Part) -> RawTable:
    found = [table for table in tables if _is_part(part, table)]
    if not found:
        present = ", ".join(f"{table.label}" for table in tables[:12])
        raise TableError(f"{path} has no table {part}; its tables are {present}: choose one with --hdu (Python: hdu=)")
    return found[0]


def _is_part(part: Part, table: RawTable) -> bool:
    """Return whether a table is a part of a file; of a path in an HDF5 file, the last name is enough."""
    names = (table.name, table.name.rpartition("/")[2])
    return any(matches(part, table.index, name, table.version) for name in names)


def _calibration_rank(name: str) -> int:
    """Return 0 for galaxies as they are, 2 for artificially sheared ones, 3 for stars or the PSF, 1 for any other."""
    if not _OTHER_OBJECTS.isdisjoint(_TOKEN.findall(name.lower())):
        return 3
    if is_unsheared(name):
        return 0
    return 2 if is_sheared(name) else 1


def choose_columns(path: Path, names: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """Return the column of each quantity; optional quantities that the table lacks have none.

    Raises
    ------
    ColumnsError
        If a column is missing, or several may be meant.
    """
    chosen: dict[str, str] = {}
    for key, name in named.items():
        if not (key in OPTIONAL and name.lower() == NO_COLUMN and name not in names):
            chosen[key] = _named_column(path, names, key, name, len(chosen))
    on_sky = bool({"ra", "dec"} & named.keys()) and not {"x", "y"} & named.keys()
    unwanted = {*named, *(("x", "y") if on_sky else ())}
    _add_vectors(names, chosen, unwanted)
    if {"e1", "e2"}.isdisjoint(chosen) and (on_sky or not candidates(names, "x")):
        _add_sky_shapes(names, chosen)
    for key in QUANTITIES:
        if key not in chosen and key not in unwanted:
            _add_usual(path, names, key, chosen)
    if "response 1" not in unwanted:
        chosen |= {f"response {k}": name for k, name in enumerate(responses(names), start=1)}
    _check_complete(path, names, chosen, on_sky=on_sky)
    return chosen


def _named_column(path: Path, names: Sequence[str], key: str, given: str, n_found: int) -> str:
    """Return the column with the given name, exactly or, if there is none, up to case."""
    similar = [given] if given in names else [name for name in names if name.lower() == given.lower()]
    if len(similar) != 1:
        found = f"{len(similar)} columns {', '.join(similar)}" if similar else f"no column {given}"
        raise ColumnsError(
            f"{path} has {found} for {key}; give one of: {names_for_message(names, key, given)}", n_found
        )
    return similar[0]


def _add_vectors(names: Sequence[str], chosen: dict[str, str], unwanted: set[str]) -> None:
    """Add the two components of columns such as g, if neither is given otherwise."""
    for keys in VECTORS:
        found = vectors(names, keys)
        if len(found) == 1 and not unwanted & set(keys) and not any(candidates(names, key) for key in keys):
            chosen.update(zip(keys, (f"{found[0]}[0]", f"{found[0]}[1]")))


def _add_sky_shapes(names: Sequence[str], chosen: dict[str, str]) -> None:
    """Add the shapes in the frame of the sky, if the table has them beside those in the frame of the pixels."""
    by_name = {name.lower(): name for name in names}
    if set(SKY_SHAPES.values()) <= by_name.keys():
        chosen.update({key: by_name[name] for key, name in SKY_SHAPES.items()})


def _add_usual(path: Path, names: Sequence[str], key: str, chosen: dict[str, str]) -> None:
    """Add the column with a usual name of a quantity, if there is one."""
    found = [name for name in candidates(names, key) if name not in chosen.values()]
    relative = of_one_family(found, chosen.get(_RELATIVE.get(key, ""), ""))
    if len(found) > 1 and relative is not None:
        found = [relative]
    is_guessed_weight = key == "weight" and bool(found) and found[0].lower() not in COMMON_NAMES["weight"]
    if (is_guessed_weight and relative is None) or (len(found) > 1 and key in ("size", "step", "detector", "star")):
        return
    if len(found) > 1:
        raise ColumnsError(
            f"{path} has {len(found)} columns that may be {key}: {names_for_message(found, key)}; "
            f"choose one with --{key} (Python: {key}=)",
            len(chosen),
        )
    if found:
        chosen[key] = found[0]


def _check_complete(path: Path, names: Sequence[str], chosen: dict[str, str], *, on_sky: bool) -> None:
    """Check that there are positions and ellipticities; remove an incomplete position that is not needed."""

    def fail(key: str, quantity: str) -> NoReturn:
        raise ColumnsError(
            f"{path} has no column that may be {quantity}; choose one with --{key} (Python: {key}=) from: "
            f"{names_for_message(names, key)}",
            len(chosen),
        )

    for key in ("e1", "e2"):
        if key not in chosen:
            fail(key, key)
    pairs = [pair for pair in POSITIONS if chosen.keys() >= set(pair)]
    if not pairs or (on_sky and ("ra", "dec") not in pairs):
        key = next(key for key in (("ra", "dec") if on_sky else ("x", "y")) if key not in chosen)
        fail(key, key if on_sky else f"{key} (nor both of RA and Dec)")
    for key in {"x", "y", "ra", "dec"} & chosen.keys() - {key for pair in pairs for key in pair}:
        del chosen[key]
