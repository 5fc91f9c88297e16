"""Layouts of FITS files of surveys and archives: the image, its noise, and the bits of its mask that are bad."""

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal

from darkmatter_features.io.planes import with_planes
from darkmatter_features.io.sky import read_sky

SHAPE = (64, 56)
LSST = {"BAD": 0, "SAT": 1, "INTRP": 2, "CR": 3, "EDGE": 4, "DETECTED": 5, "DETECTED_NEGATIVE": 6, "SUSPECT": 7,
        "NO_DATA": 8, "BRIGHT_OBJECT": 9, "REJECTED": 12}  # fmt: skip


@pytest.fixture
def light(rng):
    """An image of the sky with a source of 8 x 8 pixels, and three rows of 40000."""
    image = rng.normal(10.0, 1.0, SHAPE)
    image[20:28, 10:18] += 80.0
    image[50:53] = 4e4
    return image.astype(np.float32)


@pytest.fixture
def sigma(rng):
    return rng.uniform(0.5, 3.0, SHAPE).astype(np.float32)


@pytest.fixture
def written(tmp_path):
    def write(*extensions, file="sky.fits", primary=None, packed=False):
        make = fits.CompImageHDU if packed else fits.ImageHDU
        hdus = [make(values, header=header, name=name) for name, values, header in extensions]
        fits.HDUList([fits.PrimaryHDU(header=fits.Header(primary or {})), *hdus]).writeto(tmp_path / file)
        return tmp_path / file

    return write


IS_BAD = np.zeros(SHAPE, dtype=bool)
IS_BAD[50:53] = True
IS_SOURCE = np.zeros(SHAPE, dtype=bool)
IS_SOURCE[18:30, 8:20] = True


def lsst_mask(bad):
    """Return a mask with the planes of detection, a bright object, and one of bad pixels."""
    return ((1 << bad) * IS_BAD + ((1 << 5) + (1 << 9)) * IS_SOURCE + (1 << 12)).astype(np.int32)


@pytest.mark.parametrize("bad", ["BAD", "SAT", "INTRP", "CR", "EDGE", "SUSPECT", "NO_DATA"])
@pytest.mark.parametrize("has_names", [True, False])
def test_bad_planes_of_lsst_and_hsc_mask_pixels_and_detections_do_not(written, light, sigma, bad, has_names):
    """Also in cutouts without the names of the planes."""
    header = fits.Header({f"HIERARCH MP_{name}": bit for name, bit in LSST.items()}) if has_names else None
    path = written(
        ("IMAGE", light, None), ("MASK", lsst_mask(LSST[bad]), header), ("VARIANCE", sigma**2, None),
        ("ARCHIVE_INDEX", np.zeros((3, 4), np.float32), None),
    )  # fmt: skip
    sky = read_sky(path)
    assert_array_equal(sky.mask, IS_BAD)
    assert_allclose(sky.noise, sigma, rtol=1e-5)
    assert_array_equal(sky.pixels[~IS_BAD, 0], light[~IS_BAD])


@pytest.mark.parametrize("part", ["", "[MASK]", "[2]"])
def test_planes_of_a_mask_count_in_a_file_of_its_own(written, light, sigma, part, tmp_path):
    """The extension is chosen by its name, and DETECTED is no bad pixel."""
    header = fits.Header({f"HIERARCH MP_{name}": bit for name, bit in LSST.items()})
    path = written(
        ("IMAGE", light, None), ("MASK", lsst_mask(1), header), ("VARIANCE", sigma**2, None), file="calexp.fits"
    )
    fits.writeto(tmp_path / "image.fits", light)
    sky = read_sky(tmp_path / "image.fits")
    assert_array_equal(with_planes(sky, mask=f"{path}{part}").mask, IS_BAD)
    assert_allclose(with_planes(sky, weight=path).noise, sigma, rtol=1e-5)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", [("SCI", "MSK", "WGT"), ("SCI", "WGT", "MSK"), ("MSK", "WGT", "SCI")])
