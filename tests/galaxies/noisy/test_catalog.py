"""The catalogue of an image: its stars, and what is taken from ellipticities."""

import numpy as np
import pytest
from shear.scenes import noise_of, scene

from darkmatter_features.galaxies.noisy.catalog import measure_image
from darkmatter_features.galaxies.noisy.psf.model import PsfModel
from darkmatter_features.galaxies.noisy.similar import means_of_similar
from darkmatter_features.io.sky import Sky


@pytest.fixture(scope="module")
def field():
    """Galaxies and stars, on a level of 100."""
    drawn = scene(41, "blended", n_cells=6, density=30.0, star_density=25.0)
    return drawn, Sky("field.fits", (100.0 + drawn.image + noise_of(drawn, 42)).astype(np.float32)[..., np.newaxis])


@pytest.fixture(scope="module")
def catalog(field):
    drawn, sky = field
    return measure_image(sky, psf=PsfModel.constant(drawn.psf(191.5, 191.5)))


def test_bright_stars_are_stars_and_have_no_weight(field, catalog):
    truth, sources = field[0].truth, catalog.sources
    stars = truth[truth["is_star"] & (truth["snr"] > 60) & truth["x"].between(15, 368) & truth["y"].between(15, 368)]
    own = [int(np.hypot(sources.x - x, sources.y - y).argmin()) for x, y in zip(stars["x"], stars["y"])]
    assert catalog.is_star[own].mean() > 0.7
    assert 5 <= catalog.is_star.sum() <= 1.3 * truth["is_star"].sum()
    assert not catalog.weight[catalog.is_star].any()


def test_ellipticities_are_less_what_noise_adds_to_similar_galaxies(catalog):
    """Stars do not count in the means."""
    sources = catalog.sources
    values = np.column_stack([sources.response, sources.noise_bias])
    expected = means_of_similar(catalog.weight, values, sources.snr, sources.size)
    own = sources.weight > 0.0
    np.testing.assert_allclose(catalog.response, expected[:, 0])
    np.testing.assert_allclose((sources.e1 - catalog.e1)[own], expected[own, 1], atol=1e-12)
    np.testing.assert_allclose((sources.e2 - catalog.e2)[own], expected[own, 2], atol=1e-12)
    assert not catalog.e1[~own].any()
    assert np.abs(expected[:, 1:]).min() > 0.0


def test_the_psf_is_that_of_the_stars_where_none_is_given(field):
    catalog = measure_image(field[1])
    assert catalog.psf.fit is not None
    e1, e2 = catalog.psf.model.ellipticity(191.5, 191.5)
    assert (e1, e2) == pytest.approx((0.04, 0.03), abs=0.02)
    assert len(catalog) == len(catalog.frame.ra)
    assert np.isnan(catalog.frame.ra).all()  # no coordinates in the header
