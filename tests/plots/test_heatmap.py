"""The heatmap shows what was measured, where it was measured, and the null in the same colours."""

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.image import imread

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import Peak, ShearMaps, shear_maps
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.panels import MASKED, OUTLINE, draw_marks, draw_sky
from darkmatter_features.plots.posterior import INSIDE, ZOOM, draw_posterior
from darkmatter_features.plots.snr import draw_map


@dataclass(frozen=True)
class Verdict:
    label: int
    probability: float
    decided_by: str


def sky_of(shape, *, bands=3, kind=np.uint8, name="sky.png"):
    return Sky(name, np.zeros((*shape, bands), dtype=kind))


def catalog_of(x, y, e, shape, *, size=3.0):
    """A catalogue with the ellipticities `e` (complex)."""
    n = len(x)
    return GalaxyCatalog(
        name="sky.png",
        shape=shape,
        x=np.array(x, dtype=np.float64),
        y=np.array(y, dtype=np.float64),
        e1=np.real(e).copy(),
        e2=np.imag(e).copy(),
        theta=0.5 * np.angle(e),
        size=np.full(n, size),
        fill_factor=np.ones(n),
        flux=np.ones(n),
        snr=np.ones(n),
        n_pixels=np.ones(n, dtype=np.int32),
        flags=np.zeros(n, dtype=np.uint8),
    )


def lensed_catalog(rng, shape, lens, *, n=300):
    """Galaxies of scatter 0.1 per component, tangential (0.3) within 120 px of the lens (row, column)."""
    x, y = rng.uniform(0, shape[1], n), rng.uniform(0, shape[0], n)
    offset = (x - lens[1]) + 1j * (y - lens[0])
    e = rng.normal(0, 0.1, n) + 1j * rng.normal(0, 0.1, n)
    return catalog_of(x, y, e - 0.3 * (offset / abs(offset)) ** 2 * (abs(offset) < 120), shape)


def weigh(catalog):
    """Its evidence; of large fields, a stand-in that is made at once."""
    if max(catalog.shape) < 2000:
        return lens_evidence(catalog)
    small = replace(catalog, **{name: getattr(catalog, name)[:9] for name in catalog.columns()}, shape=(64, 80))
    return replace(lens_evidence(small), shape=catalog.shape)


def marks(axes: Axes, kind: str):
    return [tuple(np.ravel(line.get_data())) for line in axes.lines if line.get_gid() == kind]


def rendered(figure: Figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].astype(float)


