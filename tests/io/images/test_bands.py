"""Cubes of several bands: their mean by the noise of each, one band of them, and their masks and noise."""

import numpy as np
import pytest
from astropy.io import fits

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.reading import read_psf
from darkmatter_features.io.planes import with_planes
from darkmatter_features.io.sky import read_sky

SHAPE = (60, 50)
NOISE = np.array([1.0, 4.0, 2.0, 8.0, 2.0], dtype=np.float32)
COLOUR = np.array([1.0, 1.0, 3.0, 4.0, 2.0], dtype=np.float32)
WEIGHTS = NOISE**-2.0 / (NOISE**-2.0).sum()


@pytest.fixture
def cube(rng):
    """Return five bands of known noise, with a source of known colours."""
    y, x = np.indices(SHAPE)
    source = 500.0 * np.exp(-0.5 * ((y - 30) ** 2 + (x - 20) ** 2) / 2.0**2)
    noise = NOISE[:, None, None] * rng.normal(size=(5, *SHAPE))
    return (10.0 + COLOUR[:, None, None] * source + noise).astype(np.float32)


@pytest.fixture
def written(tmp_path):
    def write(**named):
        hdus = [fits.ImageHDU(values, name=name) for name, values in named.items()]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "cube.fits", overwrite=True)
        return tmp_path / "cube.fits"

    return write


