"""Straight tracks across an image are left out; edge-on galaxies, arcs and rows of galaxies are not."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.defects.find import find_defects
from darkmatter_features.galaxies.noisy.defects.kinds import Defect
from darkmatter_features.galaxies.noisy.defects.tracks import find_tracks
from tests.galaxies.noisy.defects.scenes import noisy_sky


def line(shape, degrees, offset, width=1.5, first=-np.inf, last=np.inf):
    """Return a line of unit light at an angle, with ends along it counted from the middle."""
    y, x = np.indices(shape) - np.array([shape[0] / 2, shape[1] / 2])[:, None, None]
    angle = np.radians(degrees)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle) - offset
    return np.where((along > first) & (along < last), np.exp(-0.5 * (across / width) ** 2), 0.0)


@pytest.mark.parametrize("degrees", [0.0, 20.0, 45.0, 77.0, 90.0, 130.0, 170.0])
@pytest.mark.parametrize("peak", [2.0, 50.0])
def test_tracks_are_left_out(rng, degrees, peak):
    sky, _ = noisy_sky(rng, side=384)
    track = line(sky.shape, degrees, 23.0)
    light = (sky + peak * track).astype(np.float32)
    defects = find_defects(light, light, 1.0, np.zeros(sky.shape, bool))
    assert (defects.kinds[track > 0.4] & Defect.TRACK != 0).mean() > 0.97
    assert defects.mask[track < 1e-9].mean() < 0.05
    assert defects.line().startswith("1 track")


def test_two_tracks_and_one_that_ends_in_the_image_are_left_out(rng):
    sky, _ = noisy_sky(rng, side=384)
    tracks = [line(sky.shape, 30.0, -40.0), line(sky.shape, 110.0, 20.0, first=-80.0)]
    light = (sky + 10 * tracks[0] + 4 * tracks[1]).astype(np.float32)
    defects = find_defects(light, light, 1.0, np.zeros(sky.shape, bool))
    assert defects.counts()[Defect.TRACK].n_objects == 2
    for track in tracks:
        assert defects.mask[track > 0.4].mean() > 0.95


def test_tracks_in_images_of_any_shape_are_found(rng):
    sky = rng.normal(size=(201, 530)).astype(np.float32)
    track = line(sky.shape, 12.0, 5.0)
    (found,) = find_tracks((sky + 2 * track).astype(np.float32), 1.0, None)
    assert found.y[1] - found.y[0] == pytest.approx(np.tan(np.radians(12.0)) * (found.x[1] - found.x[0]), abs=2)


def test_edge_on_galaxies_and_arcs_are_kept(rng):
    sky, _ = noisy_sky(rng, side=384)
    y, x = np.indices(sky.shape)
    edge_on = line(sky.shape, 33.0, 10.0) * np.exp(-np.hypot(x - 192, y - 192) / 20)
    arc = np.exp(-0.5 * ((np.hypot(x - 192, y - 192) - 60) / 1.5) ** 2) * (x > 214)
    light = (sky + 100 * edge_on + 10 * arc).astype(np.float32)
    assert find_tracks(light, 1.0, None) == []


def test_skies_without_track_have_none(rng):
    for _ in range(6):
        assert find_tracks(noisy_sky(rng, side=384, n=150)[0], 1.0, None) == []
