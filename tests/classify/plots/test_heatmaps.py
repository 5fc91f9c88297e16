"""Heatmaps of many skies: what is sent to the processes."""

import pickle
from pathlib import Path

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