def variance_of():
    return np.broadcast_to((NOISE**2)[:, None, None], (5, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("beside", [None, "VARIANCE", "IVAR", "ERR"])
def test_a_cube_is_the_mean_of_its_bands_by_their_noise(written, cube, beside):
    values = {"VARIANCE": variance_of(), "IVAR": 1 / variance_of(), "ERR": variance_of() ** 0.5}
    sky = read_sky(written(IMAGE=cube, **({} if beside is None else {beside: values[beside]})))
    tolerance = 0.3 if beside is None else 1e-5
    np.testing.assert_allclose(sky.bands.weights, WEIGHTS, rtol=tolerance)
    expected = np.tensordot(np.array(sky.bands.weights), cube, 1)
    np.testing.assert_allclose(sky.pixels[..., 0], expected, rtol=1e-5)
    light = WEIGHTS * COLOUR
    np.testing.assert_allclose(sky.bands.psf_weights, light / light.sum(), rtol=tolerance + 0.02)
    assert "mean of 5 bands, with weights 0." in " ".join(sky.notes)
    if beside is not None:
        np.testing.assert_allclose(sky.noise, np.sqrt((WEIGHTS**2 * NOISE**2).sum()), rtol=1e-5)


def test_a_band_of_a_cube_is_chosen(written, cube):
    mask = np.zeros((5, *SHAPE), dtype=np.int16)
    mask[1, :6], cube[1, :6] = 1, 9e4
    path = written(IMAGE=cube, MASK=mask, VARIANCE=variance_of())
    for band in range(1, 6):
        sky = read_sky(path, band)
        np.testing.assert_array_equal(sky.pixels[10:, :, 0], cube[band - 1, 10:])
        np.testing.assert_allclose(sky.noise, NOISE[band - 1])
        assert sky.bands.psf_weights == tuple(float(k == band) for k in range(1, 6))
        assert (sky.mask is None) == (band != 2)
    assert read_sky(path).mask.sum() == 6 * SHAPE[1]


def test_a_band_of_a_colour_image_is_chosen(tmp_path, written, cube):
    np.testing.assert_array_equal(read_sky(written(SCI=cube[:3]), 2).pixels[..., 0], cube[1])
    assert read_sky(written(SCI=cube[:3])).bands is None


@pytest.mark.parametrize("band", [0, -1, 6])
def test_a_band_that_is_not_there_is_refused(written, cube, band):
    with pytest.raises(SkyError, match=rf"cube.fits has 5 bands, no band {band}; choose one from 1 to 5"):
        read_sky(written(SCI=cube), band)
    with pytest.raises(SkyError, match=r"cube.fits has 1 band, no band 7; leave the band out"):
        read_sky(written(SCI=cube[0]), 7)


def test_a_band_without_values_has_no_weight(written, cube):
    cube[3] = np.nan
    sky = read_sky(written(SCI=cube))
    assert sky.bands.weights[3] == 0.0
    assert sky.mask is None
    sky = read_sky(written(SCI=cube, VARIANCE=np.where(np.isnan(cube), np.nan, variance_of())))
    assert sky.bands.weights[3] == 0.0
    assert sky.mask is None
    assert np.isfinite(sky.noise).all()


def test_weights_and_masks_of_each_band_in_files_of_their_own(written, cube, tmp_path):
    path = written(SCI=cube)
    fits.writeto(tmp_path / "var.fits", variance_of())
    mask = np.zeros((5, *SHAPE), dtype=np.uint8)
    mask[4, :5] = 1
    fits.writeto(tmp_path / "mask.fits", mask)
    sky = with_planes(read_sky(path, 2), tmp_path / "var.fits", tmp_path / "mask.fits")
    np.testing.assert_allclose(sky.noise, 4.0)
    assert sky.mask is None
    sky = with_planes(read_sky(path), tmp_path / "var.fits", tmp_path / "mask.fits")
    np.testing.assert_allclose(sky.noise, np.sqrt((WEIGHTS**2 * NOISE**2).sum()), rtol=0.02)
    assert sky.mask.sum() == 5 * SHAPE[1]


def test_a_cube_without_a_name_beside_an_image_is_not_read(written, cube):
    sky = read_sky(written(AUX=cube[:4], FIELD=cube[0]))
    np.testing.assert_array_equal(sky.pixels[..., 0], cube[0])


def gaussian(sigma):
    y, x = np.indices((31, 31)) - 15
    return np.exp(-0.5 * (x**2 + y**2) / sigma**2)


def test_the_psf_of_each_band_enters_with_its_light(tmp_path):
    """Whatever the sums of the planes."""
    stack = np.stack([gaussian(1.5), 7 * gaussian(2.5), 3 * gaussian(2.0)])
    fits.writeto(tmp_path / "psf.fits", stack)
    for k, sigma in enumerate((1.5, 2.5, 2.0)):
        one_hot = [float(n == k) for n in range(3)]
        assert read_psf(tmp_path / "psf.fits", SHAPE, one_hot).sigma(0, 0) == pytest.approx(sigma, rel=2e-3)
    mixed = read_psf(tmp_path / "psf.fits", SHAPE, (0.5, 0.25, 0.25)).stamp(0, 0)
    expected = np.tensordot([0.5, 0.25, 0.25], stack / stack.sum(axis=(1, 2), keepdims=True), 1)
    np.testing.assert_allclose(mixed[mixed.shape[0] // 2, mixed.shape[1] // 2], expected[15, 15], rtol=1e-3)


def test_a_plane_of_a_psf_without_light_is_refused(tmp_path):
    fits.writeto(tmp_path / "psf.fits", np.stack([gaussian(1.5), 0 * gaussian(2.0)]))
    with pytest.raises(SkyError, match=r"psf.fits has pixels in plane 2 that sum to 0, a PSF has a positive sum"):
        read_psf(tmp_path / "psf.fits", SHAPE, (0.5, 0.5))
    assert read_psf(tmp_path / "psf.fits", SHAPE, (1.0, 0.0)).sigma(0, 0) == pytest.approx(1.5, rel=1e-3)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_files_of_numpy_are_refused_with_the_layout_to_write(tmp_path, cube, suffix):
    path = tmp_path / f"cube.{suffix}"
    if suffix == "npz":
        np.savez(path, images=cube)
    else:
        np.save(path, cube)
    with pytest.raises(SkyError, match=r"is a file of NumPy.*to the extensions IMAGE, MASK and VARIANCE of a FITS"):
        read_sky(path)
