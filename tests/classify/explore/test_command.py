"""`darkmatter explore`: all layouts, labels or none, hostile images, and the page."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from classify.cli import DONE, FAILED, SOME_FAILED, main
from classify.explore.look import thumbnail_of
from tests.classify.explore.planted import drawing, write_drawings
from tests.support.data_sets import FOLDERS, zip_folder


def run(root, *words):
    """Explore a data set; return the exit code, the page and the JSON object."""
    page, content = root.parent / "page.html", root.parent / "found.json"
    words = map(str, (root, "--out", page, "--json", content, "--jobs", "1", *words))
    code = main(["explore", *words])
    return code, page.read_text(encoding="utf-8"), json.loads(content.read_text())


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    root = write_drawings(tmp_path_factory.mktemp("explored") / "data", np.random.default_rng(4))
    return root, *run(root)


def kinds(found):
    return [finding["kind"] for finding in found["findings"]]


def as_layout(root, number):
    """Change a data set of layout 1 into another layout."""
    for split, folder in zip(("training", "validation"), FOLDERS[number], strict=True):
        names = [path.name for path in sorted((root / split).iterdir())]
        (root / split).rename(root / folder)
        stem = folder.removesuffix("_images")
        for kind, header in (
            ("labels", "image_id,label" if number == 2 else "image,labels"),
            ("lenses", "image_id,row,column"),
        ):
            _, *lines = (root / f"{split}-{kind}.csv").read_text().splitlines()
            renamed = [",".join([names[int(line.split(",")[0])], *line.split(",")[1:]]) for line in lines]
            target = root / (f"{stem}.csv" if kind == "labels" else f"{stem}-lenses.csv")
            target.write_text("\n".join([header, *renamed]) + "\n")
            (root / f"{split}-{kind}.csv").unlink()


@pytest.mark.parametrize("number", [2, 3])
def test_all_layouts_give_the_same(tmp_path, explored, number, capsys):
    root = write_drawings(tmp_path / "data", np.random.default_rng(4))
    as_layout(root, number)
    code, _, found = run(root)
    assert code == DONE
    for key in ("n", "training_with", "validation_without", "training_positions", "mean_e1", "n_galaxies_median"):
        assert found[key] == explored[3][key]


def test_what_is_in_a_data_set_is_printed(tmp_path, capsys):
    root = write_drawings(tmp_path / "data", np.random.default_rng(4))
    code, _, found = run(root)
    out = capsys.readouterr()
    assert code == DONE
    assert out.out.startswith("training: 8 skies, 4 with a lens, 4 without\nvalidation: 4 skies")
    assert out.out.splitlines()[-1].endswith("page.html: no finding")
    assert "explore: 12/12 skies" in out.err
    assert found["findings"] == []


def test_copies_in_both_splits_are_found_whatever_their_format(tmp_path):
    root = write_drawings(tmp_path / "data", np.random.default_rng(4))
    image = Image.open(root / "training" / "training-00001.png")
    image.save(root / "validation" / "validation-00001.png", compress_level=1)
    Image.open(root / "training" / "training-00003.png").rotate(90).save(root / "validation" / "validation-00003.png")
    _, page, found = run(root)
    assert kinds(found) == ["identical images", "near-identical images"]
    assert found["findings"][0]["skies"] == ["validation/validation-00001.png"]
    assert found["findings"][1]["skies"] == ["validation/validation-00003.png"]
    assert "The same image in both splits: 1 validation sky." in page


def test_contradictory_labels_are_found_and_not_refused(tmp_path, capsys):
    root = write_drawings(tmp_path / "data", np.random.default_rng(4))
    path = root / "training-labels.csv"
    path.write_text(path.read_text().replace("1,1\n", "1,0\n", 1).replace("2,0\n", "2,1\n", 1))
    code, _, found = run(root)
    assert code == DONE
    assert [finding["skies"] for finding in found["findings"]] == [
        ["training/training-00001.png"],
        ["training/training-00002.png"],
    ]
    assert (
        "! labels: label 0, but a lens in the lens file: 1 sky (training/training-00001.png)" in capsys.readouterr().out
    )


def test_an_unlabelled_split_and_missing_lens_files_are_no_faults(tmp_path):
    root = write_drawings(tmp_path / "data", np.random.default_rng(4))
    for name in ("training-lenses.csv", "validation-lenses.csv", "validation-labels.csv"):
        (root / name).unlink()
    code, page, found = run(root)
    assert (code, found["validation_unlabelled"], found["snr_t"]) == (DONE, 4, None)
    assert kinds(found) == []
    assert "Skies unlabelled" in page


def test_images_with_noise_and_hostile_ones_cost_their_sky_only(tmp_path, capsys):
    rng = np.random.default_rng(4)
    root = write_drawings(tmp_path / "data", rng)
    folder = root / "training"
    (folder / "training-00000.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(folder / "training-00002.png")
    light = drawing(rng).mean(axis=2) + rng.normal(0, 5, (96, 96))
    (folder / "training-00004.png").unlink()
    fits.writeto(folder / "training-00004.fits", light.astype(np.float32))
    (root / "training-labels.csv").write_text("id,n\n" + "".join(f"{k},{k % 2}\n" for k in range(8)))
    code, page, found = run(root)
    assert code == SOME_FAILED
    assert found["n_failed"] >= 2
    (failures,) = [each for each in found["findings"] if each["kind"] == "failures"]
    assert len(failures["details"]) == len(failures["skies"]) == found["n_failed"]
    assert "training-00000.png is not an image" in failures["details"][0]
    assert "training-00000.png" in capsys.readouterr().err
    assert page.count("is not an image") == 1


def test_skies_without_galaxies_and_huge_values_leave_a_page(tmp_path):
    root = tmp_path / "data"
    (root / "train").mkdir(parents=True)
    for k, value in enumerate((0.0, 1e38, -3.0)):
        fits.writeto(root / "train" / f"{k}.fits", np.full((64, 64), value, np.float32))
    code, page, found = run(root)
    assert (code, found["n_failed"], found["sigma_e"], found["mean_e1"]) == (FAILED, 3, None, None)
    assert "failures" in kinds(found)
    assert "<svg" not in page


def test_zip_files_are_read(tmp_path, explored):
    root = write_drawings(tmp_path / "data", np.random.default_rng(4))
    for split in ("training", "validation"):
        zip_folder(root / split)
    assert run(root)[2] == explored[3]


def test_no_image_and_no_data_set_are_refused(tmp_path, capsys):
    root = write_drawings(tmp_path / "data", np.random.default_rng(4), n=(2, 0))
    for path in (root / "training").iterdir():
        path.write_bytes(b"no image")
    assert main(["explore", str(root), "--out", str(tmp_path / "p.html"), "--jobs", "1"]) == FAILED
    assert "none of 2 images can be read; the first:" in capsys.readouterr().err
    assert not (tmp_path / "p.html").exists()
    assert main(["explore", str(tmp_path / "nothing")]) == FAILED


class Structure(HTMLParser):
    """Tags, attributes and identifiers of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.ids, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]


