"""What is tabulated of a lens serves every kind of galaxy, profile and strength, and no look-up leaves the table."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.lens import likelihood as module
from darkmatter_features.lens.kernels import evidence as kernels
from darkmatter_features.lens.likelihood import likelihoods
from darkmatter_features.lens.template import N_ELLIPTICITIES, STEP
from tests.support import naive
from tests.support.drawing import lensed_catalog, of_two_kinds, two_kinds

ROW, COLUMN = 200.0, 300.0


def _found_and_expected(catalog, template):
    found, _ = likelihoods(catalog, template, np.array([ROW]), np.array([COLUMN]))
    return found[0], naive.lens_likelihood(catalog, template.shape_bins(catalog), template, STEP, ROW, COLUMN)


def test_each_kind_has_its_own_density_and_response(rng):
    found, expected = _found_and_expected(of_two_kinds(lensed_catalog(rng, n=40, gamma=0.2)), two_kinds())
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.05)


def test_each_profile_is_read_for_itself(rng):
    template = replace(two_kinds(response=(0.9, 0.6)), amplitudes=0.3 * 1.2 ** np.arange(8))
    shear = np.stack([template.shear_profile[0], 0.4 * template.shear_profile[0] * (template.nodes < 130)])
    template = replace(
        template, shear_profile=shear, amplitude_exponent=np.ones(shear.shape), weights=np.full((2, 8), 1 / 16)
    )
    found, expected = _found_and_expected(lensed_catalog(rng, n=60, gamma=0.2), template)
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.05)


def test_the_strongest_count_where_the_weakest_shear_is_next_to_nothing(rng):
    template = two_kinds(response=(1.0, 1.0))
    template = replace(template, shear_profile=0.03 * template.shear_profile)
    found, expected = _found_and_expected(lensed_catalog(rng, n=300, gamma=0.2), template)
    assert found[0, -1] == pytest.approx(expected[0, -1], rel=0.1)


@pytest.mark.parametrize("ratio", [1.21, 1.02, 1.005])
def test_no_place_is_after_the_last_shear_however_many_there_are(ratio):
    """A place is read between its node and the next, single precision or not."""
    template = replace(two_kinds(), amplitudes=0.5 * ratio ** np.arange(8), weights=np.full((1, 8), 1 / 8))
    shears, places = module._shears(
        replace(template, shear_profile=np.full((1, 9), 3.0), amplitude_exponent=np.ones((1, 9)))
    )
    assert int(places.max()) + 1 < shears.size
    assert np.interp(places.max(), np.arange(shears.size), shears) == pytest.approx(kernels.MAX_SHEAR, rel=1e-5)


def test_answers_are_kept_below_the_greatest_shear(rng):
    """With 1.5 times the shear, 0.7 and 0.9 are alike the greatest there is; before they are sharpened, so the last."""
    shears, ratios = np.array([0.01, 0.7, 0.8, 0.9]), np.empty((5, 33, 4))
    table, e = module._invariant(two_kinds()), rng.uniform(-0.5, 0.5, (2, 5))
    kernels.tabulate(table, np.zeros(5, dtype=int), *e, np.full(2, 1.5), shears, ratios)
    np.testing.assert_allclose(ratios[..., 2], ratios[..., 3], rtol=1e-12)


@pytest.mark.parametrize("e", [(1.0, 0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0), (0.99, 0.0), (0.0, 0.99)])
def test_densities_at_the_rim_are_those_of_the_border(e):
    table, values, corner = module._invariant(two_kinds()), np.empty(1), np.empty(1, dtype=np.int64)
    kernels._unsheared_log_densities(table[0], *e, np.zeros((2, 1)), corner, np.empty((2, 1)), values)
    assert corner[0] + N_ELLIPTICITIES + 1 < N_ELLIPTICITIES**2
    assert values[0] == pytest.approx(kernels.log_density(table, 0, *e), rel=1e-4)


def test_what_is_kept_for_the_next_sky_cannot_be_written_to():
    template = two_kinds()
    for array in (*module._shears(template), module._invariant(template), module._counts(template)):
        assert not array.flags.writeable
