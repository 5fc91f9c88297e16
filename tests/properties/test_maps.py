"""Maps of shear, the matched filter and the evidence, after turns of the catalogue and in another order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkmatter_features.config import MeasureConfig
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import shear_maps
from tests.support.drawing import lensed_catalog
from tests.support.turns import Turn

CONFIG = MeasureConfig(grid_spacing=32)
TURNS = st.builds(Turn, st.integers(0, 3), st.booleans())


@st.composite
def catalogs(draw):
    """Return a few galaxies behind a lens, weak to strong, in an image of any shape."""
    shape = draw(st.tuples(st.integers(100, 300), st.integers(100, 300)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    centre = (draw(st.floats(0.1, 0.9)) * shape[1], draw(st.floats(0.1, 0.9)) * shape[0])
    n, gamma = draw(st.integers(1, 60)), draw(st.floats(0.0, 0.4))
    return lensed_catalog(rng, n=n, centre=centre, gamma=gamma, shape=shape)


def in_order(catalog, order):
    return replace(catalog, **{name: values[order] for name, values in catalog.columns().items()})


def maps_of(catalog):
    maps = shear_maps(catalog, config=CONFIG)
    return np.concatenate([maps.gamma_t, maps.snr]), np.concatenate([maps.gamma_x, maps.snr_cross])


def filtered(catalog):
    snr, cross = matched_filter(catalog, config=CONFIG)
    return snr[None], cross[None]


METHODS = pytest.mark.parametrize("method", [maps_of, filtered])


@METHODS
@given(catalog=catalogs(), turn=TURNS)
def test_maps_turn_with_the_sky_and_a_mirror_changes_the_sign_of_the_cross_shear(method, catalog, turn):
    tangential, cross = method(catalog)
    found = method(turn.catalog(catalog))
    for plane, (expected, sign) in zip(found, ((tangential, 1.0), (cross, turn.parity))):
        np.testing.assert_allclose(plane, sign * np.stack([turn.image(each) for each in expected]), atol=1e-8)


@METHODS
@given(catalog=catalogs(), seed=st.integers(0, 2**32 - 1))
def test_maps_do_not_depend_on_the_order_of_the_galaxies(method, catalog, seed):
    order = np.random.default_rng(seed).permutation(len(catalog))
    np.testing.assert_allclose(method(in_order(catalog, order)), method(catalog), rtol=1e-9, atol=1e-9)


@METHODS
@given(catalog=catalogs())
def test_galaxies_turned_by_45_degrees_exchange_tangential_and_cross_shear(method, catalog):
    tangential, cross = method(catalog)
    found = method(replace(catalog, e1=-catalog.e2, e2=catalog.e1))
    np.testing.assert_allclose(found, (-cross, tangential), atol=1e-8)


def bayes_factor_and_place(catalog):
    found = lens_evidence(catalog)
    numbers = [found.log_bayes_factor, found.log_bayes_factor_shear, found.log_bayes_factor_counts]
    return np.array([*numbers, found.position_error]), found


@given(catalog=catalogs(), turn=TURNS)
def test_evidence_turns_with_the_sky(catalog, turn):
    numbers, one = bayes_factor_and_place(catalog)
    turned, other = bayes_factor_and_place(turn.catalog(catalog))
    np.testing.assert_allclose(turned, numbers, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.posterior, turn.image(one.posterior), rtol=1e-4, atol=1e-9)
    place = turn.places(one.column, one.row, one.shape)
    np.testing.assert_allclose((other.column, other.row), place, atol=1e-3)


@given(catalog=catalogs(), seed=st.integers(0, 2**32 - 1))
def test_evidence_does_not_depend_on_the_order_of_the_galaxies(catalog, seed):
    order = np.random.default_rng(seed).permutation(len(catalog))
    numbers, _ = bayes_factor_and_place(catalog)
    np.testing.assert_allclose(bayes_factor_and_place(in_order(catalog, order))[0], numbers, rtol=1e-7, atol=1e-7)
