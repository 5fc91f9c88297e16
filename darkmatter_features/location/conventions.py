"""Conventions of the shapes of a catalogue: the eight turns and flips of (e1, e2), ranked by tangential shear.

The tangential shear of the shapes ``i^k e`` is that of e, its cross shear, and the negative of both: the maps of two
skies, e and its complex conjugate, with their cross shear, are those of all eight conventions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.io.shape_tables.positions import from_local_north
from darkmatter_features.location.field import MAX_MEAN_SNR, Field, field_of, mean_snr
from darkmatter_features.location.profile_sums import filter_sums
from darkmatter_features.location.profiles import default_profiles

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

CONVENTION_CELLS = 100
"""Cells per side of the field in which a lens is searched in each convention: the S/N of a narrow lens is lower by 3 %
than in the cells of the posterior."""

MIN_BEST_SNR = 5.8
"""Minimum S/N of the convention that is chosen: the highest of eight searches was 5.5 at most in 190 fields of
500 galaxies without a lens."""

MIN_LOG_RATIO = 3.0
"""Minimum log likelihood ratio, half the difference of the squares of S/N, of the best convention over the next: it was
5.5 at least in 148 fields with a lens of S/N 8 anywhere, corners included."""


@dataclass(frozen=True)
class Convention:
    """One of the eight turns and flips of (e1, e2).

    Attributes
    ----------
    swap, flip_e1, flip_e2 : bool
        As in :class:`~darkmatter_features.io.shape_tables.options.CatalogOptions`: signs change after the exchange.
    """

    swap: bool = False
    flip_e1: bool = False
    flip_e2: bool = False

    @property
    def name(self) -> str:
        """Name, such as ``swap, flip e2``."""
        return ", ".join(word for word, applies in self._changes() if applies) or "as is"

    @property
    def flags(self) -> str:
        """Options of the command, such as ``--swap --flip-e2``; "" for none."""
        return " ".join(f"--{word.replace(' ', '-')}" for word, applies in self._changes() if applies)

    def _changes(self) -> tuple[tuple[str, bool], ...]:
        return ("swap", self.swap), ("flip e1", self.flip_e1), ("flip e2", self.flip_e2)

    def after(self, first: "Convention") -> "Convention":
        """Return the one convention that has the effect of `first` and this one after it."""
        flips = (first.flip_e2, first.flip_e1) if self.swap else (first.flip_e1, first.flip_e2)
        return Convention(self.swap != first.swap, self.flip_e1 != flips[0], self.flip_e2 != flips[1])


CONVENTIONS = tuple(
    Convention(swap, flip_e1, flip_e2)
    for swap in (False, True)
    for flip_e1 in (False, True)
    for flip_e2 in (False, True)
)
"""All eight conventions; the first leaves the shapes as they are."""

AS_IS = CONVENTIONS[0]

SKIES = (
    (AS_IS, Convention(flip_e1=True, flip_e2=True)),
    (Convention(swap=True, flip_e2=True), Convention(swap=True, flip_e1=True)),
    (Convention(flip_e2=True), Convention(flip_e1=True)),
    (Convention(swap=True, flip_e1=True, flip_e2=True), Convention(swap=True)),
)
"""Conventions of e, -i e, and the same of its conjugate, each with that of the opposite sign."""


@dataclass(frozen=True)
class ConventionRanking:
    """Evidence for each convention.

    Attributes
    ----------
    best : Convention or None
        Convention of the shapes; None where it cannot be decided.
    snr : mapping of Convention to float
        Highest S/N of the matched filter in each convention.
    """

    best: Convention | None
    snr: Mapping[Convention, float]

    @property
    def highest(self) -> Convention:
        """Convention of the highest S/N, significant or not."""
        return max(self.snr, key=lambda each: self.snr[each])


def rank_conventions(
    catalog: ShapeCatalog, *, local_north: bool = CatalogOptions.local_north, subtract_mean: bool | None = None
) -> ConventionRanking:
    """Return the convention with which the shapes of a catalogue show a lens.

    Parameters
    ----------
    catalog : ShapeCatalog
        Galaxies of one field.
    local_north : bool
        As the catalogue was read: shapes with positions from RA and Dec were turned from north at each galaxy.
    subtract_mean : bool, optional
        Subtract the mean ellipticity; by default where it is biased.

    Returns
    -------
    ConventionRanking
        Decided where the highest S/N of all conventions exceeds :data:`MIN_BEST_SNR`, and its log likelihood ratio to
        the next one :data:`MIN_LOG_RATIO`.
    """
    biased = mean_snr(catalog) > MAX_MEAN_SNR
    field = field_of(catalog, subtract_mean=biased if subtract_mean is None else subtract_mean)
    turn = north_turn(catalog) if local_north else np.ones(len(catalog), dtype=np.complex128)
    snr = convention_snr(field, turn)
    first, second = sorted(snr.values(), reverse=True)[:2]
    ranking = ConventionRanking(None, MappingProxyType(snr))
    return replace(ranking, best=ranking.highest) if is_better(first, second) else ranking


def is_better(first: float, second: float) -> bool:
    """Return whether the higher S/N of two searches is a lens, which the other one cannot have by chance."""
    return first > MIN_BEST_SNR and (first**2 - second**2) / 2.0 > MIN_LOG_RATIO


def better_convention(ranking: ConventionRanking, options: CatalogOptions) -> str | None:
    """Return a line with the remedy if the shapes fit a lens in another convention than as they were read."""
    if ranking.best is None or ranking.best == AS_IS:
        return None
    snr, as_is = ranking.snr[ranking.best], ranking.snr[AS_IS]
    return f"a lens of S/N {snr:.1f} with {ranking.best.name}, {as_is:.1f} as is; use {flags(ranking.best, options)}"


def convention_note(catalog: ShapeCatalog, options: CatalogOptions, *, subtract_mean: bool) -> str | None:
    """Return the line of :func:`better_convention` for a catalogue that was read with some options."""
    return better_convention(
        rank_conventions(catalog, local_north=options.local_north, subtract_mean=subtract_mean or None), options
    )


def flags(best: Convention, options: CatalogOptions) -> str:
    """Return the options that give the best convention, instead of those with which the catalogue was read."""
    total = best.after(Convention(options.swap, options.flip_e1, options.flip_e2))
    return total.flags or "none of --swap, --flip-e1 and --flip-e2"


def convention_snr(field: Field, turn: Complex) -> dict[Convention, float]:
    """Return the highest S/N in each convention.

    Parameters
    ----------
    field : Field
        Galaxies.
    turn : (n,) complex128 array
        Factors by which ellipticities were turned after the signs of the catalogue were set.
    """
    columns, rows = field.grid(CONVENTION_CELLS)
    response, norm = filter_sums(field, default_profiles(), columns, rows, *four_skies(field, turn))
    snr = response / np.sqrt(np.maximum(norm, np.finfo(np.float64).tiny))[:, None]
    highest, lowest = snr.max(axis=(0, 2)), snr.min(axis=(0, 2))
    return {
        each: float(value) for pair, *both in zip(SKIES, highest, -lowest) for each, value in zip(pair, both)
    }  # fmt: skip


def four_skies(field: Field, turn: Complex) -> tuple[Array, Array]:
    """Return e1 and e2 (n, 4) of e and its conjugate before it was turned, each with its cross shear."""
    e = field.e1 + 1j * field.e2
    conjugate = np.conj(e) * turn**2
    skies = np.stack([e, -1j * e, conjugate, -1j * conjugate], axis=1)
    return np.ascontiguousarray(skies.real), np.ascontiguousarray(skies.imag)


def north_turn(catalog: ShapeCatalog) -> Complex:
    """Return the factors (n,) that turn ellipticities from north at each galaxy to the axes of the catalogue."""
    unit = {"e1": np.ones(len(catalog)), "e2": np.zeros(len(catalog))}
    if catalog.wcs is None or catalog.ra is None or catalog.dec is None:
        return np.ones(len(catalog), dtype=np.complex128)
    turned, _ = from_local_north(unit | {"ra": catalog.ra, "dec": catalog.dec}, catalog.wcs)
    return np.asarray(turned["e1"] + 1j * turned["e2"], dtype=np.complex128)
