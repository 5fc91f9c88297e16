"""Weights, noise maps and masks in files beside an image."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from darkmatter_features.errors import SkyError
from darkmatter_features.io.planes import with_planes
from darkmatter_features.io.sky import Sky

SHAPE = (30, 40)


@pytest.fixture
def sky(rng):
    return Sky("field.fits", rng.normal(100.0, 5.0, (*SHAPE, 1)).astype(np.float32))


@pytest.fixture
def sigma(rng):
    return rng.uniform(1.0, 3.0, SHAPE).astype(np.float32)


@pytest.fixture
def stored(tmp_path):
    """Return a function that writes an image, in an extension if it has a name, and returns the path."""

    def write(file, values, name=""):
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(values, name=name)] if name else [fits.PrimaryHDU(values)]
        fits.HDUList(hdus).writeto(tmp_path / file)
        return tmp_path / file

    return write


@pytest.mark.parametrize(
    ("file", "weight_type", "power"),
    [
        ("field.weight.fits", None, -2), ("wht.fits", None, -2), ("field_rms.fits", None, 1), ("noise.fits", None, 1),
        ("field.var.fits", None, 2), ("field_variance.fits", None, 2), ("a.fits", "variance", 2), ("b.fits", "rms", 1),
        ("rms.fits", "weight", -2), ("terra.weight.fits", None, -2), ("sierra_wht.fits", None, -2),
        ("terra.fits", None, -2),
        ("rms_map.fits", None, 1), ("field.err.fits.gz", None, 1),
    ],
)  # fmt: skip
def test_noise_is_that_of_the_file_by_its_name_or_type(sky, sigma, stored, file, weight_type, power):
    found = with_planes(sky, stored(file, sigma**power), weight_type=weight_type)
    np.testing.assert_allclose(found.noise, sigma, rtol=1e-5)
    assert found.mask is None
    assert found.notes == ()
    np.testing.assert_array_equal(found.pixels, sky.pixels)


def test_a_file_has_precedence_over_the_noise_beside_the_image(sky, sigma, stored):
    given = replace(sky, noise=np.full(SHAPE, 9.0, dtype=np.float32))
    np.testing.assert_allclose(with_planes(given, stored("rms.fits", sigma)).noise, sigma, rtol=1e-5)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("file", ["weight.fits", "rms.fits", "var.fits"])
def test_pixels_without_weight_are_masked(sky, sigma, stored, file, bad):
    sigma[3:5, :10] = bad
    found = with_planes(sky, stored(file, sigma))
    np.testing.assert_array_equal(found.mask, ~(sigma > 0))
    assert not found.pixels[found.mask].any()
    assert np.isfinite(found.noise[~found.mask]).all()
    assert found.notes == (f"{file} masks 1.67%",)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_a_mask_is_added_to_that_of_the_image(sky, stored, dtype):
    own, other = np.zeros(SHAPE, dtype=np.bool_), np.zeros(SHAPE, dtype=dtype)
    own[2], other[:, 5] = True, 4
    found = with_planes(replace(sky, mask=own), mask=stored("mask.fits", other))
    np.testing.assert_array_equal(found.mask, own | (other != 0))
    assert not found.pixels[found.mask].any()


def test_pixels_without_a_value_in_a_mask_are_masked(sky, stored):
    values = np.zeros(SHAPE, dtype=np.float32)
    values[4, :3] = np.nan
    np.testing.assert_array_equal(with_planes(sky, mask=stored("mask.fits", values)).mask, np.isnan(values))


def test_a_mask_without_a_masked_pixel_changes_nothing(sky, stored):
    assert with_planes(sky, mask=stored("mask.fits", np.zeros(SHAPE, dtype=np.int16))) is sky
    assert with_planes(sky) is sky


def test_weight_and_mask_together(sky, sigma, stored):
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[0], sigma[:, 0] = 1, np.nan
    found = with_planes(sky, stored("rms.fits", sigma), stored("mask.fits", mask))
    np.testing.assert_array_equal(found.mask, (mask != 0) | ~(sigma > 0))
    assert len(found.notes) == 2


def test_a_part_of_a_file_is_read(sky, sigma, tmp_path):
    names = {"SCI": 5 * sigma + 7, "ERR": sigma, "DQ": np.eye(*SHAPE, dtype=np.int16)}
    hdus = [fits.ImageHDU(values, name=name) for name, values in names.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "all.fits")
    found = with_planes(sky, f"{tmp_path}/all.fits[ERR]", f"{tmp_path}/all.fits[DQ]", "rms")
    np.testing.assert_allclose(found.noise, sigma, rtol=1e-5)
    np.testing.assert_array_equal(found.mask, np.eye(*SHAPE, dtype=bool))


@pytest.mark.parametrize(("part", "power"), [("ERR", 1), ("VAR", 2), ("WHT", -2), ("IVAR", -2)])
def test_the_name_of_a_part_gives_its_content(sky, sigma, tmp_path, part, power):
    hdus = [fits.ImageHDU(values, name=name) for name, values in (("SCI", 5 * sigma + 7), (part, sigma**power))]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "all.fits")
    found = with_planes(sky, f"{tmp_path}/all.fits[{part}]")
    np.testing.assert_allclose(found.noise, sigma, rtol=1e-5)


@pytest.mark.parametrize("content", ["weight", "mask"])
def test_files_of_other_sides_are_refused_in_one_line(sky, stored, content):
    path = stored("other.fits", np.ones((31, 40), dtype=np.float32))
    expected = f"{path} has 40 x 31 pixels, its image field.fits has 40 x 30; give the {content} of this image"
    with pytest.raises(SkyError) as caught:
        with_planes(sky, **{content: path})
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("content", "value", "why"),
    [("weight", 0.0, "the weight is not positive"), ("weight", -3.0, "the weight"), ("mask", 1.0, "the mask is not 0")],
)
def test_files_that_mask_all_are_refused_in_one_line(sky, stored, content, value, why):
    path = stored("a.fits", np.full(SHAPE, value, dtype=np.float32))
    with pytest.raises(SkyError, match=f"a.fits: {why}.* in all pixels of field.fits; check its content") as caught:
        with_planes(sky, **{content: path})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["weight", "mask"])
def test_missing_files_and_parts_are_refused(sky, stored, content, tmp_path):
    with pytest.raises(SkyError, match=r"none.fits does not exist"):
        with_planes(sky, **{content: tmp_path / "none.fits"})
    path = stored("a.fits", np.ones(SHAPE, dtype=np.float32))
    with pytest.raises(SkyError, match=r"a.fits.*has no image \[WHT\]"):
        with_planes(sky, **{content: f"{path}[WHT]"})
