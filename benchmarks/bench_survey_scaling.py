"""`candidates` on surveys of growing area: time, processor time and memory, with 200 randomized skies.

    python benchmarks/bench_survey_scaling.py [--areas 2 25 100 --jobs 2]

Galaxies are uniform on a band about Dec 0, 28 per square arcmin (2 square degrees have 200,000, or 400,000 with
`--density 56`, 100 have 10 million), with random shapes and an isothermal halo per square degree. Each survey is
searched in a process of its own. Peaks of memory are those of that process and of its workers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness.memory_probe import peak_mb
from harness.report import print_table, write_record

from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.settings import SurveySearch
from darkmatter_features.workers import parallel

SCATTER, EINSTEIN_RADIUS, CORE = 0.26, 0.3, 0.5
"""Shape noise per component; Einstein radius and core of the halos, arcmin."""
HEIGHT = 2.0
"""Largest height of a survey in declination, degrees, below 20 square degrees; ten beyond."""
ROWS = 500_000
"""Rows of a row group."""


def write_survey(path: Path, area: float, density: float) -> int:
    """Write a survey and return its number of galaxies."""
    rng = np.random.default_rng(1)
    height = min(HEIGHT if area < 20.0 else 10.0, np.sqrt(area))
    width, n = area / height, round(area * 3600.0 * density)
    halos = np.stack([rng.uniform(0.0, width, round(area)), rng.uniform(-height / 2, height / 2, round(area))], axis=1)
    schema = pa.schema([(name, pa.float64()) for name in ("ra", "dec", "e1", "e2")])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n, ROWS):
            size = min(ROWS, n - start)
            ra = np.sort(rng.uniform(start / n * width, (start + size) / n * width, size))
            dec = rng.uniform(-height / 2, height / 2, size)
            e = np.minimum(SCATTER * rng.rayleigh(size=size), 0.9) * np.exp(2j * np.pi * rng.random(size))
            for x, y in halos:
                near = np.flatnonzero(np.hypot(ra - x, dec - y) < 0.4)
                away = ((ra[near] - x) - 1j * (dec[near] - y)) * 60.0  # east and north: e2 has the other sign
                e[near] -= EINSTEIN_RADIUS / 2.0 / np.maximum(np.abs(away), CORE) * np.exp(2j * np.angle(away))
            columns = (ra, dec, e.real, e.imag)
            writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema))
    return n


def search(path: Path, n_jobs: int) -> dict[str, Any]:
    """Return the figures of one search in this process."""
    start, before = time.perf_counter(), os.times()
    found = find_survey_candidates(path, SurveySearch(), n_jobs=n_jobs)
    seconds = time.perf_counter() - start
    leader, after = peak_mb(), os.times()
    peaks = dict(parallel(_own_peak, [()] * 8 * n_jobs, n_jobs=n_jobs))
    workers = {pid: (mb, cpu) for pid, (mb, cpu) in peaks.items() if pid != os.getpid()}
    cpu = after.user + after.system - before.user - before.system + sum(each for _, each in workers.values())
    return {
        "seconds": seconds, "cpu_seconds": cpu, "leader_mb": leader, "candidates": len(found),
        "worker_mb": max((mb for mb, _ in workers.values()), default=leader),
    }  # fmt: skip


def _own_peak() -> tuple[int, tuple[float, float]]:
    time.sleep(0.05)  # so that every worker gets some of these tasks
    times = os.times()
    return os.getpid(), (peak_mb(), times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--areas", type=float, nargs="+", default=[2.0, 25.0, 100.0], help="square degrees")
    parser.add_argument("--density", type=float, default=28.0, help="galaxies per square arcmin (%(default)g)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.search is not None:
        print(json.dumps(search(args.search, args.jobs)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for area in args.areas:
            path = Path(folder) / "survey.parquet"
            n = write_survey(path, area, args.density)
            command = [sys.executable, __file__, "--search", str(path), "--jobs", str(args.jobs)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append({"area": area, "n": n} | json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
    keys = [*rows[0], "cpu_per_deg2"]
    shown = [row | {"cpu_per_deg2": row["cpu_seconds"] / row["area"]} for row in rows]
    print_table(keys, [[f"{row[key]:.6g}" for key in keys] for row in shown])
    write_record("survey_scaling", {"jobs": args.jobs, "surveys": shown})


if __name__ == "__main__":
    main()
