"""Retired identifiers and words stay retired: one term for each concept, the field's own."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted(
    path for folder in ("darkmatter_features", "classify", "tests", "benchmarks", "docs")
    for path in (ROOT / folder).rglob("*.py")
    if path != Path(__file__).resolve() and "_build" not in path.parts
)  # fmt: skip
TEXTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "docs/*/*.md", "benchmarks/*.md", "Makefile", "pyproject.toml", "*.cff")
    for path in ROOT.glob(pattern)
    if "_build" not in path.parts
)  # fmt: skip

WORD = "t o l d".replace(" ", "")

RETIRED = {
    "compactness": "fill_factor",
    "rim_fraction": "dilation_fraction",
    "blur": "psf_sigma",
    "hard_share": "uncertain_fraction",
    "second_look": "cnn_stage",
    "SecondLook": "CnnStage",
    "scrambles": "randomizations",
    "scrambled": "randomized",
    "odds_excess": "bayes_factor_excess",
    "log_odds_shear": "log_bayes_factor_shear",
    "log_odds_counts": "log_bayes_factor_counts",
    "likeliest": "best_fit",
    "worth_a_look": "select_examples",
    "most_telling": "top_features",
    "swarm": "beeswarm",
    "singles": "n_spin0",
    "lean": "mean_e",
    "EVIDENCE": "FEATURE_INDICES",
    WORD.upper(): "VERDICT_COLUMNS",
    "_Race": "EnsembleTrainer",
    "N_PARTS": "N_FOLDS",
    "MATTERS": "LOG_EVIDENCE_CUT",
    "REACH": "a name with its quantity, such as PROFILE_RADIUS",
    "STEP": "a name with its quantity, such as NODE_SPACING",
    "WEAK": "a name with its quantity, such as WEAK_SHEAR",
    "grow_pieces": "dilate_segments",
    "connected_pieces": "connected_segments",
    "complete_hidden": "fill_by_symmetry",
}
"""Retired identifier: its successor."""

RENAMED_SETTINGS = {
    ROOT / name for name in (
        "darkmatter_features/config.py", "classify/cnn/config.py", "tests/test_config.py",
        "tests/classify/commands/test_config.py",
    )
}  # fmt: skip
"""Modules that refuse retired settings by name, and their tests."""


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_retired_identifier_comes_back(path):
    words = set(re.findall(r"\w+", text_of(path))) if path not in RENAMED_SETTINGS else set()
    found = words & RETIRED.keys()
    assert not found, [f"{name} is now {RETIRED[name]}" for name in found]


@pytest.mark.parametrize("path", [*CODE, *TEXTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_has_the_retired_word(path):
    found = re.search(rf"\b{WORD}\b", text_of(path), flags=re.IGNORECASE)
    assert not found, f"{path}:{text_of(path)[: found.start()].count(chr(10)) + 1}"


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_short(path):
    """300 lines in the packages, 400 in tests."""
    most = 400 if "tests" in path.relative_to(ROOT).parts else 300
    assert len(text_of(path).splitlines()) <= most