def bare_axes(shape) -> tuple[Figure, Axes]:
    """Axes that show a picture of this shape pixel by pixel, row 0 on top, and nothing else."""
    figure = Figure(figsize=(shape[1] / 100, shape[0] / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    return figure, axes


@pytest.fixture
def lensed(rng):
    shape, lens = (300, 400), (120.0, 260.0)
    catalog = lensed_catalog(rng, shape, lens)
    return sky_of(shape), catalog, shear_maps(catalog), lens


def test_marks_stand_at_the_peak_and_the_lens_in_every_panel(lensed):
    sky, catalog, maps, lens = lensed
    panels = heatmap(sky, catalog, maps, lens=lens).axes[:3]
    for axes in panels:
        assert marks(axes, "peak") == [(maps.peak.column, maps.peak.row)]
        assert marks(axes, "lens") == [(lens[1], lens[0])]
    # The planted lens is found, so that marks at (row, column) instead would be elsewhere.
    assert np.hypot(maps.peak.row - lens[0], maps.peak.column - lens[1]) < 20


def test_no_lens_is_marked_or_explained_when_none_is_known(lensed):
    figure = heatmap(*lensed[:3])
    assert not any(marks(axes, "lens") for axes in figure.axes)
    assert "true lens" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_null_has_the_colours_of_the_tangential_map(lensed):
    sky, catalog, maps, _ = lensed
    tangential, cross = (axes.images[0] for axes in heatmap(sky, catalog, maps).axes[1:3])
    k = maps.best_scale
    np.testing.assert_array_equal(tangential.get_array(), maps.snr[k])
    np.testing.assert_array_equal(cross.get_array(), maps.snr_cross[k])
    assert tangential.get_clim() == cross.get_clim()
    assert tangential.get_cmap() is cross.get_cmap()
    low, high = tangential.get_clim()
    assert -low == high >= maps.peak.snr


def test_colours_reach_as_far_as_a_strong_null(lensed):
    maps = lensed[2]
    strong = replace(maps, snr_cross=-20 * np.ones_like(maps.snr_cross))
    axes = draw_map(Figure().add_subplot(), strong, which="tangential")
    assert axes.images[0].get_clim() == (-20, 20)


def test_matched_filter_and_its_null_are_drawn_in_the_place_of_the_window(lensed):
    sky, catalog, maps, lens = lensed
    snr, snr_cross = matched_filter(catalog)
    figure = heatmap(sky, catalog, maps, matched=(snr, snr_cross))
    tangential, cross = figure.axes[1:3]
    np.testing.assert_array_equal(tangential.images[0].get_array(), snr)
    np.testing.assert_array_equal(cross.images[0].get_array(), snr_cross)
    assert tangential.images[0].get_clim() == cross.images[0].get_clim()
    assert tangential.images[0].get_clim()[1] >= snr.max()
    assert [axes.get_title(loc="left") for axes in (tangential, cross)] == [
        "Tangential shear: matched filter",
        "Cross shear: the filter's null",
    ]
    ((column, row),) = marks(tangential, "peak")
    i, j = np.unravel_index(snr.argmax(), snr.shape)
    assert (row, column) == pytest.approx((maps.rows[i], maps.columns[j]), abs=10)
    assert np.hypot(row - lens[0], column - lens[1]) < 20
    null = f"|S/N| ≤ {abs(snr_cross).max():.1f} in the null"
    assert f"Peak S/N {snr.max():.1f} at row {row:.0f}, column {column:.0f}; {null}" in [
        text.get_text() for text in figure.texts
    ]


def test_a_strong_null_of_the_filter_widens_the_colours_and_is_told(lensed):
    sky, catalog, maps, _ = lensed
    snr, snr_cross = matched_filter(catalog)
    figure = heatmap(sky, catalog, maps, matched=(snr, snr_cross - 20.5))
    assert figure.axes[1].images[0].get_clim()[0] == np.floor((snr_cross - 20.5).min())
    assert any(f"|S/N| ≤ {20.5 - snr_cross.min():.1f} in the null" in text.get_text() for text in figure.texts)


def test_a_filter_on_another_grid_is_refused(lensed):
    sky, catalog, maps, _ = lensed
    coarse = matched_filter(catalog, config=MeasureConfig(grid_spacing=50))
    with pytest.raises(ValueError, match=r"the grid of maps, \(20, 26\), got \(7, 9\); make both with the same config"):
        heatmap(sky, catalog, maps, matched=coarse)


def test_peak_is_the_brightest_place_of_the_drawn_map(lensed):
    maps: ShearMaps = lensed[2]
    figure, axes = bare_axes(maps.shape)
    draw_map(axes, maps)
    for artist in axes.collections:  # the contours
        artist.set_visible(False)
    # Warm colours have more red the higher the S/N, and the palest, at the top, most blue of them.
    warmth = rendered(figure).sum(axis=2) * (rendered(figure)[:, :, 0] > rendered(figure)[:, :, 2])
    row, column = np.unravel_index(warmth.argmax(), warmth.shape)
    assert np.hypot(row - maps.peak.row, column - maps.peak.column) < 10


def test_cells_of_a_map_are_centred_on_its_grid(rng):
    """In a narrow strip, whose two rows are further apart than its columns."""
    catalog = lensed_catalog(rng, (24, 400), (10, 200))
    maps = shear_maps(catalog)
    left, right, bottom, top = draw_map(Figure().add_subplot(), maps).images[0].get_extent()
    across, down = (right - left) / maps.columns.size, (bottom - top) / maps.rows.size
    assert (across, down) == pytest.approx((maps.columns[1], 23.0))
    assert (left, top) == pytest.approx((-across / 2, -down / 2))


def test_a_scale_can_be_chosen_and_is_told(lensed):
    maps = lensed[2]
    axes = draw_map(Figure().add_subplot(), maps, scale=0)
    np.testing.assert_array_equal(axes.images[0].get_array(), maps.snr[0])
    assert "scale 28 px" in axes.get_title(loc="center") + axes.get_title(loc="left")


def test_ellipse_has_the_axes_and_angle_of_the_catalogue():
    e = 0.5 * np.exp(2j * np.radians(30))  # half-axes 3 : 1
    axes = draw_sky(Figure().add_subplot(), sky_of((100, 100)), catalog_of([50], [40], [e], (100, 100), size=6.0))
    (ellipses,) = (artist for artist in axes.collections if isinstance(artist, EllipseCollection))
    a, b = ellipses.get_widths() / 2 / OUTLINE, ellipses.get_heights() / 2 / OUTLINE
    assert a / b == pytest.approx(3)
    assert np.sqrt(a * b) == pytest.approx(6)
    assert ellipses.get_angles() == pytest.approx(30)
    np.testing.assert_array_equal(ellipses.get_offsets(), [[50, 40]])


@pytest.mark.parametrize("degrees", [30, 75, -40])
def test_outline_lies_along_the_galaxy_that_is_drawn(degrees):
    """The light of a rendered outline has the second moments of the galaxy, whose y runs downwards."""
    shape, angle = (200, 300), np.radians(degrees)
    figure, axes = bare_axes(shape)
    draw_sky(axes, sky_of(shape), catalog_of([170], [80], [0.5 * np.exp(2j * angle)], shape, size=12.0))
    light = rendered(figure)[:, :, 1]
    y, x = np.indices(shape)
    total = light.sum()
    dx, dy = x - (light * x).sum() / total, y - (light * y).sum() / total
    q_xx, q_yy, q_xy = ((light * product).sum() for product in (dx * dx, dy * dy, dx * dy))
    assert 0.5 * np.arctan2(2 * q_xy, q_xx - q_yy) == pytest.approx(angle, abs=0.02)
    assert (light * x).sum() / total == pytest.approx(170, abs=1)
    assert (light * y).sum() / total == pytest.approx(80, abs=1)
    # Along the major axis the outline reaches OUTLINE a, with a = size / sqrt(q) and q = 1 / 3.
    reach = np.abs(dx * np.cos(angle) + dy * np.sin(angle))[light > 100].max()
    assert reach == pytest.approx(OUTLINE * 12.0 * np.sqrt(3), abs=1.5)


def test_picture_has_row_0_on_top_and_a_pixel_for_a_pixel():
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[3, 50] = 255
    figure, axes = bare_axes((40, 60))
    draw_sky(axes, Sky("sky.png", pixels))
    np.testing.assert_array_equal(rendered(figure), pixels)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("bands", [1, 3])
def test_every_kind_of_picture_is_drawn(rng, kind, bands):
    top = {"uint8": 255, "uint16": 65535, "float32": 3.5}[np.dtype(kind).name]
    pixels = np.zeros((64, 64, bands))
    pixels[20:24, 30:34] = top
    axes = draw_sky(Figure().add_subplot(), Sky("sky", pixels.astype(kind)))
    image = np.asarray(axes.images[0].get_array())
    assert image.shape == (64, 64, 3)
    assert image[22, 32].min() == pytest.approx(1)
    assert image[40, 40].max() == 0


def test_noise_is_dark_and_faint_galaxies_show(rng):
    pixels = rng.normal(1000, 5, (128, 128, 1))
    pixels[30:40, 30:40] += 5000
    pixels[80:90, 80:90] += 50  # 10 standard deviations, a hundredth of the brightest
    axes = draw_sky(Figure().add_subplot(), Sky("sky.fits", pixels.astype(np.float32)))
    image = np.asarray(axes.images[0].get_array())[:, :, 0]
    assert image[35, 35] > 0.95
    assert image[80:90, 80:90].mean() > 0.2
    assert np.median(image) < 0.05


def test_stretch_keeps_colours(rng):
    pixels = rng.normal(0, 1, (128, 128, 3))
    pixels[30:40, 30:40] += (100, 200, 400)
    axes = draw_sky(Figure().add_subplot(), Sky("sky.fits", (pixels + 50).astype(np.float32)))
    red, green, blue = np.asarray(axes.images[0].get_array())[30:40, 30:40].mean(axis=(0, 1))
    assert red / green == pytest.approx(0.5, abs=0.02)
    assert blue > green


def test_masked_pixels_are_grey():
    mask = np.zeros((64, 64), dtype=np.bool_)
    mask[10:20, 10:20] = True
    sky = Sky("sky.fits", np.zeros((64, 64, 1), dtype=np.float32), mask)
    image = np.asarray(draw_sky(Figure().add_subplot(), sky).images[0].get_array())
    np.testing.assert_allclose(image[mask], MASKED)
    assert not image[~mask].any()


def test_large_fields_are_averaged_and_stay_in_place(rng):
    shape = (2100, 4200)
    pixels = np.zeros((*shape, 1), dtype=np.uint8)
    pixels[1500:1509, 3000:3009] = 255
    catalog = lensed_catalog(rng, shape, (1000, 1000), n=5000)
    axes = draw_sky(Figure().add_subplot(), Sky("field.png", pixels), catalog)
    image = np.asarray(axes.images[0].get_array())
    assert image.shape == (700, 1400, 3)
    assert axes.images[0].get_extent() == [-0.5, 4199.5, 2099.5, -0.5]
    assert image[500:503, 1000:1003].min() == 1


@pytest.mark.parametrize(
    ("shape", "size"), [((512, 512), (1830, 770)), ((300, 900), (1830, 429)), ((900, 300), (1296, 1058))]
)
def test_saved_picture_has_the_size_of_its_layout(rng, tmp_path, shape, size):
    catalog = lensed_catalog(rng, shape, (100, 100))
    figure = heatmap(sky_of(shape), catalog, shear_maps(catalog), lens=(100, 100))
    figure.savefig(tmp_path / "heatmap.png")
    height, width = imread(tmp_path / "heatmap.png").shape[:2]
    assert (width, height) == size


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("shape", [(512, 512), (300, 900), (900, 300), (64, 640), (640, 64), (9000, 12000)])
def test_no_text_overlaps_another_or_leaves_the_page(rng, shape, weighed):
    catalog = lensed_catalog(rng, shape, (30, 30))
    maps = shear_maps(catalog, config=MeasureConfig(grid_spacing=max(shape) / 50))
    name = "a-long-name-of-a-picture-" * 5 + ".png"
    verdict = Verdict(0, 0.001, "lightgbm")
    told = {"evidence": weigh(catalog), "p_value": 0.0049751} if weighed else {}
    told |= {"null": told["evidence"], "matched": (maps.snr[0], maps.snr_cross[0])} if weighed else {}
    sky = Sky(name, np.zeros((*shape, 1), np.uint8))
    figure = heatmap(sky, catalog, maps, verdict=verdict, lens=(30, 30), **told)
    figure.canvas.draw()
    page = figure.bbox
    texts = [*figure.texts, *figure.legends[0].get_texts()]
    assert len(figure.axes) == (6 if weighed else 4)
    for axes in figure.axes:
        texts += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for i, box in enumerate(boxes):
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_title_tells_peak_and_verdict(lensed):
    sky, catalog, maps, _ = lensed
    figure = heatmap(replace(sky, name="sky_$1_$2.png"), catalog, maps, verdict=Verdict(1, 0.934, "cnn"))
    figure.canvas.draw()
    told = [text.get_text() for text in figure.texts]
    peak, null = maps.peak, abs(maps.snr_cross[maps.best_scale]).max()
    assert told == [
        "sky_$1_$2.png",
        f"Peak S/N {peak.snr:.1f} at row {peak.row:.0f}, column {peak.column:.0f}; |S/N| ≤ {null:.1f} in the null",
        "Lens",
        "probability 0.93, by cnn",
    ]


@pytest.mark.parametrize(("probability", "told"), [(0.9999, "above 0.99"), (0.0001, "below 0.01"), (0.5, "0.50")])
def test_certainty_is_never_claimed(lensed, probability, told):
    figure = heatmap(*lensed[:3], verdict=Verdict(int(probability > 0.6), probability, "lightgbm"))
    assert f"probability {told}, by lightgbm" in [text.get_text() for text in figure.texts]
    assert ("Lens" if probability > 0.6 else "No lens") in [text.get_text() for text in figure.texts]


def test_empty_catalogue_and_flat_maps_are_drawn(lensed):
    maps = lensed[2]
    flat = replace(maps, snr=np.zeros_like(maps.snr), snr_cross=np.zeros_like(maps.snr))
    figure = heatmap(sky_of(maps.shape), catalog_of([], [], np.zeros(0, complex), maps.shape), flat)
    figure.canvas.draw()
    assert figure.axes[1].images[0].get_clim() == (-8, 8)


def test_evidence_is_told_and_its_place_marked_with_its_error(lensed):
    sky, catalog, maps, lens = lensed
    evidence = lens_evidence(catalog)
    figure = heatmap(sky, catalog, maps, evidence=evidence, lens=lens, p_value=0.0049751)
    shapes = f"shapes alone +{evidence.log_bayes_factor_shear:.1f} with p = 0.005 by chance"
    told = f"Log evidence +{evidence.log_bayes_factor:.1f}: {shapes}, counts alone +0.0"
    assert told in [text.get_text() for text in figure.texts]
    panels = [axes for axes in figure.axes if axes.get_xlabel()]
    assert len(panels) == 4
    for axes in panels:
        assert marks(axes, "best_fit") == [(evidence.column, evidence.row)]
        assert marks(axes, "lens") == [(lens[1], lens[0])]
    for axes in panels[:3]:
        (circle,) = (patch for patch in axes.patches if patch.get_gid() == "error")
        assert circle.center == (evidence.column, evidence.row)
        assert circle.radius == evidence.position_error


def test_evidence_against_a_lens_has_a_minus(lensed):
    sky, catalog, maps, _ = lensed
    evidence = replace(lens_evidence(catalog), log_bayes_factor=-4.21)
    texts = [text.get_text() for text in heatmap(sky, catalog, maps, evidence=evidence).texts]
    assert any(text.startswith("Log evidence −4.2: shapes alone +") for text in texts)


def test_null_of_the_evidence_is_told_between_shapes_and_counts(lensed):
    """Of the shapes alone: counts are the same for what shears across."""
    sky, catalog, maps, _ = lensed
    evidence, null = lens_evidence(catalog), lens_evidence(catalog, cross=True)
    assert null.log_bayes_factor_shear < 0 < evidence.log_bayes_factor_shear
    shapes = f"shapes alone +{evidence.log_bayes_factor_shear:.1f}, turned by 45° (the null) −{-null.log_bayes_factor_shear:.1f}"
    null = replace(null, log_bayes_factor=77.0)
    (line,) = (
        text.get_text()
        for text in heatmap(sky, catalog, maps, evidence=evidence, null=null).texts
        if text.get_text().startswith("Log evidence")
    )
    assert line == f"Log evidence +{evidence.log_bayes_factor:.1f}: {shapes}, counts alone +0.0"


def test_posterior_is_drawn_where_it_is(lensed):
    """Its brightest place is the best_fit cell, in pixels of the picture, and the contours hold what they say."""
    evidence = lens_evidence(lensed[1])
    axes = draw_posterior(Figure().add_subplot(), evidence)
    (image,) = axes.images
    row, column = np.unravel_index(np.argmax(image.get_array()), image.get_array().shape)
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-0.5, 399.5, 299.5, -0.5)
    best_row, best_column = np.unravel_index(evidence.posterior.argmax(), evidence.posterior.shape)
    assert top + (row + 0.5) / image.get_array().shape[0] * 300 == pytest.approx(evidence.rows[best_row], abs=10)
    assert left + (column + 0.5) / image.get_array().shape[1] * 400 == pytest.approx(
        evidence.columns[best_column], abs=10
    )


def test_contours_of_the_posterior_hold_their_shares(lensed):
    """Of a Gaussian of standard deviation 40 px, whose 50 and 90 % lie within 1.18 and 2.15 of those."""
    evidence = lens_evidence(lensed[1])
    square = (evidence.rows[:, None] - 150) ** 2 + (evidence.columns[None, :] - 200) ** 2
    axes = draw_posterior(Figure().add_subplot(), replace(evidence, log_evidence=-square / (2 * 40.0**2)))
    (contours,) = axes.collections
    radii = [np.hypot(*(path.vertices - (200, 150)).T).mean() for path in contours.get_paths()]
    assert radii == pytest.approx([40 * np.sqrt(-2 * np.log(1 - share)) for share in INSIDE], rel=0.03)
    assert axes.images[0].get_array().shape == (evidence.rows.size * ZOOM, evidence.columns.size * ZOOM)


def test_drawing_functions_return_the_axes_they_were_given(lensed):
    sky, catalog, maps, lens = lensed
    axes = Figure().add_subplot()
    assert draw_sky(axes, sky, catalog) is axes
    assert draw_map(axes, maps, which="cross") is axes
    assert draw_marks(axes, peak=maps.peak, lens=lens) is axes
    assert draw_posterior(axes, lens_evidence(catalog)) is axes


def test_highest_of_a_map_is_found_between_the_points_of_its_grid():
    rows, columns = np.arange(0.0, 101.0, 10.0), np.arange(0.0, 201.0, 10.0)
    peak = Peak.of(5 - ((rows[:, None] - 43) ** 2 + (columns - 128) ** 2) / 1000, rows, columns)
    assert (peak.row, peak.column) == pytest.approx((43, 128))
    assert np.isnan(peak.scale)


def test_settings_of_others_stay_as_they_are(lensed):
    with rc_context({"text.color": "red", "font.size": 21.0, "xtick.color": "green"}):
        before = dict(rcParams)
        heatmap(*lensed[:3])
        assert dict(rcParams) == before


def test_pyplot_is_not_imported():
    program = "import sys, darkmatter_features.plots.heatmap; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
