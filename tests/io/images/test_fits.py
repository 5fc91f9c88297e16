"""Which extension of a FITS file is read, its masks and weights, and its coordinates."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from numpy.testing import assert_array_equal

from darkmatter_features.errors import SkyError
from darkmatter_features.io.images.fits import science_parts
from darkmatter_features.io.images.fits_masks import Role, role_of
from darkmatter_features.io.sky import read_sky

SHAPE = (48, 40)


@pytest.fixture
def light(rng):
    """An image of the sky with a source, and its noise."""
    image = rng.normal(10.0, 1.0, SHAPE).astype(np.float32)
    image[20:24, 10:14] += 80.0
    return image


@pytest.fixture
def written(tmp_path):
    """Return a function that writes extensions (name, version, data) after a primary one, and returns the path."""

    def write(*parts, primary=None, **keys):
        hdus = [fits.ImageHDU(data, name=name, ver=version) for name, version, data in parts]
        fits.HDUList([fits.PrimaryHDU(primary, fits.Header(keys)), *hdus]).writeto(tmp_path / "sky.fits")
        return tmp_path / "sky.fits"

    return write


def auxiliary(rng, name):
    """Return what stands in an extension of that name."""
    if role_of(name, {}) is Role.MASK:
        return (rng.random(SHAPE) < 0.01).astype(np.int16)
    return rng.uniform(3.0, 5.0, SHAPE).astype(np.float32)


@pytest.mark.parametrize("science", ["SCI", "IMAGE", "SCIENCE", "DATA", "CCD12", "im1", "coadd_sci"])
@pytest.mark.parametrize("other", ["WHT", "IVAR", "ERR", "RMS", "DQ", "MASK", "VAR_POISSON", "sci_weight", "THUMBNAIL"])
def test_the_image_of_the_sky_is_read_wherever_it_stands(written, rng, light, science, other):
    sky = read_sky(written((other, 1, auxiliary(rng, other)), (science, 1, light)))
    assert_array_equal(np.where(light > 50, sky.pixels[..., 0], 0), np.where(light > 50, light, 0))
    assert sky.notes[0].startswith(f"extension {science.upper()} read, of {other.upper()}, ")


def test_a_primary_image_is_read_beside_its_weight(written, light, rng):
    sky = read_sky(written(("WEIGHT", 1, auxiliary(rng, "WEIGHT")), primary=light))
    assert_array_equal(sky.pixels[..., 0], light)
    assert "extension 0 read, of 0, WEIGHT" in sky.notes


@pytest.mark.parametrize("step", [8, 3, 2])
@pytest.mark.parametrize("names", [("", ""), ("IMAGE", ""), ("IMAGE", "SCI"), ("", "COADDED")])
def test_a_preview_is_not_read(written, light, step, names):
    """Whatever the names, and before the image or behind it."""
    small = light[::step, ::step].copy()
    assert read_sky(written((names[0], 1, small), (names[1], 1, light))).shape == SHAPE


def test_a_preview_in_the_primary_or_behind_is_not_read(tmp_path, light):
    small = light[::2, ::2].copy()
    for k, (first, second) in enumerate(((small, light), (light, small))):
        path = tmp_path / f"{k}.fits"
        fits.HDUList([fits.PrimaryHDU(first), fits.ImageHDU(second, name="IMAGE")]).writeto(path)
        assert read_sky(path).shape == SHAPE


def test_without_names_the_image_with_sources_is_read(written, light, rng):
    weight = rng.normal(40.0, 0.5, SHAPE).astype(np.float32)
    weight[:, 15:18] = 0.0
    sky = read_sky(written(("", 1, weight), ("", 1, light)))
    assert_array_equal(sky.pixels[..., 0], light)


@pytest.mark.parametrize("level", [0.0, 200.0])
def test_without_names_a_noise_map_is_not_read(written, level, rng):
    """It has the structure of the image, as the root of its light."""
    light = rng.normal(level, 1.0, SHAPE).astype(np.float32)
    light[10:30, 10:30] += rng.uniform(50, 150, (20, 20)).astype(np.float32)
    noise = np.sqrt(25.0 + np.maximum(light, 0)).astype(np.float32)
    assert_array_equal(read_sky(written(("", 1, noise), ("", 1, light))).pixels[..., 0], light)


def test_detectors_without_names_are_all_images_of_the_sky(written, rng):
    parts = [rng.gamma(2.0, 1.0, SHAPE).astype(np.float32) for _ in range(3)]
    assert science_parts(written(*[("", 1, part) for part in parts])) == ["1", "2", "3"]


def test_extensions_of_other_keywords_have_these_roles():
    """Conventions of archives: HDUCLAS2, PRODTYPE and EXTTYPE."""
    assert role_of("", {"HDUCLAS2": "ERROR"}) is Role.NOISE
    assert role_of("CCD1", {"PRODTYPE": "dqmask"}) is Role.MASK
    assert role_of("", {"EXTTYPE": "VARIANCE"}) is Role.NOISE
    assert role_of("PRIMARY", {}) is Role.UNKNOWN
    assert role_of("CCDID 1-1.SCI", {}) is Role.SCIENCE


@pytest.mark.parametrize(
    "name", ["RMSMAP", "VARMAP", "WHTMAP", "CONFMAP", "FLAGMAP", "SKY", "BKGD", "NCOADD", "MASKS", "EXPOSUREMAP"]
)
def test_maps_and_plurals_are_no_images_of_the_sky(name):
    assert role_of(name, {}) not in (Role.SCIENCE, Role.UNKNOWN)


@pytest.mark.parametrize("name", ["BACKGROUND_SUBTRACTED", "FLAT_FIELDED", "DARK_SUBTRACTED", "COMPRESSED_IMAGE"])
def test_results_of_a_reduction_are_images_of_the_sky(name):
    assert role_of(name, {}) in (Role.SCIENCE, Role.UNKNOWN)


def test_the_only_image_is_read_with_a_note_on_its_name(written, light):
    sky = read_sky(written(("EXP1", 1, light)))
    assert sky.notes == ("extension EXP1 read, the only image, though its name is that of another content",)


def test_unnamed_packed_extensions_are_chosen_by_content(tmp_path, light, rng):
    """fpack and astropy call them COMPRESSED_IMAGE."""
    weight = rng.normal(4000.0, 50.0, SHAPE)
    weight[:, 15:18] = 0
    packed = [fits.CompImageHDU(each.astype(np.int16), compression_type="RICE_1") for each in (weight, light)]
    fits.HDUList([fits.PrimaryHDU(), *packed]).writeto(tmp_path / "sky.fits.fz")
    sky = read_sky(tmp_path / "sky.fits.fz")
    assert_array_equal(sky.pixels[..., 0], light.astype(np.int16))
    assert sky.notes[0] == "extension 2 read, of 1, 2"


def test_images_of_one_name_are_chosen_by_number(written, light):
    path = written(("SCI", 1, light), ("SCI", 1, 2 * light), ("7", 1, 3 * light))
    assert science_parts(path) == ["1", "2"]
    assert_array_equal(read_sky(f"{path}[2]").pixels[..., 0], 2 * light)


def test_several_images_of_the_sky_are_a_choice(written, light):
    """The first is read and named with the others; each can be chosen, and all have names."""
    path = written(("SCI", 1, light), ("SCI", 2, 2 * light), ("CCD7", 1, 3 * light))
    sky = read_sky(path)
    assert_array_equal(sky.pixels[..., 0], light)
    assert sky.notes == (
        "extension SCI read, of SCI, SCI,2, CCD7; also images of the sky: SCI,2, CCD7, FILE[EXT] chooses one",
    )
    for part, factor in (("SCI,2", 2), ("sci,1", 1), ("CCD7", 3), ("2", 2)):
        chosen = read_sky(f"{path}[{part}]")
        assert_array_equal(chosen.pixels[..., 0], factor * light)
        assert chosen.notes == ()
    assert science_parts(path) == ["SCI", "SCI,2", "CCD7"]


@pytest.mark.parametrize("part", ["WHT", "4", "SCI,9"])
def test_a_part_that_is_not_there_is_refused_with_those_that_are(written, light, part):
    with pytest.raises(SkyError, match=r"has no image \[.*\]; it has 0: no data, 1 SCI: 48 x 40; choose one"):
        read_sky(f"{written(('SCI', 1, light))}[{part}]")


def test_a_file_of_weights_alone_is_refused(written, rng):
    with pytest.raises(SkyError, match=r"has weights, noise or masks only \(WHT, DQ\), no image of the sky"):
        read_sky(written(("WHT", 1, auxiliary(rng, "WHT")), ("DQ", 1, auxiliary(rng, "DQ"))))


def test_a_shape_that_is_no_image_is_stated(written, rng):
    with pytest.raises(SkyError, match="1 SCI: 70 x 48 x 40"):
        read_sky(written(("SCI", 1, rng.random((70, *SHAPE)))))


@pytest.mark.parametrize("name", ["DQ", "WHT", "ERR"])
def test_masks_weights_and_noise_mask_pixels(written, light, name):
    """Ten columns are saturated, and marked."""
    bad = np.zeros(SHAPE, dtype=bool)
    bad[:, 30:] = True
    light[bad] = 60000.0
    values = {"DQ": 256 * bad.astype(np.int16), "WHT": 4.0 * ~bad, "ERR": np.where(bad, np.nan, 1.0)}[name]
    sky = read_sky(written(("SCI", 1, light), (name, 1, values)))
    assert_array_equal(sky.mask, bad)
    assert sky.pixels[bad].max() == 0
    assert f"{name} masks 25.00%" in sky.notes


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_a_weight_may_be_zero_in_most_of_an_image(written, light, empty):
    """A field in a frame without data."""
    weight = np.zeros(SHAPE, dtype=np.float32)
    weight[14:34, 8:28] = 1.0
    sky = read_sky(written(("SCI", 1, np.where(weight > 0, light, np.float32(empty))), ("WHT", 1, weight)))
    assert_array_equal(sky.mask, weight == 0)


@pytest.mark.parametrize("infinite", [1e30, 1e10])
def test_a_huge_noise_is_that_of_no_measurement(written, light, infinite):
    noise = np.full(SHAPE, 2.0, dtype=np.float32)
    noise[:, 30:] = infinite
    light[:, 30:] = 0.0
    assert_array_equal(read_sky(written(("SCI", 1, light), ("RMS", 1, noise))).mask, noise > 1e9)


def test_masks_of_other_detectors_are_not_used(written, light):
    """As in Euclid: the detector is in the name, and the content at its end."""
    marked = np.zeros(SHAPE, dtype=np.int16)
    marked[:, :10] = 1
    bright = np.where(marked > 0, np.float32(60000), light)
    parts = [(f"CCDID {k}-1.{what}", 1, data) for k, mask in ((1, 0 * marked), (2, marked))
             for what, data in (("SCI", bright), ("FLG", mask))]  # fmt: skip
    path = written(*parts)
    assert read_sky(path).mask is None
    assert_array_equal(read_sky(f"{path}[CCDID 2-1.SCI]").mask, marked == 1)


def test_marks_on_ordinary_pixels_mask_nothing(written, light, rng):
    marks = (rng.random(SHAPE) < 0.05).astype(np.int32) * 4096
    sky = read_sky(written(("SCI", 1, light), ("DQ", 1, marks)))
    assert sky.mask is None
    assert "DQ masks none of the" in sky.notes[1]


def test_named_planes_of_a_mask_mark_bad_pixels_alone(tmp_path, light):
    """As in LSST: DETECTED marks sources, SAT bad pixels."""
    mask = np.zeros(SHAPE, dtype=np.int32)
    mask[20:24, 10:14] = 1 << 5
    mask[2:6, 2:6] = 1 << 1
    light[2:6, 2:6] = 5e4
    planes = fits.ImageHDU(mask, name="MASK")
    planes.header.update({"HIERARCH MP_SAT": 1, "HIERARCH MP_DETECTED": 5})
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(light, name="IMAGE"), planes]).writeto(tmp_path / "sky.fits")
    sky = read_sky(tmp_path / "sky.fits")
    assert_array_equal(sky.mask, mask == 1 << 1)


def test_the_mask_of_another_detector_is_not_used(written, light):
    marked = np.zeros(SHAPE, dtype=np.int16)
    marked[:, :10] = 1
    other = light.copy()
    other[:, :10] = 60000.0
    parts = ("SCI", 1, light), ("DQ", 1, 0 * marked), ("SCI", 2, other), ("DQ", 2, marked)
    path = written(*parts)
    assert read_sky(path).mask is None
    assert_array_equal(read_sky(f"{path}[SCI,2]").mask, marked == 1)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8])
@pytest.mark.parametrize("zero", [0, 32768, -20.5])
def test_blank_integers_are_no_measurements(tmp_path, rng, dtype, zero):
    """With BZERO too, by which unsigned integers are stored."""
    blank = int(np.iinfo(dtype).max)
    stored = rng.integers(0, 100, SHAPE).astype(dtype)
    stored[:5] = blank
    hdu = fits.PrimaryHDU(stored)
    hdu.header.update({"BLANK": blank, "BSCALE": 2.0, "BZERO": zero})
    data = stored.astype(stored.dtype.newbyteorder(">")).tobytes()
    path = tmp_path / "sky.fits"
    path.write_bytes(hdu.header.tostring().encode() + data + b"\0" * (-len(data) % 2880))
    sky = read_sky(path)
    assert_array_equal(sky.mask, stored == blank)
    assert_array_equal(sky.pixels[5:, :, 0], 2.0 * stored[5:] + zero)


@pytest.mark.parametrize(("blank", "zero"), [(-32768.0, 0), ("-32768", 0), (65535, 32768), (-32768.0, 32768)])
def test_blank_that_is_no_stored_integer_is_understood(tmp_path, rng, blank, zero):
    """A real number, a word, or the value after BZERO."""
    stored = rng.integers(0, 100, SHAPE).astype(np.int16)
    stored[:5] = 32767 if blank == 65535 else -32768
    header = fits.PrimaryHDU(stored).header
    header.update({"BSCALE": 1.0, "BZERO": zero, "BLANK": blank})
    path = tmp_path / "sky.fits"
    data = stored.astype(">i2").tobytes()
    path.write_bytes(header.tostring().encode() + data + b"\0" * (-len(data) % 2880))
    assert_array_equal(read_sky(path).mask, np.arange(SHAPE[0])[:, None] + np.zeros(SHAPE[1]) < 5)


def test_colours_on_the_last_axis_are_colours(tmp_path, rng):
    pixels = rng.random((*SHAPE, 3)).astype(np.float32)
    fits.PrimaryHDU(pixels).writeto(tmp_path / "sky.fits")
    assert_array_equal(read_sky(tmp_path / "sky.fits").pixels, pixels)


@pytest.mark.parametrize("kind", ["SIP", "TPV"])
@pytest.mark.parametrize("n_planes", [1, 3])
def test_distortions_count_in_colour_images_too(tmp_path, kind, n_planes):
    end = {"SIP": "TAN-SIP", "TPV": "TPV"}[kind]
    header = fits.Header({
        "CTYPE1": f"RA---{end}", "CTYPE2": f"DEC--{end}", "CRVAL1": 150.1, "CRVAL2": 2.2, "CRPIX1": -500.0,
        "CRPIX2": -500.0, "CD1_1": -1e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 1e-4,
    })  # fmt: skip
    if kind == "SIP":
        header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 5e-5, "B_0_2": -4e-5})
    else:
        header.update(
            {"PV1_0": 0.0, "PV1_1": 1.0, "PV1_2": 0.0, "PV1_4": 2e-2, "PV2_0": 0.0, "PV2_1": 1.0, "PV2_2": 0.0}
        )
    fits.PrimaryHDU(np.zeros((n_planes, *SHAPE), np.float32) + 1, header).writeto(tmp_path / "sky.fits")
    found = read_sky(tmp_path / "sky.fits").wcs.all_pix2world(7, 9, 0)
    expected = WCS(header, naxis=2).all_pix2world(7, 9, 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"})
    for key in [key for key in header if key.startswith(("PV", "A_", "B_"))]:
        del header[key]
    linear = WCS(header).wcs_pix2world(7, 9, 0)
    assert np.abs(np.subtract(found, linear)).max() > 1e-5


@pytest.mark.parametrize("ending", ["fits.gz", "fits.bz2", "fts", "fit"])
def test_packed_files_are_read(tmp_path, light, ending):
    fits.PrimaryHDU(light).writeto(tmp_path / f"sky.{ending}")
    assert_array_equal(read_sky(tmp_path / f"sky.{ending}").pixels[..., 0], light)
