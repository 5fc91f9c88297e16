"""Frames and captions are found in pictures, and no galaxy is taken for one."""

import io

import numpy as np
import pytest
from PIL import Image

from darkmatter_features.galaxies.noisy.catalog import measure_image
from darkmatter_features.galaxies.noisy.defects.graphics import find_graphics, white_level
from darkmatter_features.galaxies.noisy.defects.kinds import Defect
from darkmatter_features.galaxies.noisy.kernels.strokes import StrokeLimits, stroke_pixels
from darkmatter_features.io.sky import Sky, read_sky
from tests.galaxies.noisy.defects.scenes import SIDE, drawn, font, noisy_sky, picture


def as_jpeg(pixels, quality=80):
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "JPEG", quality=quality)
    result = np.asarray(Image.open(file))
    return result.reshape(*result.shape[:2], -1)


def caption(canvas, color):
    canvas.text((12, 205), "Abell 1689", font=font(24), fill=color)
    canvas.text((12, 234), "NASA, ESA, the Hubble Team", font=font(12), fill=color)


def label_in_the_middle(canvas, color):
    canvas.text((90, 110), "cD galaxy", font=font(14), fill=color)


def compass(canvas, color):
    canvas.line([(230, 90), (230, 40)], fill=color, width=2)
    canvas.line([(230, 90), (180, 90)], fill=color, width=2)
    canvas.text((225, 20), "N", font=font(14), fill=color)


def scale_bar(canvas, color):
    canvas.line([(20, 240), (80, 240)], fill=color, width=3)


def circle(canvas, color):
    canvas.ellipse([90, 90, 150, 150], outline=color, width=2)


def box(canvas, color):
    canvas.rectangle([60, 60, 130, 130], outline=color, width=1)


DRAWINGS = [caption, label_in_the_middle, compass, scale_bar, circle, box]
RED, YELLOW, WHITE = (255, 60, 40), (255, 230, 0), (255, 255, 255)


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("compress", [lambda pixels: pixels, as_jpeg], ids=["png", "jpeg"])
@pytest.mark.parametrize(("bands", "color"), [(1, WHITE), (3, WHITE), (3, RED), (3, YELLOW)])
def test_what_is_drawn_is_left_out(rng, draw, compress, bands, color):
    pixels, ink = drawn(picture(rng, bands=bands), draw, color)
    defects = find_graphics(compress(pixels))
    assert defects.mask[ink].mean() > 0.97
    assert np.all(defects.kinds[ink & defects.mask] & Defect.CAPTION)
    assert "caption" in defects.line()


def test_lines_of_text_are_left_out_as_boxes(rng):
    pixels, ink = drawn(picture(rng), caption)
    kept = ~find_graphics(pixels).mask
    rows, columns = np.nonzero(ink[200:230])
    assert not kept[200 + rows.min() : 200 + rows.max() + 1, columns.min() : columns.max() + 1].any()


def test_what_a_circle_surrounds_is_kept(rng):
    pixels, _ = drawn(picture(rng), circle)
    assert not find_graphics(pixels).mask[105:135, 105:135].any()


@pytest.mark.parametrize("compress", [lambda pixels: pixels, as_jpeg], ids=["png", "jpeg"])
def test_an_enlarged_inset_is_left_out_and_what_a_rectangle_marks_is_kept(rng, compress):
    image = Image.fromarray(picture(rng)[..., 0])
    image.paste(image.crop((20, 180, 60, 220)).resize((100, 100), Image.Resampling.BICUBIC), (140, 10))
    pixels, _ = drawn(
        np.asarray(image)[..., None], lambda canvas, color: canvas.rectangle([139, 9, 240, 110], None, color, 2)
    )
    pixels, _ = drawn(pixels, lambda canvas, color: canvas.rectangle([20, 180, 60, 220], None, color, 1))
    mask = find_graphics(compress(pixels)).mask
    assert mask[9:111, 139:241].all()
    assert not mask[186:215, 26:55].any()


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("compress", [lambda pixels: pixels, as_jpeg], ids=["png", "jpeg"])
def test_no_galaxy_is_a_caption(rng, bands, compress):
    for _ in range(4):
        assert find_graphics(compress(picture(rng, bands=bands, n=120))).line() == ""


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("compress", [lambda pixels: pixels, as_jpeg], ids=["png", "jpeg"])
def test_a_frame_is_left_out_and_nothing_else(rng, value, compress):
    pixels = picture(rng)
    inside = np.zeros(pixels.shape[:2], bool)
    inside[10:-40, 7:-12] = True
    pixels[~inside] = value
    defects = find_graphics(compress(pixels))
    assert defects.mask[~inside].all()
    assert not defects.mask[14:-44, 11:-16].any()
    assert defects.line().startswith("1 frame")


