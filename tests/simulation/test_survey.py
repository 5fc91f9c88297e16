"""The preset survey: fluxes, noise and shapes of its images."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.simulation import survey
from darkmatter_features.simulation.population import lensed
from darkmatter_features.simulation.survey import BACKGROUND, ELECTRONS_PER_COUNT, FLUX_AT_LIMIT, SIDE, survey_sky


class NoStars(np.random.Generator):
    """A generator that draws no stars, for images of a single galaxy."""

    def poisson(self, lam=1.0, size=None):
        return 0 if np.isscalar(lam) and lam == survey.STARS else super().poisson(lam, size)


def alone(luminosity):
    """Return one galaxy of the preset at the centre of the image."""
    galaxies = survey.draw_galaxies(np.random.default_rng(2))
    one = galaxies.select(np.arange(len(galaxies)) == 0)
    brightness = one.brightness * luminosity / one.luminosity
    return replace(
        one, x=np.array([256.0]), y=np.array([250.0]), luminosity=np.array([luminosity]), brightness=brightness
    )


def flux_in_image(galaxy):
    """Return the flux above the background in a box of 160 px; the background is the same without the galaxy."""
    with_it, without = (
        survey.expose(NoStars(np.random.PCG64(5)), galaxy.select(np.array([keep]))).astype(float)
        for keep in (True, False)
    )
    return (with_it - without)[170:330, 176:336].sum()


def test_a_galaxy_has_the_flux_of_its_luminosity():
    """The noise is 900 counts of 104,000, 4 counts on 160 x 160 px twice; up to 2 % fall outside the stamp."""
    assert flux_in_image(alone(400.0)) == pytest.approx(400.0 * FLUX_AT_LIMIT, rel=0.04)


def test_lensing_magnifies_the_flux_in_the_image():
    galaxy = alone(400.0)
    halo = survey.NfwHalo(5e14, 5.0, 0.3, 1.0, survey.SCALE)
    image = lensed(galaxy, halo, 256.0, 170.0)
    image_at_centre = replace(image, x=galaxy.x, y=galaxy.y)
    magnification = image.luminosity[0] / galaxy.luminosity[0]
    assert magnification > 1.4
    assert flux_in_image(image_at_centre) / flux_in_image(galaxy) == pytest.approx(magnification, rel=0.04)


def test_noise_is_that_of_the_electrons_of_the_sky():
    """The median difference of neighbours, robust to galaxies, gives sqrt(BACKGROUND / gain) = 4.1 counts."""
    pixels = survey_sky(np.random.default_rng(8)).pixels
    assert (pixels.dtype, pixels.shape) == (np.float32, (SIDE, SIDE))
    difference = np.abs(np.diff(pixels.astype(float), axis=1))
    noise = 1.4826 * np.median(difference) / np.sqrt(2)
    assert noise == pytest.approx(np.sqrt(BACKGROUND / ELECTRONS_PER_COUNT), rel=0.06)
    assert np.median(pixels) == pytest.approx(BACKGROUND, rel=0.02)


def test_galaxies_are_tangential_about_a_survey_lens():
    """The true shapes of 2,400 galaxies at 60 to 200 px, in 20 skies, give gamma_t near 0.17 and gamma_x to 0.006."""
    rng, rows = np.random.default_rng(4), []
    halo = survey.NfwHalo(5e14, 5.0, 0.3, 1.0, survey.SCALE)
    for _ in range(20):
        image = lensed(survey.draw_galaxies(rng), halo, 256.0, 256.0)
        image = image.select((image.luminosity > 1.0) & image.within(SIDE))
        e1, e2 = survey.lensing.ellipticity(image.frame @ image.frame.transpose(0, 2, 1))
        dx, dy = image.x - 256.0, image.y - 256.0
        rows.append((np.hypot(dx, dy), (e1 + 1j * e2) * np.exp(-2j * np.arctan2(dy, dx))))
    r, e = np.hstack([row[0] for row in rows]), np.hstack([row[1] for row in rows])
    inside = (r > 60) & (r < 200)
    error = 0.24 / np.sqrt(inside.sum())
    tangential = survey.lensing.stretches(halo, r[inside], np.zeros(inside.sum()))
    g = np.mean((tangential[0] - tangential[1]) / (tangential[0] + tangential[1]))
    assert -e[inside].real.mean() == pytest.approx(g, abs=4 * error)
    assert -e[inside].imag.mean() == pytest.approx(0.0, abs=4 * error)


def test_unlensed_galaxies_have_no_preferred_direction():
    """More than 1,000 galaxies of scatter 0.24 per component, cut at |e| = 0.75: means to 0.008, scatter to 0.006."""
    frame = survey.draw_galaxies(np.random.default_rng(6)).frame
    e1, e2 = survey.lensing.ellipticity(frame @ frame.transpose(0, 2, 1))
    assert (e1.mean(), e2.mean()) == pytest.approx((0.0, 0.0), abs=0.03)
    assert (e1.std(), e2.std()) == pytest.approx((0.24, 0.24), abs=0.025)
    assert np.hypot(e1, e2).max() <= 0.75 + 1e-9
