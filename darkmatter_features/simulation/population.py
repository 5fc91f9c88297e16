"""The galaxies of a sky before lensing, and what a lens makes of them."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.lensing import CircularLens

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Galaxies:
    """Galaxies of one sky, one entry each.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Centres of light.
    luminosity : (n,) float64 array
        Flux over the faintest that is drawn.
    kind : (n,) int64 array
        Which shape, of those the preset draws.
    frame : (n, 2, 2) float64 array, pixels
        From the unit shape to the sky: scale, orientation and, later, lensing.
    radius : (n,) float64 array, pixels
        Size before lensing: of a disc of the same area, or half-light radius.
    brightness : (n,) float64 array
        Surface brightness, over the unit shape's; lensing leaves it alone.
    hue : (n,) float64 array
        Place on the line of colours, where there are colours.
    """

    x: Array
    y: Array
    luminosity: Array
    kind: NDArray[np.int64]
    frame: Array
    radius: Array
    brightness: Array
    hue: Array

    def __len__(self) -> int:
        return len(self.x)

    def select(self, keep: NDArray[np.bool_]) -> "Galaxies":
        """Those where `keep` is true."""
        return Galaxies(*(getattr(self, field.name)[keep] for field in fields(self)))

    def within(self, side: float) -> NDArray[np.bool_]:
        """Which of them have their centre in a square picture."""
        return (np.abs(self.x - 0.5 * (side - 1)) < 0.5 * side) & (np.abs(self.y - 0.5 * (side - 1)) < 0.5 * side)


@dataclass(frozen=True)
class Counts:
    """Source counts ``dN/dL ~ L^-(slope + 1) exp(-L / cutoff)`` (Schechter 1976).

    Attributes
    ----------
    slope : float
        ``N(>L) ~ L^-slope`` at the limit L = 1. Magnification mu there multiplies the density by
        ``mu^(slope - 1)``: sources fainter by mu come in, areas of sky grow by mu (Broadhurst, Taylor & Peacock 1995).
    cutoff : float
        Luminosity, over the limit, where the counts turn down.
    """

    slope: float
    cutoff: float

    def draw(self, rng: np.random.Generator, density: float, area: float, faintest: float) -> Array:
        """Luminosities down to `faintest` of the sources in `area`, `density` being that of those above the limit."""
        log_l = np.linspace(np.log(faintest), np.log(12.0 * self.cutoff), 1200)
        slopes = np.exp(-self.slope * log_l - np.exp(log_l) / self.cutoff)
        brighter = np.append(np.cumsum(slopes[::-1])[::-1], 0.0)
        above_limit = np.interp(0.0, log_l, brighter[:-1])
        n = rng.poisson(density * area * brighter[0] / above_limit)
        luminosity: Array = np.exp(np.interp(rng.uniform(0.0, brighter[0], n), brighter[-2::-1], log_l[::-1]))
        return luminosity


def lensed(galaxies: Galaxies, lens: CircularLens, x: float, y: float) -> Galaxies:
    """Images of galaxies behind a lens at (x, y): moved, sheared and magnified.

    Only the outermost image of a source is there: where counter-images would lie, within 30 px of a lens, the
    published skies hold a third of the even density.
    """
    dx, dy = galaxies.x - x, galaxies.y - y
    beta = np.hypot(dx, dy)
    r = lensing.image_radii(lens, beta)
    tangential, radial = lensing.stretches(lens, r, galaxies.radius)
    phi = np.arctan2(dy, dx)
    return replace(
        galaxies,
        x=x + r * np.cos(phi),
        y=y + r * np.sin(phi),
        luminosity=galaxies.luminosity * tangential * radial,
        frame=lensing.distortion(tangential, radial, phi) @ galaxies.frame,
    )
