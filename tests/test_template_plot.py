"""The picture of a template shows what is in it."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure

from darkmatter_features.template import N_ELLIPTICITIES, STEP, LensTemplate
from darkmatter_features.template_plot import draw_profile, draw_template


@pytest.fixture(scope="module")
def fitted():
    """Two sizes, two classes for the counts, three measured bins, two strengths."""
    default = LensTemplate.default(mean_e1=0.05)
    return replace(
        default,
        compactness_edges=np.array([2.0]),
        log_p0=np.tile(default.log_p0, (2, 1, 1)),
        mean_e1=np.array([0.1, 0.2, 0.3, 0.4]),
        mean_e2=np.zeros(4),
        sigma_e=np.array([0.11, 0.22, 0.33, 0.44]),
        response=np.array([0.5, 1.2, 0.4, 1.1]),
        amplitudes=np.array([0.5, 2.0]),
        weights=np.array([[0.25, 0.75]]),
        count_edges=np.array([2.5]),
        class_fractions=np.array([0.5, 0.5]),
        log_counts=np.log([[0.5, 1.0, 1.0], [3.0, 1.5, 1.0]]),
        bin_radii=np.array([20.0, 60.0, 300.0]),
        bin_shear=np.array([0.3, 0.2, 0.0]),
        bin_errors=np.array([0.05, 0.02, 0.01]),
        source="shapes of 7 skies without a lens; profile of 5 lenses",
    )


def test_profile_and_its_measurements_are_drawn(fitted):
    axes = draw_template(fitted).axes[0]
    (line,) = (each for each in axes.lines if each.get_label() == "profile in use")
    n = fitted.shear.shape[1]
    np.testing.assert_array_equal(line.get_xdata()[:n], STEP * np.arange(n))
    np.testing.assert_array_equal(line.get_ydata(), [*fitted.shear[0], 0, 0])
    (measured,) = axes.containers
    np.testing.assert_array_equal(measured.lines[0].get_xydata(), np.transpose([fitted.bin_radii, fitted.bin_shear]))
    ends = np.array([segment[:, 1] for segment in measured.lines[2][0].get_segments()])
    np.testing.assert_allclose(np.diff(ends, axis=1)[:, 0], 2 * fitted.bin_errors)


def test_bands_hold_the_strengths_that_are_likely():
    amplitudes = np.geomspace(0.01, 2.0, 801)
    even = replace(LensTemplate.default(), amplitudes=amplitudes, weights=amplitudes[None, :] / amplitudes.sum())
    wide, narrow = draw_profile(Figure().add_subplot(), even).collections
    peak = even.shear.max()
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


def test_shapes_are_those_of_the_smallest_and_the_largest(fitted):
    panels = draw_template(fitted).axes[2:4]
    assert [axes.get_title(loc="left").split(": ")[1] for axes in panels] == ["below 2.00 px", "above 2.00 px"]
    for axes, kind in zip(panels, (0, 1), strict=True):
        told = [text.get_text() for text in axes.texts]
        assert f"mean +{fitted.mean_e1[kind]:.3f}, scatter {fitted.sigma_e[kind]:.3f}" in told


def test_density_is_the_right_way_round(fitted):
    """e1 to the right and e2 upwards: the picture of a density about (0.5, 0) is brightest at the right."""
    skewed = replace(fitted, log_p0=np.stack([LensTemplate.default(mean_e1=0.5).log_p0[0]] * 4))
    image = draw_template(skewed).axes[2].images[0]
    row, column = np.unravel_index(np.argmax(image.get_array()), image.get_array().shape)
    assert image.origin == "lower"
    middle = (N_ELLIPTICITIES - 1) / 2
    assert (row, column) == (middle, 1.5 * middle)


def test_strengths_and_responses_are_drawn(fitted):
    strengths, response = draw_template(fitted).axes[4:6]
    assert [bar.get_height() for bar in strengths.patches] == [0.25, 0.75]
    lines = {line.get_label(): line.get_ydata() for line in response.lines}
    np.testing.assert_array_equal(lines["whole"], [0.5, 1.2])
    np.testing.assert_array_equal(lines["split or cut"], [0.4, 1.1])


@pytest.mark.parametrize("source", ["short", "of very many skies " * 20])
def test_no_text_leaves_the_page_or_overlaps(fitted, source):
    figure = draw_template(replace(fitted, source=source))
    figure.canvas.draw()
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [axes._left_title, axes.xaxis.label, axes.yaxis.label]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_settings_of_others_stay_as_they_are():
    before = dict(rcParams)
    draw_template(LensTemplate.default())
    assert dict(rcParams) == before
