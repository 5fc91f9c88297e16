"""The picture of a template shows what is in it."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure

from darkmatter_features.lens.template import N_ELLIPTICITIES, STEP, LensTemplate
from darkmatter_features.plots.template import draw_kinds, draw_profile, draw_template


@pytest.fixture(scope="module")
def fitted():
    """Two bins of fill_factor, two classes for the counts, three measured bins, two strengths."""
    default = LensTemplate.default(mean_e1=0.05)
    return replace(
        default,
        fill_factor_edges=np.array([2.0]),
        log_p0=np.tile(default.log_p0, (2, 1, 1)),
        mean_e1=np.array([0.1, 0.2, 0.3, 0.4]),
        mean_e2=np.zeros(4),
        sigma_e=np.array([0.11, 0.22, 0.33, 0.44]),
        response=np.array([0.5, 1.2, 0.4, 1.1]),
        amplitudes=np.array([0.5, 2.0]),
        weights=np.array([[0.25, 0.75]]),
        size_edges=np.array([2.5]),
        size_fractions=np.array([0.5, 0.5]),
        log_counts=np.log([[0.5, 1.0, 1.0], [3.0, 1.5, 1.0]]),
        bin_radii=np.array([20.0, 60.0, 300.0]),
        bin_shear=np.array([0.3, 0.2, 0.0]),
        bin_errors=np.array([0.05, 0.02, 0.01]),
        source="shapes of 7 skies without a lens; profile of 5 lenses",
    )


def test_profile_and_its_measurements_are_drawn(fitted):
    axes = draw_template(fitted).axes[0]
    (line,) = (each for each in axes.lines if each.get_label() == "profile in use")
    n = fitted.shear_profile.shape[1]
    np.testing.assert_array_equal(line.get_xdata()[:n], STEP * np.arange(n))
    np.testing.assert_array_equal(line.get_ydata(), [*fitted.shear_profile[0], 0, 0])
    (measured,) = axes.containers
    np.testing.assert_array_equal(measured.lines[0].get_xydata(), np.transpose([fitted.bin_radii, fitted.bin_shear]))
    ends = np.array([segment[:, 1] for segment in measured.lines[2][0].get_segments()])
    np.testing.assert_allclose(np.diff(ends, axis=1)[:, 0], 2 * fitted.bin_errors)


def test_bands_hold_the_strengths_that_are_likely():
    amplitudes = np.geomspace(0.01, 2.0, 801)
    even = replace(LensTemplate.default(), amplitudes=amplitudes, weights=amplitudes[None, :] / amplitudes.sum())
    wide, narrow = draw_profile(Figure().add_subplot(), even).collections
    peak = even.shear_profile.max()
    assert wide.get_paths()[0].vertices[:, 1].max() == pytest.approx(1.95 * peak, rel=0.01)
    assert narrow.get_paths()[0].vertices[:, 1].max() == pytest.approx(1.68 * peak, rel=0.01)


def test_a_default_is_drawn_without_measurements():
    figure = draw_template(LensTemplate.default())
    figure.canvas.draw()
    assert not figure.axes[0].containers
    assert "default shapes; default profile" in [text.get_text() for text in figure.texts]


def test_counts_have_a_line_for_each_size(fitted):
    small, large = (line for line in draw_template(fitted).axes[1].lines if line.get_label().endswith("px"))
    assert (small.get_label(), large.get_label()) == ("below 2.50 px", "above 2.50 px")
    np.testing.assert_allclose(small.get_ydata()[:3], [0.5, 1.0, 1.0])
    np.testing.assert_allclose(large.get_ydata()[:3], [3.0, 1.5, 1.0])


def test_shapes_are_those_of_the_kinds_that_scatter_least_and_most(fitted):
    scatters = replace(fitted, sigma_e=np.array([0.3, 0.5, 0.2, 0.4]))
    panels = draw_template(scatters).axes[2:4]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["Unlensed shapes: whole", "Unlensed shapes: split or cut"]
    for axes, kind, fill_factor in zip(panels, (1, 2), ("above 2.00", "below 2.00"), strict=True):
        told = f"mean +{scatters.mean_e1[kind]:.3f}, scatter {scatters.sigma_e[kind]:.3f}"
        assert f"fill_factor {fill_factor}\n{told}" in [text.get_text() for text in axes.texts]


def test_where_all_kinds_scatter_alike_the_first_and_the_last_are_drawn():
    panels = draw_template(LensTemplate.default()).axes[2:4]
    assert [axes.get_title(loc="left").split(": ")[1] for axes in panels] == ["whole", "split or cut"]


def test_density_is_the_right_way_round(fitted):
    """e1 to the right and e2 upwards: the picture of a density about (0.5, 0) is brightest at the right."""
    skewed = replace(fitted, log_p0=np.stack([LensTemplate.default(mean_e1=0.5).log_p0[0]] * 4))
    image = draw_template(skewed).axes[2].images[0]
    row, column = np.unravel_index(np.argmax(image.get_array()), image.get_array().shape)
    assert image.origin == "lower"
    middle = (N_ELLIPTICITIES - 1) / 2
    assert (row, column) == (middle, 1.5 * middle)


def test_strengths_are_drawn(fitted):
    amplitudes = draw_template(fitted).axes[4]
    assert [bar.get_height() for bar in amplitudes.patches] == [0.25, 0.75]


def of_kinds(n_bins):
    """A template of so many bins of fill_factor; each kind has a mean of its own in e1, none in e2."""
    means = np.linspace(-0.3, 0.3, 2 * n_bins)
    return replace(
        LensTemplate.default(),
        fill_factor_edges=1.0 + np.arange(n_bins - 1.0),
        log_p0=np.stack([LensTemplate.default(mean_e1=mean).log_p0[0] for mean in means]),
        mean_e1=means,
        mean_e2=np.zeros(2 * n_bins),
        sigma_e=np.full(2 * n_bins, 0.22),
        response=np.linspace(0.5, 1.5, 2 * n_bins),
    )


@pytest.mark.parametrize("n_bins", [1, 3, 8])
@pytest.mark.parametrize("partial", [False, True])
def test_every_kind_has_a_row_from_the_top_with_its_answer_to_shear(n_bins, partial):
    template = of_kinds(n_bins)
    axes = draw_kinds(Figure().add_subplot(), template, partial=partial)
    shape_bins = np.arange(n_bins) + n_bins * partial
    assert axes.get_title() == ("Split or cut" if partial else "Whole")
    feet = range(n_bins - 1, -1, -1)
    answers = {text.get_text(): text.get_position()[1] for text in axes.texts if text.get_text() != "response"}
    assert answers == {f"{template.response[k]:.2f}": foot + 0.5 for k, foot in zip(shape_bins, feet, strict=True)}
    for filled, kind, foot in zip(axes.collections, shape_bins, feet, strict=True):
        e1, height = filled.get_paths()[0].vertices.T
        assert e1[height.argmax()] == pytest.approx(template.mean_e1[kind], abs=0.011)
        assert height.min() == foot < foot + 0.5 < height.max() < foot + 1
    across = [line for line in axes.lines if len(line.get_xdata()) == N_ELLIPTICITIES]
    assert [line.get_xdata()[line.get_ydata().argmax()] for line in across] == pytest.approx([0.0] * n_bins, abs=1e-9)


def test_bins_of_compactness_are_named_once_and_only_where_there_are_several():
    names = [[tick.get_text() for tick in axes.get_yticklabels()] for axes in draw_template(of_kinds(3)).axes[5:7]]
    assert names == [["below 1.00", "1.00 to 2.00", "above 2.00"], []]
    assert [len(axes.get_yticks()) for axes in draw_template(of_kinds(1)).axes[5:7]] == [0, 0]


@pytest.mark.parametrize("n_bins", [1, 2, 8, 16])
@pytest.mark.parametrize("source", ["short", "of very many skies " * 20])
def test_no_text_leaves_the_page_or_overlaps(fitted, source, n_bins):
    shape_bins = of_kinds(n_bins)
    figure = draw_template(replace(shape_bins, source=source, size_edges=fitted.size_edges, log_counts=fitted.log_counts,
                                   size_fractions=fitted.size_fractions))  # fmt: skip
    figure.canvas.draw()
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts, *axes.get_yticklabels()]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:i])
    assert not any(box.overlaps(axes.bbox) for axes in figure.axes[4:5] for box in _names(figure.axes[5]))


def _names(axes):
    """Where what is told at the left of the kinds is."""
    texts = [axes.yaxis.label, *axes.get_yticklabels()]
    return [text.get_window_extent() for text in texts if text.get_text()]


def test_settings_of_others_stay_as_they_are():
    before = dict(rcParams)
    draw_template(LensTemplate.default())
    assert dict(rcParams) == before
