"""Grad-CAM: the hook records the input of the last layer, and the map peaks where the network raises the evidence."""

import numpy as np
import pytest

from tests.support.cnn_skies import N_CELLS, SMALL, random_input, sheared_input, use_ellipticities_alone

torch = pytest.importorskip("torch")

from classify.cnn.batch import Batch  # noqa: E402
from classify.cnn.grad_cam import _of_network, grad_cam  # noqa: E402
from classify.cnn.network import LensNet  # noqa: E402
from classify.cnn.stacking import Stacker  # noqa: E402
from classify.cnn.stage import CnnStage  # noqa: E402
from classify.cnn.weights import from_bytes, to_bytes  # noqa: E402


def stage_of(network: LensNet) -> CnnStage:
    return CnnStage(1.0, Stacker(), SMALL, (to_bytes(network),), {})


def random_stage(seed: int = 0) -> CnnStage:
    torch.manual_seed(seed)
    network = LensNet(SMALL)
    torch.nn.init.normal_(network.correction.weight)
    return stage_of(network)


def test_grad_cam_is_proportional_to_the_correction_of_the_evidence():
    """The last layer is linear: the mean gradient of each map is its weight, times a common factor."""
    sky = random_input(np.random.default_rng(1))
    cam = grad_cam(random_stage(), sky)
    network, batch = from_bytes(random_stage().members[0], SMALL), Batch.of([sky])
    with torch.no_grad():
        _, cells, _ = network(batch)
        correction = (cells - batch.maps[:, 0] - network.correction.bias)[0].numpy()
    assert cam.shape == (N_CELLS, N_CELLS)
    assert cam * N_CELLS**2 == pytest.approx(np.maximum(correction, 0), abs=1e-3)


def test_grad_cam_of_an_untrained_network_vanishes():
    assert grad_cam(stage_of(LensNet(SMALL)), random_input(np.random.default_rng(2))).max() == 0.0


def test_grad_cam_of_tangential_shear_peaks_at_the_lens():
    """The network weights its rings alone, and uses the ellipticities unchanged."""
    network = use_ellipticities_alone(LensNet(SMALL))
    network.correction.weight.data[0, SMALL.channels] = 1.0
    sky, row, column = sheared_input(np.random.default_rng(3), 1, g=0.4)
    cam = grad_cam(stage_of(network), sky)
    peak = np.unravel_index(np.argmax(cam), cam.shape)
    assert np.hypot(peak[0] + 0.5 - (row + 0.5) / 16, peak[1] + 0.5 - (column + 0.5) / 16) < 1.5


def test_hooks_are_removed():
    network = LensNet(SMALL)
    _of_network(network, Batch.of([random_input(np.random.default_rng(1))]))
    assert not network.cell_maps._forward_hooks
