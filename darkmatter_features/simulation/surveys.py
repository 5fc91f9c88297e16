"""Surveys that the preset ``survey`` resembles: camera, PSF, depth, galaxies and defects of each, with sources.

Magnitudes are AB. The numbers of galaxies follow ``N(<m) = 30 x 10^(0.27 (m - 24.5))`` per square arcminute, which
gives the densities in [1]_ (i < 24.5) and [2]_ (F814W < 26.5) within a quarter. Radii are those of [3]_, where the
scale length of discs falls by 0.269 e-folds a magnitude.

References
----------
.. [1] Mandelbaum et al. 2018, PASJ 70, S25, doi:10.1093/pasj/psx130: shape catalogue of HSC.
.. [2] Leauthaud et al. 2007, ApJS 172, 219, doi:10.1086/516598: shape catalogue of COSMOS.
.. [3] Miller et al. 2013, MNRAS 429, 2858, doi:10.1093/mnras/sts454.
"""

from dataclasses import dataclass, fields, replace
from difflib import get_close_matches

from darkmatter_features.errors import ConfigError


@dataclass(frozen=True)
class Seeing:
    """A PSF of the atmosphere, a Moffat profile.

    Attributes
    ----------
    fwhm : float, arcsec
        Median of the full width at half maximum over skies.
    scatter : float
        Standard deviation of its natural logarithm.
    beta : float
        Exponent of the profile.
    """

    fwhm: float
    scatter: float
    beta: float


@dataclass(frozen=True)
class Optics:
    """A PSF of a telescope in space: diffraction, small aberrations, and diffusion of charge.

    Attributes
    ----------
    wavelength_over_diameter : float, arcsec
        Wavelength over the diameter of the mirror.
    obscuration : float
        Diameter of the central obscuration relative to the mirror.
    n_struts : int
        Number of struts, which make spikes.
    aberration : float, waves
        Standard deviation of defocus, astigmatism, coma and trefoil each, over skies.
    diffusion : float, arcsec
        Standard deviation of the diffusion of charge between pixels.
    """

    wavelength_over_diameter: float
    obscuration: float
    n_struts: int
    aberration: float
    diffusion: float


@dataclass(frozen=True)
class Survey:
    """A survey: what its images are like.

    Attributes
    ----------
    name : str
        Name, as in ``--like``.
    pixel_scale : float, arcsec per pixel
        Pixel scale.
    psf : Seeing or Optics
        PSF at the centre of an image; it varies over the image.
    zero_point : float, mag
        Magnitude of one count.
    depth : float, mag
        Magnitude at which a star has S/N 10 in the PSF; it sets the noise.
    gain : float
        Electrons per count of all exposures together, which sets the noise of the light.
    density : float, per square arcmin
        Number of galaxies brighter than `depth`; fainter ones are drawn, too.
    radius : float, arcsec
        Median half-light radius at `depth`.
    star_density : float, per square arcmin
        Number of stars brighter than 22 mag.
    saturation : float, mag
        Magnitude at which the central pixel of a star saturates; brighter ones bleed along their column.
    n_exposures : int
        Number of exposures; beyond a line through the image there is one less.
    resampling : str
        Interpolation that correlates the noise: ``lanczos5``, ``lanczos3``, ``bilinear`` or ``none``.
    n_cosmic_rays, n_bad_columns : float
        Mean numbers of cosmic rays that are left in an image, unmasked, and of masked columns.
    source_redshift : float
        Redshift of the galaxies.
    mass : (float, float), solar masses / h
        Range of M200 of the lenses, uniform in the logarithm. In small fields, lenses are less massive, so that
        galaxies outside their Einstein ring are inside the image.
    mirrored : bool
        Whether images are mirrored, so that east is to the right where north is up.
    """

    name: str
    pixel_scale: float
    psf: Seeing | Optics
    zero_point: float
    depth: float
    gain: float
    density: float
    radius: float
    star_density: float
    saturation: float
    n_exposures: int
    resampling: str
    n_cosmic_rays: float
    n_bad_columns: float
    source_redshift: float
    mass: tuple[float, float]
    mirrored: bool = False


HSC = Survey(
    name="hsc",
    pixel_scale=0.168,
    psf=Seeing(fwhm=0.58, scatter=0.12, beta=3.0),
    zero_point=27.0,
    depth=25.6,
    gain=2500.0,
    density=59.0,
    radius=0.27,
    star_density=1.4,
    saturation=18.0,
    n_exposures=6,
    resampling="lanczos5",
    n_cosmic_rays=0.0,
    n_bad_columns=0.0,
    source_redshift=0.9,
    mass=(1.5e14, 6e14),
)
"""Hyper Suprime-Cam, Wide layer, coadds of the i band.

Pixels, 5 sigma depth 26.4, number of visits, saturation and zero point: [1]_, [2]_; median seeing 0.58 arcsec: [3]_.
Single visits are resampled with a Lanczos kernel of order 5 [2]_.

References
----------
.. [1] Aihara et al. 2018, PASJ 70, S8, doi:10.1093/pasj/psx081.
.. [2] Bosch et al. 2018, PASJ 70, S5, doi:10.1093/pasj/psx080.
.. [3] Mandelbaum et al. 2018, PASJ 70, S25, doi:10.1093/pasj/psx130.
"""

