"""The PSF of an image from its stars."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.adaptive_moments import AdaptiveMoments, adaptive_moments
from darkmatter_features.galaxies.noisy.psf.model import Powers, PsfModel, polynomial_powers, polynomial_terms
from darkmatter_features.galaxies.noisy.psf.result import PsfFit, StarTable
from darkmatter_features.galaxies.noisy.psf.star_regression import (
    MAD_TO_SIGMA,
    chosen_degree,
    outliers,
    reserved,
    solution,
    star_weights,
)
from darkmatter_features.galaxies.noisy.psf.star_stamps import (
    CORE_IN_SIGMAS,
    MAX_REPLACED,
    StarStamps,
    at_stars,
    centred,
    fitted_flux,
    have_core,
    stamps_of_stars,
    without_neighbours,
)
from darkmatter_features.galaxies.noisy.psf.wings import without_wing_noise

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_STARS = 3
"""Minimum number of stars for a PSF."""

MIN_STARS_RESERVED = 10
"""Number of stars from which some are reserved."""

RESERVED_EVERY = 5
"""One star of so many is reserved."""

MAX_SCATTER = 0.04
"""Maximum scatter of the ellipticities of stars about the polynomial, beyond noise; it is below 0.02 in images of the
sky, and 0.1 to 0.3 for galaxies."""

ITERATIONS = 2
"""Number of fits, each with neighbours masked by the one before."""


def psf_from_stars(
    light: NDArray[Any],
    noise: NDArray[Any] | float,
    is_bad: Mask | None,
    x: ArrayLike,
    y: ArrayLike,
    flux: ArrayLike,
    degree: int | None = None,
) -> PsfFit:
    """Fit the PSF of an image to its stars.

    Parameters
    ----------
    light : (n_rows, n_columns) array, counts
        Image above the background.
    noise : float or (n_rows, n_columns) array, counts
        Standard deviation of the noise of a pixel.
    is_bad : (n_rows, n_columns) bool array or None
        True where a pixel has no measurement or is saturated.
    x, y : (n,) arrays, pixels
        Columns and rows of unsaturated stars, to a pixel or two.
    flux : (n,) array, counts
        Their fluxes; stars without a positive one are left out.
    degree : int, optional
        Degree of the polynomial in the position. By default it is the one that predicts left-out stars best: 0 below
        12 stars, at most 1 below 30, and at most 2.

    Returns
    -------
    PsfFit
        Model and stars.

    Raises
    ------
    SkyError
        If fewer than three stars, or fewer than the terms of the polynomial, can be measured, or their ellipticities
        scatter like those of galaxies.

    Notes
    -----
    Each star is moved to the middle of a pixel by a Fourier shift and divided by its flux. Each pixel of the PSF is a
    least-squares polynomial in the position; the inverse weight of a star is 1 / snr^2 + 1 / 400^2, and bounded. Pixels
    beyond the core that deviate from the fit before, such as neighbours, have its value; so has a pixel without
    measurement. Stars are outliers by their ellipticity and width. The outer pixels are those of
    :func:`~darkmatter_features.galaxies.noisy.psf.wings.without_wing_noise`.
    """
    x, y, flux = (np.asarray(each, dtype=np.float64) for each in (x, y, flux))
    if len(x) < MIN_STARS:
        raise SkyError(f"A PSF needs at least {MIN_STARS} stars, got {len(x)}; give its file or its width")
    stamps = stamps_of_stars(np.asarray(light), noise, is_bad, x, y)
    fit = _Fit(stamps, flux > 0.0, light.shape, degree)
    for _ in range(ITERATIONS):
        fit.improve()
    fit.check_scatter()
    return fit.result()


class _Fit:
    """State of the fit: it is improved in turns."""

    def __init__(self, stamps: StarStamps, is_positive: Mask, shape: tuple[int, ...], degree: int | None) -> None:
        self.stamps, self.degree, self.chosen = stamps, degree, 0
        self.half_sides = 0.5 * (shape[1] - 1), 0.5 * (shape[0] - 1)
        self.values = stamps.values
        self.found = adaptive_moments(self.values)
        self.is_candidate = have_core(stamps, self.found) & is_positive
        self._check(1)
        self.sigma = self._median_sigma()
        self.flux = self.found.flux
        self.is_reserved = np.zeros(len(self.values), dtype=np.bool_)
        if self.is_candidate.sum() >= MIN_STARS_RESERVED:
            self.is_reserved = reserved(self.snr, self.is_candidate, RESERVED_EVERY)
        self.is_outlier = self._outliers(0)
        self.centred = centred(self.values, self._finite())
        first = np.median(self._normalised()[~self.is_outlier], axis=0)
        self.planes = (first / first.sum())[np.newaxis]
        self._fit_flux()

    def _median_sigma(self) -> float:
        """Return the median width of the stars, pixels."""
        return float(np.median(self.found.sigma[self.is_candidate]))

    @property
    def snr(self) -> Array:
        """S/N of each star, (n,); 0 for one without moments."""
        snr = self.flux / (self.stamps.noise * np.sqrt(4.0 * np.pi) * self.sigma)
        return np.where(np.isfinite(snr), np.maximum(snr, 0.0), 0.0)

    @property
    def shapes(self) -> Array:
        """e1, e2 and log width of each star, (n, 3)."""
        return np.stack([self.found.e1, self.found.e2, np.log(self.found.sigma)], axis=1)

    @property
    def powers(self) -> Powers:
        return polynomial_powers(self.chosen)

    def positions(self) -> tuple[Array, Array]:
        """Return the positions of the stars from -1 to 1 over the image, (n,) each."""
        half_x, half_y = self.half_sides
        return self.stamps.x / half_x - 1.0, self.stamps.y / half_y - 1.0

    def improve(self) -> None:
        """Mask neighbours by the present model, measure the stars again, and fit the model to them."""
        where = self._finite()
        predicted = at_stars(self._model_stamps(), where, self.flux_or_0)
        self.values, part = without_neighbours(self.stamps, predicted, where, CORE_IN_SIGMAS * self.sigma)
        self.found = adaptive_moments(self.values, x=where.x, y=where.y, sigma=self.sigma)
        self.centred = centred(self.values, self._finite())
        self.is_candidate &= have_core(self.stamps, self.found) & (part < MAX_REPLACED)
        self._check(1)
        self.sigma = self._median_sigma()
        self._fit_flux()
        self.is_candidate &= self.flux > 0.0
        self._choose()
        self._fit_planes()

    def _fit_flux(self) -> None:
        """Fit the flux of each star by its model."""
        self.flux = fitted_flux(self.centred, self._model_stamps(), self.sigma)

    def _choose(self) -> None:
        """Find the outliers, and the degree."""
        n = int(self.is_candidate.sum())
        self.is_outlier = self._outliers(min(1, self.degree if self.degree is not None else n // 12))
        used = ~(self.is_outlier | self.is_reserved)
        u, v = self.positions()
        automatic = chosen_degree(self.shapes[used], u[used], v[used], self.snr[used])
        self.chosen = automatic if self.degree is None else self.degree
        self._check(len(self.powers))

    def _outliers(self, degree: int) -> Mask:
        terms = polynomial_terms(*self.positions(), polynomial_powers(degree))
        return outliers(self.shapes, terms, self.snr, self.is_candidate)

    def _check(self, n_terms: int) -> None:
        """Raise an error if the stars are too few."""
        is_left = self.is_candidate & ~getattr(self, "is_reserved", False) & ~getattr(self, "is_outlier", False)
        n, least = int(is_left.sum()), max(MIN_STARS, n_terms)
        if n < least:
            raise SkyError(
                f"{n} of {len(self.values)} stars can be measured, a PSF of degree {self.chosen} needs {least}; "
                "give its file or its width, or a lower degree"
            )

    def check_scatter(self) -> None:
        """Raise an error if the ellipticities scatter like those of galaxies."""
        used = ~(self.is_outlier | self.is_reserved)
        terms, shapes = polynomial_terms(*self.positions(), self.powers)[used], self.shapes[used, :2]
        rest = shapes - terms @ (solution(terms, star_weights(self.snr[used])) @ shapes)
        scatter = MAD_TO_SIGMA * float(np.median(np.abs(rest)))
        noise = float(np.median(1.0 / np.maximum(self.snr[used], 1.0)))
        if scatter**2 - noise**2 > MAX_SCATTER**2:
            raise SkyError(
                f"The ellipticities of {int(used.sum())} stars scatter by {scatter:.2f}, {noise:.2f} of it noise: they "
                "are galaxies; give the file of the PSF or its width"
            )

    @property
    def flux_or_0(self) -> Array:
        return np.where(np.isfinite(self.flux), self.flux, 0.0)

    def _finite(self) -> AdaptiveMoments:
        """Return the moments with the middle of the stamp as the centre of stars without one."""
        x, y = (np.where(np.isfinite(each), each, self.stamps.half) for each in (self.found.x, self.found.y))
        return AdaptiveMoments(x, y, self.found.e1, self.found.e2, self.found.sigma, self.found.flux)

    def _normalised(self) -> Array:
        """Return the centred stamps over their flux, (n, side, side)."""
        return self.centred / np.where(self.flux_or_0 > 0.0, self.flux_or_0, 1.0)[:, None, None]

    def _model_stamps(self) -> Array:
        """Return the model at each star (n, side, side), of sum 1."""
        terms = polynomial_terms(*self.positions(), self.powers)
        stamps = np.tensordot(terms, self.planes, axes=1)
        return np.asarray(stamps / stamps.sum(axis=(1, 2), keepdims=True))

    def _fit_planes(self) -> None:
        """Fit the polynomial of each pixel to the stars in use."""
        used = ~(self.is_outlier | self.is_reserved)
        terms = polynomial_terms(*self.positions(), self.powers)[used]
        matrix = solution(terms, star_weights(self.snr[used]))
        stamps = self._normalised()[used]
        planes = (matrix @ stamps.reshape(len(stamps), -1)).reshape(-1, *stamps.shape[1:])
        relative = (self.stamps.noise / self.flux)[used]
        self.plane_noise = np.sqrt(matrix**2 @ relative**2) / planes[0].sum()
        self.planes = planes / planes[0].sum()

    def result(self) -> PsfFit:
        """Return the model with the table of stars."""
        scale = self.half_sides[0], self.half_sides[1]
        planes = without_wing_noise(self.planes, self.plane_noise)
        model = PsfModel(planes / planes[0].sum(), self.powers, scale, scale, "PSF of the stars")
        x, y = self.stamps.x + self.found.x - self.stamps.half, self.stamps.y + self.found.y - self.stamps.half
        own, found = model.moments(self.stamps.x, self.stamps.y), self.found
        stars = StarTable(
            x, y, self.flux, self.snr, self.is_reserved, self.is_outlier,
            found.e1, found.e2, found.sigma, own.e1, own.e2, own.sigma,
        )  # fmt: skip
        return PsfFit(model, stars, self.chosen)
