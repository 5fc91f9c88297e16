"""The tables of a template serve every shape bin, profile and amplitude, and no look-up leaves them."""

from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.lens.compiled import MAX_SHEARS, CompiledTemplate, invariant_density, tabulated_shears
from darkmatter_features.lens.density import N_ELLIPTICITIES
from darkmatter_features.lens.kernels import evidence as kernels
from darkmatter_features.lens.likelihood import likelihoods
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import NODE_SPACING
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR
from tests.support import naive
from tests.support.drawing import lensed_catalog, two_shape_bins, with_two_shape_bins

ROW, COLUMN = 200.0, 300.0


def _found_and_expected(catalog, template):
    found, _ = likelihoods(PreparedCatalog(catalog, template), np.array([ROW]), np.array([COLUMN]))
    return found[0], naive.lens_likelihood(catalog, template.shape_bins(catalog), template, NODE_SPACING, ROW, COLUMN)


def test_each_shape_bin_has_its_own_density_and_response(rng):
    found, expected = _found_and_expected(with_two_shape_bins(lensed_catalog(rng, n=40, gamma=0.2)), two_shape_bins())
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.05)


def test_each_profile_has_its_own_likelihood(rng):
    template = replace(two_shape_bins(response=(0.9, 0.6)), amplitudes=0.3 * 1.2 ** np.arange(8))
    shear = np.stack([template.shear_profile[0], 0.4 * template.shear_profile[0] * (template.nodes < 130)])
    template = replace(
        template, shear_profile=shear, amplitude_exponent=np.ones(shear.shape), weights=np.full((2, 8), 1 / 16)
    )
    found, expected = _found_and_expected(lensed_catalog(rng, n=60, gamma=0.2), template)
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.05)


def test_the_largest_amplitude_counts_where_the_smallest_has_negligible_shear(rng):
    template = two_shape_bins(response=(1.0, 1.0))
    template = replace(template, shear_profile=0.03 * template.shear_profile)
    found, expected = _found_and_expected(lensed_catalog(rng, n=300, gamma=0.2), template)
    assert found[0, -1] == pytest.approx(expected[0, -1], rel=0.1)


@pytest.mark.parametrize("ratio", [1.21, 1.02, 1.005, 1.00001])
def test_no_index_is_after_the_last_shear(ratio):
    """Each index is read between its node and the next, in single precision too."""
    template = replace(two_shape_bins(), amplitudes=0.5 * ratio ** np.arange(8), weights=np.full((1, 8), 1 / 8))
    shears, index = tabulated_shears(
        replace(template, shear_profile=np.full((1, 9), 3.0), amplitude_exponent=np.ones((1, 9)))
    )
    assert int(index.max()) + 1 < shears.size <= MAX_SHEARS
    assert np.interp(index.max(), np.arange(shears.size), shears) == pytest.approx(MAX_SHEAR, rel=1e-5)


def test_response_is_clipped_at_the_maximum_shear(rng):
    """With a response of 1.5, shears of 0.8 and 0.9 both reach the maximum, so their ratios are equal."""
    shears, ratios = np.array([0.01, 0.7, 0.8, 0.9]), np.empty((5, 33, 4))
    table, e = invariant_density(two_shape_bins()), rng.uniform(-0.5, 0.5, (2, 5))
    kernels.tabulate(table, np.zeros(5, dtype=int), *e, np.full(2, 1.5), shears, ratios)
    np.testing.assert_allclose(ratios[..., 2], ratios[..., 3], rtol=1e-12)


@pytest.mark.parametrize("e", [(1.0, 0.0), (0.0, -1.0), (-1.0, 0.0), (0.0, 1.0), (0.99, 0.0), (0.0, 0.99)])
def test_densities_at_the_edge_of_the_disc_are_those_of_the_table(e):
    table, values, corner = invariant_density(two_shape_bins()), np.empty(1), np.empty(1, dtype=np.int64)
    kernels._unsheared_log_densities(table[0], *e, np.zeros((2, 1)), corner, np.empty((2, 1)), values)
    assert corner[0] + N_ELLIPTICITIES + 1 < N_ELLIPTICITIES**2
    assert values[0] == pytest.approx(kernels.log_density(table, 0, *e), rel=1e-4)


def test_tables_shared_between_skies_are_read_only():
    compiled = CompiledTemplate(two_shape_bins())
    tables = compiled.density, compiled.shears, compiled.shear_node, compiled.shear_part, compiled.log_counts
    for array in (*tables, compiled.mean_counts((40, 60))):
        assert not array.flags.writeable
