"""Files beside the table of candidates, from which a report is made: profiles, null distributions, known lenses."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.radial import RadialProfile
from darkmatter_features.io.table import written_whole
from darkmatter_features.numerics.significance import NullTest
from darkmatter_features.shape_catalogs.table import Column

Array = NDArray[np.float64]

PROFILES, NULL, KNOWN = "profiles.ecsv", "null.ecsv", "known.ecsv"
"""Names of the files."""

NUMBER = Column("candidate", "", "meta.id", "row of the candidate in candidates.ecsv, from 1")

PROFILE_COLUMNS = (
    Column("radius", "field", "pos.angDistance", "mean distance of the galaxies of an annulus"),
    Column("gamma_t", "", "stat.mean", "mean tangential shear"),
    Column("gamma_x", "", "stat.mean", "mean cross shear"),
    Column("error", "", "stat.error", "error of each mean"),
    Column("n_galaxies", "", "meta.number", "number of galaxies"),
)
"""Columns of ``profiles.ecsv`` beside the number of the candidate; the unit "field" is that of x and y."""


def write_profiles(folder: Path, profiles: Sequence[RadialProfile], unit: str) -> None:
    """Write the radial profiles of the candidates; `unit` is that of x and y, "" if unknown."""
    columns = {NUMBER: np.repeat(np.arange(1, len(profiles) + 1), [each.radius.size for each in profiles])}
    for k, column in enumerate(PROFILE_COLUMNS):
        values = np.concatenate([np.zeros(0), *(each[k] for each in profiles)])
        columns[column._replace(unit=unit if column.unit else "")] = values
    columns = {
        key: values.astype(np.int64) if key.ucd.startswith("meta") else values for key, values in columns.items()
    }
    _write(folder / PROFILES, columns)


def write_null(folder: Path, tests: Iterable[NullTest | None]) -> None:
    """Write the log Bayes factors of the randomized skies of each candidate, and those of the sky in the header."""
    known = [(k, each) for k, each in enumerate(tests, start=1) if each is not None]
    columns = {
        NUMBER: np.repeat(np.array([k for k, _ in known], dtype=np.int64), [len(each.randomized) for _, each in known]),
        Column("log_bayes_factor", "", "stat.likelihood", "of a randomized sky, for a lens anywhere"): np.concatenate(
            [np.zeros(0), *(each.randomized for _, each in known)]
        ),
    }
    _write(folder / NULL, columns, observed={str(k): each.observed for k, each in known})


def write_expected(folder: Path, snr: Array, expected: Array, cross_peaks: Array) -> None:
    """Write the expected number of false candidates of a survey by S/N, and the highest peaks of its cross shear."""
    columns = {
        Column("snr", "", "stat.snr", "S/N in the map"): snr,
        Column("expected", "", "meta.number", "expected number of peaks at or above it without a lens"): expected,
    }
    _write(folder / NULL, columns, cross_peaks=[float(f"{each:.4g}") for each in cross_peaks])


def write_known(folder: Path, names: Sequence[str], places: Array, sky: Array | None, unit: str) -> None:
    """Write the known lenses in the field: names, x and y (n, 2), and RA and Dec (n, 2) if there are any."""
    columns: dict[Column, Any] = {Column("name", "", "meta.id", "name in the list"): np.array(names, dtype="U80")}
    columns |= {Column(key, unit, "pos.cartesian", key): places[:, k] for k, key in enumerate(("x", "y"))}
    if sky is not None:
        columns |= {Column(key, "deg", f"pos.eq.{key}", key): sky[:, k] for k, key in enumerate(("ra", "dec"))}
    _write(folder / KNOWN, columns)


def _write(path: Path, columns: dict[Column, Any], **meta: Any) -> None:
    from astropy.table import Table

    table = Table(meta=meta)
    for column, values in columns.items():
        table[column.name] = values
        table[column.name].description = column.description
        if column.unit:
            table[column.name].unit = column.unit
    with written_whole(path) as temporary:
        table.write(temporary, format="ascii.ecsv", delimiter=",")
