"""Images of files, folders and glob patterns."""

from pathlib import Path

import numpy as np
import pytest

from classify.skies import find_skies
from darkmatter_features.errors import SkyError
from tests.support.synthetic import draw_sky


@pytest.fixture
def skies(tmp_path: Path) -> Path:
    for i in range(3):
        draw_sky(tmp_path / "skies" / f"{i}.png", np.random.default_rng(i))
    (tmp_path / "skies" / "notes.txt").write_text("no image")
    return tmp_path / "skies"


def test_a_folder_stands_for_its_images_in_order(skies):
    assert [path.name for path in find_skies([skies])] == ["0.png", "1.png", "2.png"]


def test_a_pattern_stands_for_its_matches_without_repetitions(skies):
    found = find_skies([skies / "2.png", str(skies / "[12].*"), skies])
    assert [path.name for path in found] == ["2.png", "1.png", "0.png"]


@pytest.mark.parametrize("place", ["empty", "*.png"])
def test_places_without_an_image_are_refused(tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SkyError, match="no images there"):
        find_skies([tmp_path / place])
