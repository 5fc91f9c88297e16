"""PSFs in files: images in any extension, models of PSFEx, and what is neither."""

import numpy as np
import pytest
from astropy.io import fits

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.reading import read_psf
from tests.galaxies.noisy.psf.test_model import gaussian

SHAPE = (251, 245)


def stored(path, *hdus):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def psfex(planes, keywords, name="PSF_DATA"):
    """Return a table as PSFEx writes it."""
    n, rows, columns = planes.shape
    column = fits.Column("PSF_MASK", f"{planes.size}E", dim=f"({columns}, {rows}, {n})", array=planes[np.newaxis])
    table = fits.BinTableHDU.from_columns([column], name=name)
    table.header.update({"PSFNAXIS": 3, "PSFAXIS1": columns, "PSFAXIS2": rows, "PSFAXIS3": n, **keywords})
    return table


def in_position(degree=1, **other):
    """Return the keywords of a polynomial in the position."""
    own = {"POLNAXIS": 2, "POLNGRP": 1, "POLNAME1": "X_IMAGE", "POLNAME2": "Y_IMAGE", "POLGRP1": 1, "POLGRP2": 1}
    zero = {"POLZERO1": 121.0, "POLZERO2": 111.0, "POLSCAL1": 240.0, "POLSCAL2": 220.0}
    return own | zero | {"POLDEG1": degree, "PSF_SAMP": 1.0} | other


def linear_planes(side=25, sigma=1.6):
    """Return 1, x, y: e changes with x, the width with y."""
    middle = side // 2
    round_, long, wide = (
        gaussian((side, side), middle, middle, sigma=s, e=e) for s, e in ((sigma, 0), (sigma, 0.1), (1.1 * sigma, 0))
    )
    return np.stack([round_, long - round_, wide - round_])


@pytest.mark.parametrize("extension", [0, 1, 2])
@pytest.mark.parametrize("shape", [(25, 25), (1, 25, 25), (1, 1, 25, 25)])
def test_image_in_any_extension_is_read(tmp_path, extension, shape):
    image = gaussian((25, 25), 12, 12, e=0.1).reshape(shape)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(), fits.ImageHDU()]
    hdus[extension].data = image
    fits.HDUList(hdus).writeto(tmp_path / "psf.fits")
    psf = read_psf(tmp_path / "psf.fits", SHAPE)
    assert psf.ellipticity(10.0, 10.0) == pytest.approx((0.1, 0.0), abs=1e-3)


def test_compressed_file_is_read(tmp_path):
    path = stored(tmp_path / "psf.fits.gz", fits.ImageHDU(gaussian((25, 25), 12, 12)))
    assert read_psf(path, SHAPE).is_constant


def test_one_of_several_images_is_chosen_by_name(tmp_path):
    hdus = [fits.ImageHDU(gaussian((25, 25), 12, 12, sigma=s), name=n) for s, n in ((1.5, "I"), (2.0, "Z"))]
    path = stored(tmp_path / "psf.fits", *hdus)
    with pytest.raises(SkyError, match=r"has 2 images: .*1 I: 25 x 25, 2 Z: 25 x 25; choose one by FILE\[EXT\]"):
        read_psf(path, SHAPE)
    assert read_psf(f"{path}[Z]", SHAPE).sigma(0, 0) == pytest.approx(2.0, rel=1e-3)
    assert read_psf(f"{path}[1]", SHAPE).sigma(0, 0) == pytest.approx(1.5, rel=1e-3)


def test_samples_of_the_detector_are_chosen_among_finer_ones(tmp_path):
    fine = fits.ImageHDU(gaussian((99, 99), 49, 49, sigma=6.0), name="OVERDIST")
    coarse = fits.ImageHDU(gaussian((25, 25), 12, 12, sigma=1.5), name="DET_DIST")
    fine.header["DET_SAMP"] = coarse.header["DET_SAMP"] = 4
    assert read_psf(stored(tmp_path / "psf.fits", fine, coarse), SHAPE).sigma(0, 0) == pytest.approx(1.5, rel=1e-3)
    with pytest.raises(SkyError, match="has 4 samples in a pixel of the image"):
        read_psf(stored(tmp_path / "fine.fits", fine), SHAPE)


