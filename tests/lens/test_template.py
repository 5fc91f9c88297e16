import json
from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.errors import TableError
from darkmatter_features.lens.density import N_ELLIPTICITIES, _counts, log_density_of
from darkmatter_features.lens.fit import fit_template
from darkmatter_features.lens.lensed_galaxies import LabelledSkies
from darkmatter_features.lens.template import NODE_SPACING, SKY_STATISTICS, LensTemplate
from tests.support.drawing import catalog_of, lensed_catalog


@pytest.fixture
def fitted(rng):
    catalogs = [lensed_catalog(rng, n=300, gamma=0.0, bias=0.07) for _ in range(20)]
    return fit_template(LabelledSkies(catalogs, np.zeros(20), np.full(20, np.nan), np.full(20, np.nan)))


def test_default_is_isothermal_and_named_so():
    default = LensTemplate.default()
    assert default.source == "default shapes; default profile"
    radius = NODE_SPACING * np.arange(default.shear_profile.shape[1])
    far = (radius > 150) & (radius < 250)
    np.testing.assert_allclose(default.shear_profile[0][far] * radius[far], 17.0, rtol=0.02)


def test_density_of_ellipticities_is_normalised_and_has_their_mean(rng):
    log_p0 = log_density_of(rng.normal(0.1, 0.2, 5000), rng.normal(0.05, 0.2, 5000), smoothing=0.06)
    spacing = 2 / (N_ELLIPTICITIES - 1)
    assert np.exp(log_p0).sum() * spacing**2 == pytest.approx(1)
    nodes = np.linspace(-1, 1, N_ELLIPTICITIES)
    assert (np.exp(log_p0).sum(axis=1) * spacing**2 * nodes).sum() == pytest.approx(0.1, abs=0.01)
    assert (np.exp(log_p0).sum(axis=0) * spacing**2 * nodes).sum() == pytest.approx(0.05, abs=0.01)


def test_template_of_a_sky_has_its_mean_ellipticity(rng):
    template = LensTemplate.of_sky(lensed_catalog(rng, bias=0.07))
    assert template.mean_e1[0] == pytest.approx(0.07, abs=0.02)


def test_template_survives_its_file(fitted, tmp_path):
    fitted.write(tmp_path / "template.json")
    assert LensTemplate.read(tmp_path / "template.json") == fitted


def test_fingerprint_identifies_the_values(fitted):
    assert fitted.fingerprint() == LensTemplate.from_dict(fitted.to_dict()).fingerprint()
    assert fitted.fingerprint() != LensTemplate.default().fingerprint()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"fill_factor_edges": [1], "log_p0": "no"}'])
def test_damaged_template_is_refused_with_the_remedy(tmp_path, text):
    (tmp_path / "template.json").write_text(text)
    with pytest.raises(TableError, match=r"template\.json: no template .*run `darkmatter features` again"):
        LensTemplate.read(tmp_path / "template.json")


def test_template_with_bins_missing_is_refused(fitted, tmp_path):
    values = fitted.to_dict() | {"sigma_e": [0.2]}
    (tmp_path / "template.json").write_text(json.dumps(values))
    with pytest.raises(TableError, match=r"sigma_e must have the shape \(\d+,\), got \(1,\)"):
        LensTemplate.read(tmp_path / "template.json")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("shear_profile", [[0.1]], "shear_profile must have rows of two nodes or more, got the shape (1, 1)"),
        ("shear_profile", 0.1, "shear_profile must have rows of two nodes or more, got the shape ()"),
        ("log_counts", [[]], "log_counts must have rows of two nodes or more, got the shape (1, 0)"),
        ("amplitude_exponent", [[1.0, 1.0]], "amplitude_exponent must have the shape"),
        ("fill_factor_edges", [1.1, 0.9], "fill_factor_edges must ascend, got [1.1 0.9]"),
        ("amplitudes", [], "amplitudes must be positive"),
        ("sky_centre", [0.1], "sky_centre must have the shape (9,), got (1,)"),
        ("sky_error", [0.1], "sky_error must have the shape (0,), got (1,)"),
    ],
)
def test_template_of_impossible_shapes_is_refused(tmp_path, name, value, reason):
    """With three bins of fill factor, so that their edges have an order."""
    default = LensTemplate.default()
    values = {key: np.repeat(getattr(default, key), 3, axis=0) for key in ("log_p0", "mean_e1", "mean_e2", "sigma_e")}
    values = replace(default, fill_factor_edges=np.arange(2.0), response=np.ones(6), **values).to_dict()
    changed = {name: value} | ({"weights": [[]]} if name == "amplitudes" else {})
    (tmp_path / "template.json").write_text(json.dumps(values | changed))
    with pytest.raises(TableError) as refused:
        LensTemplate.read(tmp_path / "template.json")
    assert f"no template of this version ({reason}" in str(refused.value)


