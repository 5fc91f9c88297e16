import gzip
import struct
import subprocess
import sys
import tracemalloc
import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from astropy.io import fits
from astropy.wcs import WCS
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from darkmatter_features.errors import SkyError
from darkmatter_features.io.sky import read_sky


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(n_columns, n_rows, depth, colour, lines, *, before=b""):
    """Return a PNG written by the standard alone, without any library."""
    header = struct.pack(">IIBBBBB", n_columns, n_rows, depth, colour, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + line for line in lines))
    chunks = png_chunk(b"IHDR", header) + before + png_chunk(b"IDAT", content) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_of(pixels):
    n_rows, n_columns, n_bands = pixels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[n_bands]
    lines = [line.astype(pixels.dtype.newbyteorder(">")).tobytes() for line in pixels]
    return png(n_columns, n_rows, pixels.dtype.itemsize * 8, colour, lines)


def times_alpha(pixels):
    """Return the colours times the last band, each value as an exact rational, rounded half up."""
    top = int(np.iinfo(pixels.dtype).max)
    product = np.vectorize(lambda value, alpha: (2 * int(value) * int(alpha) + top) // (2 * top))
    return product(pixels[..., :-1], pixels[..., -1:]).astype(pixels.dtype)


@pytest.fixture
def written(tmp_path):
    """Return a function that writes bytes to a file and returns its path."""

    def write(content, name="sky.png"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def as_fits(tmp_path):
    """Return a function that writes FITS extensions after an empty one and returns the path."""

    def write(*hdus, name="sky.fits"):
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def small_png(rng):
    return png_of(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8))


# Images that are read


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n_bands", [1, 3])
def test_png_values_are_unchanged(written, rng, dtype, n_bands):
    pixels = rng.integers(0, np.iinfo(dtype).max, (7, 5, n_bands), dtype=dtype, endpoint=True)
    sky = read_sky(written(png_of(pixels)))
    assert sky.pixels.dtype == dtype
    assert_array_equal(sky.pixels, pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n_bands", [2, 4])
def test_colours_are_multiplied_by_alpha(written, rng, dtype, n_bands):
    pixels = rng.integers(0, np.iinfo(dtype).max, (7, 5, n_bands), dtype=dtype, endpoint=True)
    pixels[0, :, -1], pixels[1, :, -1] = 0, np.iinfo(dtype).max
    sky = read_sky(written(png_of(pixels)))
    assert sky.pixels.dtype == dtype
    assert_array_equal(sky.pixels, times_alpha(pixels))


def test_one_bit_png_is_black_and_white(written):
    sky = read_sky(written(png(9, 1, 1, 0, [b"\xaa\x80"])))
    assert_array_equal(sky.pixels[0, :, 0], [255, 0, 255, 0, 255, 0, 255, 0, 255])


def test_palette_png_has_the_palettes_colours(written):
    palette = png_chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    sky = read_sky(written(png(2, 1, 8, 3, [b"\1\0"], before=palette)))
    assert_array_equal(sky.pixels, [[[40, 50, 60], [10, 20, 30]]])


def test_jpeg_is_read_to_its_precision(written):
    y, x = np.mgrid[:64, :48]
    smooth = np.stack([2 * x, 2 * y, x + y], axis=-1).astype(np.uint8)
    content = BytesIO()
    Image.fromarray(smooth).save(content, "JPEG", quality=95, subsampling=0)
    assert_allclose(read_sky(written(content.getvalue(), "sky.jpg")).pixels.astype(int), smooth, atol=8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_tiff_values_are_unchanged(tmp_path, rng, dtype, byteorder, photometric):
    shape = (6, 9, 3) if photometric == "rgb" else (6, 9, 1)
    pixels = rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    tifffile.imwrite(tmp_path / "sky.tif", pixels.squeeze(), photometric=photometric, byteorder=byteorder)
    sky = read_sky(tmp_path / "sky.tif")
    assert sky.pixels.dtype == np.dtype(dtype)
    assert_array_equal(sky.pixels, pixels)


@pytest.mark.parametrize(("photometric", "white"), [("minisblack", 1), ("miniswhite", 0)])
def test_one_bit_tiff_is_black_and_white(tmp_path, photometric, white):
    bits = np.array([[True, False, True]])
    tifffile.imwrite(tmp_path / "sky.tif", bits, photometric=photometric)
    assert_array_equal(read_sky(tmp_path / "sky.tif").pixels[:, :, 0], np.where(bits == white, 255, 0))


def test_tiff_in_planes_is_colour(tmp_path, rng):
    planes = rng.integers(0, 65535, (3, 6, 9), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "sky.tif", planes, photometric="rgb", planarconfig="separate")
    assert_array_equal(read_sky(tmp_path / "sky.tif").pixels, np.moveaxis(planes, 0, -1))


def test_first_page_of_a_tiff_is_read(tmp_path, rng):
    pages = rng.integers(0, 256, (4, 6, 9), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "sky.tif", pages, photometric="minisblack")
    assert_array_equal(read_sky(tmp_path / "sky.tif").pixels[:, :, 0], pages[0])


def test_floating_point_tiff_is_masked_where_not_finite(tmp_path):
    tifffile.imwrite(tmp_path / "sky.tif", np.array([[1, np.nan], [np.inf, -2.5]], dtype=np.float64))
    sky = read_sky(tmp_path / "sky.tif")
    assert sky.pixels.dtype == np.float32
    assert_array_equal(sky.pixels[:, :, 0], [[1, 0], [0, -2.5]])
    assert_array_equal(sky.mask, [[False, True], [True, False]])


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", "i2", "u1", "u2", "i4"])
def test_fits_becomes_float32_whatever_its_type(as_fits, rng, dtype):
    values = rng.integers(0, 100, (5, 8)).astype(dtype)
    sky = read_sky(as_fits(fits.ImageHDU(values)))
    assert sky.pixels.dtype == np.dtype(np.float32)
    assert_array_equal(sky.pixels[:, :, 0], values)
    assert sky.mask is None
    assert sky.wcs is None


def test_fits_scale_and_zero_are_applied(as_fits):
    hdu = fits.ImageHDU(np.array([[10.0, 12.5]]))
    hdu.scale("int16", bscale=0.25, bzero=7)
    assert_allclose(read_sky(as_fits(hdu)).pixels[0, :, 0], [10, 12.5])


def test_fits_pixels_that_are_not_finite_are_masked_and_zero(as_fits):
    sky = read_sky(as_fits(fits.ImageHDU(np.array([[1, np.nan], [1e300, 4]]))))
    assert_array_equal(sky.pixels[:, :, 0], [[1, 0], [0, 4]])
    assert_array_equal(sky.mask, [[False, True], [True, False]])


def test_fits_blank_pixels_are_masked(as_fits):
    hdu = fits.ImageHDU(np.array([[5, -99]], dtype=np.int16))
    hdu.header["BLANK"] = -99
    assert_array_equal(read_sky(as_fits(hdu)).mask, [[False, True]])


def test_fits_of_three_planes_is_colour(as_fits, rng):
    planes = rng.normal(size=(3, 5, 8)).astype(np.float32)
    assert_array_equal(read_sky(as_fits(fits.ImageHDU(planes))).pixels, np.moveaxis(planes, 0, -1))


def test_first_fits_extension_with_an_image_is_read(as_fits):
    table = fits.BinTableHDU.from_columns([fits.Column("x", "D", array=[1.0])])
    hdus = [
        fits.ImageHDU(np.zeros(7)),
        table,
        fits.ImageHDU(np.full((4, 5), 3.0)),
        fits.ImageHDU(np.zeros((2, 2))),
    ]
    assert_array_equal(read_sky(as_fits(*hdus)).pixels, np.full((4, 5, 1), 3))


@pytest.mark.parametrize("name", ["sky.fits.gz", "sky.fits"])
def test_compressed_fits_is_read(written, as_fits, rng, name):
    values = rng.integers(0, 1000, (50, 40)).astype(np.int16)
    plain = as_fits(fits.ImageHDU(values), name="plain.fits")
    assert_array_equal(read_sky(written(gzip.compress(plain.read_bytes()), name)).pixels[:, :, 0], values)
    tiles = as_fits(fits.CompImageHDU(values), name="tiles.fits")
    assert_array_equal(read_sky(tiles).pixels[:, :, 0], values)


def test_fits_wcs_gives_ra_and_dec(as_fits):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = (
        ["RA---TAN", "DEC--TAN"],
        [150, 2],
        [-1e-4, 1e-4],
        [3, 4],
    )
    sky = read_sky(as_fits(fits.ImageHDU(np.ones((8, 8)), wcs.to_header())))
    assert_allclose(sky.wcs.pixel_to_world_values(2, 3), (150, 2))


def test_content_determines_the_format_and_not_the_suffix(written, small_png):
    assert_array_equal(read_sky(written(small_png, "sky.fits")).pixels, read_sky(written(small_png)).pixels)


def test_image_of_one_pixel_is_read(written):
    assert read_sky(written(png_of(np.full((1, 1, 1), 9, dtype=np.uint8)))).shape == (1, 1)


def test_sky_has_the_name_of_its_file_and_is_read_only(written, small_png):
    sky = read_sky(str(written(small_png, "sky_0042.png")))
    assert sky.name == "sky_0042.png"
    with pytest.raises(ValueError, match="read-only"):
        sky.pixels[0, 0] = 0


def test_reading_png_loads_neither_astropy_nor_scikit_image(written, small_png):
    script = (
        "import sys; from darkmatter_features.io.sky import read_sky; read_sky(sys.argv[1]);"
        "sys.exit(', '.join({'astropy', 'skimage', 'tifffile', 'pandas', 'numba'} & set(sys.modules)) or 0)"
    )
    path = str(written(small_png))
    loaded = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert (loaded.returncode, loaded.stderr) == (0, "")


# Rejected images: each error is one line with the file and the remedy


def assert_rejected(path, found, remedy):
    with pytest.raises(SkyError) as error:
        read_sky(path)
    message = str(error.value)
    assert message.startswith(f"{path} ")
    assert "\n" not in message
    assert found in message
    assert remedy in message


def test_missing_file_is_rejected(tmp_path):
    assert_rejected(tmp_path / "sky.png", "does not exist", "check the path")


def test_folder_is_rejected(tmp_path):
    assert_rejected(tmp_path, "is a folder", "images in it")


def test_empty_file_is_rejected(written):
    assert_rejected(written(b""), "is empty", "again")


def test_text_called_png_is_rejected(written):
    assert_rejected(written(b"<html>404</html>"), "starts with b'<html>40'", "PNG, JPEG, TIFF or FITS")


@pytest.mark.parametrize("missing", [1, 12, 16, 2000])
def test_png_truncated_is_rejected(written, small_png, missing):
    assert_rejected(written(small_png[:-missing]), "is truncated", "again")


@pytest.mark.parametrize("index", [18, 60, 1000, -14, -1])
def test_png_with_a_flipped_bit_is_rejected(written, small_png, index):
    damaged = bytearray(small_png)
    damaged[index] ^= 1
    assert_rejected(written(bytes(damaged)), "wrong checksum", "again")


def test_png_with_too_few_lines_is_rejected(written):
    assert_rejected(written(png(2, 9, 8, 0, [b"\1\2"])), "IDAT", "again")


def test_png_without_header_is_rejected(written):
    assert_rejected(written(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IEND", b"")), "without header", "again")


def huge_tiff():
    content = BytesIO()
    tifffile.imwrite(content, np.zeros((10, 10), dtype=np.uint8))
    huge = content.getvalue()
    for tag in (256, 257):
        huge = huge.replace(struct.pack("<HHII", tag, 4, 1, 10), struct.pack("<HHII", tag, 4, 1, 20000))
    return huge


def huge_fits():
    header = fits.Header([("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", 20000), ("NAXIS2", 20000)])
    return header.tostring().encode() + bytes(2880)


def huge_jpeg(side):
    content = BytesIO()
    Image.fromarray(np.zeros((8, 16), dtype=np.uint8)).save(content, "JPEG")
    return content.getvalue().replace(struct.pack(">HH", 8, 16), struct.pack(">HH", side, side), 1)


@pytest.mark.parametrize(
    ("content", "found", "remedy"),
    [
        (png(20000, 20000, 8, 2, [bytes(900)]), "20000 x 20000", "again"),
        (huge_tiff(), "20000 x 20000", "again"),
        (huge_fits(), "20000 x 20000", "again"),
        (huge_jpeg(20000), "too large", "tiles"),
        (huge_jpeg(10000), "too large", "tiles"),
    ],
    ids=["png", "tiff", "fits", "jpeg", "large jpeg"],
)
def test_small_file_whose_header_gives_a_huge_image_takes_no_memory(written, content, found, remedy):
    read_sky(written(png_of(np.zeros((1, 1, 1), dtype=np.uint8))))
    tracemalloc.start()
    try:
        assert_rejected(written(content), found, remedy)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_image_above_the_size_limit_is_rejected(written, monkeypatch, small_png):
    monkeypatch.setattr("darkmatter_features.io.images.decoded.MAX_PIXELS", 1199)
    assert_rejected(written(small_png), "40 x 30 pixels, the limit is 1199", "tiles")


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_jpeg_and_tiff_truncated_are_rejected(written, rng, kind):
    content = BytesIO()
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(content, kind)
    assert_rejected(written(content.getvalue()[:-1500]), "cannot be decoded", "again")


def test_deep_tiff_truncated_is_rejected(written, rng):
    content = BytesIO()
    tifffile.imwrite(content, rng.integers(0, 65535, (64, 64), dtype=np.uint16))
    assert_rejected(written(content.getvalue()[:-100]), "cannot be decoded", "again")


def test_error_for_a_deep_tiff_in_lzw_names_the_required_package(tmp_path, rng):
    pixels = Image.fromarray(rng.integers(0, 65535, (8, 9), dtype=np.uint16))
    pixels.save(tmp_path / "sky.tif", compression="tiff_lzw")
    script = "import sys; sys.modules['imagecodecs'] = None; import darkmatter_features as d; d.read_sky(sys.argv[1])"
    command = [sys.executable, "-c", script, str(tmp_path / "sky.tif")]
    error = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "sky.tif is compressed with LZW, 16 bits; save it without compression" in error
    assert "or install imagecodecs" in error


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_printing_colours_are_rejected(written, kind):
    content = BytesIO()
    Image.new("CMYK", (8, 8)).save(content, kind)
    assert_rejected(written(content.getvalue()), "CMYK", "RGB")


def test_tiff_of_many_bands_is_rejected(tmp_path):
    tifffile.imwrite(tmp_path / "sky.tif", np.zeros((8, 9, 6), dtype=np.uint16), planarconfig="contig")
    assert_rejected(tmp_path / "sky.tif", "6 bands", "3 bands")


def test_fits_without_a_finite_pixel_is_rejected(as_fits):
    assert_rejected(as_fits(fits.ImageHDU(np.full((4, 5), np.nan))), "no finite pixel", "how it was made")


@pytest.mark.parametrize("shape", [None, (7,), (70, 4, 4)])
def test_fits_without_an_image_is_rejected(as_fits, shape):
    assert_rejected(
        as_fits(fits.ImageHDU(None if shape is None else np.zeros(shape))), "no image of two axes", "give one"
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.25, 0.5])
def test_fits_truncated_is_rejected(written, as_fits, rng, pack, fraction):
    content = pack(as_fits(fits.ImageHDU(rng.normal(size=(50, 50))), name="full.fits").read_bytes())
    assert_rejected(written(content[: int(fraction * len(content))]), "", "again")
