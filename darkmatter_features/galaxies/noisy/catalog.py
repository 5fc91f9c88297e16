"""The catalogue of an image with noise: sources, stars, PSF, and shapes in the frames of the pixels and of the sky."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.detection import background_levels
from darkmatter_features.galaxies.noisy.defects.graphics import find_graphics
from darkmatter_features.galaxies.noisy.exposure import Exposure, expose
from darkmatter_features.galaxies.noisy.psf.few_stars import sharpest_width
from darkmatter_features.galaxies.noisy.psf.image import ImagePsf, psf_of_image
from darkmatter_features.galaxies.noisy.psf.model import PsfModel
from darkmatter_features.galaxies.noisy.psf.stars import StarCandidates, find_stars
from darkmatter_features.galaxies.noisy.similar import means_of_similar
from darkmatter_features.galaxies.noisy.sky_frame import SkyFrame, sky_frame
from darkmatter_features.galaxies.noisy.smoothing import Transforms
from darkmatter_features.galaxies.noisy.sources import SourceFlag, Sources, measure_sources
from darkmatter_features.galaxies.segmentation import check_sides
from darkmatter_features.io.sky import Sky

Array = NDArray[np.float64]

DELTA = np.pad(np.ones((1, 1)), 2)
"""PSF with which sizes are those observed."""

FIRST_SIGMA = 1.2
"""Standard deviation of the PSF for which the first detection is made, pixels."""

NARROWEST = 0.7
"""Width of a PSF that is so narrow that moments of its pixels do not give its width, pixels."""

MATCH_RADIUS = 2.0
"""Maximum distance of a star in the first and the second detection, pixels."""


@dataclass(frozen=True)
class SourceCatalog:
    """Sources of an image.

    Attributes
    ----------
    name : str
        Name of the image.
    shape : (int, int)
        Rows and columns of the image.
    sources : Sources
        Positions and shapes.
    e1, e2 : (n,) float64 arrays
        Ellipticities of the sources, less what noise adds to those of sources alike in S/N and size.
    response : (n,) float64 array
        Mean response to shear of sources alike in S/N and size.
    is_star : (n,) bool array
        Stars, whose weight is 0.
    wcs : astropy.wcs.WCS or None
        Transformation from pixels to the sky.
    psf : ImagePsf
        PSF of the image, and how it was found.
    exposure : Exposure
        Light and noise.
    """

    name: str
    shape: tuple[int, int]
    sources: Sources
    e1: Array
    e2: Array
    response: Array
    is_star: NDArray[np.bool_]
    wcs: Any
    psf: ImagePsf
    exposure: Exposure

    def __len__(self) -> int:
        return len(self.sources)

    @cached_property
    def frame(self) -> SkyFrame:
        """Directions, and shapes in the frame of the sky: computed when they are first used."""
        return sky_frame(self.wcs, self.sources.x, self.sources.y, self.e1, self.e2)

    @property
    def weight(self) -> Array:
        """Weights of the shapes, 0 for stars, (n,)."""
        return np.where(self.is_star, 0.0, self.sources.weight)


def measure_image(sky: Sky, config: MeasureConfig | None = None, psf: PsfModel | None = None) -> SourceCatalog:
    """Find and measure the sources of an image with noise.

    Parameters
    ----------
    sky : Sky
        The image.
    config : MeasureConfig, optional
        Settings. Default: all defaults.
    psf : PsfModel, optional
        PSF of the image. By default it is fitted to the stars of the image, or with `config.measure_psf` off, a round
        Gaussian of `config.psf_sigma`.

    Returns
    -------
    SourceCatalog
        Catalogue, brightest peaks first; possibly empty.

    Raises
    ------
    SkyError
        If too many pixels are masked.
    """
    config = config or MeasureConfig()
    exposure = expose(sky, config)
    transforms = Transforms(exposure.light)
    first = measure_sources(
        exposure.light, exposure.noise, exposure.mask, lambda x, y: DELTA, FIRST_SIGMA, exposure.correlation,
        min_peak=config.threshold_sigma, with_shapes=False, transforms=transforms,
    )  # fmt: skip
    if psf is None and not config.measure_psf:
        psf = PsfModel.gaussian(config.psf_sigma)
    found = _psf(exposure, first, psf)
    sources = measure_sources(
        exposure.light, exposure.noise, exposure.mask, found.model.stamp, psf_width(found.model, sky.shape),
        exposure.correlation, min_peak=config.threshold_sigma, is_variable=not found.model.is_constant,
        transforms=transforms,
    )  # fmt: skip
    is_star = _matched(first, found, sources)
    weight = np.where(is_star, 0.0, sources.weight)
    values = np.column_stack([sources.response, sources.noise_bias])
    response, bias1, bias2 = means_of_similar(weight, values, sources.snr, sources.size).T
    e1, e2 = (np.where(sources.weight > 0.0, e - bias, 0.0) for e, bias in ((sources.e1, bias1), (sources.e2, bias2)))
    return SourceCatalog(
        name=sky.name,
        shape=sky.shape,
        sources=sources,
        e1=e1,
        e2=e2,
        response=response,
        is_star=is_star,
        wcs=sky.wcs,
        psf=found,
        exposure=exposure,
    )


def check_noise(sky: Sky) -> None:
    """Raise an error if an image has too few pixels, or no noise outside its frames.

    Raises
    ------
    SkyError
        It names the features that are for drawings.
    """
    check_sides(sky)
    if background_levels(sky) is None:
        return
    frames = find_graphics(sky.pixels).mask  # an image may be on a wide border without data
    mask = frames if sky.mask is None else frames | sky.mask
    if mask.all() or background_levels(replace(sky, mask=mask)) is not None:
        raise SkyError(
            f"{sky.name} has no noise: many of its pixels have one and the same value; give the mask or the weight of "
            "an image with wide borders without data, and drawings to `darkmatter features` or `predict`"
        )


def psf_width(model: PsfModel, shape: tuple[int, int]) -> float:
    """Return the width of a PSF in the middle of an image, pixels; that of the narrowest where it has no moments."""
    width = float(model.sigma(0.5 * (shape[1] - 1), 0.5 * (shape[0] - 1)))
    return width if np.isfinite(width) else NARROWEST


def _psf(exposure: Exposure, first: Sources, given: PsfModel | None) -> ImagePsf:
    """Return the PSF of an image: the given one, or that of its stars; the stars are found in both cases."""
    rows, columns = np.rint(first.y).astype(int), np.rint(first.x).astype(int)
    rows, columns = np.clip(rows, 0, exposure.light.shape[0] - 1), np.clip(columns, 0, exposure.light.shape[1] - 1)
    candidates = StarCandidates(
        x=first.x,
        y=first.y,
        flux=first.flux,
        size=first.size,
        peak=exposure.light[rows, columns].astype(np.float64),
        snr=first.flux / np.maximum(first.flux_error, np.finfo(np.float64).tiny),
        flags=first.flags & ~np.uint8(SourceFlag.BLENDED),  # neighbours are masked in the fit
        is_saturated=np.zeros(len(first), dtype=np.bool_),
    )
    if given is not None:
        return ImagePsf(given, None, find_stars(candidates), f"PSF of {given.name}")
    smallest = sharpest_width(np.where(candidates.is_clean, first.size, 0.0), first.snr, FIRST_SIGMA)
    return psf_of_image(exposure.light, exposure.noise, exposure.mask, candidates, psf_sigma=smallest)


def _matched(first: Sources, psf: ImagePsf, sources: Sources) -> NDArray[np.bool_]:
    """Return which sources are stars of the first detection."""
    from scipy.spatial import cKDTree

    if psf.locus is None or not psf.locus.is_star.any():
        return np.zeros(len(sources), dtype=np.bool_)
    stars = np.column_stack([first.x, first.y])[psf.locus.is_star]
    distance, _ = cKDTree(stars).query(np.column_stack([sources.x, sources.y]), distance_upper_bound=MATCH_RADIUS)
    return np.asarray(np.isfinite(distance))
