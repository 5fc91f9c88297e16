import json

import numpy as np
import pytest
from drawing import lensed_catalog

from darkmatter_features.errors import TableError
from darkmatter_features.template import DEFAULT_SIGMA_E, LensTemplate


@pytest.fixture
def fitted(rng):
    """Small galaxies rounder and less biased than large ones."""
    size = rng.uniform(1, 4, 30_000)
    e1, e2 = rng.normal(0, 0.1 * size, 30_000) + 0.02 * size, rng.normal(0, 0.1 * size, 30_000)
    return LensTemplate.fit(size, e1, e2, source="planted")


def test_planted_bias_and_scatter_are_fitted_by_size(fitted):
    for size in (1.3, 2.5, 3.7):
        mean_e1, mean_e2, weight = fitted.bias_and_weight(np.array([size]))
        # A bin is half a pixel wide; its 5,000 galaxies tell the mean to 0.5 %.
        assert mean_e1[0] == pytest.approx(0.02 * size, abs=0.02)
        assert mean_e2[0] == pytest.approx(0, abs=0.02)
        assert weight[0] ** -0.5 == pytest.approx(0.1 * size, rel=0.15)


def test_few_galaxies_give_the_default(rng):
    assert LensTemplate.fit(*rng.random((3, 49)), source="few") == LensTemplate.default()
    assert LensTemplate.default().sigma_e == (DEFAULT_SIGMA_E,)


def test_sky_of_its_own_gives_its_mean(rng):
    template = LensTemplate.of_sky(lensed_catalog(rng, bias=0.07))
    assert template.mean_e1[0] == pytest.approx(0.07, abs=0.02)


def test_template_survives_its_file(fitted, tmp_path):
    fitted.write(tmp_path / "template.json")
    assert LensTemplate.read(tmp_path / "template.json") == fitted


def test_fingerprint_tells_templates_apart(fitted):
    assert fitted.fingerprint() == LensTemplate.from_dict(fitted.to_dict()).fingerprint()
    assert fitted.fingerprint() != LensTemplate.default().fingerprint()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"size_edges": [1], "mean_e1": "no"}'])
def test_damaged_template_is_refused_with_the_remedy(tmp_path, text):
    (tmp_path / "template.json").write_text(text)
    with pytest.raises(TableError, match=r"template\.json: no template .*run `darkmatter features` again"):
        LensTemplate.read(tmp_path / "template.json")


def test_template_with_bins_missing_is_refused(fitted, tmp_path):
    values = fitted.to_dict() | {"sigma_e": [0.2]}
    (tmp_path / "template.json").write_text(json.dumps(values))
    with pytest.raises(TableError, match="bins of different number"):
        LensTemplate.read(tmp_path / "template.json")


def test_missing_template_is_refused(tmp_path):
    with pytest.raises(TableError, match="no template"):
        LensTemplate.read(tmp_path / "none.json")
