"""Settings of the search of a survey."""

from dataclasses import dataclass, field

import numpy as np

from darkmatter_features.candidates.find import THRESHOLD
from darkmatter_features.errors import ConfigError
from darkmatter_features.numerics.significance import check_n_randomizations
from darkmatter_features.surveys.calibration import Calibration
from darkmatter_features.surveys.lens_planes import LENS_REDSHIFTS, check_lens_redshifts
from darkmatter_features.surveys.profiles import SCALES, survey_profiles

SEARCH_FLOOR = 4.0
"""Minimum S/N of the search, unless the threshold is lower: figures of a candidate do not depend on the threshold. Of 2
square degrees without a lens, four in five have a higher peak."""

MARGIN = 0.3
"""Largest difference of the S/N of a candidate from that at its cell of the maps."""

UNITS = {"arcmin": 1.0, "deg": 60.0, "arcsec": 1.0 / 60.0, "rad": float(np.rad2deg(1.0)) * 60.0}
"""Units of x and y, arcmin."""


@dataclass(frozen=True, kw_only=True)
class SurveySearch:
    """Settings of the search of a survey.

    Attributes
    ----------
    threshold : float
        Minimum S/N of a candidate.
    max_false_alarm : float or None
        Maximum false-alarm probability of a candidate, instead of the threshold.
    scales : tuple of float, arcmin
        Scale radii of the profiles; those that the density of galaxies does not resolve are left out.
    redshift : str or None
        Column of the redshifts of galaxies: galaxies are weighted for lenses at the trial redshifts.
    lens_redshifts : tuple of float
        Trial redshifts of lenses; without effect if there is no column of redshifts.
    n_of_z : str or None
        Table of the redshift distribution of the galaxies: halos of masses and redshifts are planted as well.
    n_randomizations : int
        Number of randomized skies for false alarms and purity; 0 for neither.
    seed : int
        Seed of all random numbers.
    aperture_mass : bool
        Map the aperture mass with the filters of the literature.
    most : int or None
        Maximum number of candidates, those of the highest S/N; None for no limit.
    completeness : bool
        Plant halos in the galaxies for the completeness.
    subtract_mean : bool
        Subtract the mean ellipticity.
    selection : str or None
        Condition on the columns, such as ``z > 0.4 & mag < 24.5``.
    unit : str
        Unit of x and y, one of :data:`UNITS`; without effect on RA and Dec.
    calibration : Calibration
        How the survey calibrates its shear.

    Raises
    ------
    ConfigError
        If a setting is out of its range.
    """

    threshold: float = THRESHOLD
    max_false_alarm: float | None = None
    scales: tuple[float, ...] = SCALES
    redshift: str | None = None
    lens_redshifts: tuple[float, ...] = LENS_REDSHIFTS
    n_of_z: str | None = None
    n_randomizations: int = 200
    seed: int = 1
    aperture_mass: bool = False
    most: int | None = None
    completeness: bool = True
    subtract_mean: bool = False
    selection: str | None = None
    unit: str = "arcmin"
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.threshold) and self.threshold >= 2.0):
            raise ConfigError(
                f"threshold must be an S/N of 2 or more, got {self.threshold}; {THRESHOLD:g} is the default"
            )
        if self.max_false_alarm is not None and not 0.0 < self.max_false_alarm < 1.0:
            raise ConfigError(f"max_false_alarm must be a probability between 0 and 1, got {self.max_false_alarm}")
        if self.most is not None and self.most < 1:
            raise ConfigError(f"most must be a number of candidates, 1 or more, got {self.most}")
        check_n_randomizations(self.n_randomizations, least=0)
        if self.max_false_alarm is not None and not self.n_randomizations:
            raise ConfigError("max_false_alarm needs randomized skies; set the number of randomizations to 200")
        if self.unit not in UNITS:
            raise ConfigError(f"unit must be one of {', '.join(UNITS)}, got {self.unit!r}")
        survey_profiles(self.scales)
        check_lens_redshifts(self.lens_redshifts)

    @property
    def search_threshold(self) -> float:
        """Minimum S/N in the maps."""
        return min(self.threshold, SEARCH_FLOOR)

    @property
    def minimum_snr(self) -> float:
        """Minimum S/N of a candidate in the maps, which that of the posterior hardly exceeds."""
        return self.search_threshold if self.max_false_alarm is not None else self.threshold - MARGIN