def test_planes_of_several_bands_are_refused(tmp_path):
    path = stored(tmp_path / "psf.fits", fits.ImageHDU(np.ones((5, 25, 25))))
    with pytest.raises(
        SkyError,
        match=r"psf.fits has 5 planes of 25 x 25 pixels, but its image has 1 band; write that",
    ):
        read_psf(path, SHAPE)


def test_terms_of_psfex_are_evaluated_at_positions_of_the_image(tmp_path):
    """PSFEx counts pixels from 1, this package from 0."""
    psf = read_psf(stored(tmp_path / "a.psf", psfex(linear_planes(), in_position())), SHAPE)
    expected = gaussian((25, 25), 12, 12) + (gaussian((25, 25), 12, 12, e=0.1) - gaussian((25, 25), 12, 12)) * 0.5
    half = psf.side // 2
    window = expected[12 - half : 13 + half, 12 - half : 13 + half]
    np.testing.assert_allclose(psf.stamp(240.0, 110.0), window / window.sum(), atol=1e-6)
    assert psf.ellipticity(120.0, 110.0) == pytest.approx((0.0, 0.0), abs=1e-5)
    assert psf.sigma(120.0, 220.0) > psf.sigma(120.0, 110.0)


def test_order_of_the_axes_of_psfex_is_read(tmp_path):
    swapped = in_position(POLNAME1="YWIN_IMAGE", POLNAME2="XWIN_IMAGE")
    psf = read_psf(stored(tmp_path / "a.psf", psfex(linear_planes(), swapped)), SHAPE)
    assert psf.ellipticity(110.0, 240.0)[0] > psf.ellipticity(110.0, 120.0)[0] + 0.02


def test_axes_of_two_groups_have_all_products(tmp_path):
    planes = np.concatenate([linear_planes()[:2], 0 * linear_planes()[:2]])
    keywords = in_position(POLNGRP=2, POLGRP2=2, POLDEG2=1)
    assert read_psf(stored(tmp_path / "a.psf", psfex(planes, keywords)), SHAPE).powers == (
        (0, 0),
        (1, 0),
        (0, 1),
        (1, 1),
    )


def test_constant_model_of_psfex_is_read(tmp_path):
    keywords = {"POLNAXIS": 0, "PSF_SAMP": 1.0}
    assert read_psf(stored(tmp_path / "a.psf", psfex(linear_planes()[:1], keywords)), SHAPE).is_constant


