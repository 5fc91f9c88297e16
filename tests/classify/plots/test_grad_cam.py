"""Figure of the Grad-CAM: the position of its maximum, the text of a row, and the layout."""

import numpy as np
import pytest

from classify.plots.grad_cam import ExplainedSky, grad_cam_figure
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.io.sky import read_sky
from darkmatter_features.maps.shear import shear_maps
from tests.support.synthetic import SIDE, draw_sky


def explained(path, *, lens: tuple[float, float] | None) -> ExplainedSky:
    """Return a sky whose Grad-CAM has its maximum in the cell (2, 5)."""
    sky = read_sky(draw_sky(path, np.random.default_rng(1)))
    catalog = measure(sky)
    cam = np.zeros((SIDE // 16, SIDE // 16))
    cam[2, 5] = 1.0
    return ExplainedSky(sky, catalog, shear_maps(catalog), cam, "probability 0.400 by the trees", lens)


def test_the_peak_is_the_centre_of_the_cell_with_the_maximum(tmp_path):
    assert explained(tmp_path / "a.png", lens=None).peak == (39.5, 87.5)


@pytest.mark.parametrize(("lens", "distance"), [((39.5, 77.5), "10 px from the true lens"), (None, "")])
def test_a_row_has_the_distances_of_the_maximum(tmp_path, lens, distance):
    sky = explained(tmp_path / "a.png", lens=lens)
    text = grad_cam_figure([sky]).subfigs[0].subfigs[0].texts[0].get_text()
    assert "a.png: probability 0.400 by the trees" in text
    assert f"{np.hypot(39.5 - sky.maps.peak.row, 87.5 - sky.maps.peak.column):.0f} px from the peak" in text
    assert distance in text
    assert ("true lens" in text) is (lens is not None)


def test_nothing_overlaps_or_leaves_the_figure(tmp_path):
    figure = grad_cam_figure([explained(tmp_path / f"{name}.png", lens=None) for name in "ab"])
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [text.get_window_extent() for each in (figure, *figure.subfigs[0].subfigs) for text in each.texts]
    for i, box in enumerate(boxes):
        assert box.count_overlaps(boxes[:i]) == 0
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
