"""Shapes of galaxies that several Gaussians measure."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.combination import SUMS, combined, matches
from darkmatter_features.galaxies.noisy.kernels.matching import brightest_near
from darkmatter_features.galaxies.noisy.peaks import Peaks
from darkmatter_features.galaxies.noisy.scales import PeaksAtScale, no_shapes
from tests.support import naive_noisy as naive


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
    return PeaksAtScale(peaks, *records, np.full(n, 30.0), sigma)


def good(*scales):
    return [np.zeros(each.peaks.rows.size, dtype=np.bool_) for each in scales]


def test_galaxy_of_one_gaussian_keeps_its_weight():
    """Its weight would fall towards a wider Gaussian, which does not measure it."""
    base, wide = found([20.0], 2.0, [0.2], [0.7]), found([], 4.0, [], [])
    shapes = combined(base, [wide], good(base, wide)).shapes
    assert shapes.weight[0] == 0.7
    assert shapes.e1[0] == pytest.approx(0.2 * 0.7)


def test_wider_gaussian_takes_what_the_weight_falls_by():
    base, wide = found([20.0], 2.0, [0.2], [0.7]), found([20.4], 4.0, [0.6], [0.6], e=0.3)
    shapes = combined(base, [wide], good(base, wide)).shapes
    assert shapes.weight[0] == pytest.approx(0.8)
    assert shapes.e1[0] == pytest.approx(0.2 * 0.2 + 0.6 * 0.3)
    assert shapes.error[0] == pytest.approx(0.1)


@pytest.mark.parametrize("defective", [0, 1])
def test_gaussian_that_lacks_light_is_not_used(defective):
    base, wide = found([20.0], 2.0, [0.2], [0.7]), found([20.4], 4.0, [0.6], [0.6])
    lacking = good(base, wide)
    lacking[defective][0] = True
    assert combined(base, [wide], lacking).shapes.weight[0] == 0.7


@pytest.mark.parametrize(
    ("x", "light", "n"),
    [([20.0, 25.0], [1.0, 0.2], 1), ([20.0, 25.0], [1.0, 0.4], 0), ([17.0], [1.0], 0)],
    ids=["faint neighbour", "comparable neighbour", "far from the peak"],
)
def test_peak_belongs_to_a_source_without_comparable_neighbours(x, light, n):
    base, wide = found(x, 2.0, 0.2, 0.7, light=light), found([20.4], 4.0, [0.6], [0.6])
    source, peak = matches(base, wide, good(base, wide))
    assert source.tolist() == [0] * n
    assert peak.tolist() == [0] * n


def test_brightest_near_matches_naive(rng):
    x, y, light = rng.uniform(0.0, 30.0, (3, 80))
    sources = np.stack([np.sort(x), y, light])
    places, found = rng.uniform(-3.0, 33.0, (2, 40)), np.empty((40, 2), dtype=np.int64)
    brightest_near(sources, places, 3.0, found)
    assert found.tolist() == naive.brightest_near(sources, places, 3.0)
    assert (found[:, 0] < 0).any()
    assert (found[:, 1] >= 0).any()


def test_scales_follow_each_other():
    """A Gaussian four times as wide does not measure a galaxy that the one twice as wide does not."""
    base, wide, widest = found([20.0], 2.0, [0.2], [0.7]), found([], 4.0, [], []), found([20.0], 8.0, [0.9], [0.9])
    assert combined(base, [wide, widest], good(base, wide, widest)).shapes.weight[0] == 0.7


def test_weight_is_limited_and_its_response_counted(rng):
    """The mean of two Gaussians of full weight responds like the quotient of its sums: compared with differences."""
    parts = rng.uniform(0.8, 1.2, (2, 8))

    def total(shear):
        scales = [found([20.0], sigma, [1.0], [1.0]) for sigma in (2.0, 4.0)]
        for scale, (w, e1, e2, w1, w2, r11, r22, _) in zip(scales, parts, strict=True):
            for record in (scale.shapes, scale.alone):
                record.weight[:] = w + w1 * shear[0] + w2 * shear[1]
                record.e1[:], record.e2[:] = e1 + r11 * shear[0], e2 + r22 * shear[1]
                record.weight1[:], record.weight2[:], record.response[:] = w1, w2, 0.5 * (r11 + r22)
        return combined(scales[0], scales[1:], good(*scales)).shapes

    shapes, h = total((0.0, 0.0)), 1e-5
    assert shapes.weight[0] == pytest.approx(1.0)
    slopes = [
        (getattr(total(np.eye(2)[a] * h), name)[0] - getattr(total(-np.eye(2)[a] * h), name)[0]) / (2 * h)
        for a, name in enumerate(("e1", "e2"))
    ]
    assert shapes.response[0] == pytest.approx(np.mean(slopes), rel=1e-4)
    assert set(SUMS) < set(shapes._fields)
