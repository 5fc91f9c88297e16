"""Tables of one galaxy's log ratios match slow twins, weights and corrections included."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.lens.kernels import evidence as kernels
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR
from tests.support.plain import plain

WEAK = kernels.POLYNOMIAL_SHEAR


def twelfths(nodes):
    """Return the weights of the differences ahead of inner nodes and behind them, from the steps on both sides."""
    steps = np.diff(nodes)
    ahead, behind = np.zeros((2, nodes.size))
    for i in range(1, nodes.size - 1):
        second = 2.0 / (steps[i - 1] + steps[i])  # factor of the difference of the slopes
        ahead[i], behind[i] = (second * steps[i - 1] * steps[i] / step / 12.0 for step in (steps[i], steps[i - 1]))
    return ahead, behind


def sharpened(values, nodes):
    """Return values (n_angles, n_shears) less 1/12 of their second differences, along the shears and then the angles."""
    ahead, behind = twelfths(nodes)
    steps = np.diff(values, axis=1, prepend=0.0, append=0.0)
    along = values - ahead * steps[:, 1:] + behind * steps[:, :-1]
    return along - (np.roll(along, 1, axis=0) - 2.0 * along + np.roll(along, -1, axis=0)) / 12.0


def bilinear(table, e):
    n = len(table)
    u, v = (np.clip((part + 1.0) * (n - 1) / 2, 0.0, n - 1 - 1e-6) for part in (e.real, e.imag))
    i, j = int(u), int(v)
    low, high = (table[i, k] + (u - i) * (table[i + 1, k] - table[i, k]) for k in (j, j + 1))
    return low + (v - j) * (high - low)


def before_shear(e, g):
    return (e - g) / (1.0 - np.conj(g) * e)


@pytest.mark.parametrize("nodes", [[0.1, 0.3], [0.1, 0.2, 0.5], [0.1, 0.15, 0.4, 0.5, 0.9]])
def test_weights_of_chords_match_naive(nodes):
    ahead, behind = np.full((2, len(nodes)), 7.0)
    plain(kernels._chord_weights)(np.array(nodes), ahead, behind)
    assert_allclose((ahead, behind), twelfths(np.array(nodes)), rtol=1e-12)


@pytest.mark.parametrize(("n_angles", "n_shears"), [(3, 1), (4, 2), (4, 5)])
def test_correction_for_chords_matches_naive(rng, n_angles, n_shears):
    nodes, own = np.cumsum(rng.uniform(0.1, 0.5, n_shears)), rng.normal(size=(n_angles + 1, n_shears))
    expected = sharpened(own[:-1], nodes)
    plain(kernels._sharpen)(own, *twelfths(nodes), np.empty(n_shears))
    assert_allclose(own, np.vstack([expected, expected[:1]]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("e", [0.3 - 0.2j, 1.0 + 0.0j, -1.0 + 0.0j, 1.0j, -1.0j, 0.6 + 0.7j])
def test_densities_before_each_shear_match_naive(rng, e):
    table, g = rng.normal(size=(7, 7)), np.array([0.0, 0.2 + 0.1j, -0.4j, -0.7 + 0.2j])
    values, rest, corner = np.empty(4), np.empty((2, 4)), np.empty(4, dtype=np.int64)
    plain(kernels._unsheared_log_densities)(table, e.real, e.imag, np.array([g.real, g.imag]), corner, rest, values)
    assert_allclose(values, [bilinear(table, before_shear(e, each)) for each in g], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shears", [[0.02, 0.05, WEAK, 0.3], [0.01, 0.03], [0.1, 0.7, 2.0]])
def test_tables_of_two_galaxies_match_naive(rng, shears):
    """With shears below the limit of the polynomial, at it and above, and two shape bins."""
    table, response, shape_bin = rng.normal(size=(2, 9, 9)), np.array([0.9, 0.6]), np.array([1, 0])
    e, ratios = np.array([0.3 - 0.1j, -0.2 + 0.4j]), np.empty((2, 6, len(shears)))
    kernels.tabulate(table, shape_bin, e.real.copy(), e.imag.copy(), response, np.array(shears), ratios)
    for k in range(2):
        own = table[shape_bin[k]]
        values = np.empty((5, len(shears)))
        for j in range(5):
            turn = complex(*kernels.direction(0.8 * j))

            def ratio(shear):
                g = min(shear * response[shape_bin[k]], MAX_SHEAR) * turn
                return bilinear(own, before_shear(e[k], g)) - bilinear(own, e[k])

            parabola = np.polyfit([0.0, WEAK / 2, WEAK], [0.0, ratio(WEAK / 2), ratio(WEAK)], 2)
            values[j] = [np.polyval(parabola, each) if each < WEAK else ratio(each) for each in shears]
        expected = sharpened(values, np.array(shears))
        assert_allclose(ratios[k], np.vstack([expected, expected[:1]]), rtol=1e-7, atol=1e-9)
