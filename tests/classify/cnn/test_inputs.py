"""Input of the network: cut-outs resolve galaxies of any size, and worker processes change nothing."""

import numpy as np
import pytest

from classify.cnn.inputs import CUT_OUT, CUT_OUT_STEP, FieldInput, cut_outs, read_inputs
from classify.cnn.member import Skies
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.features.cross_fitting import Templates
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from tests.support.synthetic import SIDE, draw_sky

TEMPLATE = LensTemplate.default()


def written_templates(folder):
    """Write the default template, and return it as the template of every sky."""
    TEMPLATE.write(folder / "template.json")
    return Templates(((folder / "template.json", TEMPLATE.fingerprint()),), {})


def test_cut_outs_of_galaxies_of_any_size_have_the_same_shape():
    """An ellipse, and one three times as large, cover the same pixels of their cut-outs."""
    y, x = np.mgrid[:SIDE, :SIDE]
    skies = []
    for size in (4.0, 12.0):
        inside = ((x - 64) / (1.5 * size)) ** 2 + ((y - 64) / size) ** 2 <= 1
        skies.append(Sky("one", np.where(inside, 200, 0).astype(np.uint8)[..., None]))
    small, large = (cut_outs(sky, measure(sky, MeasureConfig(min_galaxies=1))) for sky in skies)
    assert small.shape == (1, 3, CUT_OUT, CUT_OUT)
    assert small.max() == large.max() == 255
    assert np.mean(np.abs(small.astype(float) - large)) < 12  # of 255: the small one's edge is a pixel wide
    assert (large[0, 0] > 127).sum() == pytest.approx(np.pi * 4 / CUT_OUT_STEP**2, rel=0.1)  # edge at 2 sizes


def test_inputs_do_not_depend_on_the_number_of_processes(tmp_path):
    path = draw_sky(tmp_path / "b.png", np.random.default_rng(8))
    task, templates = (path, measure(read_sky(path))), written_templates(tmp_path)
    reported = []
    one = read_inputs([task] * 20, templates, n_jobs=1, progress=lambda done, total: reported.append((done, total)))
    two = read_inputs([task] * 20, templates, n_jobs=2)
    assert reported == [(0, 20), (16, 20), (20, 20)]
    assert len(one) == len(two) == 20
    assert all(np.array_equal(a.cut_outs, b.cut_outs) and np.array_equal(a.e, b.e) for a, b in zip(one, two))


def test_a_missing_image_is_refused_by_its_name(tmp_path):
    catalog = measure(read_sky(draw_sky(tmp_path / "a.png", np.random.default_rng(3))))
    with pytest.raises(SkyError, match=r"gone\.png"):
        read_inputs([(tmp_path / "gone.png", catalog)], written_templates(tmp_path), n_jobs=1)


def test_the_lens_of_an_elongated_image_is_in_the_cell_of_a_galaxy_at_its_position():
    """At 72 x 500 px, cells are of two sizes: their mean would put a lens at the right end into another column."""
    pixels = np.zeros((72, 500, 3), dtype=np.uint8)
    for row, column in ((30, 480), (20, 60), (50, 250)):
        y, x = np.mgrid[:72, :500]
        pixels[((x - column) / 6) ** 2 + ((y - row) / 4) ** 2 <= 1] = 200
    sky = Sky("elongated", pixels)
    catalog = measure(sky, MeasureConfig(min_galaxies=1))
    field = FieldInput.of(sky, PreparedCatalog(catalog, CompiledTemplate(TEMPLATE)))
    height, width = np.array(sky.shape) / field.maps.shape[1:]
    assert abs(height - width) > 1
    k = int(catalog.x.argmax())
    assert field.in_cells(catalog.y[k], catalog.x[k]) == pytest.approx((field.x[k], field.y[k]))
    skies = Skies([field], np.ones(1), np.array([catalog.y[k]]), np.array([catalog.x[k]]))
    lens = skies.batch(np.array([0])).lens[:, 0].numpy()
    assert lens == pytest.approx([(catalog.x[k] + 0.5) / width, (catalog.y[k] + 0.5) / height], rel=1e-6)
