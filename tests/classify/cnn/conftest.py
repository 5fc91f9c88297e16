"""A small data set with lenses, its feature tables, and a model with the CNN stage."""

from dataclasses import replace
from pathlib import Path

import pytest

from classify.cnn.stacking import Stacker
from classify.model import LensModel
from classify.train import train
from darkmatter_features.features.batch import extract_dataset
from tests.support.cnn_skies import HALF_UNCERTAIN, QUICK, write_lensed


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the process of the test where no number of processes is given: each imports PyTorch."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the data set and its feature tables."""
    folder = tmp_path_factory.mktemp("cnn")
    write_lensed(folder / "data", "training", 24, seed=1)
    write_lensed(folder / "data", "validation", 12, seed=2)
    extract_dataset(folder / "data", folder / "features", n_jobs=1)
    return folder


@pytest.fixture(scope="session")
def run(root: Path) -> Path:
    """Run that keeps the CNN stage whether it helps or not."""
    pytest.importorskip("torch")
    train(root / "features", root / "run", config=QUICK, cnn="on", cnn_config=HALF_UNCERTAIN, n_jobs=1)
    return root / "run"


@pytest.fixture
def model(run: Path) -> LensModel:
    """Model for which every sky is uncertain."""
    loaded = LensModel.load(run)
    assert loaded.cnn_stage is not None
    return replace(loaded, cnn_stage=replace(loaded.cnn_stage, limit=99.0, stacker=Stacker(0.3, 0.5, 0.5)))
