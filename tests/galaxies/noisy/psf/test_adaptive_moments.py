"""Adaptive moments agree with GalSim's and with an obvious twin."""

import numpy as np
import pytest

from darkmatter_features.galaxies.noisy.psf.adaptive_moments import adaptive_moments

galsim = pytest.importorskip("galsim")


def drawn(profile, side=41, shift=(0.0, 0.0)):
    return profile.shift(*shift).drawImage(nx=side, ny=side, scale=1.0).array.astype(np.float64)


def naive(stamp, sigma=1.5, n=400):
    """Iterate Q -> 2 Q_weighted until it stands still."""
    y, x = np.indices(stamp.shape, dtype=np.float64)
    centre, q = np.array([0.5 * (stamp.shape[1] - 1), 0.5 * (stamp.shape[0] - 1)]), sigma**2 * np.eye(2)
    for _ in range(n):
        d = np.stack([x - centre[0], y - centre[1]], axis=-1)
        w = np.exp(-0.5 * np.einsum("ijk,kl,ijl->ij", d, np.linalg.inv(q), d)) * stamp
        centre = centre + np.einsum("ij,ijk", w, d) / w.sum()
        d = np.stack([x - centre[0], y - centre[1]], axis=-1)
        q = 2 * np.einsum("ij,ijk,ijl", w, d, d) / w.sum()
    return centre, q


PROFILES = {
    "gaussian": galsim.Gaussian(sigma=1.6).shear(g1=0.1, g2=-0.05),
    "moffat": galsim.Moffat(beta=2.5, fwhm=3.2).shear(g1=-0.03, g2=0.05),
    "aberrated": galsim.Convolve(
        galsim.OpticalPSF(lam_over_diam=1.2, coma1=0.1, astig1=0.08, obscuration=0.3), galsim.Gaussian(sigma=0.8)
    ),
}


@pytest.mark.parametrize("name", PROFILES)
def test_moments_agree_with_galsim(name):
    stamp = drawn(PROFILES[name], shift=(0.23, -0.41))
    found = adaptive_moments(stamp[np.newaxis])
    expected = galsim.hsm.FindAdaptiveMom(galsim.Image(stamp), precision=1e-9)
    assert found.e1[0] == pytest.approx(expected.observed_shape.g1, abs=2e-5)
    assert found.e2[0] == pytest.approx(expected.observed_shape.g2, abs=2e-5)
    assert found.sigma[0] == pytest.approx(expected.moments_sigma, rel=2e-5)
    assert (found.x[0], found.y[0]) == pytest.approx(
        (expected.moments_centroid.x - 1, expected.moments_centroid.y - 1), abs=1e-4
    )


def test_moments_match_naive():
    stamp = drawn(PROFILES["moffat"], side=25, shift=(-0.3, 0.2))
    found = adaptive_moments(stamp[np.newaxis])
    centre, q = naive(stamp)
    assert (found.x[0], found.y[0]) == pytest.approx(centre, abs=1e-5)
    assert found.sigma[0] == pytest.approx(np.linalg.det(q) ** 0.25, rel=1e-5)


def test_flux_of_a_gaussian_is_recovered():
    found = adaptive_moments(drawn(7.0 * PROFILES["gaussian"])[np.newaxis])
    assert found.flux[0] == pytest.approx(7.0, rel=0.01)


def test_stamp_without_light_has_no_moments(rng):
    empty = adaptive_moments(-np.ones((1, 21, 21)))
    assert np.isnan([empty.x[0], empty.e1[0], empty.sigma[0], empty.flux[0]]).all()
