"""Verdicts on images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from classify.model import LensModel
from classify.predict import predict, verdicts_on
from classify.verdicts.table import COLUMNS
from darkmatter_features.errors import ModelError
from darkmatter_features.features.extract import SkyRow
from darkmatter_features.io.sky import read_sky
from tests.support.synthetic import draw_sky, trained_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("predict")
    return trained_run(root, root / "gone", n_validation=10)


@pytest.fixture
def skies(tmp_path: Path) -> Path:
    for i in range(3):
        draw_sky(tmp_path / "skies" / f"{i}.png", np.random.default_rng(i))
    (tmp_path / "skies" / "notes.txt").write_text("no image")
    return tmp_path / "skies"


def test_every_sky_gets_the_verdict_of_the_model(run, skies):
    table = predict(run, [skies], n_jobs=1).table
    assert table.columns.tolist() == list(COLUMNS)
    for image, probability, row in table[["image", "probability", "row"]].itertuples(index=False):
        verdict = LensModel.load(run).predict(read_sky(image))
        assert probability == verdict.probability
        assert row == verdict.row
    assert table["label"].tolist() == (table["probability"] >= 0.5).tolist()
    assert table["decided_by"].tolist() == ["lightgbm"] * 3
    assert table["error"].isna().all()


def test_a_bad_sky_costs_one_row(run, skies, tmp_path):
    (skies / "1.png").write_bytes(b"no image")
    result = predict(run, [skies, tmp_path / "missing.png"], tmp_path / "out.csv", n_jobs=1)
    assert [name for name, _ in result.failures] == [str(skies / "1.png"), str(tmp_path / "missing.png")]
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["error"].notna().tolist() == [False, True, False, True]
    assert table["probability"].notna().tolist() == [True, False, True, False]
    assert table["label"].isna().tolist() == [False, True, False, True]


def test_the_written_table_is_the_returned_one(run, skies, tmp_path):
    returned = predict(run, [skies], tmp_path / "deep" / "out.csv", n_jobs=1).table
    table = pd.read_csv(tmp_path / "deep" / "out.csv")
    assert table["probability"].to_numpy() == pytest.approx(returned["probability"].to_numpy(), abs=1e-6)
    assert table["snr"].to_numpy() == pytest.approx(returned["snr"].to_numpy(), abs=1e-4)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out.csv"]


def test_a_wcs_gives_ra_and_dec_of_the_position(run, skies, tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [64.5, 64.5]
    wcs.wcs.cdelt = [-5e-5, 5e-5]
    pixels = np.asarray(Image.open(skies / "0.png")).max(axis=2).astype(np.float32)
    fits.writeto(tmp_path / "sky.fits", pixels, wcs.to_header())
    table = predict(run, [tmp_path / "sky.fits", skies / "0.png"], n_jobs=1).table
    row, column = table.loc[0, ["row", "column"]]
    ra, dec = wcs.all_pix2world(column, row, 0)
    assert table.loc[0, "ra"] == pytest.approx(float(ra), abs=1e-9)
    assert table.loc[0, "dec"] == pytest.approx(float(dec), abs=1e-9)
    assert np.isnan(table.loc[1, "ra"])


def test_progress_reaches_the_end(run, skies):
    seen = []
    predict(run, [skies], n_jobs=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)


def test_a_run_without_a_model_is_refused(tmp_path, skies):
    with pytest.raises(ModelError, match="No model"):
        predict(tmp_path, [skies])


def test_cnn_inputs_belong_to_their_skies_where_another_failed():
    rows = [
        SkyRow(Path("a.png"), np.zeros(2), kept="input of a"),
        SkyRow(Path("b.png"), None, error="no image"),
        SkyRow(Path("c.png"), np.ones(2), kept="input of c"),
    ]

    class Uncertain:
        def verdicts(self, names, values, *, inputs):
            return list(zip(names, inputs([0, 1]), strict=True))

    assert verdicts_on(Uncertain(), ["a", "c"], rows) == [("a", "input of a"), ("c", "input of c")]
