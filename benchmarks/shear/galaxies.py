"""Galaxies and stars of the shear benchmark: fluxes, sizes, shapes and positions."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import galsim
import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation.population import Counts

if TYPE_CHECKING:
    from shear.scenes import Conditions

Array = NDArray[np.float64]

CELL = 64
"""Side of the cell of an isolated galaxy, pixels."""

FFT = galsim.GSParams(minimum_fft_size=32)
"""Transform sizes: GalSim's minimum, 128 px, exceeds most galaxies."""

SERSIC_INDICES = (1.0, 1.5, 2.5, 4.0)
"""Sersic indices; a fifth of the galaxies are a bulge in a disc instead."""

RADII = (1.0, 4.5)
"""Range of the half-light radii of isolated galaxies, pixels: 0.2 to 0.9 arcsec, uniform in the logarithm."""

SIGMA_E = 0.24
"""Scatter of the ellipticity per component before shear."""

MAX_ELLIPTICITY = 0.75
"""Maximum modulus of the ellipticity before shear."""

COUNTS = Counts(slope=0.75, cutoff=12.0)
"""Source counts of blended galaxies, N(>F) as F^-0.75: 0.3 dex a magnitude."""

LIMIT_SNR = 10.0
"""S/N at the unit of the counts."""

FAINTEST = 0.12
"""Minimum luminosity of blended galaxies relative to the limit: S/N 1.2."""

LIMIT_RADIUS, RADIUS_SCATTER, RADIUS_SLOPE = 1.75, 0.35, 0.15
"""Half-light radius at the limit, pixels, its scatter, e-folds, and its exponent of luminosity."""

MARGIN = 40.0
"""Distance from the image within which blended galaxies are drawn, pixels."""

GROUP_RADIUS = 14.0
"""Radius of a group of galaxies, pixels: its shear moves them by less than a pixel, so that they keep their noise."""

STAR_SNR = (20.0, 2000.0)
"""Range of the S/N of stars, uniform in the logarithm."""

STAR_REACH = 60.0
"""Distance from a star to which it is drawn in the kind ``blended``, pixels."""

ARCMIN = 300.0
"""An arcminute, pixels."""


@dataclass(frozen=True)
class Sources:
    """Galaxies or stars.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Centroids.
    centers : (n, 2) float64 array, pixels
        Points x, y about which positions are sheared and turned.
    frame, unlensed_frame : (n, 2, 2) float64 arrays, pixels
        Transformations from the profile of unit half-light radius to the image, with and without shear.
    profile : (n,) int64 array
        Index of the light profile.
    radius : (n,) float64 array, pixels
        Half-light radii.
    flux, snr : (n,) float64 arrays
        Fluxes in units of the noise of a pixel, and their S/N.
    reach : (n,) float64 array, pixels
        Half sides of the squares that are drawn.
    in_cell : (n,) bool array
        Whether that square is the cell about the point in `centers`, rather than about the source.
    """

    x: Array
    y: Array
    centers: Array
    frame: Array
    unlensed_frame: Array
    profile: NDArray[np.int64]
    radius: Array
    flux: Array
    snr: Array
    reach: Array
    in_cell: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)

    @property
    def boxes(self) -> NDArray[np.int64]:
        """First and last columns, first and last rows that are drawn (n, 4), pixels."""
        middle = np.where(self.in_cell[:, None], self.centers, np.column_stack([self.x, self.y]))
        first, last = np.ceil(middle - self.reach[:, None]), np.floor(middle + self.reach[:, None])
        return np.column_stack([first[:, 0], last[:, 0], first[:, 1], last[:, 1]]).astype(np.int64)

    def select(self, keep: NDArray[np.bool_]) -> Sources:
        """Return the sources where `keep` is true."""
        return Sources(*(getattr(self, field.name)[keep] for field in fields(self)))

    def without_cells_of(self, shining: Sources) -> Sources:
        """Return the galaxies without those that share their cell with a star."""
        taken = {tuple(center) for center in shining.centers[shining.in_cell]}
        return self.select(np.array([tuple(center) not in taken for center in self.centers], dtype=bool))

    def lensed(self, shear: tuple[float, float], rotated: bool) -> Sources:
        """Return the sources turned by 90 degrees, if `rotated`, and then sheared by a matrix of unit determinant."""
        turn = np.array([[0.0, -1.0], [1.0, 0.0]]) if rotated else np.eye(2)
        g1, g2 = shear
        matrix = np.array([[1.0 + g1, g2], [g2, 1.0 - g1]]) / np.sqrt(1.0 - g1**2 - g2**2)
        offsets = np.column_stack([self.x, self.y]) - self.centers
        x, y = (offsets @ (matrix @ turn).T + self.centers).T
        frame = turn @ self.frame
        return replace(self, x=x, y=y, frame=matrix @ frame, unlensed_frame=frame)


