"""Candidate lenses of a survey: those of all patches, with false alarms, expected purity and completeness."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.coverage import MAX_EMPTY
from darkmatter_features.candidates.radial import RadialProfile
from darkmatter_features.location.profiles import ShearProfiles
from darkmatter_features.surveys.completeness import Completeness, completeness_of
from darkmatter_features.surveys.distribute import Survey
from darkmatter_features.surveys.patch_search import Found, PatchResult
from darkmatter_features.surveys.peaks import SEPARATION
from darkmatter_features.surveys.profiles import survey_profiles
from darkmatter_features.surveys.purity import NullPeaks, expected_purity
from darkmatter_features.surveys.settings import SEARCH_FLOOR, UNITS, SurveySearch

Array = NDArray[np.float64]

MAX_SNR = 12.0
"""Largest S/N at which a false-alarm probability is looked up."""


@dataclass(frozen=True)
class SurveyCandidate:
    """Candidate lens of a survey.

    Attributes
    ----------
    ra, dec : float, degrees
        Celestial coordinates; nan in a plane survey.
    x, y : float
        Position in the unit of the catalogue; with RA and Dec offsets from the centre of the survey to the west and the
        north, arcmin, along great circles.
    position_error : float
        Radius about there that holds 68 % of the posterior; arcmin with RA and Dec.
    snr : float
        S/N with the amplitudes of all candidates free.
    snr_cross : float
        S/N of the cross shear with the same profile at the same position.
    log_bayes_factor : float
        Log of the evidence for this lens beside the others, anywhere in the disc of four position errors, over that
        for the others alone.
    false_alarm_probability : float
        Probability of a peak of at least this S/N anywhere in the survey, without a lens; nan without randomized skies.
    profile : str
        Profile of the highest S/N.
    scale : float, arcmin or the catalogue's unit
        Its scale radius.
    n_galaxies : int
        Effective number of galaxies that carry the S/N.
    expected_purity : float
        Probability to be neither noise nor weak structure, from
        :func:`~darkmatter_features.surveys.purity.expected_purity`.
    local_completeness : float
        Fraction of halos of this amplitude, planted among as many galaxies, that are found.
    amplitude : float
        Best-fit shear at one arcminute, by its profile without cut-offs; with redshifts, of a source at infinity.
    lens_redshift : float
        Trial redshift of the highest S/N; nan without redshifts of galaxies.
    empty_fraction : float
        Fraction of the disc of :data:`~darkmatter_features.surveys.patch_search.APERTURE` about it without galaxies.
    edge : bool
        Whether that is more than :data:`~darkmatter_features.candidates.coverage.MAX_EMPTY`.
    known_name, known_separation, known_chance
        Nearest known lens, as in :class:`~darkmatter_features.candidates.find.Candidate`; "" and nan without a list.
    radial_profile : RadialProfile or None
        Mean shear about it, without that of the other candidates; radii in the unit of x and y.
    """

    ra: float
    dec: float
    x: float
    y: float
    position_error: float
    snr: float
    snr_cross: float
    log_bayes_factor: float
    false_alarm_probability: float
    profile: str
    scale: float
    n_galaxies: int
    expected_purity: float
    local_completeness: float
    amplitude: float
    lens_redshift: float = np.nan
    empty_fraction: float = np.nan
    edge: bool = False
    known_name: str = ""
    known_separation: float = np.nan
    known_chance: float = np.nan
    radial_profile: RadialProfile | None = None


@dataclass(frozen=True)
class SurveyCandidates:
    """Candidate lenses of a survey.

    Attributes
    ----------
    candidates : tuple of SurveyCandidate
        Those of the highest S/N first.
    survey : Survey
        Survey.
    search : SurveySearch
        Settings.
    scales : tuple of float, arcmin
        Scale radii in use.
    null : NullPeaks
        Peaks of randomized skies.
    structure : float
        Scatter of the S/N without candidates over that of randomized skies, see
        :func:`~darkmatter_features.surveys.structure.structure_factor`: position errors are multiplied by it, and the
        peaks of randomized skies for the expected purity.
    threshold : float
        Minimum S/N of a candidate, or the one that the maximum false-alarm probability stands for.
    completeness : Completeness
        Fraction of planted halos found, by expected S/N.
    patches : tuple of PatchResult
        Candidates and planted halos by patch.
    warnings : tuple of str
        What the user should know first: a convention of the shapes that fits far better.
    """

    candidates: tuple[SurveyCandidate, ...]
    survey: Survey
    search: SurveySearch
    scales: tuple[float, ...]
    null: NullPeaks
    structure: float
    threshold: float
    completeness: Completeness
    patches: tuple[PatchResult, ...]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, k: int) -> SurveyCandidate:
        return self.candidates[k]

    def __iter__(self) -> Iterator[SurveyCandidate]:
        return iter(self.candidates)


def assembled(
    survey: Survey,
    search: SurveySearch,
    scales: tuple[float, ...],
    results: list[PatchResult],
    null: NullPeaks,
    structure: float,
    warnings: tuple[str, ...],
) -> SurveyCandidates:
    """Return all candidates above the threshold, each once."""
    found = _deduplicated([each for result in results for each in result.found], is_plane=survey.frame.is_plane)
    limit = search.max_false_alarm
    threshold = search.threshold if limit is None else _snr_of(null, limit)
    found = [each for each in found if each.snr >= threshold]
    snr = np.array([each.snr for each in found])
    chance = null.false_alarm_probability(snr) if null.n_skies else np.full(len(found), np.nan)
    purity = expected_purity(snr, null.widened(structure)) if null.n_skies else np.full(len(found), np.nan)
    planted = [each.planted for each in results if each.planted is not None]
    expected, peaks = (
        np.concatenate([np.zeros(0), *(getattr(each, key) for each in planted)]) for key in ("expected", "snr")
    )
    completeness = completeness_of(expected, peaks, threshold)
    profiles = survey_profiles(scales)
    candidates = [
        _candidate(survey, search, profiles, each, float(p), float(q), structure, completeness)
        for each, p, q in zip(found, chance, purity)
    ]
    return SurveyCandidates(
        tuple(candidates[: search.most]),
        survey,
        search,
        scales,
        null,
        structure,
        threshold,
        completeness,
        tuple(results),
        warnings,
    )


def _snr_of(null: NullPeaks, probability: float) -> float:
    """Return the S/N whose false-alarm probability is the given one."""
    snr = np.linspace(SEARCH_FLOOR, MAX_SNR, 801)
    below = null.false_alarm_probability(snr) <= probability
    return float(snr[int(below.argmax())]) if below.any() else float(snr[-1])


def _deduplicated(found: list[Found], *, is_plane: bool) -> list[Found]:
    """Return the candidates, highest first, without those that two patches found at one place."""
    found = sorted(found, key=lambda each: (-each.snr, each.lon, each.lat))
    kept: list[Found] = []
    for each in found:
        same = [
            abs(each.lat - other.lat) < SEPARATION / 60.0
            and abs((each.lon - other.lon + 180.0) % 360.0 - 180.0)
            * (1.0 if is_plane else np.cos(np.deg2rad(each.lat)))
            < SEPARATION / 60.0
            for other in kept
        ]
        if not any(same):
            kept.append(each)
    return kept


def _candidate(
    survey: Survey,
    search: SurveySearch,
    profiles: ShearProfiles,
    found: Found,
    chance: float,
    purity: float,
    structure: float,
    completeness: Completeness,
) -> SurveyCandidate:
    first, second = (float(each[0]) for each in survey.frame.restore(np.array([found.lon]), np.array([found.lat])))
    unit = UNITS[search.unit] if survey.frame.is_plane else 1.0
    x, y = survey.frame.offsets(first, second)
    return SurveyCandidate(
        ra=np.nan if survey.frame.is_plane else first,
        dec=np.nan if survey.frame.is_plane else second,
        x=x,
        y=y,
        position_error=structure * found.halo.position_error / unit,
        snr=found.snr,
        snr_cross=found.halo.snr_cross,
        log_bayes_factor=found.halo.log_bayes_factor,
        false_alarm_probability=chance,
        profile=profiles.names[profiles.scales.index(found.scale)],
        scale=found.scale / unit,
        n_galaxies=found.halo.n_galaxies,
        expected_purity=purity,
        local_completeness=float(completeness.at(np.array(found.snr))),
        amplitude=found.amplitude,
        lens_redshift=found.lens_redshift,
        empty_fraction=found.empty_fraction,
        edge=found.empty_fraction > MAX_EMPTY,
        radial_profile=found.radial._replace(radius=found.radial.radius / unit),
    )
