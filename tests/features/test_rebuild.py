"""Feature rows rebuilt from catalogues: the same settings give the same rows."""

import shutil

import numpy as np
import pandas as pd
import pytest

from classify.tables.columns import FEATURE_NAMES
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import TableError
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.features.rebuild import TrainingSkies, training_skies
from darkmatter_features.io.table import read_table, write_table
from tests.support.synthetic import write_images


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Forty training skies, one of which cannot be read."""
    root = tmp_path_factory.mktemp("rebuild")
    write_images(root / "data", split="training", n=40)
    write_images(root / "data", split="validation", n=2)
    sorted((root / "data" / "training").iterdir())[7].write_bytes(b"no image")
    extract_dataset(root / "data", root / "features", config=MeasureConfig(grid_spacing=12), n_jobs=1)
    return root / "features"


def rows_of(folder) -> pd.DataFrame:
    table, _ = read_table(folder / "features.parquet", kind="features")
    return table.loc[table["split"] == "training", list(FEATURE_NAMES)]


def test_same_settings_give_the_same_rows(measured, tmp_path):
    again = TrainingSkies(measured, tmp_path, n_jobs=1).rows(MeasureConfig(grid_spacing=12))
    assert again.shape == (39, len(FEATURE_NAMES))
    np.testing.assert_array_equal(again, rows_of(measured).to_numpy())


def test_catalogues_of_an_older_version_are_refused_by_the_column_they_lack(measured, tmp_path):
    shutil.copy(measured / "features.parquet", tmp_path)
    galaxies, metadata = read_table(measured / "catalogs.parquet", kind="catalogs")
    older = galaxies.drop(columns="fill_factor")
    write_table(tmp_path / "catalogs.parquet", older, kind="catalogs", metadata=metadata)
    shutil.copy(measured / "template.json", tmp_path)
    shutil.copy(measured / "failures.csv", tmp_path)
    with pytest.raises(TableError, match=r"catalogs\.parquet lacks 1 columns: fill_factor; make it again"):
        training_skies(tmp_path)
    extract_dataset(measured.parent / "data", tmp_path, config=MeasureConfig(grid_spacing=12), n_jobs=1)  # the remedy
    assert len(training_skies(tmp_path).catalogs) == 39


def test_training_skies_have_labels_and_lens_positions(measured):
    skies, table = training_skies(measured), read_table(measured / "features.parquet", kind="features")[0]
    table = table[table["split"] == "training"]
    assert [catalog.name for catalog in skies.catalogs] == table["sky"].tolist()
    np.testing.assert_array_equal(skies.labels, table["label"])
    np.testing.assert_array_equal(skies.lens_rows, table["lens_row"])
    assert [len(catalog) for catalog in skies.catalogs] == table["n_galaxies"].tolist()


def test_another_scale_changes_the_maps_and_keeps_the_evidence(measured, tmp_path):
    again = TrainingSkies(measured, tmp_path, n_jobs=1).rows(MeasureConfig(grid_spacing=12, smallest_scale=20))
    changed = {
        name for name, old, new in zip(FEATURE_NAMES, rows_of(measured).to_numpy().T, again.T)
        if not np.array_equal(old, new, equal_nan=True)
    }  # fmt: skip
    assert "snr_max_1" in changed
    assert "evidence" not in changed
