"""Settings, label files and fields that are absurd are refused in one short line."""

import numpy as np
import pytest

from classify.config_file import Config
from darkmatter_features.errors import ConfigError, DatasetError, TableError
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.io.labels import read_labels, read_lenses
from darkmatter_features.location.field import field_of
from tests.fuzz import files

DIGITS = "9" * files.N_DIGITS
NAMES = ["a.png", "b.png"]


def message_of(error, path, read, *arguments, **options):
    with pytest.raises(error) as refused:
        read(path, *arguments, **options)
    message = str(refused.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 600
    return message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[measure]\nn_pixels = " + "[" * 3000, "nested too deep"),
        ("[measure]\nn_pixels = " + "{a=" * 3000, "nested too deep"),
        ("[measure]\n" + "a." * 20_000 + "b = 1", "dots"),
        (f"[measure]\nn_pixels = {DIGITS}", "thousands of digits"),
        (f"[measure]\nn_pixels = 0x{'f' * files.N_DIGITS}", "n_pixels"),
        (f"[measure]\nn_pixels = '{'x' * files.N_DIGITS}'", "n_pixels"),
        (f"[measure]\n{'x' * 50_000} = 1", "unknown setting"),
        (f"[{'x' * 50_000}]", "unknown section"),
        ('["two\\nlines"]', "two lines"),
        ('[measure]\n"two\\nlines" = 1', "two lines"),
        ("# " + "x" * 2**17, "longer than"),
        ("[measure]\nn_pixels = [" + "1," * 20_000 + "]", "n_pixels"),
    ],
)
def test_absurd_settings_are_refused(tmp_path, text, found):
    assert found in message_of(ConfigError, files.write(tmp_path / "own.toml", text), Config.read)


@pytest.mark.parametrize("id_", [DIGITS, "9" * 30, "٣" * 30, "x" * 5000])
def test_an_absurd_id_of_a_label_is_refused(tmp_path, id_):
    path = files.write(tmp_path / "labels.csv", f"id,label\n0,1\n{id_},0\n")
    assert "ids without an image" in message_of(DatasetError, path, read_labels, NAMES, by_index=True)


def test_an_absurd_label_or_position_is_refused_in_a_short_line(tmp_path):
    path = files.write(tmp_path / "labels.csv", f"id,label\n0,1\n1,{DIGITS}\n")
    assert "neither 0 nor 1" in message_of(DatasetError, path, read_labels, NAMES, by_index=True)
    path = files.write(tmp_path / "lenses.csv", f"id,row,column\n0,1,{DIGITS}\n")
    assert "outside" in message_of(DatasetError, path, read_lenses, NAMES, None, by_index=True)


@pytest.mark.parametrize("names", [("ra", "dec"), ("x", "y")])
@pytest.mark.parametrize("width", [0.0, 1e-12, 1e-6])
def test_a_field_of_almost_no_width_is_refused_before_memory_is_taken(tmp_path, rng, names, width):
    across, up = 1.0 + width * rng.random(40), rng.random(40)
    rows = np.column_stack([across, up, *rng.normal(0, 0.1, (2, 40))])
    text = ",".join((*names, "e1", "e2")) + "\n" + "\n".join(",".join(map(repr, map(float, row))) for row in rows)
    path = files.write(tmp_path / "line.csv", text)
    with pytest.raises(TableError, match="line"):
        field_of(read_catalog(path), subtract_mean=True)


def test_names_of_columns_are_shortened_in_messages(tmp_path):
    path = files.write(tmp_path / "shapes.csv", f"{'{' * 5000},b\n1,2\n")
    assert "no column that may be e1" in message_of(TableError, path, read_catalog)


def test_a_text_of_one_line_is_no_name_of_a_file(tmp_path):
    """astropy opens a text without a line break as a file, or downloads it."""
    path = files.write(tmp_path / "shapes.ecsv", "# %ECSV 1.0")
    assert "cannot be read as a table" in message_of(TableError, path, read_catalog)


def test_an_error_that_contains_the_table_is_shortened(tmp_path):
    text = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: e1, datatype: odd}\ne1\n" + "0.1\n" * 1000
    message_of(TableError, files.write(tmp_path / "shapes.ecsv", text), read_catalog)
