"""The figure of a template: profile, counts, shapes, amplitudes and responses."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure

from darkmatter_features.lens.density import N_ELLIPTICITIES
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from darkmatter_features.plots.template import draw_profile, draw_shape_bins, draw_template
from tests.plots.figures import assert_readable, contents, lines_of, texts_of, visible_tick_labels


@pytest.fixture(scope="module")
def fitted():
    """A template of two bins of fill factor, two size bins, three measured radii and two amplitudes."""
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


def panel(figure, name):
    """Return the axes of a panel of the mosaic."""
    (axes,) = (axes for axes in figure.axes if axes.get_label() == name)
    return axes


def test_profile_and_its_measurements_are_drawn(fitted):
    axes = panel(draw_template(fitted), "profile")
    (line,) = (each for each in axes.lines if each.get_label() == "profile in use")
    n = fitted.shear_profile.shape[1]
    np.testing.assert_array_equal(line.get_xdata()[:n], NODE_SPACING * np.arange(n))
    np.testing.assert_array_equal(line.get_ydata(), [*fitted.shear_profile[0], 0, 0])
    (measured,) = axes.containers
    np.testing.assert_array_equal(measured.lines[0].get_xydata(), np.transpose([fitted.bin_radii, fitted.bin_shear]))
    ends = np.array([segment[:, 1] for segment in measured.lines[2][0].get_segments()])
    np.testing.assert_allclose(np.diff(ends, axis=1)[:, 0], 2 * fitted.bin_errors)


def test_bands_hold_68_and_95_percent_of_the_amplitudes():
    amplitudes = np.geomspace(0.01, 2.0, 801)
    even = replace(LensTemplate.default(), amplitudes=amplitudes, weights=amplitudes[None, :] / amplitudes.sum())
    wide, narrow = draw_profile(Figure().add_subplot(), even).collections
    peak = even.shear_profile.max()
    assert wide.get_paths()[0].vertices[:, 1].max() == pytest.approx(1.95 * peak, rel=0.01)
    assert narrow.get_paths()[0].vertices[:, 1].max() == pytest.approx(1.68 * peak, rel=0.01)


def test_a_default_is_drawn_without_measurements():
    figure = draw_template(LensTemplate.default())
    figure.canvas.draw()
    assert not panel(figure, "profile").containers
    fingerprint = LensTemplate.default().fingerprint()
    assert f"default shapes; default profile; fingerprint {fingerprint}" in lines_of(figure)


def test_counts_have_a_line_for_each_size(fitted):
    small, large = (line for line in panel(draw_template(fitted), "counts").lines if line.get_label().endswith("px"))
    assert (small.get_label(), large.get_label()) == ("below 2.50 px", "above 2.50 px")
    np.testing.assert_allclose(small.get_ydata()[:3], [0.5, 1.0, 1.0])
    np.testing.assert_allclose(large.get_ydata()[:3], [3.0, 1.5, 1.0])


def test_shapes_are_those_of_the_bins_of_least_and_most_scatter(fitted):
    scatters = replace(fitted, sigma_e=np.array([0.3, 0.5, 0.2, 0.4]))
    figure = draw_template(scatters)
    panels = [panel(figure, name) for name in ("least scatter", "most scatter")]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["Unlensed shapes: whole", "Unlensed shapes: split or cut"]
    for axes, shape_bin, fill_factor in zip(panels, (1, 2), ("above 2.00", "below 2.00"), strict=True):
        moments = f"mean +{scatters.mean_e1[shape_bin]:.3f}, scatter {scatters.sigma_e[shape_bin]:.3f}"
        assert f"fill factor {fill_factor}\n{moments}" in contents(axes.texts)


def test_of_equal_scatters_the_first_and_the_last_bin_are_drawn():
    figure = draw_template(LensTemplate.default())
    panels = [panel(figure, name) for name in ("least scatter", "most scatter")]
    assert [axes.get_title(loc="left").split(": ")[1] for axes in panels] == ["whole", "split or cut"]


def test_density_has_e1_to_the_right_and_e2_upwards(fitted):
    """The density of shapes about (0.5, 0) is brightest at the right."""
    skewed = replace(fitted, log_p0=np.stack([LensTemplate.default(mean_e1=0.5).log_p0[0]] * 4))
    image = panel(draw_template(skewed), "least scatter").images[0]
    row, column = np.unravel_index(np.argmax(image.get_array()), image.get_array().shape)
    assert image.origin == "lower"
    middle = (N_ELLIPTICITIES - 1) / 2
    assert (row, column) == (middle, 1.5 * middle)


def test_prior_of_the_amplitude_is_drawn(fitted):
    amplitudes = panel(draw_template(fitted), "amplitudes")
    assert [bar.get_height() for bar in amplitudes.patches] == [0.25, 0.75]


def template_of(n_bins):
    """Return a template of `n_bins` bins of fill factor whose shape bins differ in the mean of e1."""
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
def test_every_shape_bin_has_a_row_from_the_top_with_its_response_to_shear(n_bins, partial):
    template = template_of(n_bins)
    axes = draw_shape_bins(Figure().add_subplot(), template, partial=partial)
    shape_bins = np.arange(n_bins) + n_bins * partial
    assert axes.get_title() == ("Split or cut" if partial else "Whole")
    feet = range(n_bins - 1, -1, -1)
    (right,) = axes.child_axes
    responses = dict(zip(contents(right.get_yticklabels()), right.get_yticks(), strict=True))
    assert responses == {f"{template.response[k]:.2f}": foot + 0.5 for k, foot in zip(shape_bins, feet, strict=True)}
    for filled, shape_bin, foot in zip(axes.collections, shape_bins, feet, strict=True):
        e1, height = filled.get_paths()[0].vertices.T
        assert e1[height.argmax()] == pytest.approx(template.mean_e1[shape_bin], abs=0.011)
        assert height.min() == foot < foot + 0.5 < height.max() < foot + 1
    e2_lines = [line for line in axes.lines if len(line.get_xdata()) == N_ELLIPTICITIES]
    assert [line.get_xdata()[line.get_ydata().argmax()] for line in e2_lines] == pytest.approx([0.0] * n_bins, abs=1e-9)


def test_bins_of_fill_factor_are_labelled_once_if_there_are_several():
    several, one = draw_template(template_of(3)), draw_template(template_of(1))
    assert contents(panel(several, "whole").get_yticklabels()) == ["below 1.00", "1.00 to 2.00", "above 2.00"]
    assert contents(panel(several, "partial").get_yticklabels()) == []
    assert [len(panel(one, name).get_yticks()) for name in ("whole", "partial")] == [0, 0]


@pytest.mark.parametrize("n_bins", [1, 2, 8, 16])
@pytest.mark.parametrize("source", ["short", "of very many skies " * 20])
def test_no_text_leaves_the_page_or_overlaps(fitted, source, n_bins):
    sizes = {name: getattr(fitted, name) for name in ("size_edges", "log_counts", "size_fractions")}
    figure = draw_template(replace(template_of(n_bins), source=source, **sizes))
    texts = texts_of(figure)
    for axes in [*figure.axes, *(right for left in figure.axes for right in left.child_axes)]:
        texts += [axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts, *visible_tick_labels(axes)]
    assert_readable(figure, texts)
    whole, amplitudes = panel(figure, "whole"), panel(figure, "amplitudes")
    labels = [text for text in (*whole.get_yticklabels(), whole.yaxis.label) if text.get_text()]
    assert not any(text.get_window_extent().overlaps(amplitudes.bbox) for text in labels)


def test_the_settings_of_the_user_do_not_change():
    before = dict(rcParams)
    draw_template(LensTemplate.default())
    assert dict(rcParams) == before
