"""What the benchmarks share: the machine they ran on, medians of repeated runs, tables, results on disk."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from darkmatter_features.galaxies.shapes import measure
from darkmatter_features.io.dataset import Split
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.fit import LabelledSkies, fit_template
from darkmatter_features.lens.template import LensTemplate

Key = TypeVar("Key")
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("darkmatter", "numpy", "numba", "lightgbm", "photutils", "galsim", "scikit-image", "sep", "treecorr")
PUBLISHED_SKY = Path(__file__).parents[2] / "shared" / "seed-skies" / "lensing.png"
"""A published sky with a lens, where it lies beside this checkout."""
FITTED = 1200
"""Skies that a template to be timed is fitted to, as many as in the default data set: of fewer, rare strengths stay."""


def fitted(split: Split) -> LensTemplate:
    """A template such as `darkmatter features` fits: to skies with and without a lens, whose places are known."""
    catalogs = [measure(read_sky(path)) for path in split.files[:FITTED]]
    places = np.array([split.lens_position(k, catalog.shape) for k, catalog in enumerate(catalogs)])
    return fit_template(LabelledSkies(catalogs, split.labels[:FITTED].astype(float), *places.T))


def environment() -> dict[str, str]:
    """The machine and the versions that a figure was measured with."""
    return {
        "machine": f"{platform.machine()}, {cpu_name()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def cpu_name() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def stay_on_one_core() -> None:
    """Keep this process and its children on one core, where the system can: no library gains by threads of its own."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def interleaved(
    sides: Mapping[Key, Callable[[], Any]], *, repeats: int, clock: Callable[[], float] = time.process_time
) -> dict[Key, float]:
    """Median milliseconds of each side, in rounds of all sides so that noise hits all alike; the first does not count.

    The clock is the processor's, which what else runs on the machine hardly disturbs; work of other processes needs a
    clock on the wall.
    """
    times: dict[Key, list[float]] = {name: [] for name in sides}
    for _ in range(repeats + 1):
        for name, work in sides.items():
            start = clock()
            work()
            times[name].append(clock() - start)
    return {name: 1e3 * statistics.median(all_times[1:]) for name, all_times in times.items()}


def milliseconds(work: Callable[[], Any], *, repeats: int = 20) -> float:
    """Median time of `work` on the wall, after one run that does not count."""
    return interleaved({"work": work}, repeats=repeats, clock=time.perf_counter)["work"]


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, the first to the left, the others to the right."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    for row in (header, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip())


def write_result(name: str, values: dict[str, Any]) -> Path:
    """Write figures, with the environment they were measured in, to `benchmarks/results/NAME.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"environment": environment(), **values}, indent=2) + "\n")
    return path
