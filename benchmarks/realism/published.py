"""Statistics of the 18 published skies of the original data set, 12 of them with a lens.

Two skies were published at full size, 16 as thumbnails of 252 px with a mark at the lens, which was blanked; those were
enlarged to 512 px by cubic splines. The code of this project measured the catalogues, with a PSF of 0.92 px. A template
fitted to skies of the preset ``seed`` as it was then, :data:`TEMPLATE_SKIES`, gave S/N and positions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation.conditions import SkyDistribution, Spread

Array = NDArray[np.float64]

RADII = np.array([14.0, 30.0, 60.0, 90.0, 130.0, 180.0, 250.0, 350.0, 500.0])
"""Edges of the radial bins about a lens, pixels."""

GAMMA_T = (0.447, 0.226, 0.220, 0.142, 0.118, 0.091, 0.011, -0.001)
"""Mean tangential ellipticity of the galaxies of 11 skies with a lens in each radial bin."""

GAMMA_T_ERRORS = (0.065, 0.052, 0.027, 0.022, 0.016, 0.013, 0.012, 0.010)
"""Standard errors of ``GAMMA_T``."""

MEAN_E1 = 0.075
"""Mean e1 of the galaxies of a sky, which was subtracted from e1."""

SHEAR_RADII = (30.0, 250.0)
"""Radii between which the mean gamma_t of a sky was taken, pixels."""

TEMPLATE_SKIES = SkyDistribution(
    density=Spread(193.0),
    area=Spread(1.0),
    brightness=Spread(1.0),
    psf_sigma=Spread(0.92),
    elongation=Spread(1.0),
    alignment=Spread(1.0),
    amplitude=(0.130, 0.340),
    halo_slope=Spread(0.5),
    core_radius=Spread(4.0),
    halo_radius=Spread(243.0),
)
"""Skies to which the template was fitted with which the published skies were measured."""


@dataclass(frozen=True)
class Quantity:
    """A quantity with one value in each of the published skies that it was measured in.

    Attributes
    ----------
    name : str
        Name with its unit.
    column : str
        Attribute of :class:`~realism.measurement.SkyFigures`.
    n_lensed, n_unlensed : int
        Numbers of the published skies with and without a lens.
    mean, scatter : float or None
        Mean and standard deviation over the skies.
    quantiles : dict of float
        Quantiles by probability; 0 is the smallest value, 1 the largest.
    """

    name: str
    column: str
    n_lensed: int
    n_unlensed: int
    mean: float | None = None
    scatter: float | None = None
    quantiles: tuple[tuple[float, float], ...] = ()

    @property
    def n_skies(self) -> int:
        """Number of published skies."""
        return self.n_lensed + self.n_unlensed

    def statistics(self) -> list[tuple[str, float, float | None, Callable[[Array], Array]]]:
        """Return name, published value, its standard error, and the statistic of samples (n_samples, n_skies).

        The error of a quantile is None: it is the scatter of the samples.
        """
        rows: list[tuple[str, float, float | None, Callable[[Array], Array]]] = []
        if self.mean is not None and self.scatter is not None:
            error = self.scatter / np.sqrt(self.n_skies)
            rows.append(("mean", self.mean, error, lambda sample: sample.mean(axis=1)))
            rows.append(("sd", self.scatter, error / np.sqrt(2.0), lambda sample: sample.std(axis=1, ddof=1)))
        names = {0.0: "least", 0.5: "median", 1.0: "most"}
        for level, value in self.quantiles:
            name = names.get(level, f"{100 * level:.0f} %")
            rows.append((name, value, None, lambda sample, level=level: np.quantile(sample, level, axis=1)))
        return rows


def _ends(least: float, most: float) -> tuple[tuple[float, float], ...]:
    return (0.0, least), (1.0, most)


QUANTITIES = (
    Quantity("galaxies", "n_galaxies", 12, 6, 147.0, 27.0, _ends(105.0, 209.0)),
    Quantity("light per pixel, 8-bit counts", "light", 12, 6, 3.9, 0.75, _ends(2.8, 5.3)),
    Quantity(
        "mean gamma_t, 30-250 px", "gamma_t", 11, 0, 0.118, 0.042,
        ((0.0, 0.060), (0.25, 0.082), (0.5, 0.111), (0.75, 0.147), (1.0, 0.198)),
    ),
    Quantity(
        "peak S/N, lens", "snr", 12, 0, None, None,
        ((0.0, 2.9), (0.1, 3.1), (0.25, 3.6), (0.5, 4.6), (0.75, 5.6), (0.9, 7.6), (1.0, 7.6)),
    ),
    Quantity("peak S/N, no lens", "snr", 0, 6, None, None, _ends(2.8, 3.7)),
    Quantity("offset of the position, px", "offset", 11, 0, None, None, ((0.5, 13.0),)),
)  # fmt: skip
"""Quantities whose distributions over the published skies are known."""

POOLED = (("mean e1", "mean_e1", MEAN_E1), ("e scatter per component", "e_scatter", 0.231))
"""Name, attribute of ``SkyFigures`` and value of the statistics of all galaxies of the 18 skies."""
