"""Known lenses beside the candidates: the nearest one of a list, and the probability of one as near by chance."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.projection import field_projection
from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.copies import present
from darkmatter_features.io.shape_tables.formats import opened_tables
from darkmatter_features.io.shape_tables.names import candidates as columns_with
from darkmatter_features.io.shape_tables.names import names_for_message
from darkmatter_features.io.shape_tables.raw import RawTable
from darkmatter_features.io.shape_tables.units import numbers

Array = NDArray[np.float64]

NAMES = ("name", "id", "main_id", "object", "cluster", "designation", "source_id", "title")
"""Usual names of the column of names, in lower case."""

N_NEIGHBORS = 10
"""Number of known lenses, beyond the nearest, from which their local density is estimated."""

SKY, PLANE = ("ra", "dec"), ("x", "y")

Found = TypeVar("Found", bound=Any)
"""Result of a search: a dataclass, and a sequence, of candidates."""


class Match(NamedTuple):
    """Known lens nearest to a position.

    Attributes
    ----------
    name : str
        Its name.
    separation : float, arcmin or the list's unit
        Its distance; arcmin where the positions are RA and Dec.
    chance : float
        Probability of a known lens as near by chance; nan for a list of one lens.
    """

    name: str
    separation: float
    chance: float


@dataclass(frozen=True)
class KnownLenses:
    """List of known lenses.

    Attributes
    ----------
    source : str
        File, for messages.
    names : tuple of str
        Name of each lens.
    sky : (n, 2) float64 array or None, degrees
        RA and Dec; None if the list has none.
    plane : (n, 2) float64 array or None
        x and y in the unit of the shape catalogue; None if the list has none.
    """

    source: str
    names: tuple[str, ...]
    sky: Array | None = None
    plane: Array | None = None

    def __post_init__(self) -> None:
        for column in (self.sky, self.plane):
            if column is not None:
                column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.names)

    def unit(self, catalog: str, *, has_sky: bool) -> str:
        """Return the unit of the distances from the candidates of a catalogue: arcmin, or "" for that of x and y.

        Raises
        ------
        TableError
            If the list has only RA and Dec, and the catalogue has none.
        """
        if self.sky is not None and has_sky:
            return "arcmin"
        if self.plane is None:
            raise TableError(
                f"{self.source} lists known lenses by RA and Dec, which {catalog} lacks; give a list with x and y in "
                "its unit, or name the catalogue's columns with --ra and --dec (Python: ra=, dec=)"
            )
        return ""

    def nearest(self, x: float, y: float, ra: float, dec: float) -> Match:
        """Return the known lens nearest to a position: by RA and Dec where both have them, else by x and y.

        Parameters
        ----------
        x, y : float, the unit of the shape catalogue
        ra, dec : float, degrees
            nan where the catalogue has none.

        Notes
        -----
        For lenses at random with the density m the probability of at least one within an area A is ``1 - exp(-m A)``.
        The density is that of the next lenses, ``m = k / A_(k+1)``, with the area within the distance of the one
        after k others, k = 10 or as many as there are: the nearest itself does not count. On the sphere the area within
        theta is ``2 pi (1 - cos theta)``, and that within r on the plane ``pi r^2``.
        """
        on_sky = self.sky is not None and np.isfinite(ra)
        if not on_sky and self.plane is None:
            return Match("", np.nan, np.nan)
        distance = self._separations(ra, dec) if on_sky else self._distances(x, y)
        order = np.argsort(distance, kind="stable")
        area = 2.0 * np.pi * (1.0 - np.cos(distance)) if on_sky else np.pi * distance**2
        separation = float(distance[order[0]])
        k = min(N_NEIGHBORS, len(self) - 1)
        beyond = float(area[order[k]])
        chance = -np.expm1(-k * float(area[order[0]]) / beyond) if k and beyond > 0.0 else np.nan
        separation = np.rad2deg(separation) * 60.0 if on_sky else separation
        return Match(self.names[int(order[0])], separation, float(chance))

    def note(self, name: str, separation: float, ra: float) -> str:
        """Return a note on the nearest lens of a candidate, "" for no name; the separation is arcmin on the sphere."""
        unit = " arcmin" if self.sky is not None and np.isfinite(ra) else ""
        return f", {separation:.3g}{unit} from {name}" if name else ""

    def _separations(self, ra: float, dec: float) -> Array:
        """Return the angles (n,) from a direction, radians."""
        from astropy.coordinates import angular_separation

        lenses = np.deg2rad(np.zeros((0, 2)) if self.sky is None else self.sky)
        return np.asarray(angular_separation(np.deg2rad(ra), np.deg2rad(dec), lenses[:, 0], lenses[:, 1]))

    def _distances(self, x: float, y: float) -> Array:
        lenses = np.zeros((0, 2)) if self.plane is None else self.plane
        return np.asarray(np.hypot(lenses[:, 0] - x, lenses[:, 1] - y))


def with_known(found: Found, known: KnownLenses) -> Found:
    """Return the candidates of a catalogue or a survey, each with the nearest known lens."""
    matches = [known.nearest(each.x, each.y, each.ra, each.dec) for each in found]
    return replace(
        found,
        candidates=tuple(
            replace(each, known_name=match.name, known_separation=match.separation, known_chance=match.chance)
            for each, match in zip(found, matches, strict=True)
        ),
    )


def known_in_field(known: KnownLenses, catalog: ShapeCatalog) -> tuple[NDArray[np.int64], Array]:
    """Return the indices of the known lenses in a field, with a tenth of its sides about it, and their x and y (n, 2).

    Positions are those of the list in RA and Dec where the catalogue has a projection, else its x and y.
    """
    projection = field_projection(catalog)
    if known.sky is not None and projection is not None:
        centre = projection.wcs_pix2world([[np.mean(catalog.bounds[:2]), np.mean(catalog.bounds[2:])]], 0)[0]
        near = np.flatnonzero(known._separations(*(float(each) for each in centre)) < np.pi / 4.0)
        places = projection.wcs_world2pix(known.sky[near], 0) if near.size else np.zeros((0, 2))
    elif known.plane is not None:
        near, places = np.arange(len(known)), known.plane
    else:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 2))
    low, high = np.array(catalog.bounds[::2]), np.array(catalog.bounds[1::2])
    margin = 0.1 * (high - low)
    inside = ((places >= low - margin) & (places <= high + margin)).all(axis=1)
    return near[inside], places[inside]


def read_known(path: str | Path) -> KnownLenses:
    """Read a list of known lenses.

    Parameters
    ----------
    path : str or Path
        Table in any format of :func:`~darkmatter_features.io.catalogs.read_catalog`, with RA and Dec, or x and y in the
        unit of the shape catalogue, and a column of names such as ``name``; without one the rows are numbered.

    Returns
    -------
    KnownLenses
        Rows that have a position.

    Raises
    ------
    TableError
        If the table cannot be read, or has no positions.
    """
    path = present(path)
    with opened_tables(path) as tables:
        found = [(table, pairs) for table in tables if (pairs := _position_columns(table.names))]
        if not found:
            names = [name for table in tables for name in table.names]
            raise TableError(
                f"{path}: a list of known lenses needs columns ra and dec, or x and y; it has "
                f"{names_for_message(names, 'ra')}: rename its columns"
            )
        table, pairs = found[0]
        positions = {pair: _positions(path, table, pair, columns) for pair, columns in pairs.items()}
        names = _names(path, table)
    return _usable(path, names, positions)


def _position_columns(names: list[str]) -> dict[tuple[str, str], list[str]]:
    """Return the columns of positions, by pair of quantities; a unit in brackets is no part of a name."""
    plain = {name.partition("[")[0].partition("(")[0].strip(): name for name in reversed(names)}
    pairs = {}
    for pair in (SKY, PLANE):
        columns = [columns_with(list(plain), key) for key in pair]
        if all(columns):
            pairs[pair] = [plain[each[0]] for each in columns]
    return pairs


def _positions(path: Path, table: RawTable, pair: tuple[str, str], columns: list[str]) -> Array:
    return np.stack([numbers(path, table, key, name)[0] for key, name in zip(pair, columns, strict=True)], axis=1)


def _names(path: Path, table: RawTable) -> list[str]:
    """Return the name of each row, its number where there is none."""
    usual = {name.lower(): name for name in reversed(table.names)}
    column = next((usual[name] for name in NAMES if name in usual), None)
    if column is None:
        return [str(k) for k in range(1, table.n_rows + 1)]
    values = table.column(path, column)
    return [f"{value:g}" if values.dtype.kind == "f" else str(value) for value in values]


def _usable(path: Path, names: list[str], positions: dict[tuple[str, str], Array]) -> KnownLenses:
    """Return the rows with all positions."""
    good = np.all([np.isfinite(each).all(axis=1) for each in positions.values()], axis=0)
    if SKY in positions:
        good &= np.abs(positions[SKY][:, 1]) <= 90.0
    if not good.any():
        raise TableError(f"{path}: no row has a position; give a list of known lenses with RA and Dec, or x and y")
    sky, plane = (positions[pair][good] if pair in positions else None for pair in (SKY, PLANE))
    return KnownLenses(path.name, tuple(name for name, use in zip(names, good, strict=True) if use), sky, plane)