@lru_cache(maxsize=1)
def light_profiles() -> tuple[galsim.GSObject, ...]:
    """Return the light profiles, of unit half-light radius and flux."""
    sersic = [galsim.Sersic(n, half_light_radius=1.0, gsparams=FFT) for n in SERSIC_INDICES]
    bulge = galsim.DeVaucouleurs(half_light_radius=0.5, flux=0.3, gsparams=FFT)
    return (*sersic, bulge + galsim.Exponential(half_light_radius=1.15, flux=0.7, gsparams=FFT))


@lru_cache(maxsize=4)
def _snr_tables(psf: galsim.GSObject) -> tuple[Array, Array]:
    """Return radii (m,) and the S/N (n_profiles, m) of round galaxies of unit flux behind a PSF."""
    radii = np.geomspace(0.3, 8.0, 9)
    table = [
        [_snr_of_unit_flux(galsim.Convolve(profile.dilate(r), psf, gsparams=FFT)) for r in radii]
        for profile in light_profiles()
    ]
    return radii, np.array(table)


def _snr_of_unit_flux(light: galsim.GSObject) -> float:
    return float(np.sqrt((light.drawImage(nx=CELL, ny=CELL, scale=1.0).array.astype(float) ** 2).sum()))


def _shapes(rng: np.random.Generator, radius: Array) -> Array:
    n = len(radius)
    e = rng.normal(0.0, SIGMA_E, n) + 1j * rng.normal(0.0, SIGMA_E, n)
    e *= np.minimum(1.0, MAX_ELLIPTICITY / np.abs(e))
    matrix = np.stack([np.stack([1.0 + e.real, e.imag], -1), np.stack([e.imag, 1.0 - e.real], -1)], -2)
    return radius[:, None, None] * matrix / np.sqrt(1.0 - np.abs(e) ** 2)[:, None, None]


def _sources(
    rng: np.random.Generator, positions: Array, centers: Array, radius: Array, snr: Array, psf: galsim.GSObject
) -> Sources:
    """Return galaxies of given radii and S/N, alone in their cells, with random profiles and shapes."""
    n = len(radius)
    profile = rng.integers(0, len(light_profiles()), n)
    radii, table = _snr_tables(psf)
    of_unit = np.array([np.interp(np.log(r), np.log(radii), table[k]) for r, k in zip(radius, profile)])
    frame, cells = _shapes(rng, radius), np.ones(n, dtype=bool)
    flux = snr / of_unit
    return Sources(*positions.T, centers, frame, frame, profile, radius, flux, snr, np.full(n, 0.5 * (CELL - 1)), cells)


def galaxies_in_cells(rng: np.random.Generator, given: Conditions, psf: galsim.GSObject) -> Sources:
    """Draw a galaxy in every cell, at random within a pixel of its centre."""
    centers = _cells(given.n_cells)
    n = len(centers)
    radius, snr = (np.exp(rng.uniform(*np.log(limits), n)) for limits in (RADII, given.snr))
    return _sources(rng, centers + rng.uniform(-0.5, 0.5, (n, 2)), centers, radius, snr, psf)


