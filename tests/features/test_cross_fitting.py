"""Templates of the folds: kept with the features, fitted in parallel, located part by part."""

import json
import shutil

import numpy as np
import pytest

from darkmatter_features.errors import TableError
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.features.cross_fitting import FOLDS, FULL, N_FOLDS, Templates
from darkmatter_features.features.extract import CHUNK
from darkmatter_features.features.rebuild import training_skies
from darkmatter_features.io.table import read_table
from darkmatter_features.lens.fit import N_ROUNDS, fit_template
from darkmatter_features.lens.template import LensTemplate
from tests.support.synthetic import write_images

N_SKIES = 60


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sixty training skies, every other one with a lens, whose positions are unknown."""
    root = write_images(tmp_path_factory.mktemp("folds") / "data", split="training", n=N_SKIES)
    (root / "training-lenses.csv").unlink()
    return root


@pytest.fixture(scope="module")
def features(data, tmp_path_factory):
    folder, steps = tmp_path_factory.mktemp("features"), []
    extract_dataset(data, folder, n_jobs=1, fit_progress=lambda *step: steps.append(step))
    return folder, steps


def test_each_template_is_that_of_a_serial_fit(features):
    """Positions located part by part, by workers, are those of a fit of its own."""
    folder, _ = features
    skies, templates = training_skies(folder), Templates.read(folder)
    assert templates.full.template == fit_template(skies) == LensTemplate.read(folder / FULL)
    fold = np.array([templates.fold_of[catalog.name] for catalog in skies.catalogs])
    np.testing.assert_array_equal(fold, 1 + np.arange(N_SKIES) % N_FOLDS)
    own = next(catalog.name for catalog, k in zip(skies.catalogs, fold, strict=True) if k == 2)
    assert templates.of(own).template == fit_template(skies.chosen(fold != 2))
    assert templates.of("another sky") is templates.full
    assert "lenses located" in templates.full.template.source


def test_fits_report_each_step(features):
    """Two folds hold the lenses, so that the templates fitted without them have too few to be located."""
    _, steps = features
    n_parts, n_fits, n_located = -(-N_SKIES // CHUNK), 1 + N_FOLDS, 3
    total = n_fits + N_ROUNDS * (n_parts + n_located)
    assert steps == [(k, total) for k in range(total + 1)]


def test_a_template_is_compiled_once_in_a_process(features):
    templates = Templates.read(features[0])
    assert templates.full is templates.full


def test_kept_templates_are_those_that_the_features_name(features):
    _, metadata = read_table(features[0] / "features.parquet", kind="features")
    fingerprints = [fingerprint for _, fingerprint in Templates.read(features[0]).files]
    assert [metadata["template_fingerprint"], *metadata["fold_fingerprints"]] == fingerprints


@pytest.mark.parametrize("damage", ["missing", "no JSON", "other"])
def test_damaged_folds_are_refused_with_the_remedy(features, tmp_path, damage):
    shutil.copytree(features[0], tmp_path / "features")
    index = tmp_path / "features" / FOLDS / "index.json"
    if damage == "missing":
        index.unlink()
    elif damage == "no JSON":
        index.write_text("[")
    else:
        known = json.loads(index.read_text())
        index.write_text(json.dumps(known | {"fingerprints": ["0" * 16, *known["fingerprints"][1:]]}))
    with pytest.raises(TableError, match="run `darkmatter features` again"):
        Templates.read(tmp_path / "features")


def test_fits_are_the_same_at_any_number_of_jobs(data, features, tmp_path):
    extract_dataset(data, tmp_path, n_jobs=2)
    for name in (FULL, f"{FOLDS}/index.json", f"{FOLDS}/fold-{N_FOLDS}.json", "features.parquet"):
        assert (tmp_path / name).read_bytes() == (features[0] / name).read_bytes()
