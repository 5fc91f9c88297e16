"""Files beside the table of a survey, from which a report is made, and its null tests."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.known import KnownLenses
from darkmatter_features.candidates.null_tests import MIN_P, Verdict, cross_test, mean_test
from darkmatter_features.candidates.supplement import write_expected, write_known, write_profiles
from darkmatter_features.errors import path_text
from darkmatter_features.surveys.aperture_maps import write_aperture_maps
from darkmatter_features.surveys.maps import write_survey_maps
from darkmatter_features.surveys.result import SurveyCandidates
from darkmatter_features.surveys.settings import SurveySearch

Array = NDArray[np.float64]

N_STEPS = 60
"""Number of S/N at which the expected number of false candidates is written."""

MAX_CROSS_PEAKS = 200
"""Maximum number of peaks of cross shear that are written, the highest."""


def as_settings(search: SurveySearch) -> dict[str, Any]:
    """Return the settings of a search as plain values, without those that have no effect.

    The notes describe the calibration.
    """
    left_out = {"calibration", *(() if search.redshift else ("lens_redshifts",))}
    plain = {field.name: getattr(search, field.name) for field in fields(search) if field.name not in left_out}
    plain["n_of_z"] = None if search.n_of_z is None else path_text(Path(search.n_of_z))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


def survey_null_tests(found: SurveyCandidates) -> list[Verdict]:
    """Return the null tests of a survey: mean ellipticity, cross shear at the candidates, highest cross peak."""
    tests = [mean_test(found.survey.mean_snr), *cross_test([each.snr_cross for each in found])]
    peaks = _cross_peaks(found)
    if not found.null.n_skies or not peaks.size:
        return tests
    p = float(found.null.false_alarm_probability(peaks[:1])[0])
    noise = f"a higher one in {p:.2g} of all skies without a lens"
    return [*tests, Verdict("highest peak of the cross S/N map", float(peaks[0]), noise, p, p >= MIN_P)]


def write_supplement(folder: Path, found: SurveyCandidates, known: KnownLenses | None) -> None:
    """Write profiles, expected numbers of false candidates, and the known lenses within the survey."""
    write_survey_maps(folder, found.survey.frame, [(each.patch, each.maps) for each in found.patches])
    if found.search.aperture_mass:
        own = [(each.patch, each.maps, each.aperture_mass) for each in found.patches]
        write_aperture_maps(folder, found.survey.frame, own, "arcmin")
    unit = "arcmin" if not found.survey.frame.is_plane else found.search.unit
    write_profiles(folder, [each.radial_profile for each in found if each.radial_profile is not None], unit)
    if found.null.n_skies:
        highest = max([10.0, *(each.snr for each in found)])
        snr = np.linspace(found.null.floor, highest, N_STEPS)
        write_expected(folder, snr, found.null.expected(snr), _cross_peaks(found)[:MAX_CROSS_PEAKS])
    if known is not None:
        _write_known(folder, found, known, unit)


def _cross_peaks(found: SurveyCandidates) -> Array:
    """Return the S/N of the peaks of cross shear, the highest first."""
    return -np.sort(-np.concatenate([np.zeros(0), *(each.cross_peaks for each in found.patches)]))


def _write_known(folder: Path, found: SurveyCandidates, known: KnownLenses, unit: str) -> None:
    frame = found.survey.frame
    positions = known.plane if frame.is_plane else known.sky
    if positions is None:
        return
    placed = frame.place(positions[:, 0], positions[:, 1])
    inside = np.zeros(len(known), dtype=np.bool_)
    for result in found.patches:
        inside |= result.patch.owns(placed.lon, placed.lat)
    near = np.flatnonzero(inside)
    places = np.array([frame.offsets(*(float(value) for value in positions[k])) for k in near]).reshape(-1, 2)
    write_known(folder, [known.names[k] for k in near], places, None if frame.is_plane else positions[near], unit)
