"""Mutants of kernels: each differs from its kernel in one place, and a test with a twin kills one."""

import argparse
import ast
import json
from pathlib import Path
from types import SimpleNamespace

import bench_mutations
import numpy as np
import pytest
from bench_mutations import sampling_error
from harness import report
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


def test_error_of_a_sample_is_that_of_drawn_fractions(rng):
    """A sample of all mutants has none."""
    killed = np.arange(200) < 150
    drawn = [rng.choice(killed, 80, replace=False).mean() for _ in range(2000)]
    assert sampling_error(0.75, 80, 200) == pytest.approx(np.std(drawn), rel=0.1)
    assert sampling_error(0.75, 200, 200) == 0.0


def test_a_record_keeps_the_results_of_other_parts(tmp_path, monkeypatch):
    for module in (bench_mutations, report):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    trial = SimpleNamespace(mutants=[], outcomes=[])
    for part in ("maps/kernels", "lens/kernels", "maps/kernels"):
        bench_mutations.report(trial, argparse.Namespace(only=part, record=True), {"mutants": 0})
    parts = json.loads((tmp_path / "mutations.json").read_text())["parts"]
    assert list(parts) == ["maps/kernels", "lens/kernels"]


def test_mutants_that_are_said_to_be_equivalent_exist():
    """After a change of a kernel, its row may name none."""
    mutants = {
        bench_mutations.key(mutant) for path in bench_mutations.kernel_modules("") for mutant in mutants_of(path)
    }
    assert bench_mutations.equivalents() <= mutants
