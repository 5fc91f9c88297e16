"""Pages of TIFF files, the meaning of their values, orientation and transparency."""

from io import BytesIO

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps

from darkmatter_features.errors import SkyError
from darkmatter_features.io.images.orientation import oriented
from darkmatter_features.io.sky import read_sky
from tests.io.test_sky import png, png_chunk

SHAPE = (36, 44)
REDUCED = {"subfiletype": 1}
MASK = {"subfiletype": 4, "photometric": "mask"}


@pytest.fixture
def colours(rng):
    return rng.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)


@pytest.fixture
def as_tiff(tmp_path):
    """Return a function that writes pages (pixels, options) and returns the path."""

    def write(*pages):
        with tifffile.TiffWriter(tmp_path / "sky.tif") as file:
            for pixels, options in pages:
                file.write(pixels, **options)
        return tmp_path / "sky.tif"

    return write


@pytest.mark.parametrize("others", [[REDUCED], [MASK], [REDUCED, MASK, REDUCED]])
@pytest.mark.parametrize("last", [False, True])
def test_the_first_whole_page_is_read(as_tiff, colours, others, last):
    small = [
        (colours[..., 0] > 99, MASK) if own is MASK else (colours[::2, ::2].copy(), own | {"photometric": "rgb"})
        for own in others
    ]
    whole = (colours, {"photometric": "rgb", "subfiletype": 0})
    sky = read_sky(as_tiff(*([*small, whole] if last else [whole, *small])))
    assert_array_equal(sky.pixels, colours)
    assert sky.notes == (f"page {len(others) if last else 0} read, of {len(others) + 1} pages",)


def test_a_whole_page_within_a_reduced_page_is_read(as_tiff, colours):
    """As in raw images of cameras: a thumbnail, with the image in a SubIFD."""
    small = (colours[::4, ::4].copy(), {"photometric": "rgb", "subfiletype": 1, "subifds": 1})
    assert_array_equal(read_sky(as_tiff(small, (colours, {"photometric": "rgb", "subfiletype": 0}))).pixels, colours)


def test_of_several_whole_pages_one_can_be_chosen(as_tiff, colours):
    path = as_tiff(*[(colours[..., k].copy(), {"photometric": "minisblack"}) for k in range(3)])
    sky = read_sky(path)
    assert_array_equal(sky.pixels[..., 0], colours[..., 0])
    assert sky.notes == ("page 0 read, of 3 pages; 2 other pages are whole images, FILE[NUMBER] chooses one",)
    assert_array_equal(read_sky(f"{path}[2]").pixels[..., 0], colours[..., 2])
    with pytest.raises(SkyError, match=r"has no page \[3\]; choose one of its 3 pages"):
        read_sky(f"{path}[3]")


def test_reduced_pages_alone_are_refused(as_tiff, colours):
    with pytest.raises(SkyError, match="has 1 pages, all reduced images or masks"):
        read_sky(as_tiff((colours, REDUCED | {"photometric": "rgb"})))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_zero_is_white_at_every_depth(as_tiff, rng, dtype, compression):
    top = np.iinfo(dtype).max
    image = rng.integers(0, top, SHAPE).astype(dtype)
    path = as_tiff((top - image, {"photometric": "miniswhite", "compression": compression}))
    assert_array_equal(read_sky(path).pixels[..., 0], image)


