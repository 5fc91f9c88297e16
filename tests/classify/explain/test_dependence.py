"""Partial dependence of the calibrated log-odds on a column, averaged over skies."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from classify.config import TrainConfig
from classify.explain.contributions import INPUT_NAMES, Contributions, contributions
from classify.explain.dependence import (
    N_SKIES,
    Dependence,
    _log_odds_with,
    partial_dependence,
    some_skies,
    top_features,
)
from classify.model import LensModel
from classify.plots.dependence import draw_dependence
from classify.tables.columns import FEATURE_NAMES, select_features
from classify.trees.boosting import boost
from classify.trees.calibration import LIMIT, Calibration
from darkmatter_features.config import MeasureConfig
from darkmatter_features.lens.template import LensTemplate
from tests.support.synthetic import feature_rows


@pytest.fixture(scope="module")
def rows():
    values = feature_rows(np.arange(300) % 2, np.random.default_rng(1))[list(FEATURE_NAMES)].to_numpy()
    values[::7, FEATURE_NAMES.index("amplitude")] = np.nan
    return values


@pytest.fixture(scope="module")
def model(rows):
    x = select_features(rows)
    config = TrainConfig(n_folds=2, n_repeats=1, max_rounds=60, learning_rate=0.1)
    boosted = boost(x, np.arange(300) % 2, x[:0], [], config=config)
    return LensModel(
        boosted.start, boosted.members, boosted.calibration, MeasureConfig(), LensTemplate.default(), config.to_dict()
    )


def test_each_value_is_averaged_over_all_skies_through_the_calibrated_model(model, rows):
    found = partial_dependence(model, rows, "peak_snr")
    index = FEATURE_NAMES.index("peak_snr")

    def log_odds_at(value):
        changed = rows.copy()
        changed[:, index] = value
        return model.log_odds(changed)

    at_median = log_odds_at(np.median(rows[:, index]))
    for k in (0, 10, -1):
        change = log_odds_at(found.grid[k]) - at_median
        assert found.change[k] == pytest.approx(change.mean())
        assert (found.low[k], found.high[k]) == pytest.approx(tuple(np.percentile(change, (10, 90))))


@pytest.mark.parametrize("name", ["peak_snr", "evidence"])
def test_log_odds_between_thresholds_are_those_of_each_value(model, rows, name):
    index = FEATURE_NAMES.index(name)
    thresholds = model.thresholds[INPUT_NAMES.index(name)][:20]
    settings = np.concatenate([thresholds, np.nextafter(thresholds, np.inf), np.linspace(-9, 9, 30)])
    varied = np.repeat(rows[None], settings.size, axis=0)
    varied[:, :, index] = settings[:, None]
    expected = model.log_odds(varied.reshape(-1, rows.shape[1])).reshape(settings.size, -1)
    assert np.array_equal(_log_odds_with(model, rows, index, settings), expected)


def test_a_column_that_the_model_does_not_take_changes_nothing(model, rows):
    name = next(name for name in FEATURE_NAMES if name not in INPUT_NAMES)
    varied = rows.copy()
    varied[:, FEATURE_NAMES.index(name)] = np.arange(len(rows))
    found = partial_dependence(model, varied, name)
    assert found.values.size == len(rows)
    np.testing.assert_allclose(found.change, 0.0, atol=1e-12)


def test_the_log_odds_follow_the_column_correlated_with_the_label(model, rows):
    """4 +- 1 with a lens and 2 +- 1 without: d log-odds / d S/N = 2 between them; noise has little effect."""
    found = partial_dependence(model, rows, "peak_snr")
    assert found.change[-1] - found.change[0] == found.reach > 2
    assert partial_dependence(model, rows, "border").reach < found.reach / 4


def test_the_log_evidence_acts_through_start_and_cut(model, rows):
    bare = replace(model, members=(), start=Calibration(slope=2.0), calibration=Calibration(slope=0.5))
    far = rows.copy()
    far[:, FEATURE_NAMES.index("evidence")] = np.linspace(-10, 10, 300)
    found = partial_dependence(bare, far, "evidence")
    assert found.change == pytest.approx(0.5 * np.clip(2.0 * found.grid, -LIMIT, LIMIT), abs=1e-9)
    assert found.low == pytest.approx(found.high)


def test_values_lie_between_the_outer_hundredths_and_unknown_ones_are_left_out(model, rows):
    found = partial_dependence(model, rows, "amplitude")
    own = rows[:, FEATURE_NAMES.index("amplitude")]
    assert (found.grid[0], found.grid[-1]) == pytest.approx(tuple(np.nanquantile(own, (0.01, 0.99))))
    assert found.values.size == np.isfinite(own).sum() < 300


def test_a_column_without_finite_values_has_no_dependence(model, rows):
    nowhere = rows.copy()
    nowhere[:, FEATURE_NAMES.index("amplitude")] = np.nan
    found = partial_dependence(model, nowhere, "amplitude")
    assert found.reach == 0.0
    draw_dependence([found], n_skies=300).canvas.draw()


def test_top_features_come_first_and_the_start_belongs_to_the_evidence(model, rows):
    columns = np.zeros((2, len(INPUT_NAMES)))
    columns[:, INPUT_NAMES.index("border")] = (0.5, -0.5)
    columns[:, INPUT_NAMES.index("amplitude")] = (0.1, -0.1)
    parts = Contributions(9.0, np.array([0.3, -0.3]), columns, np.zeros(2))
    assert top_features(parts) == ["border", "evidence", "amplitude"]
    assert top_features(contributions(model, rows), n=1) == ["peak_snr"]


def test_the_draw_of_skies_is_reproducible_and_ordered():
    rows = np.arange(2000.0).reshape(1000, 2)
    chosen = some_skies(rows)
    assert chosen.shape == (N_SKIES, 2)
    np.testing.assert_array_equal(chosen, some_skies(rows))
    assert (np.diff(chosen[:, 0]) > 0).all()
    assert chosen[-1, 0] > 1500
    np.testing.assert_array_equal(some_skies(rows[:5]), rows[:5])


def test_the_figure_has_a_panel_for_each_column_and_the_number_of_skies():
    grid = np.linspace(0, 1, 5)
    found = [Dependence(name, grid, grid - 0.5, grid - 1, grid, grid) for name in ("border", "amplitude")]
    figure = draw_dependence(found, n_skies=123)
    figure.canvas.draw()
    assert [axes.get_title() for axes in figure.axes if axes.axison] == [
        "border: range 1",
        "amplitude: range 1",
    ]
    subtitle = figure.subfigs[0].texts[0]
    assert "calibrated log-odds of 123 training skies" in subtitle.get_text()
    width = figure.bbox.width
    assert all(text.get_window_extent().x1 < width for text in (*figure.texts, subtitle))


def test_the_fixture_separates_the_labels(model, rows):
    """Without a separation the tests above could not fail."""
    assert np.mean((expit(model.log_odds(rows)) > 0.5) == np.arange(300) % 2) > 0.8
