"""The galaxies of a sky before lensing, and their images behind a lens."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.simulation import lensing
from darkmatter_features.simulation.lensing import CircularLens

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Galaxies:
    """The galaxies of one sky.

    Attributes
    ----------
    x, y : (n,) float64 arrays, pixels
        Centroids.
    luminosity : (n,) float64 array
        Flux relative to the limit above which galaxies are drawn.
    profile : (n,) int64 array
        Index of the light profile among those of the preset.
    frame : (n, 2, 2) float64 array, pixels
        Transformation from the unit profile to the sky: scale, orientation and, behind a lens, lensing.
    radius : (n,) float64 array, pixels
        Size before lensing: radius of the disc of equal area, or half-light radius.
    brightness : (n,) float64 array
        Surface brightness relative to the unit profile; lensing conserves it.
    hue : (n,) float64 array
        Position between the bluest colour (0) and the reddest (1), in a preset with colours.
    """

    x: Array
    y: Array
    luminosity: Array
    profile: NDArray[np.int64]
    frame: Array
    radius: Array
    brightness: Array
    hue: Array

    def __len__(self) -> int:
        return len(self.x)

    def select(self, keep: NDArray[np.bool_]) -> "Galaxies":
        """Return the galaxies where `keep` is true."""
        return Galaxies(*(getattr(self, field.name)[keep] for field in fields(self)))

    def within(self, side: float) -> NDArray[np.bool_]:
        """Return a mask (n,) of the galaxies whose centroid is inside a square image of a side in pixels."""
        return (np.abs(self.x - 0.5 * (side - 1)) < 0.5 * side) & (np.abs(self.y - 0.5 * (side - 1)) < 0.5 * side)


@dataclass(frozen=True)
class Counts:
    """Source counts ``dN/dL ~ L^-(slope + 1) exp(-L / cutoff)`` [1]_.

    Attributes
    ----------
    slope : float
        Exponent of the counts ``N(>L) ~ L^-slope`` at the limit L = 1.
    cutoff : float
        Luminosity relative to the limit above which the counts fall exponentially.

    Notes
    -----
    Magnification mu at the limit multiplies the density by ``mu^(slope - 1)`` [2]_: sources fainter by mu are added,
    and areas on the sky grow by mu.

    References
    ----------
    .. [1] Schechter 1976, ApJ 203, 297, doi:10.1086/154079.
    .. [2] Broadhurst, Taylor & Peacock 1995, ApJ 438, 49, doi:10.1086/175053.
    """

    slope: float
    cutoff: float

    def draw(self, rng: np.random.Generator, density: float, area: float, faintest: float) -> Array:
        """Draw the luminosities of the sources in an area.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        density : float
            Number of sources above the limit per unit area.
        area : float
            Area, in the same unit.
        faintest : float
            Minimum luminosity relative to the limit.

        Returns
        -------
        (n,) float64 array
            Luminosities relative to the limit.
        """
        log_l = np.linspace(np.log(faintest), np.log(12.0 * self.cutoff), 1200)
        slopes = np.exp(-self.slope * log_l - np.exp(log_l) / self.cutoff)
        brighter = np.append(np.cumsum(slopes[::-1])[::-1], 0.0)
        above_limit = np.interp(0.0, log_l, brighter[:-1])
        n = rng.poisson(density * area * brighter[0] / above_limit)
        luminosity: Array = np.exp(np.interp(rng.uniform(0.0, brighter[0], n), brighter[-2::-1], log_l[::-1]))
        return luminosity


def lensed(galaxies: Galaxies, lens: CircularLens, x: float, y: float) -> Galaxies:
    """Return the images of galaxies behind a lens: moved, sheared and magnified.

    Parameters
    ----------
    galaxies : Galaxies
        Galaxies before lensing.
    lens : CircularLens
        Lens in front of them.
    x, y : float, pixels
        Position of the lens.

    Returns
    -------
    Galaxies
        Outermost image of each galaxy. Counter-images are left out: within 30 px of a lens, where they would be, the
        published skies hold a third of the mean density.
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