def test_des_images_with_mask_and_weight(written, light, sigma, packed, order):
    values = {"SCI": light, "MSK": (256 * IS_BAD).astype(np.int16), "WGT": np.where(IS_BAD, 0, sigma**-2)}
    path = written(*((name, values[name], None) for name in order), packed=packed, file="des.fits.fz")
    sky = read_sky(path)
    assert_array_equal(sky.mask, IS_BAD)
    tolerance = 0.1 if packed else 1e-5  # real numbers are packed with a loss
    assert_allclose(sky.noise[~IS_BAD], sigma[~IS_BAD], rtol=tolerance)


@pytest.mark.parametrize("code", [1, 3, 4, 5, 6, 8])
def test_decam_images_with_weight_and_quality_in_files_of_their_own(written, light, sigma, code):
    """As of NOIRLab: ooi, oow and ood, with a code in place of bits."""
    image = written(("N2", light, None), file="ooi.fits", primary={"PRODTYPE": "image"})
    weight = written(("N2", sigma**-2, None), file="oow.fits", primary={"PRODTYPE": "wtmap"})
    quality = written(("N2", (code * IS_BAD).astype(np.int32), None), file="ood.fits", primary={"PRODTYPE": "dqmask"})
    sky = with_planes(read_sky(image), weight, quality)
    assert_array_equal(sky.mask, IS_BAD)
    assert_allclose(sky.noise, sigma, rtol=1e-5)


@pytest.mark.parametrize("n_contexts", [1, 4])
def test_drizzled_images_of_hst(written, light, sigma, n_contexts):
    weight = np.where(IS_BAD, 0, sigma**-2).astype(np.float32)
    context = np.ones((n_contexts, *SHAPE), dtype=np.int32)
    sky = read_sky(written(("SCI", light, None), ("WHT", weight, None), ("CTX", context, None)))
    assert_array_equal(sky.mask, IS_BAD)
    assert_allclose(sky.noise[~IS_BAD], sigma[~IS_BAD], rtol=1e-5)


def test_euclid_images_with_rms_and_flags(written, light, sigma):
    flags = IS_BAD.astype(np.int32)
    sky = read_sky(written(("3-4.F.SCI", light, None), ("3-4.F.RMS", sigma, None), ("3-4.F.FLG", flags, None)))
    assert_array_equal(sky.mask, IS_BAD)
    assert_allclose(sky.noise, sigma, rtol=1e-5)


def test_bits_of_jwst_without_do_not_use_are_harmless(written, light, sigma, rng):
    """Jumps are found in many pixels, and in all bright ones."""
    quality = (IS_BAD + 4 * (rng.random(SHAPE) < 0.3) + 4 * IS_SOURCE).astype(np.uint32)
    path = written(
        ("SCI", light, None), ("ERR", sigma, None), ("DQ", quality, None), ("AREA", sigma, None),
        ("VAR_POISSON", sigma**2, None), ("WHT", sigma**-2, None), primary={"TELESCOP": "JWST"},
    )  # fmt: skip
    sky = read_sky(path)
    assert_array_equal(sky.mask, IS_BAD)
    assert_allclose(sky.noise, sigma, rtol=1e-5)


def test_cubes_of_bands_with_masks_and_variances(written, light, sigma):
    """As cut out of coadds of HSC."""
    noise = np.stack([sigma, 2 * sigma, 3 * sigma])
    cube = np.stack([light, light, light])
    cube, noise, mask = (np.concatenate([each, each[:1]]) for each in (cube, noise, np.stack([lsst_mask(2)] * 3)))
    sky = read_sky(written(("IMAGE", cube, None), ("MASK", mask, None), ("VARIANCE", noise**2, None)))
    assert_array_equal(sky.mask, IS_BAD)
    weights = np.array(sky.bands.weights)
    assert_allclose(weights, np.array([36, 9, 4, 36]) / 85, rtol=1e-5)
    assert_allclose(sky.noise, np.sqrt(((weights[:, None, None] * noise) ** 2).sum(axis=0)), rtol=1e-5)
