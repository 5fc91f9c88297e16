"""Who may import whom: downward only."""

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import darkmatter_features as dm

ROOT = Path(__file__).parents[1]
FEATURES = ROOT / "darkmatter_features"
MODULES = sorted([*FEATURES.rglob("*.py"), *(ROOT / "classify").rglob("*.py")])

# Each may import those before it.
ORDER = (
    *("errors", "config", "workers", "table", "labels", "dataset", "decode", "sky", "catalog_files", "catalogs"),
    "coordinates",
    *("kernels", "mesh", "profiles", "field", "profile_sums", "odds", "chance", "location"),
    *("background", "detection", "segmentation", "shapes", "template", "shear", "matched", "likelihood", "evidence"),
    *("scrambles", "fit_unlensed", "fit", "templates"),
    *(
        "statistics",
        "extract",
        "batch",
        "remap",
        "panels",
        "snr_plot",
        "page",
        "posterior",
        "plots",
        "template_plot",
        "location_plot",
    ),
)


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_features_know_nothing_of_decisions(path):
    if FEATURES in path.parents:
        roots = {name.split(".")[0] for name in _imported(path)}
        assert not roots & {"classify", "lightgbm", "torch"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_kernels_compile(path):
    if (FEATURES / "kernels") not in path.parents:
        assert "numba" not in {name.split(".")[0] for name in _imported(path)}


def test_simulation_and_measuring_do_not_know_each_other():
    own = {"simulation", "errors", "dataset", "table", "workers"}
    for path in (FEATURES / "simulation").glob("*.py"):
        used = {name.split(".")[1] for name in _imported(path) if name.startswith("darkmatter_features.")}
        assert used <= own, path
    for path in set(FEATURES.rglob("*.py")) - set((FEATURES / "simulation").glob("*.py")):
        assert not any(name.startswith("darkmatter_features.simulation") for name in _imported(path)), path


def test_modules_import_downward_only():
    for place, module in enumerate(ORDER):
        path = FEATURES / module
        files = sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            for name in _imported(file):
                above = name.split(".")[1:2] if name.startswith("darkmatter_features.") else []
                assert set(above) <= {*ORDER[:place], module}, f"{file.name} imports {name}"


def test_every_module_has_its_place():
    names = {path.stem for path in FEATURES.glob("*.py")} | {"kernels"}
    assert names - {"__init__"} == set(ORDER)


def test_public_names_hide_behind_no_module():
    """Python sets each module as an attribute of its package: one of the same name would take a function's place."""
    for name in dm.__all__:
        import_module(f"darkmatter_features.{dm._PUBLIC[name]}")
        assert not isinstance(getattr(dm, name), ModuleType), name
