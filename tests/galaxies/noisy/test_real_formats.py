"""Real images with their weights, masks and PSFs, as the surveys write them."""

import numpy as np
import pytest
from astropy.io import fits

from darkmatter_features.galaxies.noisy.catalog import measure_image
from darkmatter_features.galaxies.noisy.psf.reading import read_psf
from darkmatter_features.io.planes import with_planes
from darkmatter_features.io.sky import read_sky


def test_an_image_of_decam_is_measured_with_its_planes(real_skies):
    folder = real_skies / "decam"
    sky = with_planes(read_sky(folder / "dec_ooi.fits"), folder / "dec_oow.fits", folder / "dec_ood.fits")
    assert sky.mask.mean() == pytest.approx(0.0029, abs=1e-4)
    psf = read_psf(folder / "dec_psfex.fits", sky.shape)
    catalog = measure_image(sky, psf=psf)
    assert len(catalog) > 8
    header = fits.getheader(folder / "dec_ooi.fits", 1)
    np.testing.assert_allclose(catalog.frame.ra, header["CRVAL1"], atol=1.0)
    np.testing.assert_allclose(catalog.frame.dec, header["CRVAL2"], atol=1.0)
    assert np.isfinite(catalog.frame.e1[catalog.weight > 0]).all()


@pytest.mark.parametrize("band", [None, 3])
def test_a_cube_of_hsc_is_measured_with_its_psfs(real_skies, band):
    folder = real_skies / "hsc_hst"
    sky = read_sky(folder / "Cut_HSC.fits", band)
    assert sky.pixels.shape == (50, 50, 1)
    psf = read_psf(folder / "PSF_HSC.fits", sky.shape, sky.bands.psf_weights)
    assert 1.2 < psf.sigma(25, 25) < 2.5
    assert len(measure_image(sky, psf=psf)) >= 2
