"""The floors of both packages: each imports from itself and from the floors named before it, never upward."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import darkmatter_features as dm

ROOT = Path(__file__).parents[1]
FEATURES, CLASSIFY = ROOT / "darkmatter_features", ROOT / "classify"
MODULES = sorted([*FEATURES.rglob("*.py"), *CLASSIFY.rglob("*.py")])

FLOORS = {
    "darkmatter_features": (
        "urls",
        "errors",
        "config",
        "cluster",
        "processes",
        "workers",
        "numerics",
        "io",
        "simulation",
        "galaxies",
        "lens",
        "maps",
        "features",
        "plots",
        "location",
        "checks",
        "shape_catalogs",
        "candidates",
        "surveys",
    ),
    "classify": (
        "config",
        "metrics",
        "tables",
        "verdicts",
        "trees",
        "cnn",
        "model",
        "config_file",
        "run_folder",
        "explain",
        "tune",
        "plots",
        "adaptation",
        "predict",
        "evaluate",
        "train",
        "report",
        "explore",
        "ending",
        "cli",
        "commands",
        "__main__",
    ),
}


@cache
def imported(path) -> tuple[str, ...]:
    """Return the dotted names that a module imports, its own package's modules as such."""
    return tuple(_imported(path))


def _imported(path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for name in node.names:
                folder = ROOT / node.module.replace(".", "/")
                is_module = _is_module(folder / name.name)
                yield f"{node.module}.{name.name}" if is_module else node.module


@cache
def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").exists() or path.is_dir()


def floor(path):
    """Return the floor that a module stands on: the folder or the module below its package."""
    return path.relative_to(ROOT).with_suffix("").parts[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward_only(path):
    package = path.relative_to(ROOT).parts[0]
    if floor(path) == "__init__":
        return
    floors = FLOORS[package]
    below = {*floors[: floors.index(floor(path))], floor(path)}
    for name in imported(path):
        if name.startswith(f"{package}."):
            assert name.split(".")[1] in below, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("package", FLOORS)
def test_every_module_stands_on_a_floor(package):
    found = {floor(path) for path in MODULES if path.relative_to(ROOT).parts[0] == package}
    assert found - {"__init__"} == set(FLOORS[package])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_physics_imports_no_decisions(path):
    if FEATURES in path.parents:
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"classify", "lightgbm", "torch"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_kernels_are_compiled(path):
    names = set(imported(path))
    if path not in {FEATURES / "numerics" / name for name in ("jit.py", "intermediate.py")}:
        assert "numba" not in {name.split(".")[0] for name in names}
    is_kernels = path.stem == "kernels" or path.parent.name == "kernels"
    if "\n@compiled\n" in path.read_text(encoding="utf-8"):
        assert is_kernels


def test_simulation_and_measuring_are_apart():
    measuring = set(FLOORS["darkmatter_features"]) - {"errors", "config", "cluster", "workers", "io", "simulation"}
    for path in (FEATURES / "simulation").rglob("*.py"):
        assert (
            not {name.split(".")[1] for name in imported(path) if name.startswith("darkmatter_features.")} & measuring
        )
    for path in set(FEATURES.rglob("*.py")) - set((FEATURES / "simulation").rglob("*.py")):
        assert not any(name.startswith("darkmatter_features.simulation") for name in imported(path)), path


def test_public_names_hide_behind_no_module():
    """Python sets each module as an attribute of its package: one of the same name would replace the function."""
    for name in dm.__all__:
        import_module(f"darkmatter_features.{dm._PUBLIC[name]}")
        assert not isinstance(getattr(dm, name), ModuleType), name
