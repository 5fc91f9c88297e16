"""Parts of files, names of image files, and places."""

import os
from pathlib import Path

import pytest

from darkmatter_features.io.formats import FORMATS, format_of, is_image_name
from darkmatter_features.io.parts import Part, matches, parse_part, split_part, split_pattern, with_part
from darkmatter_features.io.places import is_pattern, matching


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("2", Part(index=2)),
        ("0", Part(index=0)),
        ("SCI", Part(name="SCI")),
        ("1P", Part(name="1P")),
        ("SCI,2", Part(name="SCI", version=2)),
        (" SCI , 2 ", Part(name="SCI", version=2)),
        ("shear/noshear", Part(name="shear/noshear")),
    ],
)
def test_parts_are_numbers_or_names_with_a_version(text, part):
    assert parse_part(text) == part


def test_a_part_is_split_from_a_file_that_exists(tmp_path):
    (tmp_path / "a.fits").touch()
    assert split_part(tmp_path / "a.fits[CAT,2]") == (tmp_path / "a.fits", Part(name="CAT", version=2))
    assert split_part(str(tmp_path / "a.fits")) == (tmp_path / "a.fits", None)


def test_a_file_that_has_the_whole_name_wins(tmp_path):
    for name in ("a.fits", "a.fits[2]"):
        (tmp_path / name).touch()
    assert split_part(tmp_path / "a.fits[2]") == (tmp_path / "a.fits[2]", None)


def test_brackets_behind_no_file_are_part_of_the_name(tmp_path):
    assert split_part(tmp_path / "field[12].csv") == (tmp_path / "field[12].csv", None)
    assert split_part(tmp_path / "b.fits[2]") == (tmp_path / "b.fits[2]", None)


@pytest.mark.parametrize(
    ("part", "is_it"),
    [
        (Part(index=3), True),
        (Part(index=2), False),
        (Part(name="sci"), True),
        (Part(name="SCI", version=2), True),
        (Part(name="SCI", version=1), False),
        (Part(name="WHT"), False),
        (Part(), False),
    ],
)
def test_a_part_matches_by_number_name_and_version(part, is_it):
    assert matches(part, 3, "SCI", 2) is is_it


def test_a_pattern_has_a_part_only_at_its_end():
    assert split_pattern("fields/*.fits[NOSHEAR]") == ("fields/*.fits", "[NOSHEAR]")
    assert split_pattern("fields/[ab]*.fits") == ("fields/[ab]*.fits", "")


def test_a_part_of_its_own_has_priority(tmp_path):
    path = tmp_path / "sky.fits"
    path.touch()
    assert with_part(path, "SCI") == Path(f"{path}[SCI]")
    assert with_part(f"{path}[2]", "SCI") == Path(f"{path}[2]")
    assert with_part(path, None) == path


def test_image_names_have_known_suffixes_and_are_not_hidden():
    names = ("a.png", "a.JPG", "a.fits.fz", "a.fts", "a.fit.gz", "a.fits.bz2", "a.tiff")
    assert all(map(is_image_name, names))
    assert not any(map(is_image_name, ("._a.png", ".DS_Store", "Thumbs.db", "a.gz", "a.txt", "png")))


def test_the_first_bytes_give_the_format():
    assert all(format_of(start) is own for own in FORMATS for start in own.starts)
    assert format_of(b"<html>") is None


def test_brackets_in_existing_folders_stand_for_themselves(tmp_path):
    folder = tmp_path / "field [1]" / "deep"
    folder.mkdir(parents=True)
    names = ["a1.png", "a2.png", "b.png"]
    for name in names:
        (folder / name).write_bytes(b"x")
    assert [path.name for path in matching(folder / "*.png")] == names
    assert [path.name for path in matching(folder / "a[2-9].png")] == ["a2.png"]
    assert [path.name for path in matching(tmp_path / "field [[]1]" / "**" / "b.png")] == ["b.png"]
    assert matching(tmp_path / "nowhere" / "*.png") == []


def test_relative_patterns_give_relative_paths(tmp_path, monkeypatch):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.png").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert matching(f"x{os.sep}*.png") == [Path("x/a.png")]
    assert is_pattern("x/*.png")
    assert not is_pattern("x/a.png")


def test_a_part_of_a_missing_file_is_no_pattern(tmp_path):
    for name in ("none.fits[1]", "none.fits[CAT,2]", "none.fits[*]"):
        assert not is_pattern(tmp_path / name)
    for name in ("*.fits[1]", "[ab].fits[CAT]", "none?.fits"):
        assert is_pattern(tmp_path / name)
    (tmp_path / "sky1").write_bytes(b"x")
    assert is_pattern(tmp_path / "sky[12]")
