"""Ends of the colours of maps of S/N."""

import numpy as np
import pytest

from darkmatter_features.plots.snr import MAX_LIMIT, MIN_LIMIT, SnrMaps, color_limit, ends

GRID = np.arange(2.0)


@pytest.mark.parametrize(("peak", "limit"), [(0.0, 8.0), (5.2, 8.0), (9.4, 10.0), (-11.5, 12.0), (31.0, 12.0)])
def test_colours_end_at_the_peak_within_limits(peak, limit):
    snr, cross = np.array([[peak, np.nan], [0.0, 1.0]]), np.zeros((2, 2))
    assert color_limit(snr, cross, most=MAX_LIMIT) == color_limit(cross, snr, most=MAX_LIMIT) == limit
    assert ends(limit, snr, cross) == ("both" if abs(peak) > limit else "neither")
    assert SnrMaps(None, GRID, GRID, snr, cross, "", "", max_limit=MAX_LIMIT).limit == limit
    assert SnrMaps(None, GRID, GRID, snr, cross, "", "").limit == max(np.ceil(abs(peak)), MIN_LIMIT)


def test_maps_without_values_have_the_least_limit():
    assert color_limit(np.full((2, 2), np.nan)) == color_limit(np.zeros((0, 0))) == MIN_LIMIT
