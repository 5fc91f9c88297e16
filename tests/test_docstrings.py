"""Examples in docstrings run and give what they show, those marked ``# doctest: +SKIP`` excepted."""

import doctest
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for package in ("darkmatter_features", "classify") for path in (ROOT / package).rglob("*.py"))
OPTIONAL = ("torch", "safetensors", "galsim", "optuna")
"""Packages that extras install: modules that import a missing one are skipped."""


def dotted(path):
    """Return the name by which a module is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def examples_of(path):
    """Return the doctests of a module; skip where an optional package that it imports is missing."""
    try:
        module = import_module(dotted(path))
    except Exception as error:
        missing = [name for name in OPTIONAL if find_spec(name) is None]
        if any(name in str(error).lower() for name in missing):
            pytest.skip(str(error))
        raise
    found = doctest.DocTestFinder(exclude_empty=True).find(module, dotted(path))
    return [test for test in found if test.examples]


WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=dotted)
def test_examples_give_what_they_show(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tests = examples_of(path)
    assert tests, f"{dotted(path)} has an example that doctest does not find"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    reports = []
    for test in tests:
        runner.run(test, out=reports.append)
    assert not runner.failures, "".join(reports)


def test_some_examples_are_run():
    """Guard against an empty collection, or one in which every example is skipped."""
    examples = [example for path in WITH_EXAMPLES for test in examples_of(path) for example in test.examples]
    run = [example for example in examples if not example.options.get(doctest.SKIP)]
    assert len(run) >= 10