DES = Survey(
    name="des",
    pixel_scale=0.263,
    psf=Seeing(fwhm=0.95, scatter=0.1, beta=3.0),
    zero_point=30.0,
    depth=24.4,
    gain=25.0,
    density=28.0,
    radius=0.37,
    star_density=1.4,
    saturation=16.0,
    n_exposures=8,
    resampling="lanczos3",
    n_cosmic_rays=0.0,
    n_bad_columns=1.0,
    source_redshift=0.65,
    mass=(2.5e14, 8e14),
)
"""Dark Energy Survey, coadds of the r band.

Median seeing 0.95 arcsec, depth 24.4 at S/N 10, number of exposures, zero point: [1]_; pixels: [2]_; resampling with a
Lanczos kernel of order 3: [3]_.

References
----------
.. [1] Abbott et al. 2021, ApJS 255, 20, doi:10.3847/1538-4365/ac00b3.
.. [2] Flaugher et al. 2015, AJ 150, 150, doi:10.1088/0004-6256/150/5/150.
.. [3] Morganson et al. 2018, PASP 130, 074501, doi:10.1088/1538-3873/aab4ef.
"""

EUCLID = Survey(
    name="euclid",
    pixel_scale=0.1,
    psf=Optics(wavelength_over_diameter=0.123, obscuration=0.36, n_struts=3, aberration=0.015, diffusion=0.035),
    zero_point=23.9,
    depth=25.8,
    gain=9900.0,
    density=67.0,
    radius=0.25,
    star_density=1.4,
    saturation=18.0,
    n_exposures=4,
    resampling="bilinear",
    n_cosmic_rays=2.0,
    n_bad_columns=1.0,
    source_redshift=0.9,
    mass=(8e13, 3e14),
)
"""Euclid, visible instrument, stacks of four dithers.

Mirror of 1.2 m, of which 13 % is obscured, at 0.715 micrometres, pixels, exposure times, and depth: S/N 10 at 24.5 in
an aperture of 1.3 arcsec, which is 25.8 for a star in the PSF: [1]_; dithers: [2]_. Counts are microjansky.

References
----------
.. [1] Cropper et al. 2016, Proc. SPIE 9904, 99040Q, doi:10.1117/12.2234739.
.. [2] Euclid Collaboration: Scaramella et al. 2022, A&A 662, A112, doi:10.1051/0004-6361/202141938.
"""

HST = Survey(
    name="hst",
    pixel_scale=0.05,
    psf=Optics(wavelength_over_diameter=0.07, obscuration=0.33, n_struts=4, aberration=0.015, diffusion=0.02),
    zero_point=25.947,
    depth=26.9,
    gain=2028.0,
    density=133.0,
    radius=0.19,
    star_density=1.4,
    saturation=19.0,
    n_exposures=4,
    resampling="bilinear",
    n_cosmic_rays=3.0,
    n_bad_columns=1.0,
    source_redshift=1.1,
    mass=(1.5e13, 8e13),
)
"""Hubble Space Telescope, ACS in F814W, as in COSMOS: stacks of four exposures, counts per second.

Pixels and exposures: [1]_; 5 sigma depth 27.2 in an aperture of 0.24 arcsec, which is 26.9 at S/N 10 in the PSF: [2]_;
mirror of 2.4 m with an obscuration of 0.33 and four struts: [3]_.

References
----------
.. [1] Koekemoer et al. 2007, ApJS 172, 196, doi:10.1086/520086.
.. [2] Leauthaud et al. 2007, ApJS 172, 219, doi:10.1086/516598.
.. [3] Krist, Hook & Stoehr 2011, Proc. SPIE 8127, 81270J, doi:10.1117/12.892762.
"""

SURVEYS = {survey.name: survey for survey in (HSC, DES, EUCLID, HST)}
"""Surveys by name."""


def survey_like(name: str, **changes: object) -> Survey:
    """Return a survey by its name, with some of its properties changed.

    Parameters
    ----------
    name : str
        Name in ``SURVEYS``: "hsc", "des", "euclid" or "hst".
    changes
        Fields of :class:`Survey` with other values.

    Returns
    -------
    Survey
        The survey.

    Raises
    ------
    ConfigError
        If there is no such survey, or a survey has no such property.

    Examples
    --------
    >>> survey_like("hsc", mirrored=True).pixel_scale
    0.168
    """
    if name not in SURVEYS:
        raise ConfigError(f"No survey {name!r}; choose one of {', '.join(SURVEYS)}")
    known = [field.name for field in fields(Survey)]
    for unknown in sorted(set(changes) - set(known)):
        near = get_close_matches(unknown, known, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"choose among {', '.join(known)}"
        raise ConfigError(f"A survey has no property {unknown!r}; {remedy}")
    return replace(SURVEYS[name], **changes)  # type: ignore[arg-type]
