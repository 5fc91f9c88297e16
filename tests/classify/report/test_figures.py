"""The curves of a report: their numbers against plain computations."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify.explain.contributions import INPUT_NAMES
from classify.metrics import auc
from classify.report import figures
from classify.report.skies import contributions_of, counts, listed, most_important
from darkmatter_features.lens.template import LensTemplate

REPORT = Path(figures.__file__).parent


@pytest.fixture
def verdicts(rng):
    labels = rng.integers(0, 2, 400).astype(np.float64)
    return labels, np.clip(0.5 + 0.3 * (labels - 0.5) + 0.2 * rng.normal(size=400), 0, 1)


def curve(figure, label):
    found = next(each for each in figure["series"] if each["label"] == label)
    return np.array(found["x"], dtype=float), np.array(found["y"], dtype=float)


def test_reliability_has_the_fraction_of_lenses_in_each_bin(verdicts):
    labels, p = verdicts
    figure = figures.reliability(labels, p)
    mean, fraction = curve(figure, "fraction of lenses")
    bins = [(p >= k / 10) & ((p < (k + 1) / 10) | (k == 9)) for k in range(10)]
    bins = [each for each in bins if each.any()]
    np.testing.assert_allclose(fraction, [labels[each].mean() for each in bins], rtol=1e-5)
    np.testing.assert_allclose(mean, [p[each].mean() for each in bins], rtol=1e-5)
    points = figure["series"][1]
    assert sum(points["n"]) == 400
    assert all(low <= y <= high for low, y, high in zip(points["low"], points["y"], points["high"], strict=True))


def test_the_area_under_the_roc_curve_is_the_auc(verdicts):
    rate, recall = curve(figures.roc(*verdicts), "true positive rate")
    assert np.all(np.diff(rate) > 0)  # the library of curves needs distinct, ascending x
    assert np.sum(np.diff(rate) * recall[:-1]) == pytest.approx(auc(*verdicts), abs=0.02)
    assert (rate[-1], recall[-1]) == (1, 1)


def test_precision_at_full_recall_is_the_fraction_of_lenses_called(verdicts):
    labels, p = verdicts
    recall, precision = curve(figures.precision(labels, p), "precision")
    assert np.all(np.diff(recall) > 0)
    called = p >= p[labels == 1].min()
    assert precision[-1] == pytest.approx(labels[called].mean(), rel=1e-4)


def test_a_history_has_a_point_for_each_evaluation_alone():
    table = pd.DataFrame({"epoch": [1, 2, 3], "training_loss": [0.5, 0.4, 0.3], "held_out_loss": [np.nan, 0.6, 0.45]})
    figure = figures.history(table, "epoch", "loss", "Networks")
    np.testing.assert_array_equal(curve(figure, "training")[0], [1, 2, 3])
    np.testing.assert_array_equal(curve(figure, "out of fold"), [[2, 3], [0.6, 0.45]])
    assert "0.4500, at epoch 3" in figure["caption"]


def test_every_sky_is_in_one_bar(verdicts):
    labels, p = verdicts
    figure = figures.scores(labels, p)
    assert np.nansum(curve(figure, "skies with a lens")[1]) == labels.sum()
    assert np.nansum(curve(figure, "skies without")[1]) == (1 - labels).sum()


def test_half_of_the_lenses_are_within_the_median_offset(rng):
    values = rng.exponential(10.0, 501)
    x, y = curve(figures.offsets(values), "fraction of lenses")
    assert y[np.searchsorted(x, np.median(values), side="right") - 1] == pytest.approx(0.5, abs=0.01)


def test_the_template_has_its_mean_profile():
    template = LensTemplate.default()
    x, y = curve(figures.template_profile(template), "profile in use")
    np.testing.assert_allclose(x, template.nodes, rtol=1e-5, atol=1e-12)
    assert y.max() == pytest.approx((template.weights.sum(axis=1) @ template.shear_profile).max(), rel=1e-5)


def test_headlines_have_the_unit_once_and_leave_out_the_unknown():
    metrics = {"accuracy": 0.98, "accuracy_lo": 0.97, "accuracy_hi": 0.99, "auc": float("nan"),
               "median_offset_px": 6.62, "median_offset_px_lo": 5.6, "median_offset_px_hi": 7.2}  # fmt: skip
    shown = [(each["value"], each["bounds"]) for each in figures.headline(metrics, {})]
    assert shown == [("98.0 %", "97.0 to 99.0 %"), ("6.6 px", "5.6 to 7.2 px")]


def test_the_oracle_stands_beside_the_metrics_that_it_has():
    shown = figures.headline({"auc": 0.99, "brier": 0.02}, {"auc": 0.995, "auc_lo": 0.99, "auc_hi": 0.999})
    assert [each["oracle"] for each in shown] == [("0.9950", "0.9900 to 0.9990"), None]


@pytest.fixture
def judged():
    return pd.DataFrame({
        "sky": ["a", "b", "c", "d"], "label": [1.0, 0.0, np.nan, 1.0], "probability": [0.9, 0.8, 0.5, 0.45],
        "likeness": 0.5, "unlike": [0.0, 0.0, 1.0, 0.0], "row": 1.0, "column": 2.0, "snr": [5.0, 4.0, 3.0, 2.0],
        "lens_row": np.nan, "lens_column": np.nan, "offset_px": np.nan,
        "decided_by": ["lightgbm", "lightgbm", "withheld", "cnn"],
    })  # fmt: skip


def test_a_withheld_verdict_has_no_probability(judged):
    columns = listed(judged)
    assert columns["probability"] == [0.9, 0.8, None, 0.45]
    assert columns["label"] == [1, 0, None, 1]
    assert {each["filter"]: each["n"] for each in counts(columns)} == {
        "right": 1, "missed": 1, "false": 1, "withheld": 1, "uncertain": 3, "unlike": 1,
    }  # fmt: skip


def test_wrong_and_unlike_skies_come_before_the_certain_ones(judged):
    assert most_important(judged) == [3, 1, 2, 0]


def test_contributions_sum_to_the_log_odds(rng):
    table = pd.DataFrame(rng.normal(size=(2, 20)), columns=["baseline", "start", *INPUT_NAMES[:18]])
    table.index = ["a", "b"]
    found = contributions_of(table, "b")
    total = found["baseline"] + found["others"] + sum(value for _, value in found["parts"])
    assert total == pytest.approx(table.loc["b"].sum(), abs=0.01)
    assert abs(found["parts"][0][1]) == max(abs(value) for _, value in found["parts"])
    assert contributions_of(table, "missing") is None


def test_the_wheel_has_all_files_of_the_pages():
    settings = tomllib.loads((REPORT.parents[1] / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["classify"]
    files = [path for folder in ("templates", "static") for path in (REPORT / folder).iterdir()]
    assert len(files) > 20
    for path in files:
        assert any(fnmatch(path.relative_to(REPORT.parent).as_posix(), pattern) for pattern in patterns), path
