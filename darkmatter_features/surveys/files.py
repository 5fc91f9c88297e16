"""Files of the candidates of a survey: the tables of `darkmatter candidates`, and the completeness by region."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from darkmatter_features.candidates.known import KnownLenses, with_known
from darkmatter_features.candidates.table import COLUMNS as FIELD_COLUMNS
from darkmatter_features.candidates.table import FIELD_UNIT, KINDS, KNOWN_COLUMNS, SKY_COLUMNS, write_tables
from darkmatter_features.errors import path_text
from darkmatter_features.io.table import written_whole
from darkmatter_features.shape_catalogs.table import Column
from darkmatter_features.surveys.mass_completeness import LOG_MASSES, REDSHIFTS
from darkmatter_features.surveys.patch_search import APERTURE
from darkmatter_features.surveys.result import SurveyCandidates
from darkmatter_features.surveys.supplement import survey_null_tests, write_supplement

LENS_REDSHIFT = "lens_redshift"
"""Column that is there if redshifts of galaxies are known."""

_OWN = (
    Column("expected_purity", "", "stat.probability", "probability to be neither noise nor weak structure"),
    Column(
        "local_completeness", "", "stat.probability", "fraction of planted halos of this expected S/N that are found"
    ),
    Column("amplitude", "", "phys.gravitation", "best-fit shear at one arcminute"),
    Column(LENS_REDSHIFT, "", "src.redshift", "trial redshift of the highest S/N"),
)

_DESCRIPTIONS = {
    "false_alarm_probability": "of a peak as high anywhere in the survey, without a lens",
    "scale": "scale radius of the profile",
    "empty_fraction": f"fraction of the aperture of {APERTURE:g} arcmin without galaxies",
}
_ON_SKY = {
    "x": "offset to the west of the centre of the survey, along a great circle",
    "y": "offset to the north of the centre of the survey, along a great circle",
}
"""Descriptions of columns of one field that differ in a survey, and in one with RA and Dec."""

COLUMNS = (
    *(each._replace(description=_DESCRIPTIONS.get(each.name, each.description)) for each in FIELD_COLUMNS),
    *_OWN,
)
"""Columns of the table: those of the candidates of one field, and those of a survey."""

_REGION_ON_SKY = (
    Column("ra", "deg", "pos.eq.ra", "right ascension of the centre of the region"),
    Column("dec", "deg", "pos.eq.dec", "declination of the centre of the region"),
)
_REGION_IN_PLANE = (
    Column("x", FIELD_UNIT, "pos.cartesian.x", "x of the centre of the region"),
    Column("y", FIELD_UNIT, "pos.cartesian.y", "y of the centre of the region"),
)
COMPLETENESS_COLUMNS = (
    Column("scale", "arcmin", "phys.size.radius", "scale radius of the planted halos"),
    Column(LENS_REDSHIFT, "", "src.redshift", "redshift of the planted halos"),
    Column("amplitude", "", "phys.gravitation", "mean shear of the planted halos at one arcminute"),
    Column("n_planted", "", "meta.number", "number of planted halos"),
    Column("n_found", "", "meta.number", "number of them with a peak above the threshold"),
)
"""Columns of ``completeness.ecsv`` after the centre of the region."""

MASS_COLUMNS = (
    Column("mass", "solMass", "phys.mass", "mass of the planted halos, within 200 critical densities"),
    Column("redshift", "", "src.redshift", "redshift of the planted halos"),
    Column("n_planted", "", "meta.number", "number of planted halos"),
    Column("n_found", "", "meta.number", "number of them with a peak above the threshold"),
    Column("completeness", "", "stat.probability", "fraction found"),
)
"""Columns of ``completeness_mass.ecsv``."""

N_AMPLITUDES = 6
"""Number of bins of amplitude in ``completeness.ecsv``."""


def survey_table(
    found: SurveyCandidates, *, known_unit: str | None = None, record: Mapping[str, Any] | None = None
) -> Any:
    """Return the candidates of a survey as an astropy table, best first.

    Parameters
    ----------
    found : SurveyCandidates
        Candidates of a survey.
    known_unit : str or None
        Unit of the distances from known lenses, "" for that of x and y; None without a list, and without columns.
    record : mapping, optional
        Further entries of the header: settings, command and null tests.

    Returns
    -------
    astropy.table.Table
        With units, descriptions and UCDs; ``ra`` and ``dec`` are missing in a plane survey.
    """
    from astropy.table import Table

    on_sky = not found.survey.frame.is_plane
    unit = "arcmin" if on_sky else found.search.unit
    table = Table(meta=_meta(found) | dict(record or {}))
    left_out = (() if on_sky else SKY_COLUMNS) + (KNOWN_COLUMNS if known_unit is None else ())
    left_out += () if found.search.redshift else (LENS_REDSHIFT,)
    for column in COLUMNS:
        if column.name not in left_out:
            kind: Any = {**KINDS, "profile": "U60"}.get(column.name, np.float64)
            values = np.array([getattr(each, column.name) for each in found], dtype=kind)
            own = known_unit if column.name == "known_separation" and known_unit else unit
            text = _ON_SKY.get(column.name, column.description) if on_sky else column.description
            _add(table, _with_unit(column, own)._replace(description=text), values)
    return table


def _with_unit(column: Column, unit: str) -> Column:
    return column._replace(unit=unit) if column.unit == FIELD_UNIT else column


def completeness_table(found: SurveyCandidates) -> Any:
    """Return the numbers of halos planted and found, by region, scale and amplitude."""
    from astropy.table import Table

    rows = [row for result in found.patches for row in _completeness_rows(found, result)]
    table = Table(meta=_meta(found))
    region = _REGION_IN_PLANE if found.survey.frame.is_plane else _REGION_ON_SKY
    for k, column in enumerate((*region, *COMPLETENESS_COLUMNS)):
        kind = np.int64 if column.ucd == "meta.number" else np.float64
        if found.search.redshift or column.name != LENS_REDSHIFT:
            _add(table, _with_unit(column, found.search.unit), np.array([row[k] for row in rows], dtype=kind))
    return table


def write_survey(
    folder: str | Path,
    found: SurveyCandidates,
    *,
    known: KnownLenses | None = None,
    record: Mapping[str, Any] | None = None,
) -> SurveyCandidates:
    """Write the files of the candidates of a survey.

    Parameters
    ----------
    folder : str or Path
        Folder, made if missing, for ``candidates.ecsv``, ``.fits``, ``.vot`` and ``.reg``, ``profiles.ecsv``,
        ``null.ecsv``, ``known.ecsv``, ``completeness.ecsv`` and ``completeness_mass.ecsv``.
    found : SurveyCandidates
        Result of :func:`~darkmatter_features.surveys.find.find_survey_candidates`.
    known : KnownLenses, optional
        List of known lenses: the nearest one of each candidate is in the table.
    record : mapping, optional
        Settings and command, for the header of the ECSV file.

    Returns
    -------
    SurveyCandidates
        Those given, with the known lenses.

    Raises
    ------
    TableError
        If the known lenses have only RA and Dec, and the survey has none.
    """
    on_sky = not found.survey.frame.is_plane
    unit = None if known is None else known.unit(found.survey.name, has_sky=on_sky)
    found = found if known is None else with_known(found, known)
    record = {**(record or {}), "null_tests": [each.record for each in survey_null_tests(found)]}
    write_tables(Path(folder), survey_table(found, known_unit=unit, record=record))
    write_supplement(Path(folder), found, known)
    if found.search.completeness:
        _write_ecsv(Path(folder) / "completeness.ecsv", completeness_table(found))
    if found.search.n_of_z is not None:
        _write_ecsv(Path(folder) / "completeness_mass.ecsv", mass_completeness_table(found))
    return found


def _write_ecsv(path: Path, table: Any) -> None:
    with written_whole(path) as temporary:
        table.write(temporary, format="ascii.ecsv", delimiter=",")


def mass_completeness_table(found: SurveyCandidates) -> Any:
    """Return the numbers of halos planted and found, by mass and redshift, over the whole survey."""
    from astropy.table import Table

    masses, redshifts = (each.ravel() for each in np.meshgrid(10.0 ** np.array(LOG_MASSES), REDSHIFTS, indexing="ij"))
    planted = [each.masses for each in found.patches if each.masses is not None]
    index = np.concatenate([np.zeros(0, dtype=np.int64), *(each.halo for each in planted)])
    is_found = np.concatenate([np.zeros(0), *(each.snr for each in planted)]) >= found.threshold
    n_planted, n_found = (np.bincount(each, minlength=len(masses)) for each in (index, index[is_found]))
    fraction = np.divide(n_found, n_planted, out=np.full(len(masses), np.nan), where=n_planted > 0)
    table = Table(meta=_meta(found) | {"n_of_z": path_text(Path(str(found.search.n_of_z)))})
    for column, values in zip(MASS_COLUMNS, (masses, redshifts, n_planted, n_found, fraction), strict=True):
        _add(table, column, values)
    return table


def _meta(found: SurveyCandidates) -> dict[str, Any]:
    survey = found.survey
    return {
        "catalog": survey.name,
        "n": survey.n,
        "area_deg2": round(survey.area, 4),
        "threshold": found.threshold,
        "expected_false": float(found.null.expected(np.array([found.threshold]))[0]) if found.null.n_skies else None,
        "n_randomizations": found.null.n_skies,
        "structure_factor": round(found.structure, 4),
        "notes": [*found.warnings, *survey.notes],
    }


def _add(table: Any, column: Column, values: Any) -> None:
    table[column.name] = values
    own = table[column.name]
    own.description, own.meta["ucd"] = column.description, column.ucd
    if column.unit:
        own.unit = column.unit


def _completeness_rows(found: SurveyCandidates, result: Any) -> list[tuple[float, ...]]:
    planted = result.planted
    if planted is None or not len(planted.x):
        return []
    lon, lat = np.array([result.patch.lon]), np.array([result.patch.lat])
    first, second = (float(each[0]) for each in found.survey.frame.restore(lon, lat))
    rows: list[tuple[float, ...]] = []
    redshifts = found.search.lens_redshifts if found.search.redshift is not None else (np.nan,)
    for k, (redshift, scale) in enumerate(product(redshifts, found.scales)):
        own = np.flatnonzero((planted.profile == k) & (planted.expected > 0.0))
        for each in np.array_split(own[np.argsort(planted.amplitude[own], kind="stable")], N_AMPLITUDES):
            if len(each):
                n_found = int((planted.snr[each] >= found.threshold).sum())
                rows.append((first, second, scale, redshift, float(planted.amplitude[each].mean()), len(each), n_found))
    return rows
