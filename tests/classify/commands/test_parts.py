"""Parts of files on the command line: the choice, and the line that names it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from classify.cli import main
from darkmatter_features.io.sky import read_sky
from tests.support.synthetic import draw_sky, trained_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parts")
    return trained_run(root, root / "gone")


@pytest.fixture
def mosaic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two images of the sky and a weight, in one file of the working folder."""
    monkeypatch.chdir(tmp_path)
    for k in range(2):
        draw_sky(tmp_path / f"{k}.png", np.random.default_rng(k))
    images = [np.moveaxis(read_sky(f"{k}.png").pixels, -1, 0).astype(np.float32) for k in range(2)]
    weight = fits.ImageHDU(np.ones(images[0].shape[1:], np.float32), name="WHT")
    parts = [fits.ImageHDU(image, name="SCI", ver=k + 1) for k, image in enumerate(images)]
    fits.HDUList([fits.PrimaryHDU(), weight, *parts]).writeto("sky.fits")
    return "sky.fits"


def test_predict_names_the_extension_that_it_read(run, mosaic, capsys):
    assert main(["predict", str(run), mosaic, "0.png", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = "extension SCI read, of WHT, SCI, SCI,2; also images of the sky: SCI,2, FILE[EXT] chooses one"
    assert lines[0] == f"sky.fits: {expected}"
    table = pd.read_csv("predictions.csv")
    assert table["note"].tolist()[0] == expected
    assert table["note"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (["sky.fits[SCI,2]"], ["sky.fits[SCI,2]"]),
        (["sky.fits[*]"], ["sky.fits[SCI]", "sky.fits[SCI,2]"]),
        (["sky.fits", "--hdu", "*"], ["sky.fits[SCI]", "sky.fits[SCI,2]"]),
        (["sky.fits", "1.png", "--hdu", "3"], ["sky.fits[3]", "1.png"]),
    ],
)
def test_parts_are_chosen_by_file_or_for_all(run, mosaic, argv, names):
    """A part that was asked for needs no note."""
    assert main(["predict", str(run), *argv, "--jobs", "1"]) == 0
    table = pd.read_csv("predictions.csv")
    assert table["image"].tolist() == names
    assert "note" not in table
    places = {"sky.fits[SCI,2]": "1.png", "sky.fits[SCI]": "0.png", "sky.fits[3]": "1.png", "1.png": "1.png"}
    for name, row, column in zip(table["image"], table["row"], table["column"], strict=True):
        main(["predict", str(run), places[name], "--jobs", "1", "--out", "own.csv"])
        np.testing.assert_allclose([[row, column]], pd.read_csv("own.csv")[["row", "column"]], atol=1.0)


def test_heatmaps_of_parts_have_names_of_their_own(mosaic, capsys):
    assert main(["heatmap", "sky.fits[*]", "sky.fits", "--jobs", "1", "--out", "maps"]) == 0
    assert sorted(path.name for path in Path("maps").iterdir()) == ["sky-SCI-2.png", "sky-SCI.png", "sky.png"]
    assert "sky.fits: extension SCI read, of WHT, SCI, SCI,2" in capsys.readouterr().out
