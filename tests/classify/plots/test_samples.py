"""Figure of sample skies: titles, colours and marks follow the verdicts and the labels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify.plots.samples import RIGHT, UNKNOWN, WRONG, Sample, sample_grid, samples
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
    positions = {name: np.arange(n, dtype=float) for name in ("row", "column", "lens_row", "lens_column")}
    return pd.DataFrame({"sky": names, "label": labels, "probability": probabilities, **positions})


@pytest.mark.parametrize(
    ("probability", "label", "title", "color"),
    [
        (0.936, 1, "pred: 1, 93.6 % (label: 1)", RIGHT),
        (0.936, 0, "pred: 1, 93.6 % (label: 0)", WRONG),
        (0.1, 0, "pred: 0, 90.0 % (label: 0)", RIGHT),
        (0.1, np.nan, "pred: 0, 90.0 % (label: ?)", UNKNOWN),
    ],
)
def test_a_title_has_the_predicted_label_its_probability_and_the_true_label(probability, label, title, color):
    panel = sample_grid([sample(probability=probability, label=label)], columns=1).axes[0]
    assert panel.get_title() == title
    assert panel.title.get_color() == color
    assert all(spine.get_edgecolor()[:3] == pytest.approx(rgb(color)) for spine in panel.spines.values())


def rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def marks(chosen: Sample) -> dict[str, tuple[float, float]]:
    lines = sample_grid([chosen], columns=1).axes[0].lines
    return {line.get_marker(): (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines}


def test_a_circle_marks_the_true_lens_and_a_cross_the_best_fit_position():
    assert marks(sample(probability=0.9, label=1, lens=(5.0, 7.0))) == {"o": (7.0, 5.0), "x": (20.0, 10.0)}


def test_no_best_fit_position_is_marked_without_a_predicted_lens():
    assert "x" not in marks(sample(probability=0.2, label=1, lens=(5.0, 7.0)))


def test_the_headline_counts_the_correct_verdicts():
    chosen = [sample(probability=p, label=label) for p, label in ((0.9, 1), (0.9, 0), (0.2, 0), (0.2, np.nan))]
    assert "2 of 3 verdicts correct" in sample_grid(chosen).texts[0].get_text()


def test_sixteen_skies_fill_a_page_1600_pixels_wide_without_overlap(tmp_path):
    figure = sample_grid([sample(probability=0.9, label=1)] * 16)
    assert figure.bbox.width == pytest.approx(1600, abs=5)
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes in figure.axes] + [
        axes.title.get_window_extent() for axes in figure.axes
    ]
    boxes += [figure.texts[0].get_window_extent(), figure.legends[0].get_window_extent()]
    for i, box in enumerate(boxes):
        assert box.count_overlaps(boxes[:i]) == 0
        assert box.x0 >= 0
        assert box.y0 >= 0


def test_panels_without_a_sky_are_empty():
    figure = sample_grid([sample(probability=0.9, label=1)] * 5)
    assert sum(bool(axes.images) for axes in figure.axes) == 5
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False] * 3


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for i in range(30):
        draw_sky(tmp_path / f"{i}.png", np.random.default_rng(i), n_galaxies=1)
    return tmp_path


def test_half_of_the_samples_have_a_lens_if_there_are_enough(images):
    labels = [1.0] * 9 + [0.0] * 21
    drawn = samples(judged(labels, [0.4] * 30), images, rng=np.random.default_rng(0))
    assert sum(each.label for each in drawn) == 8
    assert len(drawn) == 16
    assert len({each.sky.name for each in drawn}) == 16


def test_skies_of_the_other_class_complete_the_samples(images):
    drawn = samples(judged([1.0] * 3 + [0.0] * 27, [0.4] * 30), images, rng=np.random.default_rng(0))
    assert sorted(each.label for each in drawn) == [0.0] * 13 + [1.0] * 3


def test_samples_depend_on_the_rng_and_are_shuffled(images):
    table = judged([1.0, 0.0] * 15, [0.4] * 30)
    names = [[each.sky.name for each in samples(table, images, rng=np.random.default_rng(seed))] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    labels = [each.label for each in samples(table, images, rng=np.random.default_rng(1))]
    assert labels not in ([0.0, 1.0] * 8, [1.0, 0.0] * 8, [1.0] * 8 + [0.0] * 8)


def test_a_sample_has_the_values_of_its_row_of_the_table(images):
    for each in samples(judged([1.0] * 30, np.linspace(0, 1, 30).tolist()), images, rng=np.random.default_rng(3)):
        i = int(Path(each.sky.name).stem)
        assert each.found == each.lens == (i, i)
        assert each.probability == pytest.approx(i / 29)
        assert each.called == (i / 29 >= 0.5)


def test_all_skies_are_samples_if_there_are_too_few(images):
    assert len(samples(judged([1.0, 0.0], [0.4, 0.6]), images, rng=np.random.default_rng(0))) == 2


def test_a_missing_image_is_refused(tmp_path):
    with pytest.raises(SkyError):
        samples(judged([1.0], [0.5]), tmp_path, rng=np.random.default_rng(0))
