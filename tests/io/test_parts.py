"""Parts of files, names of image files, and places."""

import os
from pathlib import Path

import pytest

from darkmatter_features.io.formats import FORMATS, format_of, is_image_name
from darkmatter_features.io.parts import Part, split_part, with_part
from darkmatter_features.io.places import is_pattern, matching


@pytest.mark.parametrize(
    ("path", "file", "part"),
    [
        ("sky.fits[SCI]", "sky.fits", Part("SCI")),
        ("sky.fits[SCI,2]", "sky.fits", Part("SCI", 2)),
        ("sky.fits[SCI, 2]", "sky.fits", Part("SCI", 2)),
        ("a [1]/sky.fits[3]", "a [1]/sky.fits", Part("3")),
        ("sky.fits", "sky.fits", None),
        ("a [1]/sky.fits", "a [1]/sky.fits", None),
        ("[SCI]", "[SCI]", None),
        ("sky.fits[]", "sky.fits[]", None),
    ],
)
def test_a_part_follows_the_file_in_brackets(path, file, part):
    assert split_part(path) == (Path(file), part)


def test_a_file_of_that_very_name_is_whole(tmp_path):
    path = tmp_path / "sky.fits[1]"
    path.write_bytes(b"x")
    assert split_part(path) == (path, None)


def test_parts_match_by_name_version_or_number():
    assert Part("sci").matches(3, "SCI ", 1)
    assert Part("SCI", 2).matches(3, "SCI", 2)
    assert not Part("SCI", 2).matches(3, "SCI", 1)
    assert Part("3").matches(3, "SCI", 1)
    assert not Part("3", 2).matches(3, "SCI", 2)
    assert str(Part("SCI", 2)) == "SCI,2"


def test_a_part_of_its_own_has_priority():
    assert with_part("sky.fits", "SCI") == Path("sky.fits[SCI]")
    assert with_part("sky.fits[2]", "SCI") == Path("sky.fits[2]")
    assert with_part("sky.fits", None) == Path("sky.fits")


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
