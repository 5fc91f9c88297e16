"""The benchmark of the GPU: its table where there is none, and the differences of probabilities."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from classify.cnn.stacking import Stacker
from tests.support.cnn_skies import SMALL

torch = pytest.importorskip("torch")

import bench_gpu  # noqa: E402

from classify.cnn.stage import CnnStage  # noqa: E402

SIDE = {
    "training": {"seconds": 80.0, "seconds_per_epoch": 8.0, "held_out_loss": 0.05, "validation_loss": 0.06},
    "inference": {"skies_per_second": 120.0},
}


def test_without_a_gpu_its_column_is_not_run():
    rows = bench_gpu.table_of({"cpu": SIDE, "gpu": None})
    assert [row[2] for row in rows] == ["not run"] * len(rows)
    assert ("inference, skies/s", "120", "not run") in rows


def test_with_a_gpu_its_column_has_its_figures():
    rows = bench_gpu.table_of({"cpu": SIDE, "gpu": SIDE})
    assert all(row[1] == row[2] for row in rows)


def test_differences_are_those_of_probabilities():
    """A log-odds of 0 against 4e-3 is a probability of 0.5 against 0.501; the stacker halves it."""
    stage = bench_gpu.Stage(CnnStage(9.0, Stacker(0.0, 1.0, 0.5), SMALL, (), {}), np.array([0.0, 0.0]))
    found = bench_gpu.differences(stage, np.array([4e-3, 0.0]), np.array([0.0, 0.0]))
    assert found["networks"] == pytest.approx(1e-3, rel=1e-3)
    assert found["verdicts"] == pytest.approx(5e-4, rel=1e-3)
    assert found["changed_labels"] == 1


def test_without_a_gpu_no_record_is_written(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench_gpu, "best_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(bench_gpu, "measure", lambda args, work, gpu: {"cpu": SIDE, "gpu": None})
    monkeypatch.setattr("sys.argv", ["bench_gpu.py"])
    monkeypatch.setattr("harness.report.RESULTS", tmp_path)
    bench_gpu.main()
    assert "not run" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("difference", "is_accepted"), [(2e-6, True), (2e-3, False)])
def test_probabilities_that_differ_fail_after_the_record_is_written(monkeypatch, tmp_path, difference, is_accepted):
    """A stand-in for the GPU: the figures are given."""
    gpu = {**SIDE, "differences": {"networks": difference}}
    monkeypatch.setattr(bench_gpu, "best_device", lambda: SimpleNamespace(type="mps"))
    monkeypatch.setattr(bench_gpu, "measure", lambda args, work, gpu_: {"cpu": SIDE, "gpu": gpu})
    monkeypatch.setattr("sys.argv", ["bench_gpu.py"])
    monkeypatch.setattr("harness.report.RESULTS", tmp_path)
    if is_accepted:
        bench_gpu.main()
    else:
        with pytest.raises(SystemExit, match="differ by more than"):
            bench_gpu.main()
    assert json.loads((tmp_path / "gpu.json").read_text())["hardware"]["gpu"] == "mps"
