import pytest

from darkmatter_features.io.parts import Part, matches, parse_part, split_part, split_pattern


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
