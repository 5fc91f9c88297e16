"""Images of files, folders and glob patterns."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from darkmatter_features.errors import SkyError
from darkmatter_features.io.image_paths import find_skies
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


@pytest.fixture
def mosaic(tmp_path):
    """A FITS file of two images and a mask."""
    light = np.random.default_rng(1).normal(0, 1, (40, 40)).astype(np.float32)
    parts = [fits.ImageHDU(light, name="SCI", ver=1), fits.ImageHDU(light, name="SCI", ver=2)]
    mask = fits.ImageHDU(np.zeros((40, 40), np.int16), name="DQ")
    fits.HDUList([fits.PrimaryHDU(), mask, *parts]).writeto(tmp_path / "sky.fits")
    return tmp_path / "sky.fits"


def test_a_star_stands_for_every_image_of_the_sky_in_a_file(mosaic, skies):
    assert [path.name for path in find_skies([f"{mosaic}[*]"])] == ["sky.fits[SCI]", "sky.fits[SCI,2]"]
    found = find_skies([mosaic, skies / "0.png"], part="*")
    assert [path.name for path in found] == ["sky.fits[SCI]", "sky.fits[SCI,2]", "0.png"]


def test_a_part_may_follow_a_pattern(mosaic):
    assert [path.name for path in find_skies([mosaic.parent / "*.fits[SCI,2]"])] == ["sky.fits[SCI,2]"]


def test_one_part_of_all_fits_files_unless_they_name_their_own(mosaic, skies):
    found = find_skies([mosaic, f"{mosaic}[1]", skies / "0.png"], part="SCI,2")
    assert [path.name for path in found] == ["sky.fits[SCI,2]", "sky.fits[1]", "0.png"]


def test_a_missing_file_keeps_its_place_with_a_part(tmp_path):
    assert find_skies([tmp_path / "none.fits"], part="*") == [tmp_path / "none.fits"]
