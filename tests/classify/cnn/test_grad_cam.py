"""Grad-CAM: the hook sees what is weighed, and the map is where the network adds to the evidence."""

import numpy as np
import pytest

from tests.support.cnn_skies import N_CELLS, SMALL, random_input, sheared_input

torch = pytest.importorskip("torch")

from classify.cnn.batch import Batch  # noqa: E402
from classify.cnn.grad_cam import _of_network, grad_cam  # noqa: E402
from classify.cnn.judge import CnnStage  # noqa: E402
from classify.cnn.network import LensNet  # noqa: E402
from classify.cnn.stacking import Stacker  # noqa: E402
from classify.cnn.weights import from_bytes, to_bytes  # noqa: E402


def look(seed: int = 0) -> CnnStage:
    torch.manual_seed(seed)
    network = LensNet(SMALL)
    torch.nn.init.normal_(network.added.weight)
    return CnnStage(1.0, Stacker(), SMALL, (to_bytes(network),), {})


def test_grad_cam_is_what_the_network_adds_up_to_a_factor():
    """The last layer is linear: the mean gradient of each map is its weight, times the same for all."""
    sky = random_input(np.random.default_rng(1))
    found = grad_cam(look(), sky)
    network, batch = from_bytes(look().members[0], SMALL), Batch.of([sky])
    with torch.no_grad():
        _, cells, _ = network(batch)
        added = (cells - batch.maps[:, 0] - network.added.bias)[0].numpy()
    assert found.shape == (N_CELLS, N_CELLS)
    assert found * N_CELLS**2 == pytest.approx(np.maximum(added, 0), abs=1e-3)


def test_a_network_that_adds_nothing_looks_nowhere():
    nothing = CnnStage(1.0, Stacker(), SMALL, (to_bytes(LensNet(SMALL)),), {})
    assert grad_cam(nothing, random_input(np.random.default_rng(2))).max() == 0.0


def test_a_network_of_tangential_shear_looks_at_the_lens():
    """One that weighs its rings alone, told the ellipticities as they are, has its peak where they are tangential."""
    network = LensNet(SMALL)
    last = network.galaxies.joined[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([0.0, 0.0, 1.0, 0.0])
    network.added.weight.data[0, SMALL.channels] = 1.0
    sky, row, column = sheared_input(np.random.default_rng(3), 1, g=0.4)
    found = grad_cam(CnnStage(1.0, Stacker(), SMALL, (to_bytes(network),), {}), sky)
    at = np.unravel_index(np.argmax(found), found.shape)
    assert np.hypot(at[0] + 0.5 - (row + 0.5) / 16, at[1] + 0.5 - (column + 0.5) / 16) < 1.5


def test_hooks_are_taken_off_again():
    network = LensNet(SMALL)
    _of_network(network, Batch.of([random_input(np.random.default_rng(1))]))
    assert not network.seen._forward_hooks
