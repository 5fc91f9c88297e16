"""Names of files that are not UTF-8, that cannot be printed, or that look like HTML."""

import json
import os

import numpy as np
import pytest

from classify.cli import DONE, SOME_FAILED, main
from classify.explore.names import printable
from tests.classify.explore.planted import write_drawings

HOSTILE = {
    b"caf\xe9.png": r"caf\xe9.png",
    b"\xff\xfe.png": r"\xff\xfe.png",
    b"two\nlines\x1b[31m.png": r"two\nlines\x1b[31m.png",
    "gnp.\u202eabc.png".encode(): r"gnp.\u202eabc.png",
    "günstig ★.png".encode(): "günstig ★.png",
    b"<img src=x onerror=alert(1)>.png": "<img src=x onerror=alert(1)>.png",
}
"""Names as bytes, and as they are shown."""


@pytest.fixture
def root(tmp_path):
    """Return a data set without labels, in a folder whose name is not UTF-8, all of whose images are hostile."""
    root = write_drawings(tmp_path / os.fsdecode(b"sky \xff <b>&"), np.random.default_rng(4), n=(len(HOSTILE), 1))
    for path, name in zip(sorted((root / "training").iterdir()), HOSTILE, strict=True):
        path.rename(path.with_name(os.fsdecode(name)))
    for path in root.glob("*.csv"):
        path.unlink()
    return root


def run(root, out):
    code = main(["explore", str(root), "--out", str(out), "--json", str(out.with_suffix(".json")), "--jobs", "1"])
    return code, out.read_text(encoding="utf-8"), json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))


def test_names_that_are_not_utf8_or_cannot_be_printed_are_shown_escaped(root, tmp_path, capsys):
    (root / "training" / os.fsdecode(b"\xff\xfe.png")).write_bytes(b"no image")
    code, page, found = run(root, tmp_path / "page.html")
    assert code == SOME_FAILED
    (failures,) = [each for each in found["findings"] if each["kind"] == "failures"]
    assert failures["skies"] == [r"training/\xff\xfe.png"]
    assert r"training/\xff\xfe.png" in page
    assert r"sky \xff &lt;b&gt;&amp;" in page
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert r"/training/\xff\xfe.png is not an image" in printed.err


def test_every_hostile_name_is_shown_in_its_page(root, tmp_path):
    """All images are identical, so that their names are in a finding."""
    first, *others = sorted((root / "training").iterdir())
    for path in others:
        path.write_bytes(first.read_bytes())
    code, page, found = run(root, tmp_path / os.fsdecode(b"p\xff.html"))
    assert code == DONE
    shown = {f"training/{name}" for name in HOSTILE.values()}
    assert {*found["findings"][0]["skies"]} < shown
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror" in page


@pytest.mark.parametrize(("name", "text"), HOSTILE.items())
def test_escaped_text_can_be_printed_and_written(name, text):
    assert printable(os.fsdecode(name)) == text
    assert text.isprintable()
    assert printable(text) == text
