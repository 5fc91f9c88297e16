"""The benchmark of the CNN stage: the plain network is a ResNet-18, and differences are paired."""

import numpy as np
import pandas as pd
import pytest
from plots.style import new_figure

from tests.support.synthetic import SIDE, draw_sky

torch = pytest.importorskip("torch")

import bench_cnn  # noqa: E402
from competitors import resnet  # noqa: E402
from plots import cnn as cnn_plot  # noqa: E402


def test_the_plain_network_is_a_resnet_18():
    """It has the weights of the published network before its last layer, and 513 for a single output."""
    network = resnet.resnet18().eval()
    assert sum(weights.numel() for weights in network.parameters()) == 11_176_512 + 513
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 1)


def test_shrunk_pixels_are_means_of_the_pixels_they_cover(tmp_path):
    path = draw_sky(tmp_path / "a.png", np.random.default_rng(1))
    factor = SIDE // resnet.SIDE
    pixels = resnet.read_sky(path).pixels.astype(float)
    assert resnet.shrunk(path)[:, 3, 5] == pytest.approx(
        pixels[3 * factor : 4 * factor, 5 * factor : 6 * factor].mean(axis=(0, 1)), rel=1e-5
    )


@pytest.mark.parametrize(("plain", "at", "mark"), [(0.5, "low", "<"), (0.93, 0.93, "o"), (1.2, "high", ">")])
def test_the_plain_network_is_drawn_at_its_value_or_at_the_edge(plain, at, mark):
    axes = new_figure(4.0, 3.0).subplots()
    sides = {"oracle": 0.95, "plain": plain, "LightGBM": 0.9}
    sides = {name: {"auc": value, "auc_error": 0.01} for name, value in sides.items()}
    cnn_plot._draw_sides(axes, sides, "auc", "oracle", "plain")
    (drawn,) = [line for line in axes.lines if line.get_color() == "0.55"]
    low, high = axes.get_xlim()
    assert (drawn.get_xdata()[0], drawn.get_marker()) == ({"low": low, "high": high}.get(at, at), mark)


def test_paired_change_of_identical_probabilities_is_zero():
    """Differences are evaluated on the same resamples."""
    rng = np.random.default_rng(2)
    labels = np.arange(60) % 2
    table = pd.DataFrame({"label": labels, "probability": np.clip(labels * 0.4 + rng.uniform(0, 0.6, 60), 0, 1)})
    table["offset"] = np.nan
    found = bench_cnn.compare({bench_cnn.TREES: table, bench_cnn.BOTH: table.copy()}, np.arange(60))[bench_cnn.BOTH]
    for key in bench_cnn.SHOWN:
        assert found[f"{key}_change"] == found[f"{key}_change_lo"] == found[f"{key}_change_hi"] == 0.0
    assert found["accuracy_error"] > 0.02
