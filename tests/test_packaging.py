"""What a release hands out: package data, lowest versions, pins, one version, licences."""

import json
import re
import runpy
import tomllib
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from darkmatter_features import __version__

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
OWN = canonicalize_name(PROJECT["name"])
DEPENDENCIES = ROOT / ".ci" / "dependencies.py"


def requirements():
    """Return all requirements, those of the extras included, but for the package itself."""
    every = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]
    found = {str(each): each for each in map(Requirement, every) if canonicalize_name(each.name) != OWN}
    return [found[name] for name in sorted(found, key=str.lower)]


def lowest(requirement) -> str:
    """Return the line of a requirement in ``constraints-lowest.txt``: the newest patch of the lowest series."""
    (bound,) = requirement.specifier
    assert bound.operator == ">=", f"{requirement}: give a lower bound alone"
    return f"{requirement.name}=={bound.version}.*"


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("package", ["darkmatter_features", "classify"])
def test_every_file_of_a_package_is_in_the_wheel(package):
    """Those that are no Python have a pattern; each folder of Python is a package, and no pattern is empty."""
    patterns = SETTINGS["tool"]["setuptools"]["package-data"][package]
    files = [path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    data = [path.relative_to(ROOT / package).as_posix() for path in files if path.suffix not in (".py", ".nbi", ".nbc")]
    assert [name for name in data if not any(fnmatch(name, each) for each in patterns)] == []
    assert [each for each in patterns if not any(fnmatch(name, each) for name in data)] == []
    for path in files:
        assert path.suffix != ".py" or (path.parent / "__init__.py").exists(), path


def test_the_lowest_versions_are_those_of_the_bounds():
    """``python -m tests.test_packaging`` writes them."""
    assert pins("constraints-lowest.txt") == sorted({lowest(each) for each in requirements()}, key=str.lower)


def test_every_requirement_has_a_pin_within_its_bounds():
    versions = {
        canonicalize_name(name): version for name, version in (line.split("==") for line in pins("constraints.txt"))
    }
    for each in requirements():
        assert each.specifier.contains(Version(versions[canonicalize_name(each.name)])), each


def test_the_version_stands_in_one_place():
    assert PROJECT["dynamic"] == ["version"]
    assert SETTINGS["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "darkmatter_features.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert "\nversion:" not in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## (Unreleased|{re.escape(__version__)})", changes, flags=re.MULTILINE)


def test_licence_files_exist():
    for name in PROJECT["license-files"]:
        assert (ROOT / name).is_file(), name


@pytest.fixture(scope="module")
def listed():
    try:
        distribution(PROJECT["name"])
    except ModuleNotFoundError:
        pytest.skip("the package is not installed, so that its requirements are unknown")
    return runpy.run_path(str(DEPENDENCIES))


def test_every_dependency_has_a_line_with_its_licence(listed):
    lines = dict(line.split(None, 1) for line in listed["licences"]([]))
    assert {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]} <= lines.keys()
    assert "BSD" in lines["numpy"]
    assert [name for name, rest in lines.items() if rest.endswith("unknown")] == []


def test_the_bill_of_materials_has_versions_and_what_requires_what(listed):
    bill = json.loads(json.dumps(listed["bill"]([])))
    references = {each["bom-ref"] for each in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in bill["dependencies"]} == references
    (own,) = (each for each in bill["dependencies"] if each["ref"].startswith(f"pkg:pypi/{OWN}@"))
    assert len(own["dependsOn"]) == len(PROJECT["dependencies"])
    assert all(each["version"] and each["licenses"] for each in bill["components"])


def main():
    """Write ``constraints-lowest.txt``."""
    head = "# Lowest versions that pyproject.toml allows, by tests/test_packaging.py; see docs/stability.md.\n"
    lines = sorted({lowest(each) for each in requirements()}, key=str.lower)
    (ROOT / "constraints-lowest.txt").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
