"""Runs one piece of work in this process, and writes its peak memory as JSON; `bench_memory.py` starts it.

    python benchmarks/memory_probe.py WORK PICTURE...

WORK is one of our stages (with those before it), a contender, or `features`: then PICTURE is a data set, and the peaks
are those of the workers.
"""

import json
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES = ("read", "segment", "shapes", "maps", "evidence", "whole")
FEATURES = "features"
N_JOBS = 2
# Our settings for the others, written out (a test holds them to ours): to import ours would cost them 4 MB. Then the
# threshold, counts over the black of 8-bit pictures, and the scale of the map, pixels: about those of our own.
SPACING, N_PIXELS = 16.0, 8
THRESHOLD, SCALE = 20.0, 80.0


def peak_mb() -> float:
    """Most memory this process has had in RAM, MB.

    Linux hands the peak of the parent on to a started process in `ru_maxrss`; `VmHWM` is the process's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def our_stage(stage: str) -> Callable[[Path], Any]:
    """Return the work of a stage and those before it, imported."""
    import darkmatter_features as dm
    from darkmatter_features.features.extract import extract_sky

    steps: dict[str, Callable[[Path], Any]] = {
        "read": dm.read_sky,
        "segment": lambda path: dm.segment(dm.read_sky(path)),
        "shapes": lambda path: dm.measure(dm.read_sky(path)),
        "maps": lambda path: dm.shear_maps(dm.measure(dm.read_sky(path))),
        "evidence": lambda path: dm.lens_evidence(dm.measure(dm.read_sky(path))),
        "whole": lambda path: extract_sky(dm.read_sky(path)),
    }
    return steps[stage]


def grid(side: int) -> Any:
    """Return our candidate centres along a side."""
    import numpy as np

    return np.linspace(0, side - 1, round((side - 1) / SPACING) + 1)


def contender(name: str) -> Callable[[Path], Any]:
    """Return a contender's way from the file to a map, imported as it would be without ours."""
    import importlib

    import numpy as np
    import pyspng
    from contenders import CONTENDERS
    from plain_maps import numpy_map

    modules = {"photutils": "photutils.segmentation", "skimage": "skimage.measure", "galsim": "galsim.hsm"}
    package, work = CONTENDERS[name]
    importlib.import_module(modules.get(package, package))

    def run(path: Path) -> None:
        image = pyspng.load(path.read_bytes()).max(axis=2).astype(np.float32)
        rows, columns = (grid(side) for side in image.shape)
        numpy_map(work(image, THRESHOLD, N_PIXELS), columns, rows, SCALE)

    return run


def peaks_of_workers(data: Path) -> dict[str, Any]:
    """Peaks of the processes that measure a data set, and of the one that leads them."""
    from darkmatter_features.features.batch import extract_dataset
    from darkmatter_features.workers import parallel

    before = peak_mb()
    with tempfile.TemporaryDirectory() as out:
        extract_dataset(data, out, n_jobs=N_JOBS)
    told = dict(parallel(_own_peak, [()] * 8 * N_JOBS, n_jobs=N_JOBS))  # the same workers: they stay for a while
    return {"imports": before, "leader": peak_mb(), "workers": sorted(told.values())}


def _own_peak() -> tuple[int, float]:
    import os
    import time

    time.sleep(0.05)  # so that no worker gets all of these
    return os.getpid(), peak_mb()


def main() -> None:
    work, *pictures = sys.argv[1:]
    if work == FEATURES:
        told = peaks_of_workers(Path(pictures[0]))
    else:
        run = our_stage(work) if work in STAGES else contender(work)
        before = peak_mb()
        for picture in pictures:
            run(Path(picture))
        told = {"imports": before, "peak": peak_mb()}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
