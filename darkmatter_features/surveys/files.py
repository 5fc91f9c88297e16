"""Files of the candidates of a survey: the tables of `darkmatter candidates`, and the completeness by region."""

from pathlib import Path
from typing import Any

import numpy as np

from darkmatter_features.candidates.table import COLUMNS as FIELD_COLUMNS
from darkmatter_features.candidates.table import FIELD_UNIT, write_tables
from darkmatter_features.io.table import written_whole
from darkmatter_features.shape_catalogs.table import Column
from darkmatter_features.surveys.result import SurveyCandidates

_OWN = (
    Column("search_snr", "", "stat.snr", "S/N in the map where the candidate was found"),
    Column("expected_purity", "", "stat.probability", "probability to be no noise, by randomized skies"),
    Column(
        "local_completeness", "", "stat.probability", "fraction of planted halos of this expected S/N that are found"
    ),
    Column("amplitude", "", "phys.gravitation", "best-fit shear at one arcminute"),
)

COLUMNS = (*FIELD_COLUMNS, *_OWN)
"""Columns of the table: those of the candidates of one field, and those of a survey."""

COMPLETENESS_COLUMNS = (
    Column("ra", "deg", "pos.eq.ra", "right ascension of the centre of the region"),
    Column("dec", "deg", "pos.eq.dec", "declination of the centre of the region"),
    Column("scale", "arcmin", "phys.size.radius", "scale radius of the planted halos"),
    Column("amplitude", "", "phys.gravitation", "mean shear of the planted halos at one arcminute"),
    Column("n_planted", "", "meta.number", "number of planted halos"),
    Column("n_found", "", "meta.number", "number of them with a peak above the threshold"),
)
"""Columns of ``completeness.ecsv``."""

N_AMPLITUDES = 6
"""Number of bins of amplitude in ``completeness.ecsv``."""


def survey_table(found: SurveyCandidates) -> Any:
    """Return the candidates of a survey as an astropy table, best first.

    Returns
    -------
    astropy.table.Table
        With units, descriptions and UCDs; ``ra`` and ``dec`` are missing in a plane survey.
    """
    from astropy.table import Table

    on_sky = not found.survey.frame.is_plane
    unit = "arcmin" if on_sky else found.search.unit
    table = Table(meta=_meta(found))
    for column in COLUMNS:
        if on_sky or column.name not in ("ra", "dec"):
            kind: Any = {"profile": "U60", "n_galaxies": np.int64}.get(column.name, np.float64)
            values = np.array([getattr(each, column.name) for each in found], dtype=kind)
            _add(table, _with_unit(column, unit), values)
    return table


def _with_unit(column: Column, unit: str) -> Column:
    return column._replace(unit=unit) if column.unit == FIELD_UNIT else column


def completeness_table(found: SurveyCandidates) -> Any:
    """Return the numbers of halos planted and found, by region, scale and amplitude."""
    from astropy.table import Table

    rows = [row for result in found.patches for row in _completeness_rows(found, result)]
    table = Table(meta=_meta(found))
    for k, column in enumerate(COMPLETENESS_COLUMNS):
        kind = np.int64 if column.ucd == "meta.number" else np.float64
        _add(table, column, np.array([row[k] for row in rows], dtype=kind))
    return table


def write_survey(folder: str | Path, found: SurveyCandidates) -> None:
    """Write the files of the candidates of a survey.

    Parameters
    ----------
    folder : str or Path
        Folder, made if missing, for ``candidates.ecsv``, ``.fits`` and ``.reg``, and ``completeness.ecsv``.
    found : SurveyCandidates
        Result of :func:`~darkmatter_features.surveys.find.find_survey_candidates`.
    """
    write_tables(Path(folder), survey_table(found))
    if found.search.completeness:
        with written_whole(Path(folder) / "completeness.ecsv") as temporary:
            completeness_table(found).write(temporary, format="ascii.ecsv", delimiter=",")


def _meta(found: SurveyCandidates) -> dict[str, Any]:
    survey = found.survey
    return {
        "catalog": survey.name,
        "n": survey.n,
        "area_deg2": round(survey.area, 4),
        "threshold": found.threshold,
        "expected_false": float(found.null.expected(np.array([found.threshold]))[0]) if found.null.n_skies else None,
        "n_randomizations": found.null.n_skies,
        "notes": list(survey.notes),
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
    ra, dec = (float(each[0]) for each in found.survey.frame.restore(lon, lat))
    rows: list[tuple[float, ...]] = []
    for k, scale in enumerate(found.scales):
        own = np.flatnonzero((planted.profile == k) & (planted.expected > 0.0))
        for each in np.array_split(own[np.argsort(planted.amplitude[own], kind="stable")], N_AMPLITUDES):
            if len(each):
                n_found = int((planted.snr[each] >= found.threshold).sum())
                rows.append((ra, dec, scale, float(planted.amplitude[each].mean()), len(each), n_found))
    return rows
