"""The tables of a data set."""

import shutil
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from PIL import Image

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ConfigError, DatasetError
from darkmatter_features.features import batch, cross_fitting, extract, measured_parts
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.features.extract import extract_rows, extract_sky
from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.features.tables import catalog_table
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.sky import read_sky
from darkmatter_features.io.table import read_table
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.simulation import simulate_dataset
from darkmatter_features.workers import LOST
from tests.support.drawing import lensed_catalog
from tests.support.killing import ORIGINALS, kill_at_4, original
from tests.support.synthetic import write_images

FOLDS = [f"template-folds/{name}" for name in ("index.json", *(f"fold-{k}.json" for k in range(1, 5)))]
TABLES = ("catalogs.parquet", "features.parquet", "template.json", "failures.csv", *FOLDS)


def test_catalogues_survive_a_table_in_any_order(rng):
    shapes = {"a": (30, 50), "b": (70, 20), "c": (10, 10)}
    number = dict(zip(shapes, (3, 5, 1)))
    skies = {
        name: replace(lensed_catalog(rng, n=number[name], shape=shape), name=name) for name, shape in shapes.items()
    }
    table = catalog_table(skies)
    assert table.dtypes[["n_rows", "n_columns"]].tolist() == [np.int32] * 2
    for rows in (slice(None), [0, 3, 8, 1, 4, 5, 2, 6, 7]):
        back = list(cross_fitting.catalogs_of(table.iloc[rows]))
        assert [catalog.name for catalog in back] == ["a", "b", "c"]
        for catalog in back:
            assert catalog.shape == shapes[catalog.name]
            for name, column in skies[catalog.name].columns().items():
                np.testing.assert_array_equal(getattr(catalog, name), column)


