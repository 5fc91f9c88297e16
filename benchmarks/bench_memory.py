"""Peak memory of a process that does one piece of work, each in a fresh process; imports are given separately.

    python benchmarks/bench_memory.py [--skies 8 --features-skies 64]

Measured are the stages of darkmatter (each with the stages before it), the competitors from the file to a NumPy map,
and the workers of a `darkmatter features` run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from competitors import catalogs
from harness.environment import environment
from harness.memory_probe import FEATURES, N_JOBS, STAGES
from harness.report import print_table, write_record

BENCHMARKS = Path(__file__).parent.resolve()


def probe(work: str, *paths: Path) -> dict[str, Any]:
    """Return the memory of one piece of work, MB, measured in a process of its own."""
    search_path = os.pathsep.join([str(BENCHMARKS), *filter(None, [os.environ.get("PYTHONPATH")])])
    words = [sys.executable, "-m", "harness.memory_probe", work, *map(str, paths)]
    done = subprocess.run(
        words, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": search_path}
    )
    return json.loads(done.stdout)


def simulate(folder: Path, n_training: int) -> list[Path]:
    """Simulate a data set in a process of its own, and return its training images."""
    code = "import sys; from classify.cli import main; sys.exit(main())"
    words = ["simulate", str(folder), "--training", str(n_training), "--validation", "2", "--jobs", str(N_JOBS)]
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
    return sorted((folder / "training").glob("*.png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=8, help="skies that each process works through (%(default)s)")
    parser.add_argument("--features-skies", type=int, default=64, help="skies of the features run (%(default)s)")
    args = parser.parse_args()
    competitors, missing = catalogs.installed()
    print(environment(), *missing, sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        images = simulate(Path(folder), max(args.skies, args.features_skies))
        probe("whole sky", images[0])  # compiles the kernels where they are not in the cache
        megabytes = {name: probe(name, *images[: args.skies]) for name in (*STAGES, *competitors)}
        features = probe(FEATURES, Path(folder))
    rows = [(name, mb["imports"], mb["peak"]) for name, mb in megabytes.items()]
    rows.append(("features: main process", features["imports"], features["main_process"]))
    rows += [(f"features: worker {k}", float("nan"), mb) for k, mb in enumerate(features["workers"], start=1)]
    print_table(("MB", "imports", "peak", "peak - imports"), [_cells(*row) for row in rows])
    print(write_record("memory", {"skies": args.skies, "megabytes": megabytes, "features": features}))


def _cells(name: str, imports: float, peak: float) -> tuple[str, ...]:
    is_known = imports == imports  # nan for a worker: it imports with its first task
    return (name, f"{imports:.0f}" if is_known else "", f"{peak:.0f}", f"{peak - imports:.0f}" if is_known else "")


if __name__ == "__main__":
    main()
