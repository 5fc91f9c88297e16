"""Files of figures: PNG, PDF and SVG."""

import re
import zlib
from pathlib import Path

import pytest
from matplotlib.image import imread

from darkmatter_features.errors import OutputError
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.page import FORMATS, save_figure
from darkmatter_features.plots.theme import plot_theme


def saved(lensed, path):
    """Save the heatmap of a planted lens anew."""
    sky, catalog, maps, _ = lensed
    with plot_theme("light"):
        save_figure(path, heatmap(sky, catalog, maps))
    return path.read_bytes()


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_figure_makes_the_same_bytes(lensed, tmp_path, suffix):
    one, other = (saved(lensed, tmp_path / f"{k}.{suffix}") for k in "ab")
    assert one == other


def test_pdf_has_truetype_fonts_and_text_and_no_date(lensed, tmp_path):
    content = saved(lensed, tmp_path / "heatmap.pdf")
    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content
    assert b"/CIDFontType2" in content
    assert b"CreationDate" not in content
    drawn = b"".join(
        zlib.decompress(stream)
        for stream in re.findall(rb"FlateDecode.*?stream\r?\n(.*?)\r?\nendstream", content, re.S)
    )
    assert drawn.count(b"Tj") + drawn.count(b"TJ") > 20  # text as text


def test_images_of_a_pdf_are_at_the_resolution_of_print(lensed, tmp_path):
    content = saved(lensed, tmp_path / "heatmap.pdf")
    widths = [int(each) for each in re.findall(rb"/Width (\d+)", content)]
    assert 600 < max(widths) < 1200  # 2.6 inches at 300 pixels an inch, a panel
    assert len(content) < 1_000_000


def test_svg_has_outlines_of_letters_images_inside_and_no_date(lensed, tmp_path):
    text = saved(lensed, tmp_path / "heatmap.svg").decode()
    assert "<dc:date>" not in text
    assert "<text" not in text
    assert set(re.findall(r'xlink:href="(?!#)([^,;"]*)', text)) == {"data:image/png"}


def test_a_png_has_the_resolution_of_the_theme(lensed, tmp_path):
    saved(lensed, tmp_path / "heatmap.png")
    assert imread(tmp_path / "heatmap.png").shape[1] > 1300


def test_no_part_of_a_figure_is_left_behind(lensed, tmp_path, monkeypatch):
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OutputError, match=r"heatmap\.pdf: full"):
        saved(lensed, tmp_path / "heatmap.pdf")
    assert list(Path(tmp_path).iterdir()) == []
