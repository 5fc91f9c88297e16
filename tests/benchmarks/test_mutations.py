"""Mutants of kernels: each differs from its kernel in one place, and a test with a twin kills one."""

import ast
from pathlib import Path

import pytest
from mutation.operators import kernels_of, mutants_of, statements_of
from mutation.trial import HITS, _Recorded, code_of

SOURCE = '''from darkmatter_features.numerics.jit import compiled

LIMIT = 3


@compiled
def total(values, out):
    """Fill out with the sum of the first values below 10."""
    s = 0.0
    for i in range(values.size):
        if values[i] < 10:
            s += values[i]
    out[0] = min(s, 99.0)


def plain(x):
    return x + 1
'''


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "kernels.py"
    path.write_text(SOURCE)
    return path


def test_mutants_change_one_place_of_a_kernel_and_nothing_else(module):
    mutants = list(mutants_of(module))
    (kernel,) = kernels_of(module)
    changes = {(mutant.before, mutant.after) for mutant in mutants}
    expected = {
        ("values[i] < 10", "values[i] <= 10"), ("values[i] < 10", "values[i] >= 10"), ("10", "11"),
        ("s += values[i]", "s -= values[i]"), ("s += values[i]", "pass"), ("0.0", "1.0"), ("0", "1"),
        ("range(values.size)", "range(values.size - 1)"), ("min(s, 99.0)", "max(s, 99.0)"), ("99.0", "148.5"),
    }  # fmt: skip
    assert changes == expected
    for mutant in mutants:
        assert ast.unparse(mutant.tree()) != ast.unparse(kernel)
        assert ast.unparse(mutant.tree()).count("\n") == ast.unparse(kernel).count("\n")
        assert mutant.statement in statements_of(module)


def test_recorded_code_does_the_same_and_records_its_statements(module):
    (kernel,) = kernels_of(module)
    hits = set()

    def total(values, out):
        """Get another code."""

    total.__code__ = code_of(_Recorded("kernels.py").visit(kernel), module)
    total.__globals__[HITS] = hits

    class Values(list):
        size = 2

    out = [0.0]
    total(Values([20.0, 30.0]), out)
    assert out == [0.0]
    adding = next(line for line, text in enumerate(SOURCE.splitlines(), start=1) if "+=" in text)
    assert ("kernels.py", adding) not in hits
    total(Values([2.0, 3.0]), out)
    assert out == [5.0]
    assert ("kernels.py", adding) in hits


def test_kernels_have_mutants():
    root = Path(__file__).parents[2] / "darkmatter_features"
    assert len(list(mutants_of(root / "maps" / "kernels.py"))) > 50
