"""File names that are no UTF-8: all tables and pages have them as escaped text, and find their files again."""

import json
import os

import pandas as pd
import pytest

from classify.cli import main
from classify.config import TrainConfig
from classify.report.run_report import write_report
from classify.report.view import site_of_skies
from classify.train import train
from darkmatter_features.errors import escaped, failure_reason
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.io.labels import write_records
from darkmatter_features.io.layouts import image_files, sky_name
from tests.classify.report.conftest import element
from tests.support.synthetic import draw_sky

NAME = b"sky-\xff\xe9.png"
TEXT = "sky-\\xff\\xe9.png"


@pytest.fixture
def image(tmp_path, rng):
    """Return an image with a name that is no UTF-8."""
    path = tmp_path / "images" / os.fsdecode(NAME)
    try:
        return draw_sky(path, rng)
    except (OSError, UnicodeError):
        pytest.skip("this file system has names of text alone")


def test_predictions_have_the_name_as_text(trained, image, tmp_path, capsys):
    broken = image.with_name(os.fsdecode(b"broken-\xfe.png"))
    broken.write_bytes(b"no image")
    out = tmp_path / "p.csv"
    words = ["predict", str(trained), str(image), str(broken), "--out", str(out), "--explain", "--jobs", "1"]
    assert main(words) == 1
    table = pd.read_csv(out)
    assert table["image"].tolist() == [(image.parent / TEXT).as_posix(), f"{image.parent.as_posix()}/broken-\\xfe.png"]
    assert "broken-\\xfe.png" in table["error"][1]
    assert pd.read_csv(tmp_path / "p-explained.csv")["image"].tolist() == table["image"].tolist()[:1]
    printed = capsys.readouterr()
    assert TEXT in printed.out
    assert "broken-\\xfe.png" in printed.err


def test_heatmaps_are_drawn(image, tmp_path):
    assert main(["heatmap", str(image), "--no-run", "--out", str(tmp_path / "maps"), "--jobs", "1"]) == 0


def test_a_view_with_a_run_has_the_name_as_text(trained, image):
    site = site_of_skies([image], trained)
    assert json.loads(site.sky(0))["listed"]["name"] == (image.parent / TEXT).as_posix()
    assert site.image(0)[8:12] == b"WEBP"


def test_a_data_set_is_measured_trained_and_reported(image, tmp_path, rng):
    data = tmp_path / "data"
    for split, n in (("training", 6), ("validation", 2)):
        for i in range(n):
            draw_sky(data / split / f"{i}.png", rng)
        (data / split / "0.png").rename(data / split / image.name)
        write_records(data / f"{split}-labels.csv", ("id", "label"), [(i, i % 2) for i in range(n)])
    extract_dataset(data, tmp_path / "features", n_jobs=1)
    train(tmp_path / "features", tmp_path / "run", config=TrainConfig(n_folds=2, n_repeats=1, max_rounds=10))
    report = write_report(tmp_path / "run", n_jobs=1)
    page = report.path.read_text(encoding="utf-8")
    assert element(page, "page")["detailed"] == [0, 1]
    assert f"validation/{TEXT}" in element(page, "skies")["name"]
    assert report.galaxies.startswith("those of")


def test_a_name_in_a_table_leads_to_its_file(image):
    name = sky_name(image)
    assert name == f"images/{TEXT}"
    assert image_files(image.parent.parent, [name]) == [image]
    literal = image.with_name(TEXT)
    literal.touch()
    assert image_files(image.parent.parent, [name]) == [literal]


@pytest.mark.parametrize("text", ["é π", "a\\xff", "\ud800", b"\xff\x80".decode("utf-8", "surrogateescape")])
def test_escaped_text_can_be_encoded(text):
    assert escaped(escaped(text)) == escaped(text)
    failure_reason(ValueError(text)).encode()
