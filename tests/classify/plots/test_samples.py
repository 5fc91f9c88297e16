"""The pictures say what the verdicts and the truth say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify.plots.performance import performance, reliability
from classify.plots.samples import DPI, RIGHT, UNKNOWN, WRONG, Sample, blank_figure, sample_grid, samples, save_figure
from classify.trees.boosting import HistoryLine
from darkmatter_features.errors import SkyError
from darkmatter_features.io.sky import Sky
from tests.support.synthetic import draw_sky

NOWHERE = (float("nan"), float("nan"))


def sample(*, probability: float, label: float, lens: tuple[float, float] = NOWHERE) -> Sample:
    sky = Sky("sky", np.zeros((32, 48, 3), dtype=np.uint8))
    return Sample(sky, int(probability >= 0.5), probability, label, (10.0, 20.0), lens)


def judged(labels: list[float], probabilities: list[float]) -> pd.DataFrame:
    n = len(labels)
    names = [f"{i}.png" for i in range(n)]
    places = {name: np.arange(n, dtype=float) for name in ("row", "column", "lens_row", "lens_column")}
    return pd.DataFrame({"sky": names, "label": labels, "probability": probabilities, **places})


def history() -> list[HistoryLine]:
    return [HistoryLine(r, 0.5, loss, 0.9, 0.9, 0.4) for r, loss in ((20, 0.5), (40, 0.3), (60, 0.4))]


@pytest.mark.parametrize(
    ("probability", "label", "title", "color"),
    [
        (0.936, 1, "pred: 1, 93.6 % (label: 1)", RIGHT),
        (0.936, 0, "pred: 1, 93.6 % (label: 0)", WRONG),
        (0.1, 0, "pred: 0, 90.0 % (label: 0)", RIGHT),
        (0.1, np.nan, "pred: 0, 90.0 % (label: ?)", UNKNOWN),
    ],
)
def test_a_title_tells_the_call_how_sure_it_is_and_the_truth(probability, label, title, color):
    panel = sample_grid([sample(probability=probability, label=label)], columns=1).axes[0]
    assert panel.get_title() == title
    assert panel.title.get_color() == color
    assert all(spine.get_edgecolor()[:3] == pytest.approx(rgb(color)) for spine in panel.spines.values())


def rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def marks(chosen: Sample) -> dict[str, tuple[float, float]]:
    lines = sample_grid([chosen], columns=1).axes[0].lines
    return {line.get_marker(): (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines}


def test_the_true_lens_is_circled_and_the_found_centre_crossed():
    assert marks(sample(probability=0.9, label=1, lens=(5.0, 7.0))) == {"o": (7.0, 5.0), "x": (20.0, 10.0)}


def test_no_centre_is_marked_when_no_lens_is_called():
    assert "x" not in marks(sample(probability=0.2, label=1, lens=(5.0, 7.0)))


def test_the_headline_counts_the_right_calls():
    chosen = [sample(probability=p, label=label) for p, label in ((0.9, 1), (0.9, 0), (0.2, 0), (0.2, np.nan))]
    assert "2 of 3 called rightly" in sample_grid(chosen).texts[0].get_text()


def test_sixteen_skies_fill_a_page_1600_pixels_wide_without_overlap(tmp_path):
    figure = sample_grid([sample(probability=0.9, label=1)] * 16)
    assert figure.get_size_inches()[0] * DPI == pytest.approx(1600, abs=5)
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes in figure.axes] + [
        axes.title.get_window_extent() for axes in figure.axes
    ]
    boxes += [figure.texts[0].get_window_extent(), figure.legends[0].get_window_extent()]
    for i, box in enumerate(boxes):
        assert box.count_overlaps(boxes[:i]) == 0
        assert box.x0 >= 0
        assert box.y0 >= 0


def test_panels_that_no_sky_fills_stay_empty():
    figure = sample_grid([sample(probability=0.9, label=1)] * 5)
    assert sum(bool(axes.images) for axes in figure.axes) == 5
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False] * 3


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for i in range(30):
        draw_sky(tmp_path / f"{i}.png", np.random.default_rng(i), n_galaxies=1)
    return tmp_path


def test_samples_are_half_lenses_when_there_are_enough(pictures):
    labels = [1.0] * 9 + [0.0] * 21
    drawn = samples(judged(labels, [0.4] * 30), pictures, rng=np.random.default_rng(0))
    assert sum(each.label for each in drawn) == 8
    assert len(drawn) == 16
    assert len({each.sky.name for each in drawn}) == 16


def test_samples_fill_up_with_the_other_kind(pictures):
    drawn = samples(judged([1.0] * 3 + [0.0] * 27, [0.4] * 30), pictures, rng=np.random.default_rng(0))
    assert sorted(each.label for each in drawn) == [0.0] * 13 + [1.0] * 3


def test_samples_follow_the_rng_and_are_mixed(pictures):
    table = judged([1.0, 0.0] * 15, [0.4] * 30)
    names = [
        [each.sky.name for each in samples(table, pictures, rng=np.random.default_rng(seed))] for seed in (1, 1, 2)
    ]
    assert names[0] == names[1] != names[2]
    kinds = [each.label for each in samples(table, pictures, rng=np.random.default_rng(1))]
    assert kinds not in ([0.0, 1.0] * 8, [1.0, 0.0] * 8, [1.0] * 8 + [0.0] * 8)


def test_a_sample_carries_its_own_row_of_the_table(pictures):
    for each in samples(judged([1.0] * 30, np.linspace(0, 1, 30).tolist()), pictures, rng=np.random.default_rng(3)):
        i = int(Path(each.sky.name).stem)
        assert each.found == each.lens == (i, i)
        assert each.probability == pytest.approx(i / 29)
        assert each.called == (i / 29 >= 0.5)


def test_fewer_skies_than_asked_for_are_all_drawn(pictures):
    assert len(samples(judged([1.0, 0.0], [0.4, 0.6]), pictures, rng=np.random.default_rng(0))) == 2


def test_a_picture_that_is_gone_is_told(tmp_path):
    with pytest.raises(SkyError):
        samples(judged([1.0], [0.5]), tmp_path, rng=np.random.default_rng(0))


def test_reliability_points_lie_at_the_share_of_lenses():
    axes = blank_figure(3, 3).subplots()
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0.0])
    reliability(labels, np.array([0.15] * 4 + [0.95] * 3 + [0.95]), axes=axes)
    x, y = axes.containers[-1].lines[0].get_data()
    assert x.tolist() == pytest.approx([0.15, 0.95])
    assert y.tolist() == pytest.approx([0.25, 0.75])


def test_a_probability_of_one_falls_into_the_last_bin():
    axes = blank_figure(3, 3).subplots()
    reliability(np.array([1.0]), np.array([1.0]), axes=axes)
    assert axes.patches[-1].get_height() == 1.0


def test_performance_marks_the_round_that_was_kept_and_tells_the_auc():
    figure = performance(judged([0.0, 1.0, 1.0, np.nan], [0.2, 0.8, 0.9, 0.1]), history())
    assert "AUC 1.0000" in figure.axes[0].texts[0].get_text()
    assert "kept: 40 rounds" in [text.get_text() for text in figure.axes[2].get_legend().get_texts()]


@pytest.mark.parametrize("labels", [[], [np.nan, np.nan], [0.0, 0.0]])
def test_performance_of_skies_without_a_truth_is_drawn_all_the_same(labels, tmp_path):
    save_figure(tmp_path / "p.png", performance(judged(labels, [0.3] * len(labels)), history()))
    assert (tmp_path / "p.png").stat().st_size > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]