@pytest.mark.parametrize("sampling", [0.4, 0.57, 1.3])
def test_samples_of_psfex_are_resampled_to_image_pixels(tmp_path, sampling):
    side = 51 if sampling < 1 else 21
    planes = gaussian((side, side), side // 2, side // 2, sigma=1.8 / sampling, e=0.08)[np.newaxis]
    psf = read_psf(stored(tmp_path / "a.psf", psfex(planes, {"POLNAXIS": 0, "PSF_SAMP": sampling})), SHAPE)
    assert psf.sigma(0, 0) == pytest.approx(1.8, rel=2e-3)
    assert psf.ellipticity(0, 0) == pytest.approx((0.08, 0.0), abs=1e-3)
    assert psf.coefficients.sum() == pytest.approx(1.0, abs=3e-3)


BAD_MODELS = {
    "time": (in_position(POLNAME2="EXPTIME"), "in X_IMAGE, EXPTIME; only one in X_IMAGE and Y_IMAGE"),
    "terms": (in_position(degree=2), "with 6 terms, but PSF_MASK of 3 x 25 x 25"),
    "degree": (in_position(degree=99), "of degree 99"),
    "sampling": (in_position(PSF_SAMP=0.0), "PSF_SAMP = 0"),
    "zero": ({key: value for key, value in in_position().items() if key != "POLZERO2"}, "without POLZERO2"),
    "scale": (in_position(POLSCAL1=0.0), "POLSCAL of 0"),
    "text": (in_position(POLSCAL1="wide"), "POLSCAL1 = wide, a number is needed"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_model_of_psfex_that_cannot_be_evaluated_is_refused(tmp_path, name):
    keywords, reason = BAD_MODELS[name]
    path = stored(tmp_path / "a.psf", psfex(linear_planes(), keywords))
    with pytest.raises(SkyError, match=reason) as caught:
        read_psf(path, SHAPE)
    assert str(caught.value).startswith(f"{path} ")


def test_model_of_more_pixels_than_an_image_of_a_psf_is_refused(tmp_path):
    path = stored(tmp_path / "a.psf", psfex(np.ones((1, 301, 301)), {"POLNAXIS": 0, "PSF_SAMP": 10.0}))
    with pytest.raises(SkyError, match="has a PSF of 3010 pixels of the image"):
        read_psf(path, SHAPE)


def test_model_of_another_image_is_refused(tmp_path):
    planes = linear_planes()
    planes[1] = planes[0]  # the flux changes with x
    path = stored(tmp_path / "a.psf", psfex(planes, in_position(POLZERO1=2000.0)))
    with pytest.raises(SkyError, match=r"no positive PSF at x = 0.0.*is it the model of this image"):
        read_psf(path, SHAPE)


def test_models_of_several_detectors_are_chosen_among(tmp_path):
    path = stored(tmp_path / "a.psf", *(psfex(linear_planes(sigma=s), in_position()) for s in (1.5, 2.0)))
    with pytest.raises(SkyError, match="has 2 models of PSFEx"):
        read_psf(path, SHAPE)
    assert read_psf(f"{path}[2]", SHAPE).sigma(120, 110) == pytest.approx(2.0, rel=0.01)


def test_files_without_a_psf_are_refused(tmp_path):
    (tmp_path / "psf.txt").write_text("0 1 0")
    with pytest.raises(SkyError, match="is no FITS file"):
        read_psf(tmp_path / "psf.txt", SHAPE)
    with pytest.raises(SkyError, match="does not exist"):
        read_psf(tmp_path / "no.fits", SHAPE)
    table = fits.BinTableHDU.from_columns([fits.Column("ra", "D", array=np.zeros(3))])
    with pytest.raises(SkyError, match="holds neither an image nor a model of PSFEx"):
        read_psf(stored(tmp_path / "table.fits", table), SHAPE)
    whole = stored(tmp_path / "whole.fits", fits.ImageHDU(gaussian((25, 25), 12, 12))).read_bytes()
    (tmp_path / "cut.fits").write_bytes(whole[:-2880])
    with pytest.raises(SkyError, match="copy or download it again"):
        read_psf(tmp_path / "cut.fits", SHAPE)


def test_a_model_of_piff_is_refused_unread(tmp_path):
    """Its files hold pickled objects."""
    path = stored(tmp_path / "a.piff", fits.BinTableHDU.from_columns([], name="psf_interp"))
    with pytest.raises(SkyError, match=r"a\.piff is a model of Piff, whose files hold pickled objects.*FITS image"):
        read_psf(path, SHAPE)


def test_real_model_of_psfex_agrees_with_galsim(real_skies):
    galsim = pytest.importorskip("galsim")
    from galsim.des import DES_PSFEx

    with fits.open(real_skies / "decam" / "dec_psfex.fits", memmap=False) as hdus:
        row = {name.upper(): hdus[1].data[0][name] for name in hdus[1].columns.names}
    written = psfex(
        np.asarray(row.pop("PSF_MASK"), dtype=float), {k: v for k, v in row.items() if k[:3] in ("PSF", "POL")}
    )
    psf = read_psf(real_skies / "decam" / "dec_psfex.fits", SHAPE)
    expected = DES_PSFEx(written).getPSFArray(galsim.PositionD(101.0, 51.0))
    half = psf.side // 2
    window = expected[31 - half : 32 + half, 31 - half : 32 + half]
    np.testing.assert_allclose(psf.stamp(100.0, 50.0), window / window.sum(), atol=1e-6)


def test_real_images_of_psfs_are_read(real_skies):
    assert read_psf(real_skies / "hsc_hst" / "PSF_HST.fits", SHAPE).sigma(0, 0) == pytest.approx(1.57, abs=0.01)
    with pytest.raises(SkyError, match="has 5 planes of 31 x 31"):
        read_psf(real_skies / "hsc_hst" / "PSF_HSC.fits", SHAPE)
