"""The radius of the position error: of samples, of cells, and of all the posterior in one cell."""

import numpy as np
import pytest

from darkmatter_features.location.position import CREDIBLE_FRACTION, credible_radius

GAUSSIAN = np.sqrt(-2.0 * np.log(1.0 - CREDIBLE_FRACTION))
"""Radius that holds the fraction of a two-dimensional Gaussian, standard deviations."""


def test_samples_of_a_gaussian(rng):
    distance = np.hypot(*rng.normal(size=(2, 40_000)))
    assert credible_radius(distance, np.full(distance.size, 1 / distance.size), 0.01) == pytest.approx(
        GAUSSIAN, rel=0.02
    )


@pytest.mark.parametrize("offset", [0.0, 0.37])
def test_cells_of_a_gaussian(offset):
    axis = np.arange(-8.0, 8.0, 0.25) + offset
    x, y = np.meshgrid(axis, axis)
    weight = np.exp(-(x**2 + y**2) / 2)
    radius = credible_radius(np.hypot(x, y).ravel(), (weight / weight.sum()).ravel(), 0.25**2)
    assert radius == pytest.approx(GAUSSIAN, rel=0.02)


def test_a_posterior_in_one_cell_fills_it():
    expected = np.sqrt(CREDIBLE_FRACTION / np.pi) * 3.0
    assert credible_radius(np.array([0.0, 3.0]), np.array([1.0, 0.0]), 9.0) == pytest.approx(expected, rel=1e-9)


def test_a_second_mode_counts_by_its_weight():
    distance = np.array([0.0, 10.0])
    assert credible_radius(distance, np.array([0.9, 0.1]), 1.0) < 1.0
    assert credible_radius(distance, np.array([0.3, 0.7]), 1.0) == pytest.approx(10.0, rel=0.06)
