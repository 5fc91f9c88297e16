"""Noise by weights and noise maps beside an image in a FITS file, and photometry by its header."""

import numpy as np
import pytest
from astropy.io import fits

from darkmatter_features.io.images.fits_masks import Role, is_variance, noise_by, noise_of
from darkmatter_features.io.images.fits_photometry import UNKNOWN, photometry_of
from darkmatter_features.io.sky import read_sky

SHAPE = (48, 40)


@pytest.fixture
def light(rng):
    image = rng.normal(10.0, 1.0, SHAPE).astype(np.float32)
    image[20:24, 10:14] += 80.0
    return image


@pytest.fixture
def sigma(rng):
    return rng.uniform(0.5, 3.0, SHAPE).astype(np.float32)


def stored(path, light, *named, **keys):
    hdus = [fits.ImageHDU(values, name=name) for name, values in named]
    science = fits.ImageHDU(light, fits.Header(keys.items()), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), science, *hdus]).writeto(path)
    return read_sky(path)


FROM_SIGMA = {
    "ERR": lambda s: s, "RMS": lambda s: s, "SIGMA": lambda s: s, "VAR": lambda s: s**2, "VARIANCE": lambda s: s**2,
    "IVAR": lambda s: s**-2.0, "WHT": lambda s: s**-2.0, "WEIGHT": lambda s: s**-2.0, "INVVAR": lambda s: s**-2.0,
}  # fmt: skip


@pytest.mark.parametrize("name", FROM_SIGMA)
def test_noise_is_that_of_the_extension(tmp_path, light, sigma, name):
    sky = stored(tmp_path / "sky.fits", light, (name, FROM_SIGMA[name](sigma)))
    np.testing.assert_allclose(sky.noise, sigma, rtol=1e-5)
    assert sky.noise.dtype == np.float32
    assert sky.mask is None


def test_without_an_extension_there_is_no_noise(tmp_path, light):
    assert stored(tmp_path / "sky.fits", light).noise is None
    dq = (np.arange(light.size).reshape(SHAPE) % 97 == 0).astype(np.int16)
    assert stored(tmp_path / "masked.fits", light, ("DQ", dq)).noise is None


@pytest.mark.parametrize("names", [("WHT", "ERR"), ("ERR", "WHT")])
def test_a_noise_map_has_precedence_over_a_weight(tmp_path, light, sigma, names):
    """Weights may be exposure times."""
    values = {"ERR": sigma, "WHT": np.full(SHAPE, 700.0, dtype=np.float32)}
    sky = stored(tmp_path / "sky.fits", light, *((name, values[name]) for name in names))
    np.testing.assert_allclose(sky.noise, sigma, rtol=1e-5)


@pytest.mark.parametrize(("name", "bad"), [("WHT", [0.0, -1.0, np.nan]), ("ERR", [0.0, -1.0, np.nan, np.inf, 1e30])])
def test_pixels_without_weight_have_infinite_noise_and_are_masked(tmp_path, light, sigma, name, bad):
    values = FROM_SIGMA[name](sigma)
    values[: len(bad), 0] = bad
    light[: len(bad), 0] = 500.0
    sky = stored(tmp_path / "sky.fits", light, (name, values))
    assert np.isinf(sky.noise[: len(bad), 0]).all()
    assert np.isfinite(sky.noise).sum() == light.size - len(bad)
    np.testing.assert_array_equal(sky.mask, np.isinf(sky.noise))


def test_noise_of_bands_adds_up_in_squares(sigma):
    planes = np.stack([sigma, 2 * sigma, 2 * sigma])
    np.testing.assert_allclose(noise_of(Role.NOISE, planes, False, (1.0, 1.0, 1.0)), 3 * sigma, rtol=1e-5)
    np.testing.assert_allclose(noise_of(Role.NOISE, planes**2, True, (1.0, 1.0, 1.0)), 3 * sigma, rtol=1e-5)
    np.testing.assert_allclose(noise_of(Role.WEIGHT, planes**-2.0, False, (1.0, 1.0, 1.0)), 3 * sigma, rtol=1e-5)
    one = noise_of(Role.WEIGHT, sigma[np.newaxis] ** -2.0, False, (1.0, 1.0, 1.0))  # of each band
    np.testing.assert_allclose(one, np.sqrt(3) * sigma, rtol=1e-5)


