"""Batches: a symmetry of the square acts alike on shapes, positions, maps and cut-outs."""

from itertools import product

import numpy as np
import pytest

from classify.cnn.inputs import FieldInput
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from tests.support.cnn_skies import random_input
from tests.support.synthetic import draw_sky

torch = pytest.importorskip("torch")

from classify.cnn.batch import Batch, mirrored  # noqa: E402

MIRRORS = [dict(zip(("swap", "flip_x", "flip_y"), each)) for each in product((False, True), repeat=3)]
TEMPLATE = LensTemplate.default()


@pytest.fixture(scope="module")
def sky(tmp_path_factory) -> Sky:
    return read_sky(draw_sky(tmp_path_factory.mktemp("sky") / "a.png", np.random.default_rng(3), n_galaxies=25))


def mirrored_sky(sky: Sky, *, swap: bool, flip_x: bool, flip_y: bool) -> Sky:
    pixels = sky.pixels.swapaxes(0, 1) if swap else sky.pixels
    pixels = pixels[:, ::-1] if flip_x else pixels
    pixels = pixels[::-1] if flip_y else pixels
    return Sky(sky.name, np.ascontiguousarray(pixels))


def order_of(batch: Batch) -> np.ndarray:
    """Return the order of the galaxies by position, so that two batches of the same galaxies compare."""
    return np.lexsort((np.round(batch.x.numpy(), 2), np.round(batch.y.numpy(), 2)))


@pytest.mark.parametrize("mirrors", MIRRORS, ids=str)
def test_measuring_a_mirrored_image_gives_the_mirrored_input(sky, mirrors):
    """Positions, e1 and e2, and cut-outs, measured again in the mirrored image; no mean is subtracted."""
    other = mirrored_sky(sky, **mirrors)
    expected = Batch.of([FieldInput.of(other, PreparedCatalog(measure(other), TEMPLATE))])
    found = mirrored(Batch.of([FieldInput.of(sky, PreparedCatalog(measure(sky), TEMPLATE))]), **mirrors)
    assert len(found.x) == len(expected.x)
    a, b = order_of(found), order_of(expected)
    for name in ("x", "y", "e", "mean_e", "scalars"):
        values = [getattr(batch, name).numpy()[..., order] for batch, order in ((found, a), (expected, b))]
        assert values[0] == pytest.approx(values[1], abs=2e-3), name
    difference = found.cut_outs.numpy()[a].astype(float) - expected.cut_outs.numpy()[b]
    assert np.abs(difference).max() < 4  # of 255: the rounding of positions between pixels
    assert found.maps.numpy() == pytest.approx(expected.maps.numpy(), abs=0.02)


def test_the_mirrors_are_eight_symmetries_of_the_spin_two_field():
    batch = Batch.of([random_input(np.random.default_rng(1))], [(2.0, 3.0)])
    distinct = {
        tuple(np.round(mirrored(batch, **m).e[:, 0].tolist() + mirrored(batch, **m).lens[:, 0].tolist(), 4))
        for m in MIRRORS
    }
    assert len(distinct) == 8


def test_a_quarter_turn_changes_the_sign_of_e():
    """(x, y) -> (y', -x'): phi grows by 90 degrees, 2 phi by 180."""
    batch = Batch.of([random_input(np.random.default_rng(2))])
    quarter = mirrored(batch, swap=True, flip_x=True)
    assert torch.equal(quarter.e, -batch.e)
    assert torch.equal(quarter.mean_e, -batch.mean_e)


def test_tangential_shear_about_the_lens_is_invariant_under_mirrors():
    batch = Batch.of([random_input(np.random.default_rng(4))], [(3.2, 5.1)])

    def tangential(b: Batch) -> torch.Tensor:
        phi = torch.atan2(b.y - b.lens[1, 0], b.x - b.lens[0, 0])
        return -(b.e[0] * torch.cos(2 * phi) + b.e[1] * torch.sin(2 * phi))

    for mirrors in MIRRORS:
        assert torch.allclose(tangential(mirrored(batch, **mirrors)), tangential(batch), atol=1e-5)


def test_two_swaps_or_two_flips_give_the_same_sky():
    batch = Batch.of([random_input(np.random.default_rng(5), shape=(8, 6)), random_input(np.random.default_rng(6))])
    for name in ("swap", "flip_x", "flip_y"):
        again = mirrored(mirrored(batch, **{name: True}), **{name: True})
        for field in vars(batch):
            values = [getattr(each, field).float() for each in (again, batch)]
            assert torch.allclose(*values, atol=1e-5, equal_nan=True)