def test_zero_is_white_in_real_numbers(as_tiff, rng):
    image = rng.random(SHAPE).astype(np.float32)
    found = read_sky(as_tiff((image.max() - image, {"photometric": "miniswhite"}))).pixels[..., 0]
    np.testing.assert_allclose(found - found.min(), image - image.min(), atol=1e-6)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gives_its_colours(as_tiff, rng, bits):
    """8 bits where all colours have no more."""
    index = rng.integers(0, 256, SHAPE).astype(np.uint8)
    palette = rng.integers(0, 256, (3, 256)).astype(np.uint16) * 257
    if bits == 16:
        palette[:, 0] = 12345
    expected = np.moveaxis(palette[:, index], 0, -1)
    sky = read_sky(as_tiff((index, {"photometric": "palette", "colormap": palette})))
    assert_array_equal(sky.pixels, expected // 257 if bits == 8 else expected)


def test_a_fourth_band_of_unknown_content_is_left_out(as_tiff, colours):
    """Near infrared, for example: it is no transparency."""
    bands = np.dstack([colours, 255 - colours[..., :1]])
    sky = read_sky(as_tiff((bands, {"photometric": "rgb", "extrasamples": ["unspecified"]})))
    assert_array_equal(sky.pixels, colours)
    assert sky.notes == ("band 4, of unknown content, left out",)


def test_colours_that_alpha_has_multiplied_stay(as_tiff, colours):
    bands = np.dstack([colours, np.full((*SHAPE, 1), 100, np.uint8)])
    sky = read_sky(as_tiff((bands, {"photometric": "rgb", "extrasamples": ["assocalpha"]})))
    assert_array_equal(sky.pixels, colours)


def test_other_colours_are_refused_by_name(as_tiff, colours):
    with pytest.raises(SkyError, match="CIELAB colours; save it as RGB"):
        read_sky(as_tiff((colours, {"photometric": "cielab"})))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_gives_the_image_as_displayed(colours, orientation):
    """Pillow displays it so."""
    image = Image.fromarray(colours)
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    values, note = oriented(colours, orientation)
    assert_array_equal(values, expected)
    assert bool(note) == (orientation > 1)


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
def test_the_orientation_that_a_file_states_is_used(tmp_path, colours, kind):
    path, upright = tmp_path / f"sky.{kind}", tmp_path / f"upright.{kind}"
    exif = Image.Exif()
    exif[274] = 6
    options = {"quality": 100} if kind == "jpg" else {}
    if kind == "tif":
        tifffile.imwrite(path, colours, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    else:
        Image.fromarray(colours).save(path, exif=exif, **options)
    Image.fromarray(colours).save(upright, **options)
    sky = read_sky(path)
    assert_array_equal(sky.pixels, np.rot90(read_sky(upright).pixels, -1))
    assert "row and column are those of the image as displayed" in sky.notes[0]


def test_transparent_entries_of_a_palette_are_dark(tmp_path, rng):
    index = rng.integers(0, 4, SHAPE).astype(np.uint8)
    palette = rng.integers(1, 256, (4, 3)).astype(np.uint8)
    alpha = np.array([255, 0, 128, 255], dtype=np.uint8)
    before = png_chunk(b"PLTE", palette.tobytes()) + png_chunk(b"tRNS", alpha[:3].tobytes())
    path = tmp_path / "sky.png"
    path.write_bytes(png(SHAPE[1], SHAPE[0], 8, 3, [line.tobytes() for line in index], before=before))
    expected = palette.astype(float)[index] * alpha[index][..., None] / 255
    np.testing.assert_allclose(read_sky(path).pixels, expected, atol=0.51)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("n_bands", [1, 3])
def test_a_transparent_colour_is_dark(tmp_path, rng, depth, n_bands):
    dtype = np.dtype(f">u{depth // 8}")
    values = rng.integers(200, 203, (*SHAPE, n_bands)).astype(dtype)
    key = np.full(n_bands, 201, dtype=">u2").tobytes()
    path = tmp_path / "sky.png"
    lines = [line.tobytes() for line in values]
    path.write_bytes(png(SHAPE[1], SHAPE[0], depth, {1: 0, 3: 2}[n_bands], lines, before=png_chunk(b"tRNS", key)))
    transparent = (values == 201).all(axis=2, keepdims=True)
    assert transparent.any()
    found = read_sky(path).pixels
    assert_array_equal(found, np.where(transparent, 0, np.broadcast_to(values, found.shape)))


def test_the_parts_of_a_file_without_parts_are_refused(tmp_path, colours):
    content = BytesIO()
    Image.fromarray(colours).save(content, "PNG")
    (tmp_path / "sky.png").write_bytes(content.getvalue())
    with pytest.raises(SkyError, match=r"is a PNG file, which has no parts; leave \[1\] out"):
        read_sky(f"{tmp_path / 'sky.png'}[1]")


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_compressions_of_pillow_alone_give_the_same_image(tmp_path, colours, orientation, mode):
    """LZW without imagecodecs: turned and inverted once, not twice."""
    image = Image.fromarray(colours).convert(mode)
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / "sky.tif", compression="group4" if mode == "1" else "tiff_lzw", exif=exif)
    expected = np.asarray(image.convert("L" if mode == "1" else mode))
    expected = oriented(expected, orientation)[0].reshape(*oriented(expected, orientation)[0].shape[:2], -1)
    sky = read_sky(tmp_path / "sky.tif")
    assert_array_equal(sky.pixels, expected)
    assert bool(sky.notes) == (orientation > 1)


def test_zero_is_white_in_lzw_too(tmp_path, colours):
    grey = Image.fromarray(colours[..., 0])
    grey.save(tmp_path / "sky.tif", compression="tiff_lzw", tiffinfo={262: 0})
    assert_array_equal(read_sky(tmp_path / "sky.tif").pixels[..., 0], np.asarray(Image.open(tmp_path / "sky.tif")))


def test_zero_is_white_in_signed_integers(as_tiff, rng):
    image = rng.integers(-30000, 30000, SHAPE).astype(np.int16)
    found = read_sky(as_tiff((~image, {"photometric": "miniswhite"}))).pixels[..., 0]
    assert_array_equal(found, image.astype(np.float32))


def test_a_reduced_page_without_the_mark_is_not_read(as_tiff, colours):
    small = colours[::2, ::2].copy()
    sky = read_sky(as_tiff((small, {"photometric": "rgb"}), (colours, {"photometric": "rgb"})))
    assert_array_equal(sky.pixels, colours)
