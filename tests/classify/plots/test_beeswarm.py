"""The picture of contributions: a dot a sky, where it should be."""

import numpy as np
import pytest

from classify.columns import FEATURE_INDICES, FEATURE_NAMES
from classify.explain.contributions import INPUT_NAMES, Contributions, meaning
from classify.plots.beeswarm import HALF, N_ROWS, VALUES, beeswarm, offsets, ranks


def parts_of(columns):
    return Contributions(0.0, np.zeros(len(columns)), columns, np.zeros(len(columns)))


def test_dots_stand_at_their_contributions_in_the_order_of_the_rows(rng):
    columns = np.zeros((30, len(INPUT_NAMES)))
    columns[:, 3], columns[:, 8] = rng.normal(size=30), 5 * rng.normal(size=30)
    figure = beeswarm(parts_of(columns), np.zeros((30, len(FEATURE_NAMES))))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [meaning(INPUT_NAMES[i]) for i in (8, 3)]
    for place, column in enumerate((8, 3)):
        at = axes.collections[place].get_offsets()
        np.testing.assert_array_equal(at[:, 0], columns[:, column])
        assert np.abs(at[:, 1] - place).max() <= HALF
    assert axes.yaxis_inverted()


def test_colors_tell_low_from_high_and_white_says_unknown():
    columns = np.zeros((3, len(INPUT_NAMES)))
    columns[:, 3] = (1.0, 2.0, 3.0)
    rows = np.zeros((3, len(FEATURE_NAMES)))
    rows[:, FEATURE_INDICES[3]] = (50.0, -1.0, np.nan)
    figure = beeswarm(parts_of(columns), rows)
    assert any("white: the column has no value" in text.get_text() for text in figure.texts)
    rows_known = beeswarm(parts_of(columns), np.nan_to_num(rows))
    assert not any("white" in text.get_text() for text in rows_known.texts)
    colors = figure.axes[0].collections[0].get_facecolors()
    np.testing.assert_allclose(colors, [VALUES(1.0), VALUES(0.0), (1, 1, 1, 1)])


def test_ranks_do_not_mind_how_far_apart_values_are():
    assert ranks(np.array([1e9, 0.0, 1.0, 0.0])).tolist() == [1.0, 0.0, 0.5, 0.0]
    assert np.isnan(ranks(np.array([np.nan, 1.0]))[0])


def test_like_contributions_stand_beside_each_other_and_lonely_ones_in_the_middle():
    place = offsets(np.array([0.1, 0.11, 0.12, 0.13, 0.14, 7.0]), 1.0)
    assert sorted(place[:5]) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert place[5] == 0.0


def test_no_more_rows_than_fit_are_drawn_and_their_names_stay_on_the_page():
    longest = sorted(range(len(INPUT_NAMES)), key=lambda i: -len(meaning(INPUT_NAMES[i])))
    columns = np.zeros((4, len(INPUT_NAMES)))
    columns[:, longest] = np.arange(len(longest), 0, -1) * np.array([[1.0], [-1.0], [0.5], [2.0]])
    figure = beeswarm(parts_of(columns), np.zeros((4, len(FEATURE_NAMES))))
    figure.canvas.draw()
    labels = figure.axes[0].get_yticklabels()
    assert len(labels) == N_ROWS
    assert min(label.get_window_extent().x0 for label in labels) >= 0


@pytest.mark.parametrize("n", [1, 5])
def test_without_trees_the_picture_says_so(n):
    figure = beeswarm(parts_of(np.zeros((n, len(INPUT_NAMES)))), np.zeros((n, len(FEATURE_NAMES))))
    figure.canvas.draw()
    (axes,) = figure.axes  # and no bar of colours that nothing has
    assert "nothing: no tree made it better" in [text.get_text().strip() for text in axes.texts]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0"]