@pytest.mark.parametrize("name", ["fill_factor_edges", "amplitude_exponent"])
def test_template_of_an_earlier_version_is_refused_by_the_field_it_lacks(fitted, tmp_path, name):
    values = fitted.to_dict()
    del values[name]
    (tmp_path / "template.json").write_text(json.dumps(values))
    with pytest.raises(TableError) as refused:
        LensTemplate.read(tmp_path / "template.json")
    remedy = "run `darkmatter features` again"
    lack = f"it has no '{name}', which this version needs"
    assert str(refused.value) == f"{tmp_path / 'template.json'}: no template of this version ({lack}); {remedy}"


def test_missing_template_is_refused(tmp_path):
    with pytest.raises(TableError, match="no template"):
        LensTemplate.read(tmp_path / "none.json")


def test_template_of_numbers_that_are_not_finite_is_refused(fitted, tmp_path):
    values = fitted.to_dict()
    values["response"][0] = float("nan")
    (tmp_path / "template.json").write_text(json.dumps(values))
    with pytest.raises(TableError, match="response holds numbers that are not finite"):
        LensTemplate.read(tmp_path / "template.json")


def test_a_sky_without_galaxies_has_the_default_without_a_bias():
    assert LensTemplate.of_sky(catalog_of(*np.zeros((4, 0)))) == LensTemplate.default()


def test_a_template_of_enough_skies_keeps_their_statistics(fitted, tmp_path):
    """20 skies suffice; all of them have 300 galaxies, and the mean ellipticity is that of the shape bins."""
    fitted.write(tmp_path / "template.json")
    template = LensTemplate.read(tmp_path / "template.json")
    centre = dict(zip(SKY_STATISTICS, template.sky_centre, strict=True))
    assert centre["n_galaxies"] == 300
    assert centre["mean_e1"] == pytest.approx(0.0, abs=0.01)
    assert template.sky_scatter.shape == template.sky_error.shape == (9,)


def test_the_default_has_no_statistics_of_skies():
    default = LensTemplate.default()
    assert default.sky_centre.size == default.sky_scatter.size == default.sky_error.size == 0


def test_smoothing_along_the_angle_keeps_the_modulus(rng):
    """A cluster at 0.5 becomes an arc of that radius."""
    e1, e2 = rng.normal(0.5, 0.02, 4000), rng.normal(0.0, 0.02, 4000)
    nodes = np.linspace(-1.0, 1.0, N_ELLIPTICITIES)
    modulus = np.hypot(nodes[:, None], nodes)
    is_arc = np.abs(modulus - 0.5) < 0.08
    plain, arc = (np.exp(log_density_of(e1, e2, smoothing=0.02, angular_smoothing=width)) for width in (0.0, 0.4))
    assert arc[is_arc].sum() == pytest.approx(plain[is_arc].sum(), rel=0.02)
    # At an angle of 0.4, a density exp(-1/2) times that on the axis.
    k = [round(50 + 25 * value) for value in (np.cos(0.4), np.sin(0.4))]
    assert arc[k[0], k[1]] / arc[75, 50] == pytest.approx(np.exp(-0.5), abs=0.12)
    assert plain[k[0], k[1]] < 0.05 * plain[75, 50]


def test_counts_about_the_nodes_are_those_of_a_histogram():
    e1, e2 = np.random.default_rng(5).normal(0.0, 0.5, (2, 4000))
    edges = (np.arange(N_ELLIPTICITIES + 1) - N_ELLIPTICITIES / 2) / ((N_ELLIPTICITIES - 1) / 2)
    assert np.array_equal(_counts(e1, e2), np.histogram2d(e1, e2, bins=(edges, edges))[0])
