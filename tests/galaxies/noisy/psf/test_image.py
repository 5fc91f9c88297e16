"""The PSF of an image without a file: from its stars, or an assumed one with its reason."""

import numpy as np
import pytest

pytest.importorskip("galsim")
pytest.importorskip("sep")

import sep
from astropy.io import fits

from darkmatter_features.galaxies.noisy.psf.image import psf_of_image
from tests.galaxies.noisy.fields import NOISE, constant, moffat, star_field
from tests.galaxies.noisy.psf.candidates import detected


@pytest.mark.parametrize("psf", [constant, moffat])
def test_psf_comes_from_the_stars_of_an_image(psf):
    field = star_field(np.random.default_rng(9), psf, 50, 400, side=1200)
    found = psf_of_image(field.light, NOISE, None, detected(field.light, NOISE), psf_sigma=1.0)
    assert found.fit is not None
    x, y = (each.ravel() for each in np.meshgrid(*2 * [np.linspace(200, 1000, 4)]))
    true, model = field.truth(x, y), found.model.moments(x, y)
    assert np.sqrt(((true.e1 - model.e1) ** 2 + (true.e2 - model.e2) ** 2).mean()) < 0.005
    assert abs(model.sigma / true.sigma - 1).max() < 0.02
    assert found.note == found.fit.summary


def test_psf_is_assumed_without_stars():
    field = star_field(np.random.default_rng(10), constant, 0, 200, side=800)
    found = psf_of_image(field.light, NOISE, None, detected(field.light, NOISE), psf_sigma=1.3)
    assert found.fit is None
    assert found.model.sigma(0, 0) == pytest.approx(1.3, rel=1e-3)
    assert found.note.startswith("round Gaussian PSF of sigma 1.30 px assumed: fewer than 5 of ")


def test_round_galaxies_of_one_size_are_no_stars():
    """Discs of the same size but any ellipticity: the scatter of their shapes gives them away."""
    import galsim

    from tests.galaxies.noisy.fields import add, drawn

    rng = np.random.default_rng(11)
    light = rng.normal(0, NOISE, (500, 500))
    for column, row in rng.integers(20, 480, (15, 2)):
        e = 0.3 * np.exp(1j * rng.uniform(0, 2 * np.pi))
        disc = galsim.Exponential(half_light_radius=2.0, flux=3e4).shear(g1=e.real, g2=e.imag)
        add(light, drawn(galsim.Convolve(disc, constant(0, 0)), 0, 0), column, row)
    found = psf_of_image(light, NOISE, None, detected(light, NOISE), psf_sigma=1.3)
    assert found.fit is None


def test_real_field_has_its_stars(real_skies):
    """CFHT, I band: stars have a half-light radius of 2.07 px, sigma 1.47 px and g = (-0.0125, 0.005)."""
    image = fits.getdata(real_skies / "a370_cfht_I.fits.gz").astype(np.float64)
    background = sep.Background(image)
    light, noise = image - background.back(), float(background.globalrms)
    sources = detected(light, noise, saturation=0.8 * light.max())
    found = psf_of_image(light, noise, None, sources, psf_sigma=1.0)
    assert found.fit is not None, found.note
    assert found.locus.size == pytest.approx(2.07, abs=0.08)
    assert len(found.fit.stars) >= 11
    e1, e2 = found.model.ellipticity(900.0, 950.0)
    assert found.model.sigma(900.0, 950.0) == pytest.approx(1.47, abs=0.04)
    assert (e1, e2) == pytest.approx((-0.0125, 0.005), abs=0.01)
