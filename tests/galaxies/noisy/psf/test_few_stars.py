"""The PSF of an image with fewer than five stars: from the sharpest sources, or narrower than these."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.psf.few_stars import SHARPEST_FACTOR, sharpest_group, sharpest_width
from darkmatter_features.galaxies.noisy.psf.image import psf_of_image
from tests.galaxies.noisy.fields import NOISE, constant, star_field
from tests.galaxies.noisy.psf.candidates import candidates, detected


def test_three_stars_give_the_psf():
    field = star_field(np.random.default_rng(3), constant, 3, 30, side=500, snr=(100.0, 400.0))
    found = psf_of_image(field.light, NOISE, None, detected(field.light, NOISE), psf_sigma=1.0)
    assert found.fit is not None, found.note
    true = field.truth(np.array([250.0]), np.array([250.0]))
    assert found.model.sigma(250.0, 250.0) == pytest.approx(float(true.sigma[0]), rel=0.04)


def test_sizes_that_differ_are_no_group():
    assert sharpest_group(candidates(size=[1.0, 1.1, 1.25, 1.4, 1.6])) is None


@pytest.mark.parametrize(
    ("size", "stars"),
    [
        ([1.5, 1.51, 1.53, 1.9, 2.4], [0, 1, 2]),
        ([2.4, 1.53, 1.2, 1.5, 1.51], [1, 3, 4]),
        ([1.0, 1.1, 1.2, 1.5, 1.51, 1.53], None),
        ([1.5, 1.5], None),
    ],
    ids=["sharpest", "one sharper", "three sharper", "two sources"],
)
def test_group_is_at_the_sharp_end(size, stars):
    found = sharpest_group(candidates(size=size))
    if stars is None:
        assert found is None
    else:
        assert np.flatnonzero(found.is_psf_star).tolist() == stars


def test_faint_sources_are_in_no_group():
    assert sharpest_group(candidates(size=[1.5, 1.51, 1.53], snr=[50.0, 50.0, 15.0])) is None


def test_width_is_below_all_sizes_but_one():
    size, snr = np.array([0.4, 2.0, 3.0, 0.0, 0.5]), np.array([12.0, 30.0, 50.0, 99.0, 8.0])
    assert sharpest_width(size, snr, 1.2) == pytest.approx(SHARPEST_FACTOR * 2.0)
    assert sharpest_width(size[:1], snr[:1], 1.2) == pytest.approx(SHARPEST_FACTOR * 0.4)
    assert sharpest_width(size[3:], snr[3:], 1.2) == 1.2


def test_galaxies_alike_by_chance_are_no_stars():
    """Three round galaxies of one size of three ellipticities."""
    import galsim

    from tests.galaxies.noisy.fields import add, drawn

    rng = np.random.default_rng(12)
    light = rng.normal(0, NOISE, (300, 300))
    for column, row, e in ((60, 70, 0.15), (200, 90, -0.15), (120, 220, 0.0)):
        disc = galsim.Gaussian(half_light_radius=1.5, flux=6e4).shear(g1=complex(e).real, g2=complex(e).imag)
        add(light, drawn(galsim.Convolve(disc, constant(0, 0)), 0, 0), column, row)
    sources = detected(light, NOISE)
    assert sharpest_group(sources) is not None
    assert psf_of_image(light, NOISE, None, sources, psf_sigma=1.3).fit is None
