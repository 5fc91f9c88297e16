"""Means over sources alike in S/N and size."""

from itertools import pairwise

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.similar import MAX_CELLS, MIN_IN_CELL, means_of_similar


def drawn(rng, n):
    """Return weights, some of them 0, values, S/N and sizes."""
    weight = rng.uniform(0.2, 2.0, n) * (rng.random(n) < 0.8)
    snr, size = np.exp(rng.uniform(1.5, 5.0, n)), rng.uniform(0.0, 6.0, n)
    return weight, rng.normal(size=(n, 3)), snr, size


@pytest.mark.parametrize("n", [1, 5, 300, 4000, 30_000])
def test_the_sum_of_weight_times_value_is_kept_in_every_cell(rng, n):
    weight, values, snr, size = drawn(rng, n)
    weight[0] = 1.0
    means = means_of_similar(weight, values, snr, size)
    _, cell = np.unique(means[weight > 0.0], axis=0, return_inverse=True)
    sums = [weight[weight > 0.0, None] * each[weight > 0.0] for each in (values, means)]
    for k in range(cell.max() + 1):
        np.testing.assert_allclose(sums[0][cell.ravel() == k].sum(axis=0), sums[1][cell.ravel() == k].sum(axis=0))


def test_cells_are_of_equal_numbers_and_divide_by_snr_and_size(rng):
    weight, values, snr, size = drawn(rng, 20_000)
    means, own = means_of_similar(weight, values, snr, size), weight > 0.0
    _, cell, counts = np.unique(means[own, 0], return_inverse=True, return_counts=True)
    assert counts.size == MAX_CELLS**2
    assert counts.min() >= MIN_IN_CELL
    assert np.ptp(counts) <= 2
    limits = [(snr[own][cell == k].min(), snr[own][cell == k].max()) for k in range(counts.size)]
    assert len(set(np.round(np.log(limits), 1)[:, 0])) == MAX_CELLS
    for row in range(MAX_CELLS):
        inside = np.argsort(np.argsort(snr[own], kind="stable"), kind="stable") * MAX_CELLS // own.sum() == row
        edges = sorted((size[own][(cell == k) & inside].min(), size[own][(cell == k) & inside].max())
                       for k in np.unique(cell[inside]) if ((cell == k) & inside).sum() > 10)  # fmt: skip
        assert all(before[1] <= after[0] for before, after in pairwise(edges))


def test_a_trend_with_snr_and_size_is_followed(rng):
    weight, _, snr, size = drawn(rng, 30_000)
    truth = np.log(snr) + 0.3 * size
    means = means_of_similar(weight, (truth + rng.normal(0.0, 0.5, truth.size))[:, None], snr, size)[:, 0]
    own = weight > 0.0
    assert (means - truth)[own].std() < 0.25 * truth.std()


def test_few_sources_have_the_mean_of_all(rng):
    weight, values, snr, size = drawn(rng, 4 * MIN_IN_CELL - 1)
    means = means_of_similar(weight, values, snr, size)
    np.testing.assert_allclose(means, np.broadcast_to(np.average(values, axis=0, weights=weight), values.shape))


def test_sources_without_weight_have_the_mean_of_all_and_do_not_count(rng):
    weight, values, snr, size = drawn(rng, 3000)
    values[weight == 0.0] = 1e6
    means = means_of_similar(weight, values, snr, size)
    np.testing.assert_allclose(means[weight == 0.0][0], np.average(values, axis=0, weights=weight))
    assert np.abs(means).max() < 10.0


@pytest.mark.parametrize("n", [0, 4])
def test_without_any_weight_means_are_0(n):
    assert not means_of_similar(np.zeros(n), np.ones((n, 2)), np.ones(n), np.ones(n)).any()
    assert means_of_similar(np.zeros(n), np.ones((n, 2)), np.ones(n), np.ones(n)).shape == (n, 2)
