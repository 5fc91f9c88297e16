"""Commands on images and catalogues behind URLs: the results are those on files of the same names."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from shear.scenes import noise_of, scene

from classify.cli import main
from classify.commands import downloads
from classify.commands.adapt import _skies
from darkmatter_features.io import download
from tests.classify.commands.test_locate import field
from tests.support.servers import serve
from tests.support.surveys import plane_survey, write_sky
from tests.support.synthetic import trained_run, write_images

fsspec = pytest.importorskip("fsspec", reason="the extra `remote` is not installed")
pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a folder with a run, images, catalogues, and what options name."""
    root = tmp_path_factory.mktemp("world")
    trained_run(root, write_images(root / "data", n=2))
    (root / "shapes").mkdir()
    for k in range(2):
        field(k).to_csv(root / "shapes" / f"{k}.csv", index=False)
    (root / "known.csv").write_text("name,x,y\nA1,0,0\nA2,1e6,1e6\n")
    drawn = scene(31, "isolated", n_cells=3, snr=(40.0, 100.0))
    light = (50.0 + drawn.image + noise_of(drawn, 32)).astype(np.float32)
    fits.writeto(root / "field.fits", light, drawn.header)
    fits.writeto(root / "psf.fits", drawn.psf(95.0, 95.0))
    fits.writeto(root / "field.weight.fits", np.ones_like(light))
    (root / "survey").mkdir()
    write_sky(root / "survey" / "a.parquet", *plane_survey(np.random.default_rng(5), n=900, side=12.0))
    return root


@pytest.fixture
def server(world):
    with serve(world) as served:
        yield served


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DARKMATTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.01)
    return tmp_path / "cache"


COMMANDS = {
    "predict": "predict run {0}/data/validation --cnn off --out OUT/p.csv",
    "measure": "measure {0}/field.fits --psf {0}/psf.fits --weight {0}/field.weight.fits --out OUT/shapes.ecsv",
    "locate": "locate {0}/shapes/*.csv --out OUT/l.csv --randomizations 4 --pictures OUT",
    "candidates": "candidates {0}/shapes/0.csv {0}/shapes/1.csv --known {0}/known.csv --out OUT --randomizations 0",
    "survey": "candidates {0}/survey --xy-unit arcmin --out OUT --randomizations 0 --no-completeness",
    "check": "check {0}/shapes/0.csv --json OUT/check.json",
    "heatmap": "heatmap {0}/data/validation --no-run --out OUT",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_results_are_those_on_files(server, world, tmp_path, monkeypatch, capsys, name):
    """The tables name an image by its URL, as it was given, and the files of an image by its name alone."""
    monkeypatch.chdir(world)
    out, found = tmp_path / "out", []
    for place in (".", server.url):
        words = [word.format(place).replace("OUT", str(out)) for word in COMMANDS[name].split()]
        assert main([*words, "--jobs", "1"] if name != "check" else words) == 0
        files = sorted(path for path in out.rglob("*") if path.is_file())
        texts = {path.name: path.read_bytes() for path in files if path.suffix in (".csv", ".ecsv", ".json", ".reg")}
        prints = capsys.readouterr().out
        assert "%2F" not in prints
        found.append(([path.relative_to(out) for path in files], plain(texts, place), prints.replace(f"{place}/", "")))
        shutil.rmtree(out)
    assert found[0] == found[1]


def plain(texts, place):
    """Return the words of texts in which files are named without their place: headers are folded and quoted."""
    own = {name: text.decode().replace(f"{place}/", "") for name, text in texts.items()}
    return {name: re.sub(r"\n# +", " ", text).replace("'", "").split() for name, text in own.items()}


def test_the_workers_read_the_copies(server, world, tmp_path, capsys):
    words = ["predict", str(world / "run"), f"{server.url}/data/validation/", "--cnn", "off"]
    assert main([*words, "--out", str(tmp_path / "p.csv"), "--jobs", "2"]) == 0
    table = pd.read_csv(tmp_path / "p.csv")
    names = sorted(path.name for path in (world / "data" / "validation").iterdir())
    assert table["image"].tolist() == [f"{server.url}/data/validation/{name}" for name in names]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"downloading {server.url}/data/validation/"
    assert lines[1].startswith("download: 1/1 MB, ")


def test_an_image_that_does_not_exist_costs_its_row(server, world, tmp_path, capsys):
    (image,) = list((world / "data" / "validation").iterdir())[:1]
    good, bad = f"{server.url}/data/validation/{image.name}", f"{server.url}/data/validation/none.png"
    words = ["predict", str(world / "run"), good, bad, "--cnn", "off", "--out", str(tmp_path / "p.csv")]
    assert main([*words, "--jobs", "1"]) == 1
    table = pd.read_csv(tmp_path / "p.csv").set_index("image")
    assert table.loc[bad, "error"].startswith(f"{bad} does not exist: ")
    assert table.loc[bad, "error"].endswith("; check the URL")
    assert pd.isna(table.loc[good, "error"])
    assert f"failed: {bad} does not exist" in capsys.readouterr().err


def test_a_damaged_file_is_named_by_its_url(server, world, tmp_path, capsys):
    (world / "bad.png").write_bytes(b"nothing")
    words = ["predict", str(world / "run"), f"{server.url}/bad.png", "--out", str(tmp_path / "p.csv"), "--jobs", "1"]
    assert main(words) == 2
    assert f"failed: {server.url}/bad.png is not an image" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "locate {}/none.csv", "candidates {}/none.csv", "check {}/none.csv", "measure {}/none.fits",
        "measure field.fits --psf {}/none.fits", "candidates shapes/0.csv --known {}/none.csv",
        "heatmap --no-run {}/none.png", "predict run {}/none/",
    ],
)  # fmt: skip
def test_what_does_not_exist_is_one_line(server, world, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(shutil.copytree(world, tmp_path / "here"))
    assert main(words.format(server.url).split()) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert re.match(rf"(darkmatter|failed): {server.url}/none\S* does not exist: .*; check the URL", line), line


def test_an_adaptation_takes_images_and_data_sets(server, world):
    names = [path.name for path in sorted((world / "data" / "validation").iterdir())]
    assert [path.name for path in _skies(f"{server.url}/data/validation")] == names
    assert [path.name for path in _skies(f"{server.url}/data")] == names


def test_a_command_says_what_it_waits_for(server, monkeypatch, capsys):
    monkeypatch.setattr(downloads, "PATIENCE", 0.0)
    downloads.local_images([f"{server.url}/field.fits"])
    waits = [line for line in capsys.readouterr().err.splitlines() if "waiting" in line]
    assert waits == [f"waiting for the server of {server.url}/field.fits"]


def test_records_have_no_password(server, world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = server.url.replace("://", "://me:secret@")
    assert main(["candidates", f"{url}/shapes/0.csv", "--randomizations", "0", "--jobs", "1"]) == 0
    texts = [path.read_bytes() for path in Path("candidates").iterdir()]
    assert not any(b"secret" in text for text in texts)
    assert any(b"darkmatter candidates http://127" in text for text in texts)
