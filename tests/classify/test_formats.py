"""Files that released versions wrote are read by this one.

``tests/data/formats-SERIES.tar.xz`` has a feature table, a run and the probabilities of its model, by the first version
of a series of releases. ``python -m tests.classify.test_formats`` writes that of the present series: once for each
series, and again only before its first release.
"""

import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest

from classify.config import TrainConfig
from classify.model import LensModel
from classify.tables.columns import FEATURE_NAMES
from classify.tables.feature_table import FeatureTable
from classify.train import train
from darkmatter_features import __version__
from darkmatter_features.config import release_series
from tests.support.synthetic import write_features

DATA = Path(__file__).parents[1] / "data"
SERIES = release_series(__version__)
KEPT = ("features/features.parquet", "features/template.json", "run/model", "run/run.json", "probabilities.json")


def archive(series: str) -> Path:
    return DATA / f"formats-{series}.tar.xz"


def probabilities(folder: Path) -> list[float]:
    """Return the probabilities of the validation skies of the table, by the model of the run."""
    rows = FeatureTable.read(folder / "features").split("validation")[list(FEATURE_NAMES)].to_numpy(dtype=float)
    return [float(p) for p in 1.0 / (1.0 + np.exp(-LensModel.load(folder / "run").log_odds(rows)))]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    with tarfile.open(archive(SERIES)) as file:
        file.extractall(folder, filter="data")
    return folder


def test_table_and_model_of_this_series_give_the_numbers_of_their_version(kept):
    expected = json.loads((kept / "probabilities.json").read_text())
    assert len({round(p, 3) for p in expected}) > 2
    assert list((kept / "run" / "model").glob("member-*.txt"))
    np.testing.assert_allclose(probabilities(kept), expected, rtol=1e-9)


def test_a_later_release_of_the_series_reads_the_files(kept, monkeypatch):
    for module in ("classify.model.bundle", "classify.tables.feature_table"):
        monkeypatch.setattr(f"{module}.__version__", f"{SERIES}.99")
    assert len(probabilities(kept)) == 6


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        features = write_features(folder / "features", Path("data"), n_training=100, n_validation=6)
        train(features, folder / "run", config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=40, min_data_in_leaf=5))
        (folder / "probabilities.json").write_text(json.dumps(probabilities(folder)))
        with tarfile.open(archive(SERIES), "w:xz") as file:
            for each in KEPT:
                file.add(folder / each, each)


if __name__ == "__main__":
    main()
