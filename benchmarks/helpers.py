"""What the benchmarks share: the machine they ran on, medians of repeated runs, tables, results on disk."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("darkmatter", "numpy", "numba", "lightgbm", "photutils", "galsim")


def environment() -> dict[str, str]:
    """The machine and the versions that a figure was measured with."""
    return {
        "machine": f"{platform.machine()}, {cpu_name()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def cpu_name() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def milliseconds(work: Callable[[], Any], *, repeats: int = 20) -> float:
    """Median time of `work`, after one run that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


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
