"""Tables of one galaxy's log ratios match slow twins, weights and corrections included."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from darkmatter_features.lens.kernels import evidence as kernels
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR
from tests.support.plain import plain

WEAK_SHEAR = kernels.POLYNOMIAL_SHEAR


def twelfths(nodes):
    """Return the weights of the differences ahead of inner nodes and behind them, from the steps on both sides."""
    steps = np.diff(nodes)
    ahead, behind = np.zeros((2, nodes.size))
    for i in range(1, nodes.size - 1):
        second = 2.0 / (steps[i - 1] + steps[i])  # factor of the difference of the slopes
        ahead[i], behind[i] = (second * steps[i - 1] * steps[i] / step / 12.0 for step in (steps[i], steps[i - 1]))
    return ahead, behind


def sharpened(values, nodes):
    """Return values (n_angles, n_shears) less 1/12 of their second differences along the shears, then the angles."""
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


@pytest.mark.parametrize("shears", [[0.02, 0.05, WEAK_SHEAR, 0.3], [0.01, 0.03], [0.1, 0.7, 2.0]])
def test_tables_of_two_galaxies_match_naive(rng, shears):
    """With shears below the limit of the polynomial, at it and above, and two shape bins."""
    table, response, shape_bin = rng.normal(size=(2, 9, 9)), np.array([0.9, 0.6]), np.array([1, 0])
    e, ratios = np.array([0.3 - 0.1j, -0.2 + 0.4j]), np.empty((2, 6, len(shears)))
    kernels.tabulate(table, shape_bin, e.real.copy(), e.imag.copy(), response, np.array(shears), ratios)
    for k in range(2):
        own = table[shape_bin[k]]
        values = np.empty((5, len(shears)))
        for j in range(5):
            turn, extra = complex(*kernels.direction(0.8 * j)), [WEAK_SHEAR / 2, WEAK_SHEAR]
            g = [min(each * response[shape_bin[k]], MAX_SHEAR) * turn for each in (*shears, *extra)]
            *exact, half, full = (bilinear(own, before_shear(e[k], each)) - bilinear(own, e[k]) for each in g)
            parabola = np.polyfit([0.0, *extra], [0.0, half, full], 2)
            pairs = zip(shears, exact, strict=True)
            values[j] = [np.polyval(parabola, shear) if shear < WEAK_SHEAR else each for shear, each in pairs]
        expected = sharpened(values, np.array(shears))
        assert_allclose(ratios[k], np.vstack([expected, expected[:1]]), rtol=1e-7, atol=1e-9)


def test_likelihood_of_few_galaxies_matches_naive(rng):
    """Between directions and shears; without shear at one radius of a profile, and beyond the last radius."""
    x, y, rows, columns = (
        np.array([0.0, 3.0, 5.0]),
        np.array([1.0, 4.0, 2.0]),
        np.array([1.3, 2.6]),
        np.array([2.2, 0.0]),
    )
    ratios, step = rng.normal(size=(3, 5, 4)), 0.8
    ratios[:, 4] = ratios[:, 0]
    node, part = rng.integers(0, 3, (2, 6, 3)), rng.uniform(0.0, 1.0, (2, 6, 3))
    part[1, 2, 0] = -1.0
    found, expected = np.full((2, 2, 3), 9.0), np.zeros((2, 2, 3))
    plain(kernels.lens_likelihood)(x, y, ratios, node, part, step, columns, rows, found)
    for m, p, k in np.ndindex(2, 2, 3):
        dx, dy = x[k] - columns[m], y[k] - rows[m]
        r, spin = int(np.hypot(dx, dy) / step + 0.5), -(complex(dx, dy) ** 2)
        if r < 6 and part[p, r, 0] >= 0.0:
            across = spin.real / (abs(spin.real) + abs(spin.imag))
            turn = 1.0 - across if spin.imag >= 0.0 else 3.0 + across
            for a in range(3):
                own = [np.interp(node[p, r, a] + part[p, r, a], np.arange(4), each) for each in ratios[k]]
                expected[m, p, a] += np.interp(turn, np.arange(5), own)
    assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_counts_lattices_and_ratios_match_naive(rng):
    x, y, rows, columns = *rng.uniform(0.0, 4.0, (2, 3)), np.array([1.0, 2.5]), np.array([3.0, 0.5])
    size_bin, log_counts, found = np.array([1, 0, 1]), rng.normal(size=(2, 4)), np.full(2, 9.0)
    plain(kernels.count_likelihood)(x, y, size_bin, log_counts, 0.7, columns, rows, found)
    node = np.minimum(np.hypot(x - columns[:, None], y - rows[:, None]) / 0.7 + 0.5, 3).astype(int)
    assert_allclose(found, log_counts[size_bin, node].sum(axis=1))
    lattice, at = (
        rng.normal(size=(3, 4, 2)),
        np.array([[-0.5, 0.0, 1.2, 2.0, 2.7, 0.4], [0.3, 3.0, 1.6, 3.4, -0.2, 2.5]]),
    )
    values = np.empty((6, 2))
    plain(kernels.read_lattice)(lattice, *at, values)
    for own, row, column in zip(values, *at, strict=True):
        along = [[np.interp(column, np.arange(4), line[:, a]) for line in lattice] for a in range(2)]
        assert_allclose(own, [np.interp(row, np.arange(3), each) for each in along])
    table, e, g, ratios = rng.normal(size=(2, 9, 9)), 0.5 * rng.normal(size=(2, 3)), np.full((2, 3), 0.1), np.empty(3)
    g[1] = -0.2
    plain(kernels.log_ratios)(table, size_bin, *e, *g, ratios)
    for k in range(3):
        shape, shear = complex(*e[:, k]), complex(*g[:, k])
        jacobian = (1.0 - abs(shear) ** 2) / abs(1.0 - np.conj(shear) * shape) ** 2
        own = table[size_bin[k]]
        change = bilinear(own, before_shear(shape, shear)) - bilinear(own, shape)
        assert ratios[k] == pytest.approx(change + 2.0 * np.log(jacobian), rel=1e-6)