SEED = 7
"""Seed of a data set with 400 galaxies in its unlensed training skies, enough for a template."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch") / "data"
    simulate_dataset(folder, n_training=6, n_validation=3, seed=SEED, n_jobs=1)
    return folder


@pytest.fixture(scope="module")
def extracted(data, tmp_path_factory):
    """The features of the data set, to read only."""
    folder = tmp_path_factory.mktemp("extracted")
    extract_dataset(data, folder, n_jobs=1)
    return folder


@pytest.fixture
def copied(extracted, tmp_path):
    """A copy of the features in a folder of the test."""
    return shutil.copytree(extracted, tmp_path / "copied")


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(extract, "CHUNK", 2)


def _bytes(folder):
    return {name: (folder / name).read_bytes() for name in TABLES}


def test_every_sky_has_its_row(data, tmp_path):
    done = extract_dataset(data, tmp_path, n_jobs=1)
    table, metadata = read_table(tmp_path / "features.parquet", kind="features")
    assert (done.n_skies, done.failures) == (9, ())
    assert table["split"].tolist() == ["training"] * 6 + ["validation"] * 3
    assert table["label"].tolist() == [*Dataset.open(data).training.labels, *Dataset.open(data).validation.labels]
    assert metadata["config"] == MeasureConfig().to_dict()
    assert (table["lens_row"].notna() == (table["label"] == 1)).all()


def test_row_of_the_table_is_the_row_of_the_sky(data, extracted):
    table, _ = read_table(extracted / "features.parquet", kind="features")
    template = LensTemplate.read(extracted / "template.json")
    for k in (6, 8):  # of the validation split
        values = extract_sky(read_sky(data / table["sky"][k]), template=template)
        np.testing.assert_array_equal(table.loc[k, [f.name for f in FEATURES]].to_numpy(dtype=float), values)


def test_training_skies_are_mapped_with_templates_fitted_to_other_folds(tmp_path, monkeypatch):
    """Skies of the validation split are mapped with the template fitted to all training skies."""
    known, used = [], {}

    def fit(skies):
        known.append({catalog.name for catalog in skies.catalogs})
        return LensTemplate.default(mean_e1=0.01 * len(known))

    def row(catalog, *, template, config):
        used[catalog.name] = known[round(template.template.mean_e1[0] / 0.01) - 1]
        return np.zeros(len(FEATURES))

    monkeypatch.setattr(cross_fitting, "fit_known", fit)
    monkeypatch.setattr(batch, "row_of_catalog", row)
    simulate_dataset(tmp_path / "data", n_training=6, n_validation=1, n_jobs=1)
    extract_dataset(tmp_path / "data", tmp_path / "out", n_jobs=1)
    training = [f"training/training-{k:05d}.png" for k in range(6)]
    assert used.pop("validation/validation-00000.png") == set(training) == known[0]
    assert used == {
        name: set(training) - set(training[k % cross_fitting.N_FOLDS :: cross_fitting.N_FOLDS])
        for k, name in enumerate(training)
    }


def test_catalogs_hold_every_galaxy(extracted):
    galaxies, _ = read_table(extracted / "catalogs.parquet", kind="catalogs")
    features, _ = read_table(extracted / "features.parquet", kind="features")
    counts = galaxies.groupby("sky", sort=False).size()
    assert counts.index.tolist() == features["sky"].tolist()
    np.testing.assert_array_equal(counts, features["n_galaxies"])


def test_template_is_fitted_to_the_training_split(extracted):
    galaxies, _ = read_table(extracted / "catalogs.parquet", kind="catalogs")
    features, _ = read_table(extracted / "features.parquet", kind="features")
    unlensed = features[(features["split"] == "training") & (features["label"] == 0)]["sky"]
    template = LensTemplate.read(extracted / "template.json")
    assert template.source == f"shapes of {len(unlensed)} skies without a lens; default profile"  # of too few lenses
    own = galaxies[galaxies["sky"].isin(unlensed)]
    assert template.mean_e1.mean() == pytest.approx(own["e1"].mean(), abs=0.02)


def test_same_bytes_at_any_number_of_jobs(data, extracted, tmp_path, small_chunks):
    """And in chunks of any size."""
    extract_dataset(data, tmp_path, n_jobs=2)
    assert _bytes(tmp_path) == _bytes(extracted)


def test_killed_extraction_is_resumed(data, extracted, tmp_path, small_chunks, monkeypatch):
    measured = []

    def until_killed(path):
        measured.append(path.name)
        if len(measured) == 6:
            raise KeyboardInterrupt
        return read_sky(path)

    monkeypatch.setattr(measured_parts, "read_sky", until_killed)
    with pytest.raises(KeyboardInterrupt):
        extract_dataset(data, tmp_path / "killed", n_jobs=1)
    assert not (tmp_path / "killed" / "features.parquet").exists()
    before = len(measured)
    extract_dataset(data, tmp_path / "killed", n_jobs=1)
    assert len(measured) - before == 9 - 4  # two chunks of two were complete
    assert _bytes(tmp_path / "killed") == _bytes(extracted)


def test_chunks_with_other_columns_are_not_resumed(data, monkeypatch):
    files = Dataset.open(data).splits[0].files
    key = measured_parts.images_key(files, MeasureConfig())
    monkeypatch.setattr(measured_parts, "CATALOG_COLUMNS", measured_parts.CATALOG_COLUMNS[:-1])
    assert measured_parts.images_key(files, MeasureConfig()) != key


def test_finished_tables_are_kept_until_something_changes(data, tmp_path):
    seen = []
    progress = lambda done, total: seen.append(done)  # noqa: E731
    first = extract_dataset(data, tmp_path, n_jobs=1, progress=progress)
    assert seen == [0, 9]
    assert extract_dataset(data, tmp_path, n_jobs=1, progress=progress) == first
    assert seen == [0, 9]
    extract_dataset(data, tmp_path, n_jobs=1, progress=progress, config=MeasureConfig(n_pixels=9))
    assert seen == [0, 9, 0, 9]


def test_changed_labels_are_read_again(data, tmp_path):
    changed = tmp_path / "data"
    shutil.copytree(data, changed)
    extract_dataset(changed, tmp_path / "out", n_jobs=1)
    labels = changed / "training-labels.csv"
    header, *lines = labels.read_text().splitlines()
    labels.write_text("\n".join([header, *(f"{k},0" for k in range(len(lines)))]) + "\n")
    (changed / "training-lenses.csv").unlink()
    extract_dataset(changed, tmp_path / "out", n_jobs=1)
    table, _ = read_table(tmp_path / "out" / "features.parquet", kind="features")
    assert table.loc[table["split"] == "training", "label"].sum() == 0


@pytest.mark.parametrize("name", TABLES)
def test_missing_table_is_made_again(data, copied, name):
    before = _bytes(copied)
    (copied / name).unlink()
    extract_dataset(data, copied, n_jobs=1)
    assert _bytes(copied) == before


def test_bad_skies_cost_their_own_rows_only(data, tmp_path):
    bad = tmp_path / "data"
    simulate_dataset(bad, n_training=5, n_validation=2, n_jobs=1)
    (bad / "training" / "training-00001.png").write_text("no image")
    image = bad / "training" / "training-00002.png"
    image.write_bytes(image.read_bytes()[:2000])
    Image.new("RGB", (1, 1)).save(bad / "training" / "training-00003.png")
    Image.new("RGB", (512, 512)).save(bad / "validation" / "validation-00000.png")
    done = extract_dataset(bad, tmp_path / "out", n_jobs=1)
    assert done.n_skies == 3
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert failures["sky"].tolist() == [sky for sky, _ in done.failures]
    assert [sky.rsplit("-")[-1] for sky, _ in done.failures] == ["00001.png", "00002.png", "00003.png", "00000.png"]
    assert all("\n" not in reason for _, reason in done.failures)
    assert extract_dataset(bad, tmp_path / "out", n_jobs=1) == done  # also when all is done


def test_unforeseen_error_costs_one_row(data, tmp_path, monkeypatch):
    def broken(path):
        if path.name.endswith("00004.png"):
            raise ZeroDivisionError("by zero")
        return read_sky(path)

    monkeypatch.setattr(measured_parts, "read_sky", broken)
    done = extract_dataset(data, tmp_path, n_jobs=1)
    assert done.failures == (("training/training-00004.png", "unexpected ZeroDivisionError: by zero"),)


def test_data_set_of_bad_skies_alone_is_refused(tmp_path):
    write_images(tmp_path / "data", n=2)
    for image in (tmp_path / "data").rglob("*.png"):
        image.write_text("no image")
    with pytest.raises(DatasetError, match=r"none of \d+ skies can be measured; the first: "):
        extract_dataset(tmp_path / "data", tmp_path / "out", n_jobs=1)
    assert len(pd.read_csv(tmp_path / "out" / "failures.csv")) == 2


def test_rows_keep_the_order_of_the_files_and_the_failures(data, tmp_path, small_chunks):
    text = tmp_path / "text.png"
    text.write_text("no image")
    files = [*Dataset.open(data).training.files[:2], text, Dataset.open(data).training.files[2]]
    rows = extract_rows(files, n_jobs=1)
    assert [row.path for row in rows] == list(files)
    assert [row.values is None for row in rows] == [False, False, True, False]
    assert "text.png" in rows[2].error
    assert rows[0].shape == (512, 512)
    assert np.isnan(rows[0].ra)


def test_wcs_gives_the_sky_coordinates_of_the_position(tmp_path):
    simulate_dataset(tmp_path / "survey", n_training=0, n_validation=1, preset="survey", n_jobs=1)
    (image,) = Dataset.open(tmp_path / "survey").validation.files
    (row,) = extract_rows([image], n_jobs=1)
    world = read_sky(image).wcs.pixel_to_world(row.values[1], row.values[0])
    assert row.ra == pytest.approx(world.ra.deg, abs=1e-9)
    assert row.dec == pytest.approx(world.dec.deg, abs=1e-9)


def test_the_choice_of_an_extension_is_kept(tmp_path):
    """Also when all is done."""
    simulate_dataset(tmp_path / "survey", n_training=0, n_validation=2, preset="survey", n_jobs=1)
    image, _ = Dataset.open(tmp_path / "survey").validation.files
    with fits.open(image) as hdus:
        science = fits.ImageHDU(hdus[0].data, hdus[0].header, name="SCI")
    weight = fits.ImageHDU(np.ones(science.data.shape, np.float32), name="WHT")
    fits.HDUList([fits.PrimaryHDU(), weight, science]).writeto(image, overwrite=True)
    done = extract_dataset(tmp_path / "survey", tmp_path / "out", n_jobs=1)
    assert done.notes == ((f"validation/{image.name}", "extension SCI read, of WHT, SCI"),)
    assert extract_dataset(tmp_path / "survey", tmp_path / "out", n_jobs=1) == done


def test_no_jobs_are_refused(data, tmp_path):
    with pytest.raises(ConfigError, match="must not be 0"):
        extract_dataset(data, tmp_path, n_jobs=0)


def test_killed_between_two_tables_is_noticed(data, copied, monkeypatch):
    """Tables of other settings, of which only the first was written, are not taken for finished ones."""
    before = _bytes(copied)

    def killed(self, folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cross_fitting.Templates, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            extract_dataset(data, copied, n_jobs=1, config=MeasureConfig(n_pixels=20))
    assert (copied / "catalogs.parquet").read_bytes() != before["catalogs.parquet"]
    extract_dataset(data, copied, n_jobs=1)
    assert _bytes(copied) == before


def test_templates_of_another_extraction_are_noticed(data, copied, tmp_path):
    """A whole set of templates, which agree with their own index but not with the fingerprints in the features."""
    extract_dataset(data, tmp_path / "other", n_jobs=1, config=MeasureConfig(n_pixels=20))
    before, other = _bytes(copied), _bytes(tmp_path / "other")
    for name in ("template.json", *FOLDS):
        (copied / name).write_bytes(other[name])
    assert _bytes(copied) != before
    extract_dataset(data, copied, n_jobs=1)
    assert _bytes(copied) == before


def test_debug_raises_an_unforeseen_failure_that_was_recorded(data, tmp_path, monkeypatch):
    def broken(path):
        if path.name.endswith("00004.png"):
            raise ZeroDivisionError("by zero")
        return read_sky(path)

    monkeypatch.setattr(measured_parts, "read_sky", broken)
    assert len(extract_dataset(data, tmp_path, n_jobs=1).failures) == 1
    assert len(extract_dataset(data, tmp_path, n_jobs=1).failures) == 1
    with pytest.raises(ZeroDivisionError):
        extract_dataset(data, tmp_path, n_jobs=1, debug=True)


def test_what_is_kept_belongs_to_its_sky(data, tmp_path):
    """Also where a sky between others failed; an error of the selector costs the skies that it got."""
    (tmp_path / "text.png").write_text("no image")
    first, second, third = Dataset.open(data).training.files[:3]
    files = [first, tmp_path / "text.png", second, third]
    rows = extract_rows(files, n_jobs=1, select=lambda skies: [sky.sky.name for sky in skies])
    assert [row.kept for row in rows] == [first.name, None, second.name, third.name]

    def broken(skies):
        raise ZeroDivisionError("by zero")

    rows = extract_rows(files, n_jobs=1, select=broken)
    assert [row.error is not None for row in rows] == [True] * 4
    with pytest.raises(ZeroDivisionError):
        extract_rows(files, n_jobs=1, select=broken, debug=True)


@pytest.fixture
def killing(monkeypatch):
    """Replace the work of `extract_dataset` and `extract_rows` by one that kills its process at an image."""
    for n, (name, work) in ORIGINALS.items():
        original(n)
        monkeypatch.setattr({"measured_parts": measured_parts, "extract": extract}[name], work, kill_at_4)


@pytest.mark.skipif(sys.platform == "win32", reason="signals end processes in another way there")
def test_an_image_that_kills_its_process_costs_its_row_and_is_named(data, tmp_path, small_chunks, killing):
    done = extract_dataset(data, tmp_path, n_jobs=2)
    assert done.failures == (("training/training-00004.png", f"unexpected {LOST}"),)
    assert done.n_skies == 8


@pytest.mark.skipif(sys.platform == "win32", reason="signals end processes in another way there")
def test_an_image_that_kills_its_process_costs_one_row(data, small_chunks, killing):
    files = Dataset.open(data).training.files
    rows = extract_rows(files, n_jobs=2)
    assert [row.path for row in rows] == list(files)
    assert [row.error for row in rows] == [None] * 4 + [LOST, None]
