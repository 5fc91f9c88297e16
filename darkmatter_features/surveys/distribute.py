"""Galaxies of a survey distributed to the files of its patches, in two readings of its table.

The first reading gives the frame of the survey, the calibration of the shear and the noise; the second writes the
galaxies of each patch, and of its margin, to Parquet files in a temporary folder.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.features.extract import report
from darkmatter_features.io.shape_tables.positions import directions_of
from darkmatter_features.io.shape_tables.rows import MIN_GALAXIES
from darkmatter_features.surveys.calibration import Calibration, ShearSums
from darkmatter_features.surveys.frame import ARCMIN, Frame, Moments, plane_frame, sphere_frame
from darkmatter_features.surveys.patches import Patch, shares
from darkmatter_features.surveys.profiles import MAX_RADIUS
from darkmatter_features.surveys.rows import Columns, SurveyTable
from darkmatter_features.urls import name_of

Array = NDArray[np.float64]

MARGIN = 2.0 * MAX_RADIUS / ARCMIN
"""Width of the margin of a patch, degrees: halos within the radius of a profile are found with all their galaxies."""

AREA_CELL = 0.05
"""Side of the cells whose number gives the area with galaxies, degrees."""

FILE_ROWS = 200_000
"""Number of rows of a patch that are written at once."""

MAX_BUFFERED = 4_000_000
"""Maximum number of rows that wait to be written, of all patches together: 160 MB, 190 with redshifts."""

NAMES = ("lon", "lat", "e1", "e2", "v")
"""Columns of the file of a patch; with redshifts, :data:`REDSHIFT` is the last."""

REDSHIFT = "redshift"
"""Quantity of the redshifts of galaxies, and their column in the file of a patch."""


class PatchFiles(NamedTuple):
    """Files of the galaxies of a patch."""

    patch: Patch
    paths: tuple[Path, ...]
    n: int


@dataclass(frozen=True)
class Survey:
    """Galaxies of a survey in the files of its patches.

    Attributes
    ----------
    name : str
        Name of the table.
    frame : SphereFrame or PlaneFrame
        Frame of the survey.
    patches : tuple of PatchFiles
        Patches with galaxies, in the order of bands and columns.
    n : int
        Number of galaxies.
    area : float, square degrees
        Area with galaxies.
    mean_snr : float
        Mean ellipticity over its error.
    notes : tuple of str
        How the table was read.
    """

    name: str
    frame: Frame
    patches: tuple[PatchFiles, ...]
    n: int
    area: float
    mean_snr: float
    notes: tuple[str, ...]

    @property
    def density(self) -> float:
        """Number of galaxies per square arcmin."""
        return self.n / (self.area * ARCMIN**2)


def _points(columns: Columns, position: tuple[str, str]) -> Array:
    """Return unit vectors, or x, y and 0."""
    first, second = (columns[key] for key in position)
    return directions_of(first, second) if position[0] == "ra" else np.stack([first, second, 0.0 * first], axis=1)


def _first_reading(table: SurveyTable, reading: Callable[[int], None]) -> tuple[Moments, ShearSums]:
    """Return the sums over all galaxies.

    Raises
    ------
    TableError
        If fewer than 10 galaxies can be used.
    """
    moments, sums = Moments(np.zeros(3)), ShearSums()
    for columns in table.chunks(reading):
        points = _points(columns, table.position)
        if not moments.n and table.position[0] != "ra":
            moments.origin = points[0]
        moments.add(points)
        sums.add(columns)
    if moments.n < MIN_GALAXIES:
        raise TableError(
            f"{table.path}: {moments.n} of {table.n_rows} rows can be used ({table.describe() or 'no row'}); "
            f"{MIN_GALAXIES} are needed; check the choice of columns and the selection"
        )
    return moments, sums


def distribute(
    table: SurveyTable,
    folder: Path,
    *,
    calibration: Calibration | None = None,
    subtract_mean: bool = False,
    unit: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Return the survey of a table, its galaxies written to files of patches in a folder.

    Parameters
    ----------
    table : SurveyTable
        Table.
    folder : Path
        Folder for the files.
    calibration : Calibration, optional
        How the survey calibrates its shear; the mean of the response columns by default.
    subtract_mean : bool
        Subtract the mean ellipticity.
    unit : float, arcmin
        Unit of x and y, where the position is not RA and Dec.
    progress : callable, optional
        Function of the number of rows read and of twice that of the table, which is read twice; not called for a table
        of one chunk.

    Raises
    ------
    TableError
        If fewer than 10 galaxies can be used, or a column cannot be read.
    """
    moments, sums = _first_reading(table, lambda n: report(progress, n, 2 * table.n_rows))
    frame: Frame = sphere_frame(moments) if table.position[0] == "ra" else plane_frame(moments, unit)
    factor, note = sums.factor(table.path, table.options, calibration or Calibration())
    mean = sums.mean if subtract_mean else 0.0
    scale = sums.inverse_variance(factor, mean)
    writer = _Writer(folder)
    area: set[complex] = set()
    for columns in table.chunks(lambda n: report(progress, table.n_rows + n, 2 * table.n_rows)):
        lon, lat, turn = frame.place(*(columns[key] for key in table.position))
        e = (columns["e1"] + 1j * columns["e2"] - mean) * factor * turn
        v = scale * columns.get("weight", np.ones(len(lon)))
        values = [lon, lat, e.real, e.imag, v, *([columns[REDSHIFT]] if REDSHIFT in columns else [])]
        writer.add(np.stack(values, axis=1), is_plane=frame.is_plane)
        area |= _area_cells(lon, lat, is_plane=frame.is_plane)
    notes = (_columns_note(table), note, table.describe())
    return Survey(
        name=name_of(table.path),
        frame=frame,
        patches=writer.finish(),
        n=moments.n,
        area=len(area) * AREA_CELL**2,
        mean_snr=sums.mean_snr(),
        notes=tuple(each for each in notes if each),
    )


