"""The benchmark of shifted skies: its summaries and its figure."""

import numpy as np
import pandas as pd
import pytest
from bench_shift import SURE, ratio, summary
from plots import shift


def judged(label, probability, unlike=0.0):
    return pd.DataFrame({"label": label, "probability": probability, "offset": np.nan, "unlike": unlike})


def test_a_summary_has_the_log_loss_and_its_error(rng):
    """The bootstrap error is the standard error of the mean of the losses; 1000 resamples know it to 2 %."""
    label, p = rng.integers(0, 2, 400), rng.uniform(0.05, 0.95, 400)
    found = summary(judged(label, p))
    losses = -np.log(np.where(label == 1, p, 1 - p))
    assert found["log_loss"] == pytest.approx(losses.mean())
    assert found["log_loss_error"] == pytest.approx(losses.std() / 20, rel=0.1)
    assert found == summary(judged(label, p))


def test_unlike_and_surely_wrong_skies_are_counted_as_fractions():
    """Two skies are surely wrong, three surely right."""
    low, high = 0.5 * SURE, 1 - 0.5 * SURE
    found = summary(
        judged([1, 0, 0, 0, 1, 0, 1, 0], [low, high, low, low, high, 0.5, 0.9, 0.1], [1, 1, 0, 0, 0, 0, 0, 0])
    )
    assert found["sure_and_wrong"] == 2 / 8
    assert found["unlike"] == 2 / 8


def test_even_odds_are_never_surely_wrong():
    found = summary(judged(np.arange(50) % 2, 0.5))
    assert found["sure_and_wrong"] == 0.0
    assert found["log_loss"] == pytest.approx(np.log(2))
    assert found["log_loss_error"] == pytest.approx(0.0, abs=1e-12)


def test_certain_verdicts_have_a_finite_loss():
    found = summary(judged([0, 1, 1, 0], [0.0, 1.0, 0.0, 1.0]))
    assert np.isfinite([found["log_loss"], found["log_loss_error"]]).all()


def test_the_ratio_of_losses_is_paired(rng):
    """Losses that are half as large on every sky have the ratio 1/2 without error, whatever the order of the skies."""
    label, sky = rng.integers(0, 2, 200), [f"sky{k}" for k in range(200)]
    loss = rng.uniform(0.01, 1.0, 200)

    def of_loss(own):
        return judged(label, np.where(label == 1, np.exp(-own), 1 - np.exp(-own))).assign(sky=sky)

    own = ratio(of_loss(loss), of_loss(2 * loss).sample(frac=1, random_state=1))
    assert own == pytest.approx({"ratio_to_trained": 0.5, "ratio_to_trained_error": 0.0}, abs=1e-12)
    other = ratio(of_loss(loss), of_loss(rng.permutation(loss)))
    assert other["ratio_to_trained"] == pytest.approx(1.0)
    assert 0.05 < other["ratio_to_trained_error"] < 0.15


@pytest.fixture
def table():
    """Two families, of which the second has no oracle."""

    def side(log_loss):
        return {"log_loss": log_loss, "log_loss_error": 0.1 * log_loss, "unlike": log_loss}

    first = {name: side(0.1 * k) for k, name in enumerate(shift.LABELS, start=1)}
    second = {name: side(0.05 * k) for k, name in enumerate(list(shift.LABELS)[:3], start=1)}
    return {"dense": {**first, "description": "", "is_mild": True}, "other": {**second, "description": ""}}


@pytest.fixture
def drawn(table, monkeypatch):
    figures = []
    monkeypatch.setattr(shift, "save", lambda path, figure: figures.append(figure))
    shift.draw(table, "shift.png")
    return figures[0]


def test_each_side_is_drawn_at_its_log_loss(drawn):
    axes = drawn.axes[0]
    assert [bars.get_label() for bars in axes.containers] == list(shift.LABELS.values())
    for k, (bars, side) in enumerate(zip(axes.containers, shift.OFFSETS), start=1):
        x, y = bars.lines[0].get_data()
        first, offset = 0.1 * k, shift.OFFSETS[side]
        expected = [first] if side == "oracle" else [first, 0.05 * k]
        assert x == pytest.approx(expected)
        assert y == pytest.approx([1 + offset, offset][: len(expected)])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dense", "other"]


def test_the_share_of_unlike_skies_is_that_of_the_default_model(drawn):
    bars = drawn.axes[1].patches[-2:]
    assert [bar.get_width() for bar in bars] == pytest.approx([10.0, 5.0])
    assert drawn.axes[1].get_xlim() == (0, 100)


def test_the_figure_is_written(table, tmp_path):
    shift.draw(table, tmp_path / "shift.png")
    assert (tmp_path / "shift.png").stat().st_size > 1000
