"""Conditions on columns: what they select, and everything else refused in one line."""

from pathlib import Path

import numpy as np
import pytest

from darkmatter_features.errors import ConfigError
from darkmatter_features.io.shape_tables.raw import RawTable
from darkmatter_features.surveys.selection import Selection

COLUMNS = {
    "z": np.array([0.1, 0.5, 0.9, np.nan]),
    "mag": np.array([20.0, 24.0, 25.0, 22.0]),
    "flag": np.array([0.0, 1.0, 0.0, 0.0]),
    "field": np.array(["W1", "W2", "W1", "W3"]),
    "MAG_GAAP_r-i": np.array([1.0, 2.0, 3.0, 4.0]),
}
TABLE = RawTable(dict.fromkeys(COLUMNS, ()) | {"g": (2,)}, 4, {**COLUMNS, "g": np.arange(8.0).reshape(4, 2)}.get)


def holds(text):
    return Selection.of(text, Path("shapes.fits"), TABLE.names).holds(Path("shapes.fits"), TABLE).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z > 0.4", [0, 1, 1, 0]),
        ("z > 0.4 & mag < 24.5", [0, 1, 0, 0]),
        ("z>0.4&mag<24.5", [0, 1, 0, 0]),
        ("(z > 0.4) && (mag < 24.5)", [0, 1, 0, 0]),
        ("z > 0.4 and not flag", [0, 0, 1, 0]),
        ("z > 0.4 & ~flag", [0, 0, 1, 0]),
        ("z < 0.2 | z > 0.8", [1, 0, 1, 0]),
        ("0.2 < z < 0.8", [0, 1, 0, 0]),
        ("z != 0.1", [0, 1, 1, 0]),
        ("!(z > 0.4)", [1, 0, 0, 1]),
        ("field == 'W1' & z <= 0.1", [1, 0, 0, 0]),
        ("abs(mag - 22) <= 2", [1, 1, 0, 1]),
        ("mag / 2 + 1 > 12.5 - -0", [0, 1, 1, 0]),
        ("isfinite(z)", [1, 1, 1, 0]),
        ("hypot(z, flag) > 0.95", [0, 1, 0, 0]),
        ("Z > 0.4", [0, 1, 1, 0]),
        ("`MAG_GAAP_r-i` >= 3", [0, 0, 1, 1]),
        ("`g[1]` > 4", [0, 0, 1, 1]),
    ],
)
def test_rows_for_which_the_condition_holds(text, expected):
    assert holds(text) == [bool(each) for each in expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zz > 0.4", "no column zz; did you mean 'z'"),
        ("magn < 24", "did you mean 'mag'"),
        ("z >", "no expression"),
        ("", "no expression"),
        ("1 > 0", "names no column"),
        ("z + 1", "is a number, not a condition"),
        ("__import__('os').system('true')", "not allowed|no function"),
        ("z.__class__", "is not allowed"),
        ("open('x')", "no function open"),
        ("[z for z in mag]", "is not allowed"),
        ("(lambda: 1)()", "not allowed|no function"),
        ("z if mag else flag", "is not allowed"),
        ("g[1] > 4", "backquotes"),
        ("field > 3", "numbers are compared with words"),
        ("field", "words are no condition|not a condition"),
        ("z > 9**9**9**9 & z > 0", "cannot be evaluated|no expression"),
        ("(" * 500 + "z" + ")" * 500, "no expression|nested"),
        ("-" * 100 + "z > 1", "nested"),
        ("z > 1 " * 1000, "longer than"),
    ],
)
def test_anything_else_is_refused_in_one_line(text, message):
    with pytest.raises(ConfigError, match=message) as error:
        holds(text)
    assert "\n" not in str(error.value)


def test_missing_numbers_satisfy_no_comparison():
    assert holds("z != 5") == [True, True, True, False]
    assert holds("z > 0 | z <= 0") == [True, True, True, False]
