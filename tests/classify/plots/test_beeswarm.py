"""Figure of contributions: the position and the colour of each dot, and the names of the rows."""

import numpy as np
import pytest

from classify.explain.contributions import INPUT_NAMES, Contributions, meaning
from classify.plots.beeswarm import HALF_HEIGHT, N_ROWS, VALUES, beeswarm, offsets, ranks
from classify.plots.importance import NO_TREES
from classify.tables.columns import FEATURE_INDICES, FEATURE_NAMES


def parts_of(columns):
    return Contributions(0.0, np.zeros(len(columns)), columns, np.zeros(len(columns)))


def subtitle_of(figure):
    return figure.subfigs[0].texts[0].get_text()


def test_dots_are_at_their_contributions_in_rows_sorted_by_importance(rng):
    columns = np.zeros((30, len(INPUT_NAMES)))
    columns[:, 3], columns[:, 8] = rng.normal(size=30), 5 * rng.normal(size=30)
    figure = beeswarm(parts_of(columns), np.zeros((30, len(FEATURE_NAMES))))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [meaning(INPUT_NAMES[i]) for i in (8, 3)]
    for row, column in enumerate((8, 3)):
        dots = axes.collections[row].get_offsets()
        np.testing.assert_array_equal(dots[:, 0], columns[:, column])
        assert np.abs(dots[:, 1] - row).max() <= HALF_HEIGHT
    assert axes.yaxis_inverted()


def test_colors_run_from_low_to_high_and_missing_values_are_white():
    columns = np.zeros((3, len(INPUT_NAMES)))
    columns[:, 3] = (1.0, 2.0, 3.0)
    rows = np.zeros((3, len(FEATURE_NAMES)))
    rows[:, FEATURE_INDICES[3]] = (50.0, -1.0, np.nan)
    figure = beeswarm(parts_of(columns), rows)
    assert "white: no value" in subtitle_of(figure)
    assert "white" not in subtitle_of(beeswarm(parts_of(columns), np.nan_to_num(rows)))
    colors = figure.axes[0].collections[0].get_facecolors()
    np.testing.assert_allclose(colors, [VALUES(1.0), VALUES(0.0), (1, 1, 1, 1)])


def test_ranks_do_not_depend_on_the_distances_of_values():
    assert ranks(np.array([1e9, 0.0, 1.0, 0.0])).tolist() == [1.0, 0.0, 0.5, 0.0]
    assert np.isnan(ranks(np.array([np.nan, 1.0]))[0])


def test_dots_of_one_bin_are_side_by_side_and_single_dots_in_the_middle():
    offset = offsets(np.array([0.1, 0.11, 0.12, 0.13, 0.14, 7.0]), 1.0)
    assert sorted(offset[:5]) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert offset[5] == 0.0


def test_the_number_of_rows_is_limited_and_their_names_are_in_the_figure():
    longest = sorted(range(len(INPUT_NAMES)), key=lambda i: -len(meaning(INPUT_NAMES[i])))
    columns = np.zeros((4, len(INPUT_NAMES)))
    columns[:, longest] = np.arange(len(longest), 0, -1) * np.array([[1.0], [-1.0], [0.5], [2.0]])
    figure = beeswarm(parts_of(columns), np.zeros((4, len(FEATURE_NAMES))))
    figure.canvas.draw()
    labels = figure.axes[0].get_yticklabels()
    assert len(labels) == N_ROWS
    assert min(label.get_window_extent().x0 for label in labels) >= 0


@pytest.mark.parametrize("n", [1, 5])
def test_a_model_without_trees_has_a_note_in_place_of_rows(n):
    figure = beeswarm(parts_of(np.zeros((n, len(INPUT_NAMES)))), np.zeros((n, len(FEATURE_NAMES))))
    figure.canvas.draw()
    (axes,) = figure.axes  # no colour bar
    assert NO_TREES.strip() in [text.get_text().strip() for text in axes.texts]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0"]
