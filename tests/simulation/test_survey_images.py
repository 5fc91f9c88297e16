"""The preset survey matched to surveys: depth, noise, PSF, defects and truth are those that are stated."""

from dataclasses import replace

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from darkmatter_features import read_sky
from darkmatter_features.errors import ConfigError
from darkmatter_features.io.truth import OBJECT_COLUMNS, TRUTH_COLUMNS, psf_path, read_galaxy_truth, read_object_truth
from darkmatter_features.simulation import SURVEYS, defects, simulate_dataset, survey_like
from darkmatter_features.simulation.field_psf import draw_field_psf, median_stamp
from darkmatter_features.simulation.survey import SIDE
from darkmatter_features.simulation.survey_images import expose, noise_sigma, survey_like_sky, world_coordinates
from darkmatter_features.simulation.survey_sources import Stars, draw_galaxies, draw_stars, flux_of, paint

ALL = list(SURVEYS.values())
FAST = SURVEYS["hsc"]
CLEAN = {"n_cosmic_rays": 0.0, "n_bad_columns": 0.0}


@pytest.fixture(params=ALL, ids=[survey.name for survey in ALL])
def survey(request):
    return request.param


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a small data set like HSC."""
    out = tmp_path_factory.mktemp("hsc")
    simulate_dataset(out, n_training=2, n_validation=0, preset="survey", like="hsc", seed=3, n_jobs=1)
    return out


def exposed(survey, light, number=1):
    """Return image, weight, mask and header of given light."""
    rng = np.random.default_rng(number)
    header = world_coordinates(rng, survey)
    return *expose(rng, survey, light, header), header


def none_of(galaxies):
    return galaxies.select(np.zeros(len(galaxies), dtype=bool))


def only_stars(survey, magnitude, x, y, number=4):
    """Return the light of one star."""
    rng = np.random.default_rng(number)
    psf = draw_field_psf(rng, survey, SIDE)
    star = Stars(np.array([x]), np.array([y]), flux_of(survey, np.array([magnitude])))
    return paint(survey, psf, none_of(draw_galaxies(rng, survey)), star, noise_sigma(survey))


def test_a_star_at_the_depth_has_signal_to_noise_10(survey):
    stamp = flux_of(survey, survey.depth) * median_stamp(survey)
    assert np.sqrt((stamp**2).sum()) / noise_sigma(survey) == pytest.approx(10.0)


def test_weight_is_the_inverse_variance_and_the_header_has_the_correlation(survey):
    """Of 262,144 pixels; the background that is left adds less than 6 % to the variance."""
    image, weight, mask, header = exposed(replace(survey, **CLEAN), np.zeros((SIDE, SIDE)))
    assert not mask.any()
    scaled = image * np.sqrt(weight)
    rows, columns = np.indices(image.shape) / SIDE - 0.5
    terms = np.stack([np.ones_like(rows), rows, columns, rows**2, columns**2, rows * columns]).reshape(6, -1)
    scaled -= (np.linalg.lstsq(terms.T, scaled.ravel(), rcond=None)[0] @ terms).reshape(scaled.shape)
    assert scaled.std() == pytest.approx(1.0, abs=0.02)
    for name, axis in (("CORRX", 1), ("CORRY", 0)):
        assert (scaled * np.roll(scaled, 1, axis)).mean() == pytest.approx(header[name], abs=0.03)


def test_one_exposure_less_has_more_noise():
    _, weight, _, _ = exposed(replace(FAST, **CLEAN), np.zeros((SIDE, SIDE)))
    assert sorted(np.unique(weight) / weight.max()) == pytest.approx([5 / 6, 1.0])


def test_stars_have_the_flux_of_their_magnitude(survey):
    """Up to 4 % of the light of a diffraction pattern is outside the box."""
    light = only_stars(survey, 20.0, 256.3, 250.8)
    assert light.sum() == pytest.approx(float(flux_of(survey, 20.0)), rel=0.04)
    rows, columns = np.indices(light.shape)
    bright = light > 0.2 * light.max()
    assert np.average(columns[bright], weights=light[bright]) == pytest.approx(256.3, abs=0.1)
    assert np.average(rows[bright], weights=light[bright]) == pytest.approx(250.8, abs=0.1)


def test_galaxies_have_the_flux_of_their_luminosity(survey):
    rng = np.random.default_rng(2)
    galaxies = draw_galaxies(rng, survey)
    one = galaxies.select(np.arange(len(galaxies)) == int(np.argmax(galaxies.luminosity)))
    one = replace(one, x=np.array([256.0]), y=np.array([256.0]))
    no_stars = Stars(*np.zeros((3, 0)))
    light = paint(survey, draw_field_psf(rng, survey, SIDE), one, no_stars, noise_sigma(survey))
    assert light.sum() == pytest.approx(float(flux_of(survey, survey.depth) * one.luminosity[0]), rel=0.05)


def test_number_of_galaxies_above_the_depth_is_that_of_the_survey(survey):
    area = ((SIDE + 120.0) * survey.pixel_scale / 60.0) ** 2
    rng = np.random.default_rng(9)
    found = sum((draw_galaxies(rng, survey).luminosity > 1.0).sum() for _ in range(30))
    expected = 30 * area * survey.density
    assert found == pytest.approx(expected, abs=4.0 * np.sqrt(expected))


def test_stars_rise_in_number_with_magnitude_by_their_slope():
    rng = np.random.default_rng(9)
    stars = np.concatenate([draw_stars(rng, FAST).flux for _ in range(200)])
    magnitude = FAST.zero_point - 2.5 * np.log10(stars)
    area = 200 * ((SIDE + 120.0) * FAST.pixel_scale / 60.0) ** 2
    for limit in (20.0, 22.0, 25.0):
        expected = area * FAST.star_density * 10 ** (0.13 * (limit - 22.0))
        assert (magnitude < limit).sum() == pytest.approx(expected, abs=0.1 * expected + 4.0 * np.sqrt(expected))


def test_true_ellipticity_of_the_psf_is_that_of_the_drawn_one(survey):
    psf = draw_field_psf(np.random.default_rng(5), survey, SIDE)
    for x, y in ((10.0, 400.0), (256.0, 256.0), (500.0, 30.0)):
        drawn = psf.at(x, y).drawImage(nx=128, ny=128, scale=0.5, method="no_pixel")
        shape = galsim.hsm.FindAdaptiveMom(drawn).observed_shape
        e1, e2 = psf.ellipticity(np.array([x]), np.array([y]))
        assert (shape.g1, shape.g2) == pytest.approx((e1[0], e2[0]), abs=0.004)


def test_psf_varies_over_the_image_at_the_scale_of_5_percent():
    moduli, changes = [], []
    for number in range(40):
        e1, e2 = draw_field_psf(np.random.default_rng(number), FAST, SIDE).ellipticity(*np.array([[0, 511], [0, 511]]))
        moduli.append(np.hypot(e1, e2))
        changes.append(np.hypot(*np.diff([e1, e2], axis=1)))
    assert np.sqrt(np.mean(np.square(moduli))) == pytest.approx(0.05, rel=0.25)
    assert np.median(changes) > 0.02


def test_bright_stars_saturate_and_bleed_along_their_column(survey):
    light = only_stars(survey, survey.saturation - 3.0, 256.0, 250.0)
    image, weight, mask, header = exposed(replace(survey, **CLEAN), light)
    full = mask == defects.SATURATED
    assert image[full].max() <= header["SATURATE"]
    assert not weight[full].any()
    rows, columns = np.nonzero(full)
    assert np.ptp(rows) > 3 * np.ptp(columns) > 0
    assert abs(columns.mean() - 256.0) < 1.0
    fainter = only_stars(survey, survey.saturation + 0.6, 256.0, 250.0)
    assert not exposed(replace(survey, **CLEAN), fainter)[2].any()


def test_bad_columns_are_masked_and_cosmic_rays_are_left():
    light = np.zeros((SIDE, SIDE))
    columns = exposed(replace(FAST, n_bad_columns=6.0), light)
    assert {defects.BAD_COLUMN} == set(np.unique(columns[2])) - {0}
    assert not columns[1][columns[2] > 0].any()
    quiet, rays = (exposed(replace(FAST, n_cosmic_rays=n), light) for n in (0.0, 5.0))
    assert not rays[2].any()
    assert 5 < (rays[0] - quiet[0] > 5.0 * noise_sigma(FAST)).sum() < 400


@pytest.mark.parametrize("name", defects.HALF_WIDTHS)
def test_interpolation_keeps_the_sum_and_interpolates_a_line(name):
    kernel = defects.interpolation_kernel(name, 0.3)
    assert kernel.sum() == pytest.approx(1.0)
    if name != "none":
        offsets = np.arange(len(kernel)) - len(kernel) // 2
        assert (kernel * offsets).sum() == pytest.approx(0.3, abs=0.02)


def test_truth_has_ellipticities_with_and_without_the_lens():
    skies = [survey_like_sky(np.random.default_rng(number), FAST) for number in range(6)]
    assert {sky.lensed for sky in skies} == {True, False}
    for sky in skies:
        same = np.isclose(sky.e1, sky.objects["e1_unlensed"], atol=1e-9)
        is_star = sky.objects["is_star"] == 1
        assert set(sky.objects) == set(OBJECT_COLUMNS)
        assert same[is_star].all()
        assert same[~is_star].all() == (not sky.lensed)
        if sky.lensed:
            dx, dy = sky.x - sky.lens_column, sky.y - sky.lens_row
            change = sky.e1 - sky.objects["e1_unlensed"] + 1j * (sky.e2 - sky.objects["e2_unlensed"])
            tangential = -(change * np.exp(-2j * np.arctan2(dy, dx)))[~is_star & (np.hypot(dx, dy) > 60)]
            assert tangential.real.mean() > 3.0 * abs(tangential.imag.mean())


def test_mirrored_skies_differ_in_the_parity_of_the_world_coordinates():
    plain, mirrored = (
        survey_like_sky(np.random.default_rng(1), survey_like("hsc", mirrored=flag)) for flag in (False, True)
    )
    np.testing.assert_array_equal(mirrored.pixels, plain.pixels)
    parities = [np.linalg.det(WCS(sky.header).pixel_scale_matrix) for sky in (plain, mirrored)]
    assert parities[0] < 0 < parities[1]
    assert np.sqrt(np.abs(parities)) * 3600 == pytest.approx([FAST.pixel_scale] * 2)


def test_files_have_image_weight_mask_psf_and_truth(written):
    image = written / "training" / "training-00001.fits"
    with fits.open(image) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "WHT", "DQ"]
        assert [hdu.header.get("BUNIT") for hdu in hdus[1:]] == ["count", None, None]
        mask = hdus["DQ"].data
    sky = read_sky(image)
    assert sky.pixels.shape[:2] == (SIDE, SIDE)
    assert sky.wcs is not None
    assert (mask.any() and (sky.mask == (mask > 0)).all()) or sky.mask is None
    psf = fits.getdata(psf_path(written, image))
    assert psf.shape == (65, 65)
    assert psf.sum() == pytest.approx(1.0, abs=0.02)


def test_galaxies_are_read_without_stars_and_objects_with_them(written):
    objects = read_object_truth(written, "training-00000.fits")
    assert tuple(objects) == (*TRUTH_COLUMNS, *OBJECT_COLUMNS)
    is_star = objects["is_star"] == 1
    assert 0 < is_star.sum() < len(is_star)
    galaxies = read_galaxy_truth(written, "training-00000.fits")
    assert tuple(galaxies) == TRUTH_COLUMNS
    np.testing.assert_array_equal(galaxies["e1"], objects["e1"][~is_star])


def test_same_seed_gives_the_same_sky(written):
    sky = survey_like_sky(np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0, 1))), FAST)
    np.testing.assert_array_equal(fits.getdata(written / "training" / "training-00001.fits", "SCI"), sky.pixels)


def test_unknown_surveys_and_properties_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="No survey 'lsst'; choose one of hsc, des, euclid, hst"):
        simulate_dataset(tmp_path, preset="survey", like="lsst")
    with pytest.raises(ConfigError, match="no property 'zeropoint'; did you mean zero_point"):
        survey_like("des", zeropoint=25.0)
    with pytest.raises(ConfigError, match="are of the preset survey, not seed"):
        simulate_dataset(tmp_path, like="hsc")
    with pytest.raises(ConfigError, match="name the survey with like"):
        simulate_dataset(tmp_path, preset="survey", mirrored=True)
    assert not list(tmp_path.iterdir())
