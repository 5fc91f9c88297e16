"""A run is replaced as a whole: a stopped training leaves the earlier run unchanged."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from classify.config import TrainConfig
from classify.model import LensModel
from classify.run_folder import REPLACED, UNFINISHED, changed_whole
from classify.tables.columns import FEATURE_NAMES
from classify.train import train
from darkmatter_features.errors import TableError
from tests.support.synthetic import write_features

QUICK = TrainConfig(n_folds=2, n_repeats=1, max_rounds=10)


def digests(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def features(tmp_path: Path) -> Path:
    return write_features(tmp_path / "features", tmp_path, n_training=60, n_validation=10)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return write_features(tmp_path / "other", tmp_path, n_training=60, n_validation=10, seed=8)


def stopped(*args, **kwargs):
    raise KeyboardInterrupt


PLACES = ("boost", "score_judged", "write_json", "write_verdicts", "explain_run", "save_figure")


@pytest.mark.parametrize("place", PLACES)
def test_a_stopped_training_leaves_the_earlier_run_unchanged(features, other, tmp_path, monkeypatch, place):
    train(features, tmp_path / "run", config=QUICK)
    before = digests(tmp_path / "run")
    monkeypatch.setattr(f"classify.train.{place}", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(other, tmp_path / "run", config=QUICK)
    assert digests(tmp_path / "run") == before
    assert not (tmp_path / "run" / UNFINISHED).exists()


@pytest.mark.parametrize("place", PLACES)
def test_a_stopped_first_training_leaves_nothing(features, tmp_path, monkeypatch, place):
    monkeypatch.setattr(f"classify.train.{place}", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(features, tmp_path / "run", config=QUICK)
    assert not (tmp_path / "run").exists()


def test_a_refused_training_leaves_the_earlier_run_unchanged(features, tmp_path):
    train(features, tmp_path / "run", config=QUICK)
    before = digests(tmp_path / "run")
    with pytest.raises(TableError, match="Too few"):
        train(features, tmp_path / "run", config=TrainConfig(n_folds=50))
    assert digests(tmp_path / "run") == before


def test_files_of_a_killed_training_are_not_mixed_with_the_next_one(features, other, tmp_path):
    train(features, tmp_path / "undisturbed", config=QUICK)
    train(other, tmp_path / "run", config=QUICK)
    for folder in (UNFINISHED, REPLACED):
        (tmp_path / "run" / folder / "model").mkdir(parents=True)
        (tmp_path / "run" / folder / "model" / "member-9.txt").write_text("of the killed one")
        (tmp_path / "run" / folder / "validation-samples.png").write_text("of the killed one")
    train(features, tmp_path / "run", config=QUICK)
    assert digests(tmp_path / "run") == digests(tmp_path / "undisturbed")


def test_other_files_stay_in_the_folder_of_a_run(features, tmp_path):
    for name in ("notes.txt", "heatmaps/wrong-1.png", "tune.sqlite3"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_text("of the user")
    train(features, tmp_path / "run", config=QUICK)
    for name in ("notes.txt", "heatmaps/wrong-1.png", "tune.sqlite3"):
        assert (tmp_path / "run" / name).read_text() == "of the user"


def test_a_run_without_validation_skies_keeps_no_file_about_them(features, tmp_path):
    train(features, tmp_path / "run", config=QUICK)
    alone = write_features(tmp_path / "alone", tmp_path, n_training=60, n_validation=0)
    train(alone, tmp_path / "run", config=QUICK)
    train(alone, tmp_path / "fresh", config=QUICK)
    assert digests(tmp_path / "run") == digests(tmp_path / "fresh")


def test_a_model_is_never_beside_the_metrics_of_another(features, other, tmp_path, monkeypatch):
    """After every renaming, there is no model, or its predictions are those on disk."""
    train(features, tmp_path / "run", config=QUICK)
    rename, n_seen = Path.rename, []

    def watched(path, target):
        done = rename(path, target)
        if tmp_path / "run" in Path(target).parents:
            n_seen.append((tmp_path / "run" / "model").exists() and is_consistent(tmp_path / "run", [features, other]))
        return done

    monkeypatch.setattr(Path, "rename", watched)
    train(other, tmp_path / "run", config=QUICK)
    assert len(n_seen) > 20
    assert all(seen is not None for seen in n_seen)
    assert n_seen[-1] is True


def is_consistent(run: Path, tables: list[Path]) -> bool | None:
    written = pd.read_csv(run / "validation-predictions.csv")["probability"].to_numpy()
    model = LensModel.load(run)
    for table in tables:
        frame = pd.read_parquet(table / "features.parquet")
        rows = frame.loc[frame["split"] == "validation", list(FEATURE_NAMES)]
        if model.probability(rows) == pytest.approx(written, abs=1e-6):
            return True
    return None


def test_the_resumable_folder_of_a_stopped_training_stays(tmp_path):
    def go(resume):
        return changed_whole(tmp_path / "run", may_lack=(), resumable="cnn", resume=resume)

    def interrupted(resume, text):
        found = []
        with suppress(KeyboardInterrupt), go(resume) as fresh:
            found += [path.read_text() for path in fresh.rglob("state")]
            (fresh / "cnn").mkdir(exist_ok=True)
            (fresh / "cnn" / "state").write_text(text)
            (fresh / "history.csv").touch()
            raise KeyboardInterrupt
        return found

    assert interrupted(False, "first") == []
    assert os.listdir(tmp_path / "run" / UNFINISHED) == ["cnn"]
    assert interrupted(True, "second") == ["first"]
    assert interrupted(False, "third") == []
    with go(True) as fresh:
        assert (fresh / "cnn" / "state").read_text() == "third"
    assert os.listdir(tmp_path / "run") == ["cnn"]
    with go(True) as fresh:
        assert (fresh / "cnn" / "state").read_text() == "third"
        (fresh / "cnn" / "state").write_text("fourth")
        assert (tmp_path / "run" / "cnn" / "state").read_text() == "third"
    assert (tmp_path / "run" / "cnn" / "state").read_text() == "fourth"
