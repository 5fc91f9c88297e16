"""The pages of the documentation agree with the code where no table is generated."""

import re
from pathlib import Path

import pytest

import darkmatter_features as dm
from classify.cli import COMMANDS
from tests.test_layers import FLOORS

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "howto").glob("*.md")])
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("package", FLOORS)
def test_the_architecture_lists_the_floors_in_their_order(package):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (table,) = re.findall(rf"\| floor of `{package}` .*?\n\n", page, flags=re.DOTALL)
    listed = [name for row in table.strip().splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert listed == [name for name in FLOORS[package] if name != "__main__"]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^ *darkmatter ([a-z]+)", TEXT, flags=re.MULTILINE))))
def test_commands_on_the_pages_exist(command):
    assert command in COMMANDS


def test_scripts_and_folders_on_the_pages_exist():
    for path in re.findall(r"`((?:benchmarks|tests|docs|darkmatter_features|classify)/[\w/.]+)`", TEXT):
        if "NAME" not in path and "_build" not in path:
            assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists(), path
    for script in re.findall(r"bench_\w+\.py", TEXT):
        assert (ROOT / "benchmarks" / script).exists(), script


@pytest.mark.parametrize("test", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", TEXT))))
def test_tests_on_the_pages_exist(test):
    file, name = test.split("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", dm.__all__)
def test_every_public_name_is_in_the_reference(name):
    page = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    assert re.search(rf"\bdarkmatter_features\.{name}\b", page), name
