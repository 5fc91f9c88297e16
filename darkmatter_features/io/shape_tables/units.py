"""Units: the one place where the values of a table become numbers of a known unit."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.io.shape_tables.raw import RawTable, Values

Array = NDArray[np.float64]

_ALIASES = {name: name for name in ("deg", "rad", "arcmin", "arcsec", "mas")} | {
    "degree": "deg", "degrees": "deg", "radian": "rad", "radians": "rad", "h": "hourangle", "hr": "hourangle",
    "hrs": "hourangle", "hour": "hourangle", "hours": "hourangle", "hms": "hourangle", "h:m:s": "hourangle",
    "hh:mm:ss": "hourangle", "dms": "deg", "d:m:s": "deg", "dd:mm:ss": "deg", "arcminute": "arcmin",
    "arcminutes": "arcmin", "arcmins": "arcmin", "arcsecond": "arcsec", "arcseconds": "arcsec", "arcsecs": "arcsec",
    "asec": "arcsec", "amin": "arcmin", "milliarcsec": "mas",
}  # fmt: skip
"""Spellings of units of angles, in lower case, that astropy does not read, or reads as times."""

_FREE = ("", "none", "unknown", "unitless", "dimensionless")
"""Units that are none."""


def numbers(path: Path, table: RawTable, key: str, name: str) -> tuple[Array, str | None]:
    """Return a column in the unit of its quantity, and the unit that it was converted from.

    Parameters
    ----------
    path : Path
        File, for messages.
    table : RawTable
        Table.
    key : str
        Quantity: RA and Dec are returned in degrees, ellipticities as fractions, others in the unit of the table.
    name : str
        Column.

    Raises
    ------
    TableError
        If the column holds words, or RA and Dec have an unknown unit.
    """
    values, stated = table.column(path, name), table.unit(name)
    if key in ("ra", "dec"):
        return _degrees(path, key, name, values, stated or _unit_in(name))
    if values.dtype.kind == "U":
        raise _not_numbers(path, name, values)
    if key in ("e1", "e2") and _plain(stated) == "%":
        return values / 100.0, stated
    return values, None


def same_unit(path: Path, table: RawTable, x: str, y: str) -> float:
    """Return the factor that takes y to the unit of x; 1 where the table gives no unit.

    Raises
    ------
    TableError
        If the two units cannot be compared.
    """
    units = [_plain(table.unit(name)) for name in (x, y)]
    if units[0] == units[1] or not all(units):
        return 1.0
    try:
        return float(_astropy_unit(units[1]).to(_astropy_unit(units[0])))
    except ValueError:
        raise TableError(
            f"{path}: {x} is in {units[0]!r} and {y} in {units[1]!r}, which cannot be compared; correct the unit of one"
        ) from None


def _degrees(path: Path, key: str, name: str, values: Values, stated: str | None) -> tuple[Array, str | None]:
    """Return angles in degrees; words are sexagesimal, RA in hours unless the unit is another."""
    import astropy.units as u

    if values.dtype.kind == "U":
        default = "hourangle" if key == "ra" else "deg"
        return _sexagesimal(path, name, values, _plain(stated) or default), "sexagesimal"
    text = _plain(stated)
    if not text:
        return values, None
    try:
        factor = float(_astropy_unit(text).to(u.deg))
    except ValueError:
        raise TableError(
            f"{path}: column {name} has the unit {stated!r}, which is no angle; give degrees, radians, hours, arcmin "
            "or arcsec, or name other columns with --ra and --dec (Python: ra=, dec=)"
        ) from None
    return (values, None) if factor == 1.0 else (values * factor, text)


def _sexagesimal(path: Path, name: str, words: Values, unit: str) -> Array:
    from astropy.coordinates import Angle

    angles, written = np.full(words.shape, np.nan), ~np.isin(np.char.lower(words), ("", "nan", "--", "null", "none"))
    try:
        angles[written] = Angle(words[written], unit=_astropy_unit(unit)).deg
    except ValueError:
        raise _not_numbers(path, name, words) from None
    return angles


def _not_numbers(path: Path, name: str, words: Values) -> TableError:
    example = next((repr(str(word)) for word in words if not _is_number(str(word))), "no number")
    return TableError(f"{path}: column {name} contains {example[:40]}, not numbers; give another column")


def _is_number(word: str) -> bool:
    try:
        float(word or "nan")
    except ValueError:
        return False
    return True


def _plain(unit: str | None) -> str:
    """Return a unit without quotation marks and brackets, by its usual name; "" for none."""
    plain = (unit or "").strip().strip("\"'[]()").strip()
    return "" if plain.lower() in _FREE else _ALIASES.get(plain.lower(), plain)


def _unit_in(name: str) -> str | None:
    """Return the unit in a name such as ``ra_rad``; None if there is none."""
    last = re.split(r"[^a-z]+", name.lower())[-1]
    return last if last in ("rad", "arcmin", "arcsec") or last in _ALIASES.keys() - {"h", "hr"} else None


def _astropy_unit(text: str) -> Any:
    import astropy.units as u

    return u.Unit(text)
