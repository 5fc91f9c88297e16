"""A prepared catalogue: made once, the same results as from a catalogue and a template."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from darkmatter_features.features.statistics import feature_row
from darkmatter_features.galaxies.shapes import Flag
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.prepared import PreparedCatalog, prepare
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import shear_maps
from tests.support.drawing import lensed_catalog, two_shape_bins, with_two_shape_bins


def test_ellipticities_are_less_the_mean_of_their_shape_bin(rng):
    catalog, template = with_two_shape_bins(lensed_catalog(rng, n=50)), two_shape_bins()
    prepared = PreparedCatalog(catalog, template)
    np.testing.assert_array_equal(prepared.shape_bin, template.shape_bins(catalog))
    np.testing.assert_array_equal(prepared.e1, catalog.e1 - template.mean_e1[prepared.shape_bin])
    np.testing.assert_array_equal(prepared.e2, catalog.e2 - template.mean_e2[prepared.shape_bin])
    np.testing.assert_array_equal(prepared.weight, template.sigma_e[prepared.shape_bin] ** -2.0)
    assert len(prepared) == 50
    assert not prepared.e1.flags.writeable


def test_without_a_template_the_default_has_the_mean_of_the_sky(rng):
    catalog = lensed_catalog(rng, n=200, bias=0.1)
    assert PreparedCatalog(catalog).template == LensTemplate.of_sky(catalog)


def test_a_compiled_template_is_handed_on(rng):
    compiled = CompiledTemplate(two_shape_bins())
    assert PreparedCatalog(lensed_catalog(rng, n=5), compiled).compiled is compiled


def test_stages_give_the_same_from_a_prepared_catalogue(rng):
    catalog, template = lensed_catalog(rng, n=80, gamma=0.2), two_shape_bins()
    prepared = PreparedCatalog(catalog, template)
    maps, evidence = shear_maps(prepared), lens_evidence(prepared)
    np.testing.assert_array_equal(maps.snr, shear_maps(catalog, template).snr)
    np.testing.assert_array_equal(evidence.log_evidence, lens_evidence(catalog, template).log_evidence)
    np.testing.assert_array_equal(matched_filter(prepared), matched_filter(catalog, template))
    np.testing.assert_array_equal(feature_row(prepared, maps, evidence), feature_row(catalog, maps, evidence, template))


def test_log_ratios_are_tabulated_once(rng):
    prepared = PreparedCatalog(lensed_catalog(rng, n=20), two_shape_bins())
    assert prepared.log_ratios is prepared.log_ratios


def test_unresolved_galaxies_weigh_nothing(rng):
    """The maps and the evidence are those of a sky in which their ellipticities are others."""
    catalog, template = with_two_shape_bins(lensed_catalog(rng, n=60, gamma=0.2)), two_shape_bins()
    flags = np.where(np.arange(60) % 3 == 0, catalog.flags | Flag.UNRESOLVED, catalog.flags).astype(np.uint8)
    hidden = replace(catalog, flags=flags)
    turned = replace(
        hidden, e1=np.where(hidden.is_resolved, hidden.e1, -0.4), e2=np.where(hidden.is_resolved, hidden.e2, 0.3)
    )
    prepared, other = PreparedCatalog(hidden, template), PreparedCatalog(turned, template)
    assert not prepared.weight[::3].any()
    assert not prepared.log_ratios[::3].any()
    np.testing.assert_array_equal(shear_maps(prepared).snr, shear_maps(other).snr)
    assert lens_evidence(prepared).log_bayes_factor == lens_evidence(other).log_bayes_factor
    assert lens_evidence(prepared).log_bayes_factor != lens_evidence(catalog, template).log_bayes_factor


def test_another_template_is_refused(rng):
    template = two_shape_bins()
    prepared = PreparedCatalog(lensed_catalog(rng, n=20), template)
    assert prepare(prepared, template) is prepared
    assert prepare(prepared, prepared.compiled) is prepared
    with pytest.raises(ValueError, match="prepared with another template"):
        lens_evidence(prepared, LensTemplate.default())


def test_an_equal_template_is_accepted(rng):
    prepared = PreparedCatalog(lensed_catalog(rng, n=20), two_shape_bins())
    assert prepare(prepared, CompiledTemplate(two_shape_bins())) is prepared


def test_mean_counts_are_those_of_the_shape_of_the_image():
    template = replace(two_shape_bins(), log_counts=np.log([np.r_[0.5, np.ones(20)]]))
    compiled = CompiledTemplate(template)
    for shape in ((100, 300), (400, 80)):
        np.testing.assert_array_equal(compiled.mean_counts(shape), CompiledTemplate(template).mean_counts(shape))
        assert compiled.mean_counts(shape) is compiled.mean_counts(shape)
    assert compiled.mean_counts((100, 300)).shape != compiled.mean_counts((400, 80)).shape


def test_tables_stay_read_only_in_a_worker():
    """Kernels would be compiled again for arrays that can be written to."""
    compiled = CompiledTemplate(two_shape_bins())
    compiled.mean_counts((50, 50))
    copy = pickle.loads(pickle.dumps(compiled))
    for array in (copy.density, copy.shears, copy.mean_counts((50, 50)), copy.template.response):
        assert not array.flags.writeable
    assert copy.template.fingerprint() == compiled.template.fingerprint()
