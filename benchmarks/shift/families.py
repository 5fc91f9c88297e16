"""Families of skies that differ from the default preset in one respect each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from shift.sersic import sersic_sky
from shift.thumbnails import enlarged_thumbnail

from darkmatter_features.simulation import Preset
from darkmatter_features.simulation.conditions import SkyDistribution, Spread
from darkmatter_features.simulation.seed import DISTRIBUTION, seed_sky
from darkmatter_features.simulation.sky import SimulatedSky

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Family:
    """A family of skies.

    Attributes
    ----------
    preset : Preset
        Its simulation.
    description : str
        Difference from the default preset.
    is_mild : bool
        Whether a model of the default preset should still be right and calibrated on it.
    distribution : SkyDistribution or None
        Distribution of its skies and lenses before the image is changed; None if it is drawn in another way.
    """

    preset: Preset
    description: str
    is_mild: bool = False
    distribution: SkyDistribution | None = DISTRIBUTION

    @property
    def name(self) -> str:
        """Name of the family, also of its folder."""
        return self.preset.name


def scaled(spread: Spread, factor: float) -> Spread:
    """Return a distribution with its median multiplied by a factor."""
    return Spread(factor * spread.median, spread.scatter)


def _with(name: str, description: str, *, is_mild: bool = False, **factors: float) -> Family:
    """Return a family with properties of the default distribution multiplied by factors."""
    changed = {field: scaled(getattr(DISTRIBUTION, field), factor) for field, factor in factors.items()}
    distribution = replace(DISTRIBUTION, **changed)
    return drawn_from(name, description, distribution, is_mild=is_mild)


def drawn_from(name: str, description: str, distribution: SkyDistribution, *, is_mild: bool = False) -> Family:
    """Return a family of skies and lenses of another distribution."""
    preset = Preset(name, partial(seed_sky, distribution=distribution), ".png")
    return Family(preset, description, is_mild, distribution)


def amplitudes_times(factor: float) -> SkyDistribution:
    """Return the distribution with weaker or stronger lenses."""
    low, high = DISTRIBUTION.amplitude
    return replace(DISTRIBUTION, amplitude=(factor * low, factor * high))


def _changed_image(change: Callable[[SimulatedSky], Pixels], rng: np.random.Generator) -> SimulatedSky:
    sky = seed_sky(rng)
    return replace(sky, pixels=change(sky))


def as_jpeg(sky: SimulatedSky) -> Pixels:
    """Return the image after JPEG compression at quality 75."""
    buffer = BytesIO()
    Image.fromarray(sky.pixels).save(buffer, format="JPEG", quality=75)
    return np.asarray(Image.open(buffer))


def as_thumbnail(sky: SimulatedSky) -> Pixels:
    """Return the image shrunk to 252 px and enlarged again."""
    return enlarged_thumbnail(sky.pixels)


FAMILIES = (
    _with("psf-0.6", "PSF narrower by a factor 0.6", psf_sigma=0.6),
    _with("psf-1.5", "PSF wider by a factor 1.5", psf_sigma=1.5, is_mild=True),
    _with("psf-2", "PSF wider by a factor 2", psf_sigma=2.0),
    _with("density-0.6", "density times 0.6", density=0.6, is_mild=True),
    _with("density-1.5", "density times 1.5", density=1.5, is_mild=True),
    drawn_from("amplitude-0.7", "amplitudes of the lenses times 0.7", amplitudes_times(0.7), is_mild=True),
    _with("scatter-0.85", "ellipticity scatter 15 % smaller", elongation=0.85, is_mild=True),
    _with("scatter-1.15", "ellipticity scatter 15 % larger", elongation=1.15, is_mild=True),
    _with("no-alignment", "no preferred orientation", alignment=0.0, is_mild=True),
    drawn_from("grey", "no colours", replace(DISTRIBUTION, colorfulness=0.0)),
    Family(Preset("jpeg-75", partial(_changed_image, as_jpeg), ".png"), "JPEG at quality 75"),
    Family(Preset("thumbnails", partial(_changed_image, as_thumbnail), ".png"), "shrunk to 252 px, enlarged again"),
    _with("faint", "surface brightness times 0.5", brightness=0.5),
    _with("bright", "surface brightness times 1.5", brightness=1.5),
    Family(Preset("sersic", sersic_sky, ".png"), "Sersic galaxies of other colours, NFW lenses", distribution=None),
)
"""Families, in the order of the table."""
