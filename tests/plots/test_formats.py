"""Files of figures: PNG, PDF and SVG."""

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from darkmatter_features.errors import OutputError
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.page import FORMATS, save_figure
from darkmatter_features.plots.theme import plot_theme
from tests.plots.figures import planted_lens


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return two files of each format: the heatmap of a planted lens, drawn twice."""
    sky, catalog, maps, _ = planted_lens(np.random.default_rng(20240512))
    folder = tmp_path_factory.mktemp("formats")
    paths = {suffix: [folder / f"{k}.{suffix}" for k in "ab"] for suffix in FORMATS}
    for k in range(2):
        with plot_theme("light"):
            figure = heatmap(sky, catalog, maps)
            for pair in paths.values():
                save_figure(pair[k], figure)
    return paths


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_figure_makes_the_same_bytes(files, suffix):
    one, other = files[suffix]
    assert one.read_bytes() == other.read_bytes()


def test_pdf_has_truetype_fonts_and_text_and_no_date(files):
    content = files["pdf"][0].read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content
    assert b"/CIDFontType2" in content
    assert b"CreationDate" not in content
    drawn = b"".join(
        zlib.decompress(stream)
        for stream in re.findall(rb"FlateDecode.*?stream\r?\n(.*?)\r?\nendstream", content, re.S)
    )
    assert drawn.count(b"Tj") + drawn.count(b"TJ") > 20  # text as text


def test_images_of_a_pdf_are_at_the_resolution_of_print(files):
    content = files["pdf"][0].read_bytes()
    widths = [int(each) for each in re.findall(rb"/Width (\d+)", content)]
    assert 600 < max(widths) < 1200  # 2.6 inches at 300 pixels an inch, a panel
    assert len(content) < 1_000_000


def test_svg_has_outlines_of_letters_images_inside_and_no_date(files):
    text = files["svg"][0].read_text(encoding="utf-8")
    assert "<dc:date>" not in text
    assert "<text" not in text
    assert set(re.findall(r'xlink:href="(?!#)([^,;"]*)', text)) == {"data:image/png"}


def test_a_png_has_the_resolution_of_the_theme(files):
    assert imread(files["png"][0]).shape[1] > 1300


def test_no_part_of_a_figure_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OutputError, match=r"heatmap\.pdf: full"):
        save_figure(tmp_path / "heatmap.pdf", Figure())
    assert list(Path(tmp_path).iterdir()) == []
