"""Scenes of the shear benchmark: light, shapes, noise and frames are those that are stated."""

import galsim
import numpy as np
import pytest
from astropy.wcs import WCS
from shear.galaxies import ARCMIN, CELL, GROUP_RADIUS
from shear.scenes import noise_of, scene

TURNS = [(1, False), (2, False), (3, True), (0, True)]


def cells(image):
    """Yield the cells of a scene of isolated galaxies, row by row."""
    for row in range(0, len(image), CELL):
        for column in range(0, len(image), CELL):
            yield image[row : row + CELL, column : column + CELL]


def measured(drawn):
    """Return the PSF-corrected ellipticities (n, 2) of isolated galaxies and the true ones in the same order."""
    psf = galsim.Image(drawn.psf(20.0, 30.0))
    found = [galsim.hsm.EstimateShear(galsim.Image(cell), psf, strict=False) for cell in cells(drawn.image)]
    e = np.array([(each.corrected_e1, each.corrected_e2) for each in found])
    order = np.lexsort((drawn.truth["x"] // CELL, drawn.truth["y"] // CELL))
    true = drawn.truth[["e1", "e2"]].to_numpy()[order]
    modulus = (e**2).sum(axis=1, keepdims=True)
    return e / (1.0 + np.sqrt(np.maximum(1.0 - modulus, 0.0))), true


@pytest.mark.parametrize("psf", ["moffat", "aberrated"])
@pytest.mark.parametrize(("n_turns", "flipped"), [(0, False), *TURNS])
def test_truth_has_the_ellipticities_of_the_image_in_every_frame(psf, n_turns, flipped):
    drawn = scene(3, "isolated", (0.05, -0.03), n_cells=4, psf=psf, n_turns=n_turns, flipped=flipped)
    found, true = measured(drawn)
    for axis in (0, 1):
        assert np.corrcoef(found[:, axis], true[:, axis])[0, 1] > 0.97
        assert np.polyfit(true[:, axis], found[:, axis], 1)[0] == pytest.approx(1.0, abs=0.12)


def test_mean_of_turned_pairs_is_the_shear():
    """The ellipticities of a galaxy and of the same turned by 90 degrees average to g (1 - |e|^2) for small g."""
    pair = [scene(5, "isolated", (0.02, 0.01), rotated, n_cells=4).truth for rotated in (False, True)]
    for g, name in ((0.02, "e1"), (0.01, "e2")):
        np.testing.assert_allclose(pair[1][f"{name}_unlensed"], -pair[0][f"{name}_unlensed"], atol=1e-12)
        mean = 0.5 * (pair[0][name] + pair[1][name])
        modulus = pair[0]["e1_unlensed"] ** 2 + pair[0]["e2_unlensed"] ** 2
        assert mean.mean() == pytest.approx(g * (1.0 - modulus.mean()), abs=0.003)


@pytest.mark.parametrize("kind", ["isolated", "blended", "groups"])
def test_shear_and_turn_leave_the_galaxies_the_same(kind):
    plain, sheared, turned = (
        scene(2, kind, shear, rotated, n_cells=4, star_density=10.0)
        for shear, rotated in (((0.0, 0.0), False), ((0.04, 0.0), False), ((0.0, 0.0), True))
    )
    same = ["radius", "flux", "snr", "is_star"]
    for other in (sheared, turned):
        assert other.truth[same].equals(plain.truth[same])
        is_star = plain.truth["is_star"]
        assert other.truth[is_star].equals(plain.truth[is_star])
        assert 0 < is_star.sum() < len(is_star)
    assert np.abs(sheared.image - plain.image).max() > 0.1
    np.testing.assert_array_equal(noise_of(sheared, 4), noise_of(plain, 4))
    assert (noise_of(plain, 4) != noise_of(plain, 5)).all()


def test_positions_are_sheared_and_turned_about_the_centre_of_the_field():
    plain, sheared, turned = (
        scene(2, "blended", shear, rotated, n_cells=3).truth[["x", "y"]].to_numpy() - 0.5 * (3 * CELL - 1)
        for shear, rotated in (((0.0, 0.0), False), ((0.03, 0.02), False), ((0.0, 0.0), True))
    )
    shear = np.array([[1.03, 0.02], [0.02, 0.97]]) / np.sqrt(1 - 0.03**2 - 0.02**2)
    np.testing.assert_allclose(sheared, plain @ shear.T)
    np.testing.assert_allclose(turned, plain @ np.array([[0.0, 1.0], [-1.0, 0.0]]))


def test_isolated_galaxies_lie_within_a_pixel_of_the_centres_of_their_cells():
    truth = scene(2, "isolated", n_cells=4).truth
    offsets = np.mod(truth[["x", "y"]].to_numpy(), CELL) - 0.5 * (CELL - 1)
    assert np.abs(offsets).max() <= 0.5
    assert len(truth) == 16


def test_signal_to_noise_is_that_of_a_filter_of_the_shape_of_the_galaxy():
    """Exact for stars; interpolation in size and the ellipticity change that of galaxies by up to 12 %."""
    drawn = scene(1, "isolated", n_cells=4, star_density=10.0, snr=(30.0, 40.0))
    order = np.lexsort((drawn.truth["x"] // CELL, drawn.truth["y"] // CELL))
    snr, is_star = drawn.truth["snr"].to_numpy()[order], drawn.truth["is_star"].to_numpy()[order]
    found = np.array([np.sqrt((cell**2).sum()) / drawn.noise_sigma for cell in cells(drawn.image)])
    np.testing.assert_allclose(found[is_star], snr[is_star], rtol=0.02)
    np.testing.assert_allclose(found[~is_star], snr[~is_star], rtol=0.12)


def test_blended_field_has_its_density_above_the_limit_and_fainter_galaxies():
    truth = scene(8, "blended", density=40.0).truth
    inside = truth[(truth[["x", "y"]] > -0.5).all(axis=1) & (truth[["x", "y"]] < 511.5).all(axis=1)]
    expected = 40.0 * (512 * 0.2 / 60.0) ** 2
    assert (inside["snr"] > 10.0).sum() == pytest.approx(expected, abs=3.5 * np.sqrt(expected))
    assert (inside["snr"] < 10.0).mean() > 0.7


@pytest.mark.parametrize(("noise", "neighbour"), [("white", 0.0), ("correlated", 0.444)])
def test_noise_has_the_stated_deviation_and_correlation(noise, neighbour):
    drawn = scene(1, "blended", noise=noise, density=1.0)
    found = noise_of(drawn, 3)
    assert found.std() == pytest.approx(drawn.noise_sigma, rel=0.01)
    for axis in (0, 1):
        assert (found * np.roll(found, 1, axis)).mean() == pytest.approx(neighbour, abs=0.01)


@pytest.mark.parametrize(("n_turns", "flipped"), TURNS)
def test_turned_scene_is_the_same_sky(n_turns, flipped):
    given = {"n_cells": 2, "psf_varies": True, "star_density": 10.0}
    upright = scene(6, "blended", (0.02, 0.04), **given)
    drawn = scene(6, "blended", (0.02, 0.04), n_turns=n_turns, flipped=flipped, **given)
    expected = np.rot90(upright.image, n_turns)
    np.testing.assert_array_equal(drawn.image, np.fliplr(expected) if flipped else expected)
    places = [WCS(each.header).wcs_pix2world(each.truth[["x", "y"]], 0) for each in (upright, drawn)]
    np.testing.assert_allclose(places[1], places[0], atol=1e-9)
    star = int(drawn.truth["snr"].where(drawn.truth["is_star"]).idxmax())
    x, y = drawn.truth.loc[star, ["x", "y"]].astype(float)
    before = upright.psf(*upright.truth.loc[star, ["x", "y"]].astype(float))
    before = np.rot90(before, n_turns)
    np.testing.assert_array_equal(drawn.psf(x, y), np.fliplr(before) if flipped else before)


def test_psf_is_constant_or_varies_linearly():
    constant, varying = (scene(1, "isolated", n_cells=2, psf_varies=varies) for varies in (False, True))
    np.testing.assert_array_equal(constant.psf(0.0, 0.0), constant.psf(127.0, 60.0))
    shapes = [galsim.hsm.FindAdaptiveMom(galsim.Image(varying.psf(x, 63.5))).observed_shape.g1 for x in (0, 63.5, 127)]
    assert np.diff(shapes) == pytest.approx(0.04, rel=0.05)
    assert constant.psf(0.0, 0.0).sum() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "given", "named"),
    [("ring", {}, "kind"), ("blended", {"psf": "airy"}, "psf"), ("blended", {"noise": "pink"}, "noise")],
)
def test_unknown_names_are_refused(kind, given, named):
    with pytest.raises(ValueError, match=f"{named} must be one of"):
        scene(1, kind, **given)


def test_neighbours_lie_about_the_galaxy_of_a_cell():
    truth = scene(2, "groups", n_cells=8, density=40.0).truth
    centers = CELL * np.floor(truth[["x", "y"]].to_numpy() / CELL) + 0.5 * (CELL - 1)
    distance = np.hypot(*(truth[["x", "y"]].to_numpy() - centers).T)
    assert distance[:64].max() < 0.8
    assert 0.8 < distance[64:].max() <= GROUP_RADIUS
    assert len(truth) == pytest.approx(64 + 64 * 40 * (0.12**-0.75) * np.pi * (GROUP_RADIUS / ARCMIN) ** 2, rel=0.35)
