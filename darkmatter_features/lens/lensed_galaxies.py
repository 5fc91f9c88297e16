"""Labelled skies, and the galaxies about their lenses: the data that a template is fitted to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.kernels.evidence import log_ratios
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR

Array = NDArray[np.float64]

DIFFERENCE_STEP = 0.02
"""Step of the second difference that gives the standard error of a fitted parameter."""


@dataclass(frozen=True)
class LabelledSkies:
    """Catalogues of n skies with their labels and lens positions.

    Attributes
    ----------
    catalogs : sequence of GalaxyCatalog
        Galaxies of each sky.
    labels : (n,) float64 array
        1 with a lens, 0 without, nan where unknown.
    lens_rows, lens_columns : (n,) float64 arrays, pixels
        Position of the lens; nan where unknown.
    """

    catalogs: Sequence[GalaxyCatalog]
    labels: Array
    lens_rows: Array
    lens_columns: Array

    def chosen(self, which: NDArray[np.bool_]) -> "LabelledSkies":
        """Return the skies where `which` (n,) is true."""
        catalogs = [catalog for catalog, wanted in zip(self.catalogs, which, strict=True) if wanted]
        return LabelledSkies(catalogs, self.labels[which], self.lens_rows[which], self.lens_columns[which])

    @property
    def unlensed(self) -> "LabelledSkies":
        """The skies without a lens; if there are none, those of unknown label; if there are none, all."""
        choices = (self.labels == 0, np.isnan(self.labels), np.isfinite(self.labels))
        return self.chosen(next((choice for choice in choices if choice.any()), choices[-1]))

    @property
    def lensed(self) -> "LabelledSkies":
        """The skies with a lens."""
        return self.chosen(self.labels == 1)

    @property
    def located(self) -> "LabelledSkies":
        """The skies with a known lens position."""
        return self.chosen(np.isfinite(self.lens_rows))


@dataclass(frozen=True)
class LensedGalaxies:
    """The n galaxies of all lensed skies, relative to their lens.

    Attributes
    ----------
    shape_bin, size_bin : (n,) int64 arrays
        Bins in the template.
    e1, e2 : (n,) float64 arrays
        Ellipticities.
    radius : (n,) float64 array, pixels
        Distance from the lens.
    cos, sin : (n,) float64 arrays
        Components of the unit tangential shear, ``-exp(2i phi)``.
    lens : (n,) int64 array
        Index of the lens.
    is_resolved : (n,) bool array
        Whether the ellipticity is known.
    """

    shape_bin: NDArray[np.int64]
    size_bin: NDArray[np.int64]
    e1: Array
    e2: Array
    radius: Array
    cos: Array
    sin: Array
    lens: NDArray[np.int64]
    is_resolved: NDArray[np.bool_]

    @classmethod
    def of(cls, skies: LabelledSkies, template: LensTemplate) -> "LensedGalaxies":
        """Return the galaxies of skies whose lens positions are all known."""
        dx, dy, e1, e2, shape_bin, size_bin, is_resolved = (
            np.concatenate(parts)
            for parts in zip(
                *(
                    (
                        c.x - column,
                        c.y - row,
                        c.e1,
                        c.e2,
                        template.shape_bins(c),
                        template.size_bins(c.size),
                        c.is_resolved,
                    )
                    for c, row, column in zip(skies.catalogs, skies.lens_rows, skies.lens_columns, strict=True)
                ),
                strict=True,
            )
        )
        angle = np.arctan2(dy, dx)
        lens = np.repeat(np.arange(len(skies.catalogs)), [len(catalog) for catalog in skies.catalogs])
        cos, sin = -np.cos(2 * angle), -np.sin(2 * angle)
        return cls(shape_bin, size_bin, e1, e2, np.hypot(dx, dy), cos, sin, lens, is_resolved)

    def chosen(self, which: NDArray[np.bool_]) -> "LensedGalaxies":
        """Return the galaxies where `which` (n,) is true."""
        return LensedGalaxies(*(getattr(self, field.name)[which] for field in fields(self)))

    def log_ratios(self, template: LensTemplate, shear: Array) -> Array:
        """Return the log likelihood ratio (n,) of each galaxy's shape for a tangential shear (n,), over none."""
        g, ratios = np.clip(shear, -MAX_SHEAR, MAX_SHEAR), np.empty(shear.size)
        log_ratios(template.log_p0, self.shape_bin, self.e1, self.e2, g * self.cos, g * self.sin, ratios)
        return np.where(self.is_resolved, ratios, 0.0)

    def fit(
        self,
        template: LensTemplate,
        shear_of: Callable[[float], Array],
        prior: float,
        width: float,
    ) -> tuple[float, float]:
        """Return the maximum-posterior value of one parameter, and its standard error.

        Parameters
        ----------
        template : LensTemplate
            Density of unlensed ellipticities.
        shear_of : callable
            Shear (n,) as a function of the parameter.
        prior, width : float
            Mean and standard deviation of its Gaussian prior: few galaxies leave it near the mean.
        """
        from scipy.optimize import minimize_scalar

        def loss(parameter: float) -> float:
            likelihood = self.log_ratios(template, shear_of(parameter)).sum()
            return float((parameter - prior) ** 2 / (2 * width**2) - likelihood)

        low, high = prior - 5 * width, prior + 5 * width
        best = float(minimize_scalar(loss, bounds=(low, high), method="bounded").x)
        step = DIFFERENCE_STEP
        curvature = (loss(best + step) - 2.0 * loss(best) + loss(best - step)) / step**2
        return best, float(max(curvature, width**-2.0) ** -0.5)

    def power_of_amplitude(self, shear: Array, log_amplitude: Array) -> Callable[[float], Array]:
        """Return the shear (n,) as a function of the exponent of the amplitude, for lenses of those log amplitudes."""
        own = log_amplitude[self.lens]
        return lambda exponent: shear * np.exp(exponent * own)

    def amplitude_factor(self, template: LensTemplate, log_amplitude: Array) -> Array:
        """Return A^q(r) (n,) at each galaxy, for lenses of those log amplitudes."""
        exponent = np.interp(self.radius, template.nodes, template.amplitude_exponent[0])
        return np.asarray(np.exp(exponent * log_amplitude[self.lens]))
