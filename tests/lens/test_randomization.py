"""Randomized skies keep positions and scatter and lose the shear; their p-values are uniform."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from darkmatter_features.errors import ConfigError
from darkmatter_features.galaxies.shapes import Flag
from darkmatter_features.lens.density import log_density_of
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.randomization import peak_p_value, rotated, shuffled
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from tests.support.drawing import catalog_of, lensed_catalog

SHAPE, CENTRE = (160, 160), (80.0, 70.0)


def _template(*, scatter, bias=0.0):
    """A template with the unlensed ellipticities of `lensed_catalog`, and a bias in the second bin of fill factor."""
    unlensed = lensed_catalog(np.random.default_rng(5), n=50_000, gamma=0.0, scatter=scatter)
    log_p0 = [log_density_of(unlensed.e1 + b, unlensed.e2, smoothing=0.06) for b in (0.0, bias)]
    default = LensTemplate.default()
    return replace(
        default,
        fill_factor_edges=np.array([2.0]),
        log_p0=np.stack([*log_p0, *log_p0]),
        mean_e1=np.tile([0.0, bias], 2),
        **{name: np.repeat(getattr(default, name), 2) for name in ("mean_e2", "sigma_e", "response")},
    )


@pytest.fixture(scope="module")
def template():
    return _template(scatter=0.2, bias=0.1)


def _small(rng, *, gamma, n=60, bias=0.1):
    """A sky whose galaxies of high fill factor have a bias."""
    plain = lensed_catalog(rng, n=n, centre=CENTRE, gamma=gamma, shape=SHAPE)
    fill_factor = rng.uniform(1, 3, n)
    e1 = plain.e1 + bias * (fill_factor > 2)
    return catalog_of(plain.x, plain.y, e1, plain.e2, shape=SHAPE, fill_factor=fill_factor)


def test_rotation_keeps_positions_sizes_and_distances_from_the_mean(rng, template):
    catalog = _small(rng, gamma=0.2)
    prepared = PreparedCatalog(catalog, template)
    other = rotated(prepared, rng=rng)
    for name in ("x", "y", "size", "fill_factor", "flux", "snr", "n_pixels", "flags"):
        np.testing.assert_array_equal(getattr(other, name), getattr(catalog, name))
    before, after = (np.hypot(c.e1 - prepared.mean_e1, c.e2 - prepared.mean_e2) for c in (catalog, other))
    np.testing.assert_allclose(after, before, atol=1e-12)
    assert np.abs(other.e1 - catalog.e1).max() > 0.1
    np.testing.assert_allclose(other.theta, 0.5 * np.arctan2(other.e2, other.e1))
    assert (other.name, other.shape) == (catalog.name, catalog.shape)


def test_shuffling_permutes_ellipticities_within_a_shape_bin(rng, template):
    catalog = _small(rng, gamma=0.2)
    other = shuffled(PreparedCatalog(catalog, template), rng=rng)
    for name in ("x", "y", "size", "fill_factor", "flux", "snr", "n_pixels", "flags"):
        np.testing.assert_array_equal(getattr(other, name), getattr(catalog, name))
    for is_compact in (False, True):
        own = (catalog.fill_factor > 2) == is_compact
        before, after = (np.stack([c.e1, c.e2, c.theta])[:, own] for c in (catalog, other))
        np.testing.assert_array_equal(after[:, after[0].argsort()], before[:, before[0].argsort()])
        assert np.mean(after[0] == before[0]) < 0.3


def test_shuffling_keeps_the_shapes_of_galaxies_at_the_border(rng):
    catalog = _small(rng, gamma=0.0, n=60)
    at_edge = np.arange(60) < 10
    cut = replace(catalog, flags=np.where(at_edge, Flag.EDGE, 0).astype(np.uint8))
    other = shuffled(PreparedCatalog(cut), rng=rng)
    np.testing.assert_array_equal(other.e1[at_edge], cut.e1[at_edge])
    assert np.mean(other.e1[~at_edge] == cut.e1[~at_edge]) < 0.3


@pytest.mark.parametrize("randomize", [rotated, shuffled])
def test_randomization_removes_the_shear_and_keeps_the_bias(rng, randomize):
    """The mean of n tangential ellipticities is 0 within sigma / sqrt(n) = 0.003, from a shear of 0.2."""
    sheared = lensed_catalog(rng, n=4000, centre=CENTRE, gamma=0.2, bias=0.1, shape=SHAPE)
    template = LensTemplate.default(mean_e1=0.1)

    def shear(catalog):
        """Return mean gamma_t + i gamma_x; rotations over half the range would turn one into the other."""
        angle = 2 * np.arctan2(catalog.y - CENTRE[1], catalog.x - CENTRE[0])
        return np.mean(-(catalog.e1 - 0.1 + 1j * catalog.e2) * np.exp(-1j * angle))

    other = randomize(PreparedCatalog(sheared, template), rng=rng)
    assert shear(sheared) == pytest.approx(0.2, abs=0.02)
    assert abs(shear(other)) < 0.015
    assert other.e1.mean() == pytest.approx(0.1, abs=0.015)


def test_without_a_template_the_mean_of_the_sky_is_kept(rng):
    sheared = lensed_catalog(rng, n=4000, gamma=0.0, bias=0.2)
    assert rotated(PreparedCatalog(sheared), rng=rng).e1.mean() == pytest.approx(0.2, abs=0.015)


@pytest.mark.parametrize(("randomize", "n_skies", "n"), [(rotated, 30, 19), (shuffled, 60, 39)])
def test_p_values_of_randomized_skies_are_uniform(rng, template, randomize, n_skies, n):
    """Also where the randomized sky has a lens. Ties among the n + 1 possible values are broken at random."""
    faint = replace(template, amplitudes=np.array([0.5]), weights=np.ones((1, 1)))  # 10 times as fast as with all
    lensed = [_small(rng, gamma=0.3, n=25) for _ in range(n_skies)]
    skies = [randomize(PreparedCatalog(catalog, faint), rng=rng) for catalog in lensed]
    p = np.array([peak_p_value(sky, faint, n_randomizations=n, rng=rng, randomize=randomize) for sky in skies])
    np.testing.assert_allclose(p * (n + 1), np.round(p * (n + 1)), atol=1e-9)
    assert kstest(p - rng.uniform(0, 1 / (n + 1), p.size), "uniform").pvalue > 0.01


@pytest.mark.parametrize("randomize", [rotated, shuffled])
def test_a_planted_lens_has_the_smallest_possible_p(rng, template, randomize):
    nodes = NODE_SPACING * np.arange(template.shear_profile.shape[1])
    sky = _small(rng, gamma=lambda radius: np.interp(radius, nodes, template.shear_profile[0]), n=180)
    assert lens_evidence(sky, template).log_bayes_factor_shear > 5
    assert peak_p_value(sky, template, n_randomizations=39, rng=rng, randomize=randomize) == 1 / 40


def test_the_same_seed_gives_the_same_p(rng, template):
    sky = _small(rng, gamma=0.05)
    one, same = (peak_p_value(sky, template, n_randomizations=9, rng=np.random.default_rng(3)) for _ in range(2))
    assert one == same


def test_zero_randomizations_are_refused(rng):
    with pytest.raises(ConfigError, match="1 or more, got 0"):
        peak_p_value(_small(rng, gamma=0.0), n_randomizations=0, rng=rng)
