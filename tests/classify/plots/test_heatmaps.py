"""Heatmaps of many skies: what is sent to the processes."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from shear.scenes import noise_of, scene

from classify.model import LensModel
from classify.plots import heatmaps
from classify.plots.examples import Drawing
from classify.trees.calibration import Calibration
from darkmatter_features.config import MeasureConfig
from darkmatter_features.lens.template import LensTemplate


def test_processes_get_a_model_whose_template_is_compiled(monkeypatch, tmp_path):
    sent = []
    monkeypatch.setattr(
        heatmaps, "parallel", lambda work, tasks, **_: [(sent.append(pickle.dumps(t)), ()) for t in tasks]
    )
    model = LensModel(Calibration(), (), Calibration(), MeasureConfig(), LensTemplate.default(), {})
    heatmaps.draw([Drawing(Path(f"{k}.png"), str(k)) for k in range(3)], tmp_path, model=model, n_jobs=2)
    for task in sent:
        (received,) = (each for each in pickle.loads(task) if isinstance(each, LensModel))
        assert "compiled" in vars(received)
    assert len(sent) == 3


def drawn(monkeypatch, tmp_path, pixels, verdict):
    """Return the names of the maps that the heatmap of an image is drawn from, by a model with a verdict or none."""
    shown = {}
    monkeypatch.setattr(heatmaps, "save_figure", lambda *_: None)
    monkeypatch.setattr(heatmaps, "heatmap", lambda *given, **options: shown.update(options, maps=given[2]))
    monkeypatch.setattr(heatmaps, "_verdict", lambda *_: verdict)
    monkeypatch.setattr(heatmaps, "weighted_maps", lambda *_: "weighted")
    monkeypatch.setattr(heatmaps, "shear_maps", lambda *_, **__: "features")
    monkeypatch.setattr(heatmaps, "matched_filter", lambda *_, **__: "matched")
    fits.writeto(tmp_path / "sky.fits", pixels)
    model = LensModel(Calibration(), (), Calibration(), MeasureConfig(), LensTemplate.default(), {})
    chosen = None if verdict is None else model
    done = heatmaps.draw([Drawing(tmp_path / "sky.fits", "sky")], tmp_path, model=chosen, n_jobs=1)
    assert not done.failures
    return shown


def noisy_field():
    """Return an image of galaxies with noise."""
    field = scene(31, "isolated", n_cells=4, snr=(40.0, 100.0))
    return (50.0 + field.image + noise_of(field, 32)).astype(np.float32)


LIKE = SimpleNamespace(unlike=False)
UNLIKE = SimpleNamespace(unlike=True)


@pytest.mark.parametrize(
    ("verdict", "maps", "matched"),
    [(None, "weighted", None), (UNLIKE, "weighted", None), (LIKE, "features", "matched")],
)
def test_maps_of_an_image_with_noise_have_scales_of_their_own_unless_it_is_like_the_training(
    monkeypatch, tmp_path, verdict, maps, matched
):
    shown = drawn(monkeypatch, tmp_path, noisy_field(), verdict)
    assert (shown["maps"], shown["matched"]) == (maps, matched)
    assert len(shown["sources"]) > 10


@pytest.mark.parametrize("verdict", [None, UNLIKE])
def test_maps_of_an_image_without_noise_are_those_of_the_features(monkeypatch, tmp_path, verdict):
    field = scene(31, "isolated", n_cells=4, snr=(40.0, 100.0))
    pixels = np.where(field.image > 0.02 * field.image.max(), field.image, 0.0).astype(np.float32)
    shown = drawn(monkeypatch, tmp_path, pixels, verdict)
    assert (shown["maps"], shown["sources"]) == ("features", None)
    assert shown["matched"] == (None if verdict is None else "matched")
