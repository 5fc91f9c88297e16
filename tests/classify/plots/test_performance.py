"""Figure of the performance: ROC curve, reliability, and the losses in training."""

import numpy as np
import pandas as pd
import pytest

from classify.plots.performance import performance, reliability
from classify.trees.boosting import HistoryLine
from darkmatter_features.plots.page import blank_page, save_figure


def judged(labels: list[float], probabilities: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"label": labels, "probability": probabilities})


def history() -> list[HistoryLine]:
    return [HistoryLine(r, 0.5, loss, 0.9, 0.9, 0.4) for r, loss in ((20, 0.5), (40, 0.3), (60, 0.4))]


def test_reliability_points_are_fractions_of_lenses():
    axes = blank_page(3, 3).subplots()
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0.0])
    reliability(labels, np.array([0.15] * 4 + [0.95] * 3 + [0.95]), axes=axes)
    x, y = axes.containers[-1].lines[0].get_data()
    assert x.tolist() == pytest.approx([0.15, 0.95])
    assert y.tolist() == pytest.approx([0.25, 0.75])


def test_a_probability_of_one_is_in_the_last_bin():
    axes = blank_page(3, 3).subplots()
    reliability(np.array([1.0]), np.array([1.0]), axes=axes)
    assert axes.patches[-1].get_height() == 1.0


def test_the_figure_has_the_auc_and_marks_the_best_round():
    figure = performance(judged([0.0, 1.0, 1.0, np.nan], [0.2, 0.8, 0.9, 0.1]), history())
    assert "AUC 1.0000" in figure.axes[0].texts[0].get_text()
    assert "kept: 40 rounds" in [text.get_text() for text in figure.axes[2].get_legend().get_texts()]


@pytest.mark.parametrize("labels", [[], [np.nan, np.nan], [0.0, 0.0]])
def test_the_figure_is_drawn_without_labels_or_with_one_class(labels, tmp_path):
    save_figure(tmp_path / "p.png", performance(judged(labels, [0.3] * len(labels)), history()))
    assert (tmp_path / "p.png").stat().st_size > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


def test_labels_of_the_panels_do_not_overlap_and_are_in_the_figure():
    figure = performance(judged([0.0, 1.0, 1.0, 0.0], [0.2, 0.8, 0.9, 0.1]), history())
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert [box.count_overlaps(boxes[:i]) for i, box in enumerate(boxes)] == [0, 0, 0]
    assert min(box.x0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= figure.bbox.width
