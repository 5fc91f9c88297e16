"""`candidates` on the skies of "Observing Dark Worlds" with one, two and three halos: halos found, and distances.

    python benchmarks/bench_candidates.py [--data ../shared/dark-worlds --every 1 --jobs N]

DATA as for `bench_darkworlds.py`. As many candidates as a sky has halos are searched, without a threshold, and
assigned to the halos so that the sum of the distances is least. A halo is found if its candidate lies within 400 of the
4200 pixels of a side; one without a candidate counts as one side away. Errors are standard errors over skies. No part
of the search is fitted to these skies.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from bench_darkworlds import DATA, FIELD_SIDE, published_skies
from harness.report import print_table, write_record
from scipy.optimize import linear_sum_assignment

from darkmatter_features.candidates.find import find_candidates
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.workers import parallel

FOUND_WITHIN = 400.0
"""Distance within which a halo is found, pixels."""


def distances(path: Path, halos: np.ndarray) -> np.ndarray:
    """Return the distance (n_halos,) of each halo from its candidate, pixels."""
    found = find_candidates(read_catalog(path), threshold=0.0, most=len(halos)).candidates
    return assigned(np.array([[each.x, each.y] for each in found]).reshape(-1, 2), halos)


def assigned(positions: np.ndarray, halos: np.ndarray) -> np.ndarray:
    """Return the distance (n_halos,) of each halo from the position assigned to it."""
    between = np.hypot(*(halos[:, None] - positions[None]).transpose(2, 0, 1))
    result = np.full(len(halos), FIELD_SIDE)
    which, candidate = linear_sum_assignment(between)
    result[which] = between[which, candidate]
    return result


def summary(skies: list[np.ndarray]) -> dict[str, float]:
    """Return the fraction of halos found and the mean distance, each with its standard error."""
    found = np.array([(each < FOUND_WITHIN).mean() for each in skies])
    mean = np.array([each.mean() for each in skies])
    root = np.sqrt(max(len(skies) - 1, 1))
    return {
        "n_skies": len(skies),
        "found": float(found.mean()),
        "found_error": float(found.std() / root),
        "mean": float(mean.mean()),
        "mean_error": float(mean.std() / root),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the contest's training data")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use each Nth sky (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    skies = published_skies(args.data)
    if not skies:
        return
    halos = {name: positions for name, (_, positions) in skies.items()}
    present = list(skies)[:: args.every]
    results = list(parallel(distances, [skies[name] for name in present], n_jobs=args.jobs))
    record: dict[str, Any] = {}
    for n_halos in sorted({len(halos[name]) for name in present}):
        record[str(n_halos)] = summary([each for each in results if len(each) == n_halos])
    print_table(
        ("halos", "skies", f"found within {FOUND_WITHIN:.0f} px", "mean distance, px"),
        [
            (
                n,
                f"{f['n_skies']}",
                f"{f['found']:.3f} ±{f['found_error']:.3f}",
                f"{f['mean']:.0f} ±{f['mean_error']:.0f}",
            )
            for n, f in record.items()
        ],
    )
    print(write_record("candidates", {"every": args.every, "halos": record}))


if __name__ == "__main__":
    main()