def test_a_caption_in_a_frame_is_counted(rng):
    pixels = picture(rng)
    pixels[200:] = 0
    pixels, ink = drawn(pixels, caption)
    defects = find_graphics(pixels)
    assert np.all(defects.kinds[ink] & Defect.CAPTION)
    assert {Defect.CAPTION, Defect.FRAME} == set(defects.counts())


def test_a_line_within_a_black_border_is_part_of_the_frame(rng):
    pixels = picture(rng)
    pixels[:8] = pixels[-8:] = pixels[:, :8] = pixels[:, -8:] = 0
    pixels, ink = drawn(pixels, lambda canvas, color: canvas.rectangle([8, 8, 247, 247], outline=color, width=2))
    assert find_graphics(as_jpeg(pixels)).mask[ink].all()


def test_rounded_corners_are_left_out(rng):
    pixels = picture(rng)
    y, x = np.indices(pixels.shape[:2])
    outside = np.hypot(np.maximum(np.abs(y - 127.5) - 80, 0), np.maximum(np.abs(x - 127.5) - 80, 0)) > 40
    pixels[outside] = 0
    mask = find_graphics(as_jpeg(pixels)).mask
    assert mask[outside].mean() > 0.98
    assert mask[~outside].mean() < 0.1


def test_an_area_of_zeros_about_data_is_a_frame(rng):
    sky, _ = noisy_sky(rng)
    sky[:, 200:] = 0.0
    defects = find_graphics(sky[..., None])
    assert defects.mask[:, 200:].all()
    assert defects.mask[:, :198].sum() == 0


def test_data_have_neither_frame_nor_caption(rng):
    sky, _ = noisy_sky(rng)
    assert find_graphics(sky[..., None]).line() == ""
    assert find_graphics(np.rint(sky * 10 + 1000)[..., None].astype(np.float32)).line() == ""


def test_sky_clipped_at_black_is_no_frame(rng):
    pixels = np.maximum(picture(rng).astype(int) - 36, 0).astype(np.uint8)
    assert find_graphics(pixels).mask.mean() < 0.02


def test_pictures_are_distinguished_from_data(rng):
    pixels = picture(rng)
    assert white_level(pixels) == 255.0
    assert white_level(pixels.astype(np.float32)) == 255.0
    assert white_level((pixels / 255).astype(np.float32)) == 1.0
    assert np.isnan(white_level(noisy_sky(rng)[0][..., None]))


@pytest.mark.parametrize("levels", [(0.0, 9.5, 10.0), (-16.0, -15.0, -4.0, 5.0, 16.0), (0.0, 4.0, 5.0)])
def test_stroke_pixels_match_naive(rng, levels):
    """Small images in which every pixel counts; some levels are at the limits."""
    limits, n_found = StrokeLimits(5.0, 0.0625, 0.25), 0
    for shape in [(8, 9), (7, 12), (12, 7), (6, 20)] * 4:
        contrast = rng.choice(levels, shape).astype(np.float32)
        found = np.zeros(shape, bool)
        n = stroke_pixels(contrast, limits, found)
        np.testing.assert_array_equal(found, slow_strokes(contrast, limits))
        assert n == found.sum()
        n_found += n
    assert n_found > 0


def slow_strokes(contrast, limits):
    expected = np.zeros(contrast.shape, bool)
    for row, column in np.ndindex(*np.maximum(np.array(contrast.shape) - 6, 0)):
        row, column = row + 3, column + 3
        value = contrast[row, column]
        for di, dj in ((0, 1), (1, 0), (1, 1), (1, -1)):
            along = [contrast[row + s * di, column + s * dj] for s in (-1, 1)]
            across = [contrast[row + s * dj, column - s * di] for s in (-2, 2)]
            is_even = all(abs(one - value) <= limits.along * abs(value) for one in along)
            is_edge = abs(value) >= limits.contrast and min(np.divide(across, value or 1.0)) <= limits.across
            expected[row, column] |= is_even and is_edge
    return expected


def test_letters_are_not_in_the_catalogue(rng):
    pixels, ink = drawn(picture(rng), caption)
    catalog = measure_image(Sky("sky.png", pixels))
    assert not ink[np.rint(catalog.sources.y).astype(int), np.rint(catalog.sources.x).astype(int)].any()
    assert len(catalog) > 20
    assert catalog.shape[0] == SIDE


def test_abell_2218_has_a_frame_and_captions(real_skies):
    catalog = measure_image(read_sky(real_skies / "a2218.jpg"))
    x, y = catalog.sources.x, catalog.sources.y
    assert ((x > 14) & (x < 786) & (y > 14) & (y < 404)).all()
    assert not catalog.exposure.mask[20:400, 20:780].any()
    assert np.min(np.hypot(x - 545, y - 200)) < 2  # the cD galaxy
    assert catalog.exposure.defects.line().startswith("3 captions, 1 frame")
