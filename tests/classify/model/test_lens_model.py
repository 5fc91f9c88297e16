"""The bundle: a saved model is loaded unchanged, and other or damaged bundles are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from classify.config import TrainConfig
from classify.model import LensModel
from classify.model.bundle import sealed, write_json
from classify.tables.columns import FEATURE_INDICES, FEATURE_NAMES, select_features
from classify.trees.boosting import boost
from classify.trees.calibration import moderated
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ModelError
from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.template import LensTemplate
from tests.support.synthetic import draw_sky, feature_rows

LABELS = np.arange(120) % 2
ROWS = feature_rows(LABELS, np.random.default_rng(7)).to_numpy()


@pytest.fixture(scope="module")
def model() -> LensModel:
    config = TrainConfig(n_folds=2, n_repeats=1, max_rounds=20)
    boosted = boost(select_features(ROWS), LABELS, select_features(ROWS)[:0], [], config=config)
    return LensModel(
        boosted.start, boosted.members, boosted.calibration, MeasureConfig(), LensTemplate.default(), config.to_dict()
    )


@pytest.fixture
def saved(model: LensModel, tmp_path: Path) -> Path:
    model.save(tmp_path)
    return tmp_path


def test_a_loaded_model_gives_the_verdicts_of_the_saved_one(model, saved):
    assert np.array_equal(LensModel.load(saved).log_odds(ROWS), model.log_odds(ROWS))


def test_probability_is_the_logistic_of_the_moderated_log_odds(model):
    evidence = ROWS[:, FEATURE_NAMES.index("evidence")]
    assert logit(model.probability(ROWS)) == pytest.approx(moderated(model.log_odds(ROWS), evidence))


def test_saving_twice_gives_the_same_bytes(model, tmp_path):
    folders = [model.save(tmp_path / name) for name in ("a", "b")]
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"model.json", "template.json", "member-0.txt", "member-1.txt"}


def test_saving_replaces_all_of_an_earlier_bundle(model, saved):
    (saved / "model" / "member-7.txt").write_text("of an earlier model")
    model.save(saved)
    assert not (saved / "model" / "member-7.txt").exists()
    assert [path.name for path in saved.iterdir()] == ["model"]


def test_a_verdict_has_the_label_at_one_half_and_the_position_of_the_peak(model):
    verdicts = model.verdicts([f"sky {i}" for i in range(len(ROWS))], ROWS)
    assert {verdict.label for verdict in verdicts} == {0, 1}
    for verdict, row, p in zip(verdicts, ROWS, model.probability(ROWS)):
        assert verdict.label == (p >= 0.5)
        assert verdict.probability == p
        peak = [row[FEATURE_NAMES.index(name)] for name in ("row", "column", "peak_snr")]
        assert [verdict.row, verdict.column, verdict.snr] == peak


def test_no_skies_get_no_verdicts(model):
    assert model.verdicts([], np.empty((0, len(FEATURE_NAMES)))) == []


def test_positions_and_descriptions_of_the_sky_are_no_inputs(model):
    moved = ROWS.copy()
    moved[:, [FEATURE_NAMES.index("row"), FEATURE_NAMES.index("column")]] += 1000.0
    others = [feature.name for feature in FEATURES if feature.role != "input"]
    moved[:, [FEATURE_NAMES.index(name) for name in others]] -= 500.0
    assert len(FEATURE_INDICES) == len(FEATURE_NAMES) - len(others)
    assert np.array_equal(model.log_odds(moved), model.log_odds(ROWS))


def test_predict_measures_a_sky_with_the_models_own_settings(model, tmp_path):
    sky = read_sky(draw_sky(tmp_path / "sky.png", np.random.default_rng(0)))
    verdict = model.predict(sky)
    assert verdict.name == sky.name
    assert 0 <= verdict.probability <= 1
    assert 0 <= verdict.row < sky.shape[0]


def test_rows_of_another_width_are_refused(model):
    with pytest.raises(ValueError, match="rows must be of shape"):
        model.log_odds(ROWS[:, :-1])


def edit(run: Path, **changes: object) -> None:
    path = run / "model" / "model.json"
    path.write_text(json.dumps(sealed(json.loads(path.read_text()) | changes)))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": "0.0.1"}, "trained with darkmatter 0.0.1"),
        ({"features": ["peak_snr"]}, "other features"),
        ({"features": list(FEATURE_NAMES[::-1])}, "another order"),
        ({"config": {"n_pixels": 99}}, "MeasureConfig"),
        ({"config": {"no_such_setting": 1}}, "no_such_setting"),
        ({"template_fingerprint": "0" * 16}, "LensTemplate"),
        ({"members": {"../../secret.txt": "0" * 64}}, "damaged: members"),
        ({"calibration": {"slope": 1.0, "angle": 2.0}}, "damaged"),
        ({"members": None}, "damaged"),
    ],
)
def test_a_wrong_bundle_is_refused_in_one_line(saved, changes, expected):
    edit(saved, **changes)
    with pytest.raises(ModelError, match=expected) as refused:
        LensModel.load(saved)
    assert "\n" not in str(refused.value)
    assert "again" in str(refused.value)


def test_a_missing_bundle_names_the_remedy(tmp_path):
    with pytest.raises(ModelError, match="darkmatter train"):
        LensModel.load(tmp_path / "nowhere")


def test_a_changed_member_is_refused_before_it_is_read(saved):
    member = saved / "model" / "member-1.txt"
    member.write_text(member.read_text().replace("tree", "tres", 1))
    with pytest.raises(ModelError, match=r"member-1\.txt is damaged"):
        LensModel.load(saved)


def test_a_missing_member_is_refused(saved):
    (saved / "model" / "member-0.txt").unlink()
    with pytest.raises(ModelError, match=r"member-0\.txt is missing"):
        LensModel.load(saved)


def test_a_bundle_without_its_template_is_refused_with_one_remedy(saved):
    (saved / "model" / "template.json").unlink()
    with pytest.raises(ModelError, match=r"template\.json: no template, the file is missing") as refused:
        LensModel.load(saved)
    assert str(refused.value).endswith("run `darkmatter train` again")
    assert "features`" not in str(refused.value)


def test_a_description_without_a_key_is_refused_with_its_name(saved):
    (saved / "model" / "model.json").write_text("{}")
    with pytest.raises(ModelError, match=r"model\.json is damaged: it has no version; run `darkmatter train` again"):
        LensModel.load(saved)


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", '{"version": '])
def test_a_description_that_is_none_is_refused(saved, text):
    (saved / "model" / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model\.json"):
        LensModel.load(saved)


def test_numbers_that_are_not_finite_become_null(tmp_path):
    write_json(tmp_path / "x.json", {"auc": float("nan"), "n": 3})
    assert json.loads((tmp_path / "x.json").read_text()) == {"auc": None, "n": 3}
