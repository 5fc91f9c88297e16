"""Candidate lenses of a shape catalogue: the search of halos, and their location together."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from darkmatter_features.candidates.coverage import MAX_EMPTY, empty_fractions
from darkmatter_features.candidates.joint_location import JointLens, locate_jointly
from darkmatter_features.candidates.projection import field_projection
from darkmatter_features.candidates.search import find_halos
from darkmatter_features.errors import ConfigError
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.coordinates import sky_position
from darkmatter_features.location.field import Field, field_of
from darkmatter_features.location.locate import Location, locate
from darkmatter_features.location.profiles import ShearProfiles, default_profiles
from darkmatter_features.numerics.significance import NullTest, check_n_randomizations

THRESHOLD = 5.0
"""Default minimum S/N: the highest S/N of 60 simulated blank fields of 500 galaxies is 3.5 in the mean, with a standard
deviation of 0.4, and 4.3 at most."""

MOST = 20
"""Default maximum number of candidates."""

SEED = 1
"""Seed of the samples of the joint posterior without a generator: the same catalogue gives the same candidates."""


@dataclass(frozen=True)
class Candidate:
    """Candidate lens of a catalogue.

    Attributes
    ----------
    x, y : float, the catalogue's unit
        Geometric median of the posterior of its position, averaged over all others.
    ra, dec : float, degrees
        Celestial coordinates of that position; nan where the catalogue has none.
    position_error : float, the catalogue's unit
        Radius about there that holds 68 % of the posterior.
    snr : float
        S/N with the amplitudes of all candidates free.
    snr_cross : float
        S/N of the cross shear with the same profile at the same position.
    log_bayes_factor : float
        Log of the evidence for this lens beside the others over that for the others alone.
    false_alarm_probability : float
        Probability of at least this Bayes factor anywhere in the field without this lens, by catalogues with randomly
        rotated shapes; nan without them.
    profile : str
        Name of the profile with the highest S/N.
    scale : float, the catalogue's unit
        Core or scale radius of that profile; nan where it is unknown.
    n_galaxies : int
        Effective number of galaxies that carry the S/N, ``sum(v g^2)^2 / sum((v g^2)^2)``, for shear g and inverse
        variance v.
    empty_fraction : float
        Fraction of its aperture without galaxies: outside the field or in a hole, such as a mask; see
        :func:`~darkmatter_features.candidates.coverage.empty_fractions`.
    edge : bool
        Whether that is more than :data:`~darkmatter_features.candidates.coverage.MAX_EMPTY`.
    known_name : str
        Nearest lens of a list of known ones; "" without a list.
    known_separation : float, arcmin, or the catalogue's unit for lists of x and y
        Distance from it; nan without a list.
    known_chance : float
        Probability of a known lens as near by chance; nan without a list.
    null : NullTest or None
        Log Bayes factors without the other lenses, of the catalogue and of randomized skies; None without these.
    """

    x: float
    y: float
    ra: float
    dec: float
    position_error: float
    snr: float
    snr_cross: float
    log_bayes_factor: float
    false_alarm_probability: float
    profile: str
    scale: float
    n_galaxies: int
    empty_fraction: float = np.nan
    edge: bool = False
    known_name: str = ""
    known_separation: float = np.nan
    known_chance: float = np.nan
    null: NullTest | None = None


@dataclass(frozen=True)
class Candidates:
    """Candidate lenses of a catalogue, and its maps.

    Attributes
    ----------
    candidates : tuple of Candidate
        Those of the highest S/N first; empty where no S/N reaches the threshold.
    field : Location
        Result of :func:`~darkmatter_features.location.locate.locate` for the whole catalogue, whose read-only maps show
        all lenses with the profile of the strongest.
    """

    candidates: tuple[Candidate, ...]
    field: Location

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, k: int) -> Candidate:
        return self.candidates[k]

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.candidates)


def find_candidates(
    catalog: ShapeCatalog,
    *,
    threshold: float = THRESHOLD,
    most: int = MOST,
    profiles: ShearProfiles | None = None,
    subtract_mean: bool = False,
    n_randomizations: int = 0,
    rng: np.random.Generator | None = None,
) -> Candidates:
    """Find all lenses of a shape catalogue.

    Parameters
    ----------
    catalog : ShapeCatalog
        Galaxies of one field. Its weights, if any, are inverse variances up to a factor.
    threshold : float
        Minimum S/N of a candidate.
    most : int
        Maximum number of candidates, 1 or more.
    profiles : ShearProfiles, optional
        Trial shear profiles; :func:`~darkmatter_features.location.profiles.default_profiles` by default.
    subtract_mean : bool
        Subtract the mean ellipticity, for shapes with an additive bias.
    n_randomizations : int
        Number of randomized skies for the probability of a false alarm; 0 for none.
    rng : numpy.random.Generator, optional
        Source of the random rotations; required with `n_randomizations`.

    Returns
    -------
    Candidates

    Raises
    ------
    ConfigError
        If `threshold` is no finite number, `most` is not positive, or the randomization is as for
        :func:`~darkmatter_features.location.locate.locate`.

    Notes
    -----
    Halos are added one after another, each at the highest S/N given those before; all are then moved in turn, and their
    amplitudes fitted together, see :func:`~darkmatter_features.candidates.search.find_halos`. With one halo, all
    figures are those of :func:`~darkmatter_features.location.locate.locate`. The positions of several, their errors
    and Bayes factors come from the posterior of all together, see
    :func:`~darkmatter_features.candidates.joint_posterior.sample_jointly`; S/N and false-alarm probability of each are
    those in the catalogue without the mean shear of the others. The samples are drawn from a stream of `rng`, or of
    :data:`SEED` without one.

    Examples
    --------
    >>> found = find_candidates(read_catalog("Training_Sky201.csv"))  # doctest: +SKIP
    >>> round(found[0].x), round(found[0].y)  # doctest: +SKIP
    (2040, 324)
    """
    check_limits(threshold, most)
    check_n_randomizations(n_randomizations, least=0)
    _check_generator(n_randomizations, rng)
    profiles = profiles or default_profiles()
    field = field_of(catalog, subtract_mean=subtract_mean)
    catalog = replace(catalog, e1=field.e1.copy(), e2=field.e2.copy())
    halos = find_halos(field, profiles, threshold=threshold, most=most)
    whole, lenses = locate(catalog, profiles=profiles), list[JointLens]()
    if len(halos) > 1:
        lenses = locate_jointly(
            catalog, profiles, halos, threshold=threshold, samples_rng=_sampler_generator(rng),
            n_randomizations=n_randomizations, rng=rng,
        )  # fmt: skip
    if halos and not lenses:
        if n_randomizations:
            whole = locate(catalog, profiles=profiles, n_randomizations=n_randomizations, rng=rng)
        lenses = [_single(field, profiles, whole)]
    found = [_candidate(catalog, field, profiles, each) for each in lenses]
    found.sort(key=lambda each: -each.snr)
    return Candidates(tuple(found), whole)


def check_limits(threshold: float, most: int) -> None:
    """Raise an error unless the threshold is a finite S/N and the maximum number is positive.

    Raises
    ------
    ConfigError
        It names the value.
    """
    if not np.isfinite(threshold):
        raise ConfigError(f"threshold must be a finite S/N, got {threshold}; {THRESHOLD:g} is the default")
    if most < 1:
        raise ConfigError(f"most must be 1 or more candidates, got {most}")


def _check_generator(n_randomizations: int, rng: np.random.Generator | None) -> None:
    if n_randomizations and rng is None:
        raise ConfigError(
            f"{n_randomizations} randomized skies need a random generator; pass rng=numpy.random.default_rng(1)"
        )


def _sampler_generator(rng: np.random.Generator | None) -> np.random.Generator:
    """Return the source of the samples: a stream of its own, so that rotations are the same with and without them."""
    return np.random.default_rng(SEED) if rng is None else rng.spawn(1)[0]


def _single(field: Field, profiles: ShearProfiles, located: Location) -> JointLens:
    """Return the one lens of a field as `locate` finds it."""
    x, y = ((at - corner) / field.side for at, corner in zip((located.x, located.y), field.corner, strict=True))
    return JointLens(
        x,
        y,
        located.position_error / field.side,
        located.snr,
        located.snr_cross,
        located.log_bayes_factor,
        profiles.names.index(located.profile),
        located.null,
    )


def _candidate(catalog: ShapeCatalog, field: Field, profiles: ShearProfiles, lens: JointLens) -> Candidate:
    x, y = (corner + field.side * at for at, corner in zip((lens.x, lens.y), field.corner, strict=True))
    ra, dec = sky_position(catalog, x, y) or _projected(catalog, x, y)
    empty = float(empty_fractions(field, np.array([lens.x]), np.array([lens.y]))[0])
    return Candidate(
        x=x,
        y=y,
        ra=ra,
        dec=dec,
        position_error=field.side * lens.position_error,
        snr=lens.snr,
        snr_cross=lens.snr_cross,
        log_bayes_factor=lens.log_bayes_factor,
        false_alarm_probability=np.nan if lens.null is None else lens.null.p_value,
        profile=profiles.names[lens.profile],
        scale=field.side * profiles.scales[lens.profile] if profiles.scales else np.nan,
        n_galaxies=_n_effective(field, profiles, lens),
        empty_fraction=empty,
        edge=empty > MAX_EMPTY,
        null=lens.null,
    )


def _projected(catalog: ShapeCatalog, x: float, y: float) -> tuple[float, float]:
    """Return RA and Dec by the projection of the whole field; nan where it has none."""
    projection = field_projection(catalog)
    if projection is None:
        return np.nan, np.nan
    ra, dec = projection.wcs_pix2world([[x, y]], 0)[0]
    return float(ra), float(dec)


def _n_effective(field: Field, profiles: ShearProfiles, lens: JointLens) -> int:
    """Return the effective number of galaxies that carry the S/N of a halo."""
    radius = np.arange(len(profiles.shear)) * profiles.spacing
    shear = np.interp(np.hypot(field.x - lens.x, field.y - lens.y), radius, profiles.shear[:, lens.profile])
    share = field.weight * shear**2
    return round(float(share.sum() ** 2 / np.square(share).sum()))
