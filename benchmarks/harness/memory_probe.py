"""Do one piece of work in this process and print its peak memory as JSON; `bench_memory.py` starts it.

    python -m harness.memory_probe WORK IMAGE...

WORK is a stage of darkmatter (run with the stages before it), a competitor, or `features`. With `features`, IMAGE is a
data set, and the peaks are those of the workers.
"""

import json
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES = ("read", "segment", "shapes", "maps", "evidence", "whole sky")
"""Stages of darkmatter."""

FEATURES = "features"
"""Name of the work that extracts the features of a data set."""

N_JOBS = 2
"""Workers of `features`."""

# Settings of darkmatter for the competitors, as literals: importing them would cost each competitor 4 MB.
# `tests/benchmarks/test_grids.py` compares them with the originals.
GRID_SPACING = 16.0
"""Distance between candidate centres, pixels."""

N_PIXELS = 8
"""Minimum number of pixels of a galaxy."""

THRESHOLD = 20.0
"""Detection threshold, counts of an 8-bit image; about the one darkmatter finds in these images."""

SCALE = 80.0
"""Standard deviation of the window of the map, pixels."""


def peak_mb() -> float:
    """Return the maximum resident memory of this process, MB.

    On Linux `ru_maxrss` of a started process includes the peak of its parent; `VmHWM` is its own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def stage_work(stage: str) -> Callable[[Path], Any]:
    """Import a stage of darkmatter and return the function that runs it, and the stages before it, on a file."""
    import darkmatter_features as dm
    from darkmatter_features.features.extract import extract_sky

    stages: dict[str, Callable[[Path], Any]] = {
        "read": dm.read_sky,
        "segment": lambda path: dm.segment(dm.read_sky(path)),
        "shapes": lambda path: dm.measure(dm.read_sky(path)),
        "maps": lambda path: dm.shear_maps(dm.measure(dm.read_sky(path))),
        "evidence": lambda path: dm.lens_evidence(dm.measure(dm.read_sky(path))),
        "whole sky": lambda path: extract_sky(dm.read_sky(path)),
    }
    return stages[stage]


def centres(side: int) -> Any:
    """Return the candidate centres along a side of the image, pixels."""
    import numpy as np

    return np.linspace(0, side - 1, round((side - 1) / GRID_SPACING) + 1)


def competitor_work(name: str) -> Callable[[Path], Any]:
    """Import a competitor without darkmatter and return the function that makes a map from a file."""
    import importlib

    import numpy as np
    import pyspng
    from competitors.catalogs import COMPETITORS
    from competitors.plain_maps import numpy_map

    modules = {"photutils": "photutils.segmentation", "skimage": "skimage.measure", "galsim": "galsim.hsm"}
    package, measure = COMPETITORS[name]
    importlib.import_module(modules.get(package, package))

    def work(path: Path) -> None:
        image = pyspng.load(path.read_bytes()).max(axis=2).astype(np.float32)
        rows, columns = (centres(side) for side in image.shape)
        numpy_map(measure(image, THRESHOLD, N_PIXELS), columns, rows, SCALE)

    return work


def worker_peaks(data: Path) -> dict[str, Any]:
    """Extract the features of a data set and return the peaks of the main process and of its workers, MB."""
    from darkmatter_features.features.batch import extract_dataset
    from darkmatter_features.workers import parallel

    before = peak_mb()
    with tempfile.TemporaryDirectory() as out:
        extract_dataset(data, out, n_jobs=N_JOBS)
    peaks = dict(parallel(_own_peak, [()] * 8 * N_JOBS, n_jobs=N_JOBS))  # the same workers: they stay for a while
    return {"imports": before, "main_process": peak_mb(), "workers": sorted(peaks.values())}


def _own_peak() -> tuple[int, float]:
    import os
    import time

    time.sleep(0.05)  # so that every worker gets some of these tasks
    return os.getpid(), peak_mb()


def main() -> None:
    name, *paths = sys.argv[1:]
    if name == FEATURES:
        peaks = worker_peaks(Path(paths[0]))
    else:
        work = stage_work(name) if name in STAGES else competitor_work(name)
        before = peak_mb()
        for path in paths:
            work(Path(path))
        peaks = {"imports": before, "peak": peak_mb()}
    print(json.dumps(peaks))


if __name__ == "__main__":
    main()
