"""Properties that differ from sky to sky in the preset ``seed``, and their distributions."""

from dataclasses import dataclass

import numpy as np

from darkmatter_features.simulation.lensing import CompensatedPowerLaw


@dataclass(frozen=True)
class Spread:
    """A positive quantity whose logarithm is normally distributed over skies.

    Attributes
    ----------
    median : float
        Median over skies.
    scatter : float
        Standard deviation of the natural logarithm.
    """

    median: float
    scatter: float = 0.0

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a value; extremes are limited to 2.5 standard deviations."""
        return float(self.median * np.exp(self.scatter * np.clip(rng.normal(), -2.5, 2.5)))


@dataclass(frozen=True)
class SkyConditions:
    """Properties of one sky.

    Attributes
    ----------
    density : float
        Number of galaxies above the luminosity limit on 512 x 512 px without a lens.
    area : float
        Factor of the lit areas of the galaxies.
    brightness : float
        Factor of the surface brightness of the galaxies.
    psf_sigma : float, pixels
        Standard deviation of the Gaussian PSF.
    elongation : float
        Exponent of the axis ratios of the galaxies: above 1, they are more elliptical.
    alignment : float
        Factor of the fractions of galaxies that are aligned with the horizontal.
    colorfulness : float
        Factor of the distance of the colours from grey.
    """

    density: float
    area: float
    brightness: float
    psf_sigma: float
    elongation: float
    alignment: float
    colorfulness: float


@dataclass(frozen=True)
class SkyDistribution:
    """Distributions of the properties of skies and lenses, such that the simulated skies resemble the published ones.

    The benchmark ``bench_simulation.py`` compares both.

    Attributes
    ----------
    density, area, brightness, psf_sigma, elongation, alignment : Spread
        Distributions of the :class:`SkyConditions`. The numbers of galaxies in the published skies have a standard
        deviation of 27 about 147, more than twice that of a Poisson distribution. The edges of large discs in the two
        published full skies have a PSF of 0.96 px, of which sampling on pixels adds 0.29 in quadrature. In all
        published skies the mean e1 is 0.07 to 0.08, so that the alignment varies little.
    colorfulness : float
        Colourfulness of all skies.
    amplitude : (float, float)
        Range of the shear at 100 px, uniform in the logarithm. The measured shear is some three quarters of the true
        one, as the PSF makes galaxies rounder and neighbours merge.
    halo_slope : Spread
        Exponent of the shear: an isothermal halo, 1, would have an Einstein ring where the published skies have
        galaxies.
    core_radius : Spread
        Core radius of a halo, pixels.
    halo_radius : Spread
        Radius beyond which there is no shear, pixels: gamma_t is 0.09 at 180 to 250 px and 0 beyond.
    """

    density: Spread = Spread(145.0, 0.16)
    area: Spread = Spread(1.08, 0.06)
    brightness: Spread = Spread(1.03, 0.06)
    psf_sigma: Spread = Spread(0.92, 0.06)
    elongation: Spread = Spread(0.97, 0.04)
    alignment: Spread = Spread(0.92, 0.05)
    colorfulness: float = 1.0
    amplitude: tuple[float, float] = (0.098, 0.238)
    halo_slope: Spread = Spread(0.42, 0.15)
    core_radius: Spread = Spread(4.0, 0.4)
    halo_radius: Spread = Spread(243.0, 0.08)

    def draw_conditions(self, rng: np.random.Generator) -> SkyConditions:
        """Draw the properties of a sky."""
        return SkyConditions(
            density=self.density.draw(rng),
            area=self.area.draw(rng),
            brightness=self.brightness.draw(rng),
            psf_sigma=self.psf_sigma.draw(rng),
            elongation=self.elongation.draw(rng),
            alignment=self.alignment.draw(rng),
            colorfulness=self.colorfulness,
        )

    def draw_halo(self, rng: np.random.Generator) -> CompensatedPowerLaw:
        """Draw a halo."""
        low, high = np.log(self.amplitude)
        return CompensatedPowerLaw(
            amplitude=float(np.exp(rng.uniform(low, high))),
            slope=self.halo_slope.draw(rng),
            core=self.core_radius.draw(rng),
            max_radius=self.halo_radius.draw(rng),
        )
