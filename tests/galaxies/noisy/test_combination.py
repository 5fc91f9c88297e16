"""Shapes of galaxies that several Gaussians measure."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.combination import Sums, combined, owners
from darkmatter_features.galaxies.noisy.kernels.ellipticity import PeakShapes
from darkmatter_features.galaxies.noisy.kernels.matching import find_owners
from darkmatter_features.galaxies.noisy.peaks import Peaks
from darkmatter_features.galaxies.noisy.scales import PeaksAtScale, no_shapes
from tests.support import naive_noisy


def found(x, sigma, weight, alone, e=0.2, light=1.0, response=0.9):
    """Return peaks at columns `x`, all in row 50, with weights that fall and do not fall."""
    n = len(x)
    records = []
    for own in (weight, alone):
        record = no_shapes(n)
        record.x[:], record.y[:], record.light[:] = x, 50.0, light
        record.weight[:], record.error[:] = own, 0.1
        record.e1[:], record.response[:] = e * record.weight, response * record.weight
        record.curvature[:] = 0.8
        records.append(record)
    place = np.asarray(np.rint(x), dtype=np.int64)
    peaks = Peaks(np.full(n, 50), place, np.zeros((100, 100), dtype=np.int32), np.zeros(n, dtype=np.bool_))
    return PeaksAtScale(peaks, *records, np.zeros(n, dtype=np.bool_), np.full(n, 30.0), sigma)


def test_galaxy_of_one_gaussian_keeps_its_weight():
    """Its weight would fall towards a wider Gaussian, which does not measure it."""
    shapes = combined([found([20.0], 2.0, [0.2], [0.7]), found([], 4.0, [], [])]).shapes
    assert shapes.weight[0] == pytest.approx(0.7)
    assert shapes.e1[0] == pytest.approx(0.2 * 0.7)
    assert shapes.response[0] == pytest.approx(0.9 * 0.7)


def test_wider_gaussian_takes_what_the_weight_falls_by():
    shapes = combined([found([20.0], 2.0, [0.2], [0.7]), found([20.4], 4.0, [0.6], [0.6], e=0.3)]).shapes
    assert shapes.weight[0] == pytest.approx(0.8)
    assert shapes.e1[0] == pytest.approx(0.2 * 0.2 + 0.6 * 0.3)
    assert shapes.error[0] == pytest.approx(0.1)


def test_narrower_gaussian_makes_up_for_a_part():
    shapes = combined([found([20.0], 2.0, [0.2], [0.7]), found([20.4], 4.0, [0.1], [0.1], e=0.3)]).shapes
    assert shapes.weight[0] == pytest.approx(0.7)
    assert shapes.e1[0] == pytest.approx(0.2 * 0.6 + 0.3 * 0.1)


@pytest.mark.parametrize(("defective", "weight"), [(0, 0.6), (1, 0.7)])
def test_gaussian_that_lacks_light_is_not_used(defective, weight):
    scales = [found([20.0], 2.0, [0.2], [0.7]), found([20.4], 4.0, [0.6], [0.6])]
    scales[defective].lacks_light[0] = True
    assert combined(scales).shapes.weight[0] == pytest.approx(weight)


@pytest.mark.parametrize(("light", "weight"), [(0.1, 0.8), (0.5, 0.7)], ids=["faint neighbour", "comparable neighbour"])
def test_wider_gaussian_measures_sources_without_comparable_neighbours(light, weight):
    scales = [
        found([20.0, 24.0], 2.0, [0.2, 0.0], [0.7, 0.0], light=np.array([1.0, light])),
        found([20.4], 4.0, [0.6], [0.6]),
    ]
    assert combined(scales).shapes.weight[0] == pytest.approx(weight)


def test_scales_follow_each_other():
    """Each of three Gaussians makes up for what the wider ones lack."""
    scales = [
        found([20.0], 2.0, [0.1], [0.9]),
        found([20.0], 4.0, [0.2], [0.6]),
        found([20.0], 8.0, [0.3], [0.3]),
    ]
    assert combined(scales).shapes.weight[0] == pytest.approx(0.9)
    assert combined(scales[:2]).shapes.weight[0] == pytest.approx(0.9)


def test_peak_belongs_to_the_brightest_source_within_its_reach():
    base = found([20.0, 24.0, 60.0], 2.0, 0.2, 0.7, light=np.array([1.0, 2.0, 9.0]))
    wide = found([21.0, 45.0, 75.0], 4.0, 0.6, 0.6)
    assert owners(base, wide, np.arange(3)).tolist() == [1, 2, 2]


def test_find_owners_matches_naive(rng):
    sources = rng.uniform(0.0, 100.0, (3, 60))
    sources = sources[:, np.argsort(sources[0])]
    sources[2, ::4] = 50.0
    places, found = rng.uniform(-30.0, 130.0, (2, 80)), np.empty(80, dtype=np.int64)
    find_owners(sources, places, 12.0, found)
    assert found.tolist() == naive_noisy.owners(sources, places, 12.0)


def test_image_without_sources_has_no_shapes():
    assert combined([found([], 2.0, [], []), found([20.0], 4.0, [0.6], [0.6])]).size.size == 0


def test_size_is_that_of_the_gaussian_with_most_weight():
    base, wide = found([20.0, 50.0], 2.0, 0.2, 0.5), found([20.4, 57.0], 4.0, 0.6, 0.6)
    size = combined([base, wide]).size
    assert size[0] == pytest.approx(2.0 * size[1])  # of equal curvature; the second peak is not at its source


def test_mean_of_several_gaussians_responds_as_stated(rng):
    """Weights that are limited, made up for and shared with a neighbour: compared with differences."""
    parts = rng.uniform(0.2, 0.6, (3, 2, 8))
    slopes = rng.uniform(-0.5, 0.5, (2, 2))

    def total(shear, factor):
        light = np.array([1.0, 0.3]) + slopes @ shear
        stretch = np.array([[1.0 + shear[0], shear[1]], [shear[1], 1.0 - shear[0]]])
        offset = stretch @ np.array([4.0, 3.0])
        scales = []
        for sigma, records in zip((2.0, 4.0, 8.0), parts, strict=True):
            x = [20.0, 20.0 + offset[0]] if sigma == 2.0 else [20.0]
            scale = found(x, sigma, 0.0, 0.0, light=light[: len(x)])
            scale.shapes.y[1:] += offset[1]
            scale.shapes.light1[:], scale.shapes.light2[:] = slopes[: len(x)].T
            for record, values, gain in zip((scale.shapes, scale.alone), records, (1.0, 1.6), strict=True):
                w, e1, e2, w1, w2, r11, r22, _ = gain * factor * values
                record.weight[0] = w + w1 * shear[0] + w2 * shear[1]
                record.e1[0], record.e2[0] = e1 + r11 * shear[0], e2 + r22 * shear[1]
                record.weight1[0], record.weight2[0], record.response[0] = w1, w2, 0.5 * (r11 + r22)
            scales.append(scale)
        return combined(scales).shapes

    h = 1e-5
    for factor in (1.0, 3.0):
        shapes = total(np.zeros(2), factor)
        ends = [(total(row, factor), total(-row, factor)) for row in h * np.eye(2)]
        found_slopes = [
            (getattr(upper, name)[0] - getattr(lower, name)[0]) / (2 * h)
            for name, (upper, lower) in zip(("e1", "e2"), ends, strict=True)
        ]
        assert shapes.response[0] == pytest.approx(np.mean(found_slopes), rel=1e-4)
        assert (shapes.weight[0] == pytest.approx(1.0)) == (factor == 3.0)
    assert set(Sums._fields) < set(PeakShapes._fields)
