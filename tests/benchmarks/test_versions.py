"""Comparison of two versions of the package: the stages are those of the version below the given root."""

import json

import numpy as np
import pytest
from harness import stage_probe, versions

from darkmatter_features.features.extract import extract_sky
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.template import LensTemplate
from tests.support.synthetic import draw_sky


@pytest.fixture
def files(tmp_path, rng):
    template = tmp_path / "template.json"
    LensTemplate.default(mean_e1=0.05).write(template)
    return draw_sky(tmp_path / "sky.png", rng), template


def test_a_version_compared_with_itself_has_equal_rows(files):
    image, template = files
    new, old, difference = versions.compare(versions.THIS_VERSION, image, template, n_rounds=2)
    assert difference == 0.0
    assert list(new[0]) == list(old[1]) == ["read", "segment", "shapes", "maps", "evidence", "statistics", "whole sky"]
    assert min(new[0].values()) > 0


def test_row_of_the_probe_is_the_row_of_the_package(files):
    image, template = files
    with versions.Version(versions.THIS_VERSION, image, template) as version:
        expected = extract_sky(read_sky(image), template=LensTemplate.read(template))
        np.testing.assert_array_equal(version.row, expected)


def test_a_folder_without_the_package_is_refused(tmp_path, files):
    with pytest.raises(SystemExit, match="contains no package darkmatter_features"):
        versions.Version(tmp_path, *files)


def test_templates_with_the_keys_of_the_old_layout_are_read(files):
    _, template = files
    values = json.loads(template.read_text())
    template.write_text(json.dumps({stage_probe.OLD_KEYS.get(key, key): value for key, value in values.items()}))
    assert stage_probe.read_template(template) == LensTemplate.default(mean_e1=0.05)


def test_ratio_is_the_median_over_rounds():
    new = [{"maps": 2.0}, {"maps": 3.0}, {"maps": 4.0}]
    median, low, high = versions.ratios(new, [{"maps": 2.0}] * 3)["maps"]
    assert median == pytest.approx(1.5)
    assert low < median < high