class PatchGalaxies(NamedTuple):
    """Galaxies of a patch: longitudes and latitudes, ellipticities in the frame, inverse variances, and redshifts."""

    lon: Array
    lat: Array
    e: NDArray[np.complex128]
    v: Array
    redshift: Array | None


def read_patch(files: PatchFiles) -> PatchGalaxies:
    """Return the galaxies of a patch."""
    table = pa.concat_tables(pq.read_table(path) for path in files.paths)
    lon, lat, e1, e2, v = (table[name].to_numpy() for name in NAMES)
    redshift = table[REDSHIFT].to_numpy() if REDSHIFT in table.column_names else None
    return PatchGalaxies(lon, lat, e1 + 1j * e2, v, redshift)


def _area_cells(lon: Array, lat: Array, *, is_plane: bool) -> set[complex]:
    """Return the cells of equal area that hold galaxies."""
    row = np.floor(lat / AREA_CELL)
    width = 1.0 if is_plane else np.cos(np.deg2rad((row + 0.5) * AREA_CELL))
    return set(np.unique(np.floor(lon * width / AREA_CELL) + 1j * row).tolist())


def _columns_note(table: SurveyTable) -> str:
    used = {key: table.chosen[key] for key in (*table.position, "e1", "e2", "weight") if key in table.chosen}
    used |= {REDSHIFT: table.factors[REDSHIFT]} if REDSHIFT in table.factors else {}
    return "columns " + ", ".join(name if name.lower() == key else f"{key} = {name}" for key, name in used.items())


class _Writer:
    """Rows of each patch, written when there are many."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[Patch, list[Array]] = defaultdict(list)
        self._n_waiting: dict[Patch, int] = defaultdict(int)
        self._files: dict[Patch, list[Path]] = defaultdict(list)
        self._n: dict[Patch, int] = defaultdict(int)
        self.n = 0

    def add(self, values: Array, *, is_plane: bool) -> None:
        """Add galaxies, a row of the columns each, to their patches."""
        self.n += len(values)
        for patch, index in shares(values[:, 0], values[:, 1], MARGIN, is_plane=is_plane):
            self._waiting[patch].append(values[index])
            self._n_waiting[patch] += len(index)
            if self._n_waiting[patch] >= FILE_ROWS:
                self._write(patch)
        if sum(self._n_waiting.values()) > MAX_BUFFERED:
            self._write_all()

    def finish(self) -> tuple[PatchFiles, ...]:
        """Write what waits, and return the files of all patches."""
        self._write_all()
        return tuple(PatchFiles(patch, tuple(self._files[patch]), self._n[patch]) for patch in sorted(self._files))

    def _write_all(self) -> None:
        for patch in [patch for patch, n in self._n_waiting.items() if n]:
            self._write(patch)

    def _write(self, patch: Patch) -> None:
        values = np.concatenate(self._waiting.pop(patch))
        del self._n_waiting[patch]
        path = self._folder / f"{patch.band}_{patch.column}_{len(self._files[patch])}.parquet"
        columns = {name: pa.array(np.ascontiguousarray(column)) for name, column in zip((*NAMES, REDSHIFT), values.T)}
        pq.write_table(pa.table(columns), path, compression="none", use_dictionary=False)
        self._files[patch].append(path)
        self._n[patch] += len(values)