def test_the_page_needs_nothing_outside_itself(explored):
    page = explored[2]
    tags = Structure(page).tags
    assert not re.search(r'(?:src|href|url)\s*[=(]\s*["\']?(?:https?:)?//', page.replace("http://www.w3.org/", ""))
    assert {tag for tag, _ in tags}.isdisjoint({"iframe", "object", "embed"})
    assert all(attrs["src"].startswith("data:image/jpeg;base64,") for tag, attrs in tags if tag == "img")
    assert not any("src" in attrs for tag, attrs in tags if tag == "script")
    assert "default-src 'none'" in page
    assert "uPlot" not in page


def test_the_page_is_accessible(explored):
    structure = Structure(explored[2])
    levels = [int(tag[1]) for tag, _ in structure.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(structure.ids) == len(set(structure.ids))
    assert all(attrs.get("alt") for tag, attrs in structure.tags if tag == "img")
    assert ("html", {"lang": "en"}) in structure.tags
    labelled = [attrs["aria-labelledby"] for _, attrs in structure.tags if "aria-labelledby" in attrs]
    assert set(labelled) <= set(structure.ids)
    assert all(attrs.get("scope") for tag, attrs in structure.tags if tag == "th")


def test_figures_have_the_colours_of_the_style_sheet(explored):
    page = explored[2]
    assert "#a0000" not in page
    assert page.count("<svg ") == 4
    assert "var(--text)" in page


def test_names_are_escaped(tmp_path):
    root = write_drawings(tmp_path / "a<b>&", np.random.default_rng(4), n=(2, 1))
    (root / "training" / "training-00000.png").rename(root / "training" / "<img src=x onerror=alert(1)>.png")
    _, page, _ = run(root)
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror" in page
    assert "a&lt;b&gt;&amp;" in page


def test_the_same_data_set_gives_the_same_page(explored):
    root, _, page, _ = explored
    assert run(root)[1] == page


def test_thumbnails_do_not_depend_on_the_background_or_the_brightness():
    rng = np.random.default_rng(4)
    pixels = drawing(rng, 128).astype(np.float32)
    y, x = np.mgrid[:128, :128]
    other = 3.0 * pixels + (0.1 * x + 0.2 * y)[:, :, None]
    one, changed, another = (thumbnail_of(each).ravel() for each in (pixels, other, drawing(rng, 128)))
    assert one @ changed > 0.99
    assert abs(one @ another) < 0.3
    assert not thumbnail_of(np.full((64, 64, 1), 7.0)).any()
