"""The CNN stage in a model: its files in the bundle, and its effect on verdicts and their explanations."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

import classify.cnn
from classify.evaluate import evaluate
from classify.model import LensModel
from classify.model.bundle import sealed
from classify.predict import predict
from classify.tables.columns import FEATURE_NAMES
from classify.train import train
from darkmatter_features.errors import ConfigError, ModelError
from darkmatter_features.io.sky import read_sky
from tests.support.cnn_skies import QUICK, random_input
from tests.support.synthetic import feature_rows


def test_a_saved_stage_is_the_loaded_stage(run, tmp_path):
    model = LensModel.load(run)
    model.save(tmp_path)
    assert LensModel.load(tmp_path).cnn_stage == model.cnn_stage


def test_uncertain_skies_are_settled_by_the_networks_and_others_by_the_trees(model):
    rng = np.random.default_rng(5)
    rows, names = feature_rows(np.arange(20) % 2, rng), [str(i) for i in range(20)]
    certainty = np.abs(model.log_odds(rows))
    stage = replace(model.cnn_stage, limit=float(np.median(certainty)))
    half = replace(model, cnn_stage=stage, likeness=None)
    uncertain = []

    def reader(chosen):
        uncertain.extend(chosen)
        return [random_input(np.random.default_rng(i)) for i in chosen]

    by_trees, stacked = half.verdicts(names, rows), half.verdicts(names, rows, inputs=reader)
    assert uncertain == np.flatnonzero(certainty < np.median(certainty)).tolist()
    for i, (before, after) in enumerate(zip(by_trees, stacked)):
        assert before.decided_by == "lightgbm"
        assert (after == before) is (i not in uncertain)
        if i in uncertain:
            (network,) = half.cnn_stage.network_log_odds(reader([i]))
            assert after.decided_by == "cnn"
            trees = model.log_odds(rows)[i]
            assert logit(after.probability) == pytest.approx(
                0.3 + 0.5 * trees + 0.5 * np.clip(network, -8, 8), abs=1e-4
            )
            assert after.label == (after.probability >= 0.5)


def test_the_verdict_of_a_sky_does_not_depend_on_the_others(model, root, tmp_path):
    model.save(tmp_path)
    table = predict(tmp_path, [root / "data" / "validation"], n_jobs=1).table
    path = table["image"][3]
    verdict = model.predict(read_sky(path))
    assert verdict.decided_by == "cnn"
    assert verdict.probability == pytest.approx(table["probability"][3], abs=1e-6)


def test_evaluation_and_prediction_give_the_same_probabilities(model, root, tmp_path):
    model.save(tmp_path)
    judged = evaluate(tmp_path, root / "data", n_jobs=1).judged
    table = predict(tmp_path, [root / "data" / "validation"], n_jobs=1).table
    assert judged["probability"].tolist() == pytest.approx(table["probability"].tolist(), abs=1e-6)


def test_validation_predictions_of_the_run_are_those_of_its_model(run, root):
    written = pd.read_csv(run / "validation-predictions.csv")["probability"].to_numpy()
    table = predict(run, [root / "data" / "validation"], n_jobs=1).table
    assert written == pytest.approx(table["probability"].to_numpy(), abs=2e-6)


def test_explanations_sum_to_the_log_odds_after_the_cnn_stage(model, root, tmp_path):
    replace(model, likeness=None).save(tmp_path)
    prediction = predict(tmp_path, [root / "data" / "validation"], explain=True, n_jobs=1)
    assert set(prediction.table["decided_by"]) == {"cnn"}
    assert prediction.explained["cnn_stage"].abs().max() > 0.1
    sums = prediction.explained.drop(columns="image").sum(axis=1)
    assert sums.to_numpy() == pytest.approx(logit(prediction.table["probability"].to_numpy()))


def test_a_sky_that_is_not_uncertain_needs_no_input_for_the_networks(root: Path, run: Path) -> None:
    loaded = LensModel.load(run)
    assert loaded.cnn_stage is not None
    certain = replace(loaded, cnn_stage=replace(loaded.cnn_stage, limit=-1.0))
    sky = read_sky(sorted((root / "data" / "validation").iterdir())[0])

    def reader(chosen: list[int]) -> list[object]:
        raise AssertionError(f"inputs of {chosen} were read")

    rows = pd.read_parquet(root / "features" / "features.parquet")[list(FEATURE_NAMES)].to_numpy()
    assert {verdict.decided_by for verdict in certain.verdicts(["sky"], rows[:1], inputs=reader)} == {"lightgbm"}
    assert certain.predict(sky).decided_by == "lightgbm"


def test_a_model_without_the_stage_has_the_bytes_of_a_training_without_it(run, root, tmp_path):
    train(root / "features", tmp_path / "off", config=QUICK)
    LensModel.load(run).without_cnn_stage().save(tmp_path / "without")
    folders = [tmp_path / name / "model" for name in ("off", "without")]
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert contents[0] == contents[1]
    assert b"cnn_stage" not in contents[0]["model.json"]
    assert not (tmp_path / "off" / "cnn").exists()


def test_without_torch_a_model_with_the_stage_raises_with_the_remedy(model, root, monkeypatch):
    monkeypatch.setattr(classify.cnn, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install"):
        model.predict(read_sky(root / "data" / "validation" / "validation-00000.png"))


def test_loading_a_model_does_not_import_torch(run):
    """Nor does the help of any command: without the extra everything else works."""
    code = (
        "import sys; from classify.model import LensModel; import classify.train, classify.commands.train;"
        f"LensModel.load({str(run)!r}); assert 'torch' not in sys.modules and 'safetensors' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_damaged_weights_are_refused(run, tmp_path, damage):
    shutil.copytree(run, tmp_path / "run")
    weights = tmp_path / "run" / "model" / "cnn-1.safetensors"
    weights.unlink() if damage == "missing" else weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"cnn-1\.safetensors is (damaged|missing)"):
        LensModel.load(tmp_path / "run")


@pytest.mark.parametrize(
    "changes", [{"members": {"../x": "0"}}, {"stacker": {"angle": 1.0}}, {"config": {"width": -1}}]
)
def test_a_damaged_description_of_the_stage_is_refused(run, tmp_path, changes):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "model" / "model.json"
    description = json.loads(path.read_text())
    description["cnn_stage"] |= changes
    path.write_text(json.dumps(sealed(description)))
    with pytest.raises(ModelError, match="damaged"):
        LensModel.load(tmp_path / "run")
