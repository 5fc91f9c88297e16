"""What the network sees: turning a sky turns shapes, places, maps and cut-outs alike."""

from itertools import product

import numpy as np
import pytest

from classify.cnn.inputs import CUT_OUT, CUT_OUT_STEP, FieldInput, cut_outs, read_inputs
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.shapes import measure
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.template import LensTemplate
from tests.support.cnn_skies import random_input
from tests.support.synthetic import SIDE, draw_sky

torch = pytest.importorskip("torch")

from classify.cnn.batch import Batch, turned  # noqa: E402

MIRRORS = [dict(zip(("swap", "flip_x", "flip_y"), each)) for each in product((False, True), repeat=3)]
TEMPLATE = LensTemplate.default()


@pytest.fixture(scope="module")
def sky(tmp_path_factory) -> Sky:
    return read_sky(draw_sky(tmp_path_factory.mktemp("sky") / "a.png", np.random.default_rng(3), n_galaxies=25))


def mirrored(sky: Sky, *, swap: bool, flip_x: bool, flip_y: bool) -> Sky:
    pixels = sky.pixels.swapaxes(0, 1) if swap else sky.pixels
    pixels = pixels[:, ::-1] if flip_x else pixels
    pixels = pixels[::-1] if flip_y else pixels
    return Sky(sky.name, np.ascontiguousarray(pixels))


def in_order(batch: Batch) -> np.ndarray:
    """Return the places of the galaxies, so sorted that the same galaxies of two batches come in the same order."""
    return np.lexsort((np.round(batch.x.numpy(), 2), np.round(batch.y.numpy(), 2)))


@pytest.mark.parametrize("mirrors", MIRRORS, ids=str)
def test_measuring_a_mirrored_picture_gives_the_mirrored_input(sky, mirrors):
    """Places, e1 and e2, cut-outs: measured anew in the picture that was turned, with no mean taken off."""
    other = mirrored(sky, **mirrors)
    wanted = Batch.of([FieldInput.of(other, measure(other), TEMPLATE)])
    found = turned(Batch.of([FieldInput.of(sky, measure(sky), TEMPLATE)]), **mirrors)
    assert len(found.x) == len(wanted.x)
    a, b = in_order(found), in_order(wanted)
    for name in ("x", "y", "e", "mean_e", "scalars"):
        values = [getattr(batch, name).numpy()[..., order] for batch, order in ((found, a), (wanted, b))]
        assert values[0] == pytest.approx(values[1], abs=2e-3), name
    difference = found.cut_outs.numpy()[a].astype(float) - wanted.cut_outs.numpy()[b]
    assert np.abs(difference).max() < 4  # of 255: the rounding of sub-pixel places
    assert found.maps.numpy() == pytest.approx(wanted.maps.numpy(), abs=0.02)


def test_the_mirrors_are_eight_symmetries_of_the_spin_two_field():
    batch = Batch.of([random_input(np.random.default_rng(1))], [(2.0, 3.0)])
    seen = {
        tuple(np.round(turned(batch, **m).e[:, 0].tolist() + turned(batch, **m).lens[:, 0].tolist(), 4))
        for m in MIRRORS
    }
    assert len(seen) == 8


def test_a_quarter_turn_turns_e_by_a_half_turn_of_its_phase():
    """(x, y) -> (y', -x'): phi grows by 90 degrees, 2 phi by 180."""
    batch = Batch.of([random_input(np.random.default_rng(2))])
    quarter = turned(batch, swap=True, flip_x=True)
    assert torch.equal(quarter.e, -batch.e)
    assert torch.equal(quarter.mean_e, -batch.mean_e)


def test_tangential_shear_about_the_lens_stays_what_it_is_in_every_mirror():
    batch = Batch.of([random_input(np.random.default_rng(4))], [(3.2, 5.1)])

    def tangential(b: Batch) -> torch.Tensor:
        phi = torch.atan2(b.y - b.lens[1, 0], b.x - b.lens[0, 0])
        return -(b.e[0] * torch.cos(2 * phi) + b.e[1] * torch.sin(2 * phi))

    for mirrors in MIRRORS:
        assert torch.allclose(tangential(turned(batch, **mirrors)), tangential(batch), atol=1e-5)


def test_two_swaps_or_flips_give_the_sky_back():
    batch = Batch.of([random_input(np.random.default_rng(5), shape=(8, 6)), random_input(np.random.default_rng(6))])
    for name in ("swap", "flip_x", "flip_y"):
        again = turned(turned(batch, **{name: True}), **{name: True})
        for part in vars(batch):
            assert torch.allclose(getattr(again, part).float(), getattr(batch, part).float(), atol=1e-5, equal_nan=True)


def test_cut_outs_of_all_sizes_show_the_same_shape():
    """An ellipse, and one three times as large, fill their cut-outs alike: nothing is shrunk away."""
    y, x = np.mgrid[:SIDE, :SIDE]
    pictures = []
    for size in (4.0, 12.0):
        inside = ((x - 64) / (1.5 * size)) ** 2 + ((y - 64) / size) ** 2 <= 1
        pictures.append(Sky("one", np.where(inside, 200, 0).astype(np.uint8)[..., None]))
    small, large = (cut_outs(sky, measure(sky, MeasureConfig(min_galaxies=1))) for sky in pictures)
    assert small.shape == (1, 3, CUT_OUT, CUT_OUT)
    assert small.max() == large.max() == 255
    assert np.mean(np.abs(small.astype(float) - large)) < 12  # of 255: the small one's edge is a pixel wide
    assert (large[0, 0] > 127).sum() == pytest.approx(np.pi * 4 / CUT_OUT_STEP**2, rel=0.1)  # edge at 2 sizes


def test_the_pictures_are_read_alike_in_any_number_of_processes(sky, tmp_path):
    path = draw_sky(tmp_path / "b.png", np.random.default_rng(8))
    task = (path, measure(read_sky(path)), TEMPLATE)
    told = []
    one = read_inputs([task] * 20, n_jobs=1, progress=lambda done, total: told.append((done, total)))
    two = read_inputs([task] * 20, n_jobs=2)
    assert told == [(0, 20), (16, 20), (20, 20)]
    assert len(one) == len(two) == 20
    assert all(np.array_equal(a.cut_outs, b.cut_outs) and np.array_equal(a.e, b.e) for a, b in zip(one, two))


def test_a_missing_picture_is_told(tmp_path, sky):
    with pytest.raises(SkyError, match=r"gone\.png"):
        read_inputs([(tmp_path / "gone.png", measure(sky), TEMPLATE)], n_jobs=1)
