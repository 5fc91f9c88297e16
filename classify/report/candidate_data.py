"""What the folder of a list of candidates holds, read for its report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from darkmatter_features.candidates.maps import EMPTY, MAPS, PLANE_KEY
from darkmatter_features.candidates.supplement import KNOWN, NULL, PROFILES
from darkmatter_features.candidates.table import NAME
from darkmatter_features.errors import TableError, shown

Array = NDArray[np.float64]

TABLE = f"{NAME}.ecsv"
"""File of a folder by which it is one of candidates."""

AGAIN = "make the folder again with `darkmatter candidates`"


@dataclass(frozen=True)
class MapPair:
    """S/N of tangential and cross shear of a field, or of a patch of a survey.

    Attributes
    ----------
    snr, cross : (n_rows, n_columns) float64 arrays
        S/N; the first row is the lowest.
    empty : (n_rows, n_columns) bool array
        Where there are no galaxies.
    header : astropy.io.fits.Header
        Header of the S/N, whose WCS gives RA and Dec or x and y.
    """

    snr: Array
    cross: Array
    empty: NDArray[np.bool_]
    header: Any


@dataclass(frozen=True)
class CandidateData:
    """A list of candidates, as it was written.

    Attributes
    ----------
    path : Path
        Folder.
    table : astropy.table.Table
        Candidates, best first; its header has the catalogue, the settings, the command and the null tests.
    profiles, null, known : astropy.table.Table or None
        Further tables; None where the folder lacks them.
    maps : tuple of MapPair
        Maps: one of a field, one for each patch of a survey; empty where the folder lacks them.
    """

    path: Path
    table: Any
    profiles: Any
    null: Any
    known: Any
    maps: tuple[MapPair, ...]

    @classmethod
    def read(cls, folder: str | Path) -> "CandidateData":
        """Return the content of a folder.

        Raises
        ------
        TableError
            If a file of it is no such table or map.
        """
        folder = Path(folder)
        table = _table(folder / TABLE)
        if not {"snr", "x", "y"} <= set(table.colnames) or "catalog" not in table.meta:
            raise TableError(f"{folder / TABLE} is no list of candidates; {AGAIN}")
        profiles, null, known = (_optional(folder / name) for name in (PROFILES, NULL, KNOWN))
        return cls(folder, table, profiles, null, known, _maps(folder))

    @property
    def is_survey(self) -> bool:
        """Whether the catalogue was searched as a survey."""
        return "area_deg2" in self.table.meta

    @property
    def has_sky(self) -> bool:
        """Whether the candidates have RA and Dec."""
        return "ra" in self.table.colnames


def _table(path: Path) -> Any:
    try:
        return Table.read(path, format="ascii.ecsv")
    except Exception as error:  # readers of tables raise many kinds
        raise TableError(f"{path} cannot be read ({shown(error)}); {AGAIN}") from error


def _optional(path: Path) -> Any:
    return _table(path) if path.is_file() else None


def _maps(folder: Path) -> tuple[MapPair, ...]:
    """Return the maps of a folder."""
    if not all((folder / name).is_file() for name in MAPS):
        return ()
    snr, cross = (_images(folder / name) for name in MAPS)
    empty = [values > 0 for values, _ in _images(folder / EMPTY)] if (folder / EMPTY).is_file() else None
    if len(snr) != len(cross) or any(one[0].shape != two[0].shape for one, two in zip(snr, cross)):
        raise TableError(f"{folder}: the maps of S/N and of cross shear differ in size; {AGAIN}")
    pairs = zip(snr, cross)
    return tuple(
        MapPair(one, two, empty[k] if empty else np.isnan(one), header)
        for k, ((one, header), (two, _)) in enumerate(pairs)
    )


def _images(path: Path) -> list[tuple[Array, Any]]:
    try:
        with fits.open(path) as hdus:
            return [(hdu.data.astype(np.float64), hdu.header.copy()) for hdu in hdus if hdu.data is not None]
    except Exception as error:  # readers of FITS raise many kinds
        raise TableError(f"{path} cannot be read ({shown(error)}); {AGAIN}") from error


def plane_key(header: Any) -> str:
    """Return the key of the coordinates x and y in the header of a map; the main ones where it has no others."""
    return PLANE_KEY if f"CTYPE1{PLANE_KEY}" in header or f"CRPIX1{PLANE_KEY}" in header else " "
