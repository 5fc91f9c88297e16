"""Peak memory of a process that does one piece of work, each in a fresh one; that of its imports is told apart.

    python benchmarks/bench_memory.py [--skies 8 --features-skies 64]

Our stages (each with those before it), the contenders from the file to a NumPy map, and the workers of a
`darkmatter features` run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from competitors import contenders
from helpers import environment, print_table, write_result
from memory_probe import FEATURES, N_JOBS, STAGES

PROBE = Path(__file__).with_name("memory_probe.py")


def probe(work: str, *pictures: Path) -> dict[str, Any]:
    """Memory in MB of one piece of work, in a process of its own."""
    words = [sys.executable, str(PROBE), work, *map(str, pictures)]
    return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)


def simulate(folder: Path, n_training: int) -> list[Path]:
    """Simulate a data set, in a process of its own, and return its training pictures."""
    code = "import sys; from classify.cli import main; sys.exit(main())"
    words = ["simulate", str(folder), "--training", str(n_training), "--validation", "2", "--jobs", str(N_JOBS)]
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)
    return sorted((folder / "training").glob("*.png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=8, help="skies that each works through (%(default)s)")
    parser.add_argument("--features-skies", type=int, default=64, help="of the features run (%(default)s)")
    args = parser.parse_args()
    others, missing = contenders.installed()
    print(environment(), *missing, sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        pictures = simulate(Path(folder), max(args.skies, args.features_skies))
        probe("whole", pictures[0])  # compiles the kernels where that is still to be done
        told = {name: probe(name, *pictures[: args.skies]) for name in (*STAGES, *others)}
        features = probe(FEATURES, Path(folder))
    rows = [(name, mb["imports"], mb["peak"]) for name, mb in told.items()]
    rows.append(("features: leading process", features["imports"], features["leader"]))
    rows += [(f"features: worker {k}", float("nan"), mb) for k, mb in enumerate(features["workers"], start=1)]
    print_table(("MB", "imports", "peak", "own"), [_cells(*row) for row in rows])
    print(write_result("memory", {"skies": args.skies, "megabytes": told, "features": features}))


def _cells(name: str, imports: float, peak: float) -> tuple[str, ...]:
    is_known = imports == imports  # a worker imports with its first task
    return (name, f"{imports:.0f}" if is_known else "", f"{peak:.0f}", f"{peak - imports:.0f}" if is_known else "")


if __name__ == "__main__":
    main()