def test_the_first_of_several_noise_maps_counts(sigma):
    maps = [(Role.MASK, "DQ", fits.ImageHDU(np.zeros(SHAPE, np.int16)))]
    maps += [(Role.NOISE, f"ERR{k}", fits.ImageHDU(k * sigma)) for k in (1, 2)]
    np.testing.assert_allclose(noise_by(maps, (*SHAPE, 1)), sigma, rtol=1e-6)
    assert noise_by(maps[:1], (*SHAPE, 1)) is None


@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("VAR", {}, True), ("VAR_POISSON", {}, True), ("variance", {}, True), ("STAT", {}, True), ("ERR", {}, False),
        ("RMS", {}, False), ("IVAR", {}, False), ("ERR", {"HDUCLAS3": "MSE"}, True),
        ("ERR", {"HDUCLAS3": "RMSE"}, False),
    ],
)  # fmt: skip
def test_variances_are_those_by_name_or_class(name, keys, expected):
    assert is_variance(name, keys) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"MAGZERO": 27.0}, 27.0), ({"MAGZPT": 26}, 26.0), ({"FLUXMAG0": 1e12}, 30.0), ({"FLUXMAG0": 10**10.8}, 27.0),
        ({"PHOTFLAM": 7.0699e-20, "PHOTPLAM": 8059.8}, 25.937),  # ACS F814W, zero points of the instrument
        ({"PHOTFLAM": 1.9e-20, "PHOTPLAM": 15369.2}, 25.96),  # WFC3 F160W
        ({"BUNIT": "nanomaggy"}, 22.5), ({"BUNIT": " nJy "}, 31.4), ({"BUNIT": "uJy"}, 23.9), ({"BUNIT": "Jy"}, 8.9),
        ({"MAGZERO": 27.0, "FLUXMAG0": 1e12}, 27.0), ({"MAGZERO": "unknown", "FLUXMAG0": 1e12}, 30.0),
        ({"MAGZPT": 0.0}, 0.0), ({"FLUXMAG0": 0.0, "BUNIT": "nmgy"}, 22.5),
    ],
)  # fmt: skip
def test_zero_points_by_the_header(header, expected):
    assert photometry_of(header).zero_point == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    "header",
    [{}, {"BUNIT": "electrons/s"}, {"PHOTFLAM": 0.0, "PHOTPLAM": 8059.0}, {"PHOTFLAM": 1e-19}, {"MAGZERO": np.nan}],
)
def test_headers_without_a_zero_point(header):
    assert np.isnan(photometry_of(header).zero_point)
    assert np.isnan(photometry_of(header).saturation)


@pytest.mark.parametrize(("key", "value"), [("SATURATE", 65000), ("SATLEVEL", 3e4), ("SATUR", 5.0)])
def test_saturation_by_the_header(key, value):
    assert photometry_of({key: value}).saturation == value
    assert np.isnan(photometry_of({key: -1.0}).saturation)


def test_photometry_is_that_of_the_image_or_of_the_primary_header(tmp_path, light):
    assert stored(tmp_path / "own.fits", light, MAGZERO=27.5, SATURATE=900.0).photometry == (27.5, 900.0)
    primary = fits.PrimaryHDU(header=fits.Header({"FLUXMAG0": 1e12, "MAGZERO": 1.0}.items()))
    science = fits.ImageHDU(light, fits.Header({"MAGZERO": 27.0}.items()), name="SCI")
    fits.HDUList([primary, science]).writeto(tmp_path / "both.fits")
    assert read_sky(tmp_path / "both.fits").photometry.zero_point == 27.0
    assert np.isnan(stored(tmp_path / "none.fits", light).photometry).all()
    assert np.isnan(UNKNOWN).all()