def _cells(n_cells: int) -> Array:
    """Return the centres (n, 2) of the cells, pixels."""
    return CELL * _grid(n_cells) + 0.5 * (CELL - 1)


def _grid(n: int) -> NDArray[np.int64]:
    """Return the columns and rows (n * n, 2) of a square grid."""
    rows, columns = np.divmod(np.arange(n**2), n)
    return np.column_stack([columns, rows])


def galaxies_in_field(rng: np.random.Generator, given: Conditions, psf: galsim.GSObject) -> Sources:
    """Draw galaxies at random over the image and its margin, down to S/N 1.2."""
    luminosity, radius = _luminosities(rng, given, (given.side + 2.0 * MARGIN) ** 2)
    n = len(luminosity)
    positions = rng.uniform(-0.5 - MARGIN, given.side - 0.5 + MARGIN, (n, 2))
    middle = np.full((n, 2), 0.5 * (given.side - 1.0))
    galaxies = _sources(rng, positions, middle, radius, LIMIT_SNR * luminosity, psf)
    reach = np.clip(8.0 + 5.0 * radius * galaxies.snr**0.2, 14.0, 60.0)
    return replace(galaxies, reach=reach, in_cell=np.zeros(n, dtype=bool))


def galaxies_in_groups(rng: np.random.Generator, given: Conditions, psf: galsim.GSObject) -> Sources:
    """Draw a galaxy in every cell, with neighbours at random about it as many as in a field, down to S/N 1.2."""
    single = galaxies_in_cells(rng, given, psf)
    luminosity, radius = _luminosities(rng, given, len(single) * np.pi * GROUP_RADIUS**2)
    n = len(luminosity)
    centers = single.centers[rng.integers(0, len(single), n)]
    distance, angle = GROUP_RADIUS * np.sqrt(rng.uniform(0.0, 1.0, n)), rng.uniform(0.0, 2.0 * np.pi, n)
    positions = centers + distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    neighbours = _sources(rng, positions, centers, radius, LIMIT_SNR * luminosity, psf)
    return Sources(*(np.concatenate([getattr(each, f.name) for each in (single, neighbours)]) for f in fields(Sources)))


def _luminosities(rng: np.random.Generator, given: Conditions, area: float) -> tuple[Array, Array]:
    """Return luminosities of the galaxies in an area, square pixels, in units of the limit, and half-light radii."""
    luminosity = COUNTS.draw(rng, given.density / ARCMIN**2, area, FAINTEST)
    scatter = np.exp(rng.normal(0.0, RADIUS_SCATTER, len(luminosity)))
    return luminosity, LIMIT_RADIUS * luminosity**RADIUS_SLOPE * scatter


def stars(rng: np.random.Generator, given: Conditions, psf: galsim.GSObject, *, in_cells: bool) -> Sources:
    """Draw stars, alone in cells or at random over the image; they are neither sheared nor turned."""
    centers = rng.permutation(_cells(given.n_cells)) if in_cells else rng.uniform(-0.5, given.side - 0.5, (10_000, 2))
    centers = centers[: rng.poisson(given.star_density * given.side**2 / ARCMIN**2)]
    n = len(centers)
    positions = centers + rng.uniform(-0.5, 0.5, (n, 2))
    snr = np.exp(rng.uniform(*np.log(STAR_SNR), n))
    zero, point = np.zeros(n), np.tile(np.eye(2), (n, 1, 1))
    reach = np.full(n, 0.5 * (CELL - 1) if in_cells else STAR_REACH)
    flux = snr / _snr_of_unit_flux(psf)
    return Sources(
        *positions.T, centers, point, point, zero.astype(np.int64), zero, flux, snr, reach, np.full(n, in_cells)
    )
