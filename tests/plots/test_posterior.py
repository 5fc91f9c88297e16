"""The posterior of the lens position, its contours, the best-fit position and its error."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.panels import CREDIBLE
from darkmatter_features.plots.posterior import ZOOM, draw_posterior
from tests.plots.figures import lines_of, marks


def test_bayes_factor_is_printed_and_the_best_fit_position_marked_with_its_error(lensed):
    sky, catalog, maps, lens = lensed
    evidence = lens_evidence(catalog)
    figure = heatmap(sky, catalog, maps, evidence=evidence, lens=lens, p_value=0.0049751)
    shapes = f"shapes +{evidence.log_bayes_factor_shear:.1f} (p = 0.005)"
    assert f"Log Bayes factor +{evidence.log_bayes_factor:.1f}: {shapes}, counts +0.0" in lines_of(figure)
    panels = figure.axes
    assert len(panels) == 4
    for axes in panels:
        assert marks(axes, "best_fit") == [(evidence.column, evidence.row)]
        assert marks(axes, "lens") == [(lens[1], lens[0])]
    for axes in panels[:3]:
        (circle,) = (patch for patch in axes.patches if patch.get_gid() == "error")
        assert circle.center == (evidence.column, evidence.row)
        assert circle.radius == evidence.position_error


def test_bayes_factor_against_a_lens_has_a_minus(lensed):
    sky, catalog, maps, _ = lensed
    evidence = replace(lens_evidence(catalog), log_bayes_factor=-4.21)
    texts = lines_of(heatmap(sky, catalog, maps, evidence=evidence))
    assert any(text.startswith("Log Bayes factor −4.2: shapes +") for text in texts)


def test_null_is_printed_between_shapes_and_counts(lensed):
    """The null holds the shapes without the counts, which do not change when the shear is rotated."""
    sky, catalog, maps, _ = lensed
    evidence, null = lens_evidence(catalog), lens_evidence(catalog, cross=True)
    assert null.log_bayes_factor_shear < 0 < evidence.log_bayes_factor_shear
    rotated = f"rotated by 45° (null) −{-null.log_bayes_factor_shear:.1f}"
    shapes = f"shapes +{evidence.log_bayes_factor_shear:.1f}, {rotated}"
    figure = heatmap(sky, catalog, maps, evidence=evidence, null=replace(null, log_bayes_factor=77.0))
    (line,) = (text for text in lines_of(figure) if text.startswith("Log Bayes factor"))
    assert line == f"Log Bayes factor +{evidence.log_bayes_factor:.1f}: {shapes}, counts +0.0"


def test_posterior_peaks_in_the_most_probable_cell(lensed):
    """The brightest pixel is in the cell of the highest posterior, in pixels of the sky."""
    evidence = lens_evidence(lensed[1])
    axes = draw_posterior(Figure().add_subplot(), evidence)
    (image,) = axes.images
    row, column = np.unravel_index(np.argmax(image.get_array()), image.get_array().shape)
    left, right, top, bottom = image.get_extent()
    assert (left, right, top, bottom) == pytest.approx((-0.5, 399.5, -0.5, 299.5))
    best_row, best_column = np.unravel_index(evidence.posterior.argmax(), evidence.posterior.shape)
    assert top + (row + 0.5) / image.get_array().shape[0] * 300 == pytest.approx(evidence.rows[best_row], abs=10)
    assert left + (column + 0.5) / image.get_array().shape[1] * 400 == pytest.approx(
        evidence.columns[best_column], abs=10
    )


def test_contours_hold_50_and_90_percent_of_the_posterior(lensed):
    """A Gaussian holds 50 and 90 % within 1.18 and 2.15 standard deviations of 40 px."""
    evidence = lens_evidence(lensed[1])
    square = (evidence.rows[:, None] - 150) ** 2 + (evidence.columns[None, :] - 200) ** 2
    axes = draw_posterior(Figure().add_subplot(), replace(evidence, log_evidence=-square / (2 * 40.0**2)))
    (contours,) = axes.collections
    radii = [np.hypot(*(path.vertices - (200, 150)).T).mean() for path in contours.get_paths()]
    assert radii == pytest.approx([40 * np.sqrt(-2 * np.log(1 - fraction)) for fraction in CREDIBLE], rel=0.03)
    assert axes.images[0].get_array().shape == (evidence.rows.size * ZOOM, evidence.columns.size * ZOOM)
