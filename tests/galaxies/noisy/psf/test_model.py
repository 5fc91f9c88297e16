"""PSF models: stamps of any shape are centred, normalised and trimmed; what is no PSF is refused in one line."""

import galsim
import numpy as np
import pytest

from darkmatter_features.errors import SkyError
from darkmatter_features.galaxies.noisy.psf.adaptive_moments import adaptive_moments
from darkmatter_features.galaxies.noisy.psf.model import PsfModel, polynomial_powers, polynomial_terms
from darkmatter_features.galaxies.noisy.psf.stamps import shifted


def gaussian(shape, x, y, *, sigma=1.6, e=0.0):
    """Return a Gaussian PSF sampled at pixels, elongated along x for e > 0."""
    row, column = np.indices(shape)
    a, b = sigma * np.sqrt((1 + e) / (1 - e)), sigma * np.sqrt((1 - e) / (1 + e))
    return np.exp(-0.5 * (((column - x) / a) ** 2 + ((row - y) / b) ** 2)) / (2 * np.pi * a * b)


@pytest.mark.parametrize(
    ("shape", "x", "y"),
    [((25, 25), 12.0, 12.0), ((24, 24), 11.5, 11.5), ((32, 32), 16.0, 16.0), ((31, 40), 11.3, 19.8), ((64, 64), 50, 9)],
)
def test_stamps_are_centred_wherever_the_peak_is(shape, x, y):
    psf = PsfModel.constant(7.0 * gaussian(shape, x, y, e=0.05))
    stamp = psf.stamp(0.0, 0.0)
    found = adaptive_moments(stamp[np.newaxis])
    assert stamp.shape == (psf.side, psf.side)
    assert psf.side % 2 == 1
    assert stamp.sum() == pytest.approx(1.0)
    assert (found.x[0], found.y[0]) == pytest.approx((psf.side // 2, psf.side // 2), abs=0.01)
    assert psf.ellipticity(3.0, 4.0) == pytest.approx((0.05, 0.0), abs=1e-4)
    assert psf.sigma(3.0, 4.0) == pytest.approx(1.6, rel=1e-3)


def test_outer_rings_of_noise_are_trimmed(rng):
    clean = gaussian((81, 81), 40.0, 40.0)
    psf = PsfModel.constant(clean + rng.normal(0.0, 1e-5, clean.shape))
    assert 13 <= psf.side <= 25
    assert psf.sigma(0.0, 0.0) == pytest.approx(1.6, rel=5e-3)


def test_wings_are_kept():
    row, column = np.indices((61, 61)) - 30
    wings = (1 + (row**2 + column**2) / 9.0) ** -2.0
    assert PsfModel.constant(wings).side == 61


def test_a_single_pixel_is_a_psf():
    stamp = np.zeros((7, 9))
    stamp[2, 5] = 3.0
    psf = PsfModel.constant(stamp)
    middle = psf.side // 2
    assert psf.stamp(0.0, 0.0)[middle, middle] == pytest.approx(1.0)


BAD = {
    "all 0": (np.zeros((9, 9)), "are all 0"),
    "negative": (-gaussian((9, 9), 4, 4), "sum to -"),
    "nan": (np.where(np.eye(9, dtype=bool), np.nan, gaussian((9, 9), 4, 4)), "9 of 81 pixels that are not finite"),
    "infinite": (np.where(np.eye(9, dtype=bool), np.inf, gaussian((9, 9), 4, 4)), "9 of 81 pixels"),
    "small": (gaussian((4, 9), 4, 2), "has 4 x 9 pixels, a PSF needs at least 5 x 5"),
    "large": (np.ones((1100, 9)), "has 1100 x 9 pixels, more than 1025"),
    "flat": (np.ones((21, 21)), "background subtracted"),
    "on a pedestal": (gaussian((41, 41), 20, 20) + 0.1, "background subtracted"),
    "cube": (np.ones((3, 9, 9)), "has 3 axes, a PSF has two"),
    "line": (np.ones(9), "has 1 axes"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_psf_is_refused_in_one_line(name):
    stamp, reason = BAD[name]
    with pytest.raises(SkyError, match=reason) as caught:
        PsfModel.constant(stamp, name="psf.fits")
    assert str(caught.value).startswith("psf.fits ")
    assert "\n" not in str(caught.value)


def test_fourier_shift_moves_a_stamp_by_fractions_of_a_pixel():
    stamps = np.stack([gaussian((24, 25), 12.0, 11.0), gaussian((24, 25), 11.0, 12.0)])
    moved = shifted(stamps, np.array([0.3, -0.45]), np.array([-0.2, 0.5]))
    expected = np.stack([gaussian((24, 25), 12.3, 10.8), gaussian((24, 25), 10.55, 12.5)])
    np.testing.assert_allclose(moved, expected, atol=2e-5)


def test_polynomial_of_stamps_is_evaluated_at_positions():
    """The stamp at (x, y) is a + b u + c u v, normalised."""
    a, b, c = (gaussian((15, 15), 7, 7, sigma=sigma) for sigma in (1.5, 1.7, 1.3))
    planes = np.stack([a, 0.2 * b, 0 * a, 0 * a, 0.1 * c, 0 * a])
    psf = PsfModel(planes, polynomial_powers(2), origin=(100.0, 50.0), scale=(200.0, 100.0))
    u, v = (150.0 - 100.0) / 200.0, (10.0 - 50.0) / 100.0
    expected = a + 0.2 * u * b + 0.1 * u * v * c
    np.testing.assert_allclose(psf.stamp(150.0, 10.0), expected / expected.sum())
    np.testing.assert_allclose(psf.stamps([150.0, 0.0], [10.0, 0.0])[0], expected / expected.sum())
    assert not psf.is_constant
    assert PsfModel(planes[:1]).is_constant
    e1, e2 = psf.ellipticity(np.zeros((2, 3)), np.zeros((2, 3)))
    assert e1.shape == e2.shape == (2, 3)


def test_terms_stand_in_the_order_of_their_powers():
    terms = polynomial_terms([2.0], [3.0], polynomial_powers(2))
    np.testing.assert_array_equal(terms, [[1, 2, 3, 4, 6, 9]])


def test_coefficients_are_a_read_only_copy():
    planes = gaussian((15, 15), 7, 7)[np.newaxis]
    psf = PsfModel(planes)
    planes[:] = 0.0
    assert psf.stamp(0, 0).sum() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="read-only"):
        psf.coefficients[0, 0, 0] = 1.0


@pytest.mark.parametrize(
    ("planes", "options", "reason"),
    [
        (np.ones((1, 6, 6)), {}, "odd side"),
        (np.ones((1, 5, 7)), {}, "odd side"),
        (np.ones((1, 3, 3)), {}, "at least 5"),
        (np.ones((2, 7, 7)), {}, "1 terms"),
        (np.full((1, 7, 7), np.nan), {}, "not finite"),
        (-np.ones((1, 7, 7)), {}, "positive sum"),
        (np.ones((1, 7, 7)), {"scale": (0.0, 1.0)}, "scale"),
    ],
)
def test_inconsistent_coefficients_are_refused(planes, options, reason):
    with pytest.raises(SkyError, match=reason):
        PsfModel(planes, **options)


def test_place_without_a_positive_psf_is_named():
    a = gaussian((15, 15), 7, 7)
    psf = PsfModel(np.stack([a, a, 0 * a]), polynomial_powers(1))
    with pytest.raises(SkyError, match=r"no positive PSF at x = -3.0, y = 2.0"):
        psf.stamps([5.0, -3.0], [0.0, 2.0])


def test_gaussian_has_the_given_width():
    assert PsfModel.gaussian(2.2).sigma(0, 0) == pytest.approx(2.2, rel=1e-3)
    with pytest.raises(SkyError, match="must be positive"):
        PsfModel.gaussian(0.0)


def test_a_psf_too_narrow_for_moments_is_centred_on_its_light():
    """That of a space telescope has its core in two pixels and faint rings about it."""
    light = galsim.OpticalPSF(lam_over_diam=1.0, obscuration=0.33)
    stamp = light.drawImage(nx=65, ny=65, scale=1.0, offset=(0.2, -0.1), dtype=float).array
    model = PsfModel.constant(stamp)
    assert model.side % 2 == 1
    middle = model.side // 2
    core = model.stamp(0.0, 0.0)[middle - 1 : middle + 2, middle - 1 : middle + 2]
    rows, columns = np.indices(core.shape) - 1
    assert abs((rows * core).sum() / core.sum()) < 0.05
    assert abs((columns * core).sum() / core.sum()) < 0.05
    assert core.sum() > 0.5
