"""Small inputs of all commands, and what each command writes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

DARKMATTER = (sys.executable, "-m", "classify")
"""The command, as it is run."""

CNN_SETTINGS = "[train]\nn_folds = 3\n[cnn]\nepochs = 3\nevaluate_every = 1\n"
N_CATALOGS = 4
N_GALAXIES = 1000
SURVEY_SIDE = 2.0
"""Side of the survey, degrees."""
SURVEY_DENSITY = 3000
"""Galaxies per square degree of the survey."""


class Command(NamedTuple):
    """A command on the inputs.

    Attributes
    ----------
    name : str
        Its name in the tables.
    words : tuple of str
        Its arguments, relative to the folder of the inputs; ``OUT`` stands for an empty folder, or one with `seed`.
    seed : str
        File or folder of the inputs that is copied there beforehand; "" for none.
    again : tuple of str
        Further arguments when it is run again after a fault.
    """

    name: str
    words: tuple[str, ...]
    seed: str = ""
    again: tuple[str, ...] = ()


JOBS = ("--jobs", "2")

COMMANDS = (
    Command("simulate", ("simulate", "OUT/data", "--training", "32", "--validation", "16", *JOBS)),
    Command("features", ("features", "data", "--out", "OUT/features", *JOBS)),
    Command("train", ("train", "features", "--out", "OUT/run", "--fast")),
    Command(
        "train --cnn",
        ("train", "features", "--out", "OUT/run", "--config", "cnn.toml", "--cnn", "on"),
        again=("--resume",),
    ),
    Command("tune", ("tune", "OUT/features", "--trials", "6", *JOBS), seed="features"),
    Command("tune measure", ("tune", "OUT/features", "--search", "measure", "--trials", "3", *JOBS), seed="features"),
    Command("evaluate", ("evaluate", "run", "data", "--json", "OUT/evaluated.json", *JOBS)),
    Command("predict", ("predict", "run", "data/validation", "--out", "OUT/p.csv", "--explain", *JOBS)),
    Command("heatmap", ("heatmap", "data/validation", "--run", "run", "--out", "OUT/heatmaps", *JOBS)),
    Command("report", ("report", "run", "--out", "OUT/report.html", *JOBS)),
    Command("explore", ("explore", "data", "--out", "OUT/explore.html", "--json", "OUT/explore.json", *JOBS)),
    Command("adapt", ("adapt", "run", "data/training", "--out", "OUT/adapted", *JOBS)),
    Command("measure", ("measure", "images/training", "--out", "OUT/shapes", "--diagnostics", "OUT/psf", *JOBS)),
    Command("check", ("check", "catalogs/0.csv", "--json", "OUT/check.json")),
    Command(
        "locate",
        ("locate", "catalogs/*.csv", "--out", "OUT/l.csv", "--pictures", "OUT/maps", "--randomizations", "40", *JOBS),
    ),
    Command("candidates", ("candidates", "catalogs/*.csv", "--out", "OUT/lists", "--randomizations", "40", *JOBS)),
    Command("survey", ("candidates", "survey.csv", "--out", "OUT/survey", "--randomizations", "4", *JOBS)),
)
"""All commands that write files."""


def make_inputs(root: Path) -> None:
    """Write the inputs of all commands to a folder."""
    steps = (
        ("simulate", "data", "--training", "56", "--validation", "8", *JOBS),
        ("simulate", "images", "--preset", "survey", "--training", "2", "--validation", "1", *JOBS),
        ("features", "data", "--out", "features", *JOBS),
        ("train", "features", "--out", "run", "--fast"),
    )
    for words in steps:
        subprocess.run([*DARKMATTER, *words], cwd=root, check=True, capture_output=True)
    (root / "cnn.toml").write_text(CNN_SETTINGS)
    rng = np.random.default_rng(1)
    (root / "catalogs").mkdir()
    for k in range(N_CATALOGS):
        x, y = rng.uniform(0.0, 4000.0, (2, N_GALAXIES))
        write_catalog(root / "catalogs" / f"{k}.csv", "x,y,e1,e2", x, y, sheared(rng, x, y, 2000.0, 1500.0, 300.0))
    n = int(SURVEY_DENSITY * SURVEY_SIDE**2)
    x, y = rng.uniform(0.0, SURVEY_SIDE, (2, n))
    e = sheared(rng, x, y, 1.1, 1.7, 0.05)
    write_catalog(root / "survey.csv", "ra,dec,e1,e2", 150.0 + x, y, np.conj(e))


def sheared(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, x0: float, y0: float, r: float) -> np.ndarray:
    """Return ellipticities behind one halo."""
    d = x - x0 + 1j * (y - y0)
    shear = -0.3 * r / np.maximum(np.abs(d), r) * (d / np.maximum(np.abs(d), 1e-9)) ** 2
    return 0.15 * (rng.normal(size=len(x)) + 1j * rng.normal(size=len(x))) + shear


def write_catalog(path: Path, header: str, first: np.ndarray, second: np.ndarray, e: np.ndarray) -> None:
    """Write a catalogue as CSV."""
    table = np.stack([first, second, e.real, e.imag], axis=1)
    np.savetxt(path, table, fmt="%.8g", delimiter=",", header=header, comments="")


def files_in(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, relative to it."""
    return (path.relative_to(folder) for path in sorted(folder.rglob("*")) if not path.is_dir())
