"""The panel of the sky: ellipses on the galaxies, the stretch of noisy images, axes of RA and Dec."""

import numpy as np
import pytest
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.panels import OUTLINE, draw_sky
from darkmatter_features.plots.theme import DARK
from tests.plots.figures import bare_axes, catalog_of, lensed_catalog, lines_of, rendered, sky_of, world_coordinates


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
    # The major half-axis of the outline is OUTLINE a, with a = size / sqrt(q) and q = 1 / 3.
    half_axis = np.abs(dx * np.cos(angle) + dy * np.sin(angle))[light > 100].max()
    assert half_axis == pytest.approx(OUTLINE * 12.0 * np.sqrt(3), abs=1.5)


def test_image_is_drawn_pixel_by_pixel_with_row_0_on_top():
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[3, 50] = 255
    figure, axes = bare_axes((40, 60))
    draw_sky(axes, Sky("sky.png", pixels))
    np.testing.assert_array_equal(rendered(figure), pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("bands", [1, 3])
def test_every_pixel_type_is_drawn_from_black_to_white(rng, dtype, bands):
    top = {"uint8": 255, "uint16": 65535, "float32": 3.5}[np.dtype(dtype).name]
    pixels = np.zeros((64, 64, bands))
    pixels[20:24, 30:34] = top
    axes = draw_sky(Figure().add_subplot(), Sky("sky", pixels.astype(dtype)))
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
    np.testing.assert_allclose(image[mask], DARK.masked)
    assert not image[~mask].any()


def test_large_fields_are_averaged_at_their_position(rng):
    shape = (2100, 4200)
    pixels = np.zeros((*shape, 1), dtype=np.uint8)
    pixels[1500:1509, 3000:3009] = 255
    catalog = lensed_catalog(rng, shape, (1000, 1000), n=5000)
    axes = draw_sky(Figure().add_subplot(), Sky("field.png", pixels), catalog)
    image = np.asarray(axes.images[0].get_array())
    assert image.shape == (700, 1400, 3)
    assert axes.images[0].get_extent() == [-0.5, 4199.5, -0.5, 2099.5]
    assert image[500:503, 1000:1003].min() == 1


N_PANELS = 3
"""The sky, and the maps of tangential and cross shear."""


@pytest.mark.parametrize("turn", [0.0, 30.0, 66.0])
def test_a_sky_with_a_wcs_has_axes_of_ra_and_dec_under_the_same_pixels(rng, turn):
    shape, wcs = (300, 400), world_coordinates(turn)
    catalog = lensed_catalog(rng, shape, (120.0, 260.0))
    pixels = np.zeros((*shape, 1), dtype=np.uint8)
    pixels[40:60, 300:330] = 255
    figure = heatmap(Sky("sky.fits", pixels, wcs=wcs), catalog, shear_maps(catalog))
    axes = figure.axes[0]
    assert isinstance(axes, WCSAxes)
    assert [coordinate.get_axislabel() for coordinate in axes.coords] == ["RA", "Dec"]
    light = rendered(figure).min(axis=2)
    inside = axes.transData.transform([(314.5, 49.5), (314.5, 250.0)]).round().astype(int)
    (x, y), (empty_x, empty_y) = inside
    assert light[-y, x] > 200
    assert light[-empty_y, empty_x] < 50
    panels = [panel for panel in figure.axes if isinstance(panel, WCSAxes)]
    assert len(panels) == N_PANELS


def test_peak_and_best_fit_position_have_ra_and_dec(rng):
    """A pixel is 0.2 arcsec: a row of the image is 5.6e-5 degrees of declination."""
    wcs, catalog = world_coordinates(), lensed_catalog(rng, (300, 400), (120.0, 260.0))
    maps, evidence = shear_maps(catalog), lens_evidence(catalog)
    lines = lines_of(heatmap(sky_of((300, 400), wcs=wcs), catalog, maps, evidence=evidence))
    positions = []
    for found in (maps.peak, evidence):
        position = wcs.pixel_to_world(found.column, found.row)
        positions.append(f"RA {position.ra.deg:.4f}°, Dec −{-position.dec.deg:.4f}°")
    assert f"Peak at {positions[0]}; best-fit position at {positions[1]}" in lines
    (line,) = (line for line in lines_of(heatmap(sky_of((300, 400), wcs=wcs), catalog, maps)) if "RA" in line)
    assert line == f"Peak at {positions[0]}"
