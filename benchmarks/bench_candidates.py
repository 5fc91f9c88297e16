"""`candidates` on the skies of "Observing Dark Worlds" with one, two and three halos: halos found, distances, score.

    python benchmarks/bench_candidates.py [--data ../shared/dark-worlds --every 1 --jobs N]

DATA as for `bench_darkworlds.py`. As many candidates as a sky has halos are searched, without a threshold, and
assigned to the halos so that the sum of the distances is least. A halo is found if its candidate lies within 400 of the
4200 pixels of a side; one without a candidate counts as one side away. The covered fraction is that of the halos within
the position error of their candidate. Errors are standard errors over skies. No part of the search is fitted to these
skies.

The contest's own score is ``F / 1000 + G``: F is the mean distance over all halos, and G the length of the mean of
``exp(i phi)``, phi being the direction from the halo to its estimate, relative to that from the reference point of the
sky to the halo; for a single halo, which is its own reference point, relative to the x axis. G vanishes for positions
without a preferred direction.

References
----------
"Observing Dark Worlds", Kaggle (2012), page "Evaluation" (kaggle.com/c/DarkWorlds); its `DarkWorldsMetric.py`
Harvey et al. 2014, Astronomy and Computing 5, 35, arXiv:1311.0704
"""

import argparse
import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench_darkworlds import DATA, FIELD_SIDE, published_skies
from harness.report import print_table, write_record
from scipy.optimize import linear_sum_assignment

from darkmatter_features.candidates.find import find_candidates
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.workers import parallel

FOUND_WITHIN = 400.0
"""Distance within which a halo is found, pixels."""


class Sky(NamedTuple):
    """Halos of a sky and the candidates assigned to them, pixels; nan for a halo without one."""

    halos: np.ndarray
    reference: np.ndarray
    positions: np.ndarray
    errors: np.ndarray

    @property
    def distances(self) -> np.ndarray:
        """Distance (n_halos,) of each halo from its candidate; one side without one."""
        return np.nan_to_num(np.hypot(*(self.positions - self.halos).T), nan=FIELD_SIDE)

    @property
    def directions(self) -> np.ndarray:
        """Directions (n_halos,) that the score averages, as complex numbers of length 1; without a candidate 0."""
        offset, axis = ((each @ [1.0, 1.0j]) for each in (self.positions - self.halos, self.halos - self.reference))
        return np.nan_to_num(np.exp(1j * (np.angle(offset) - np.angle(axis))))


def measure(path: Path, halos: np.ndarray, reference: np.ndarray) -> Sky:
    """Return the candidates of a sky."""
    found = find_candidates(read_catalog(path), threshold=0.0, most=len(halos)).candidates
    columns = np.array([[each.x, each.y, each.position_error] for each in found]).reshape(-1, 3)
    order = assigned(columns[:, :2], halos)
    chosen = np.concatenate([columns, np.full((1, 3), np.nan)])[order]
    return Sky(halos, reference, chosen[:, :2], chosen[:, 2])


def assigned(positions: np.ndarray, halos: np.ndarray) -> np.ndarray:
    """Return the index (n_halos,) of the position assigned to each halo; -1 without one."""
    which, candidate = linear_sum_assignment(np.hypot(*(halos[:, None] - positions[None]).transpose(2, 0, 1)))
    result = np.full(len(halos), -1)
    result[which] = candidate
    return result


def read_references(path: Path) -> dict[str, np.ndarray]:
    """Return the reference point (2,) of each sky, pixels."""
    with path.open(newline="") as file:
        return {row["SkyId"]: np.array([float(row["x_ref"]), float(row["y_ref"])]) for row in csv.DictReader(file)}


def score(skies: list[Sky]) -> float:
    """Return the contest's score of some skies."""
    distance = np.concatenate([sky.distances for sky in skies])
    return float(distance.mean() / 1000.0 + abs(np.concatenate([sky.directions for sky in skies]).mean()))


def summary(skies: list[Sky]) -> dict[str, float]:
    """Return the fraction of halos found, the mean distance and the covered fraction, with errors, and the score."""
    per_sky = {
        "found": [(sky.distances < FOUND_WITHIN).mean() for sky in skies],
        "mean": [sky.distances.mean() for sky in skies],
        "covered": [(sky.distances < sky.errors).mean() for sky in skies],
    }
    figures = {"n_skies": float(len(skies)), "score": score(skies)}
    for name, values in per_sky.items():
        figures |= {
            name: float(np.mean(values)),
            f"{name}_error": float(np.std(values) / max(len(skies) - 1, 1) ** 0.5),
        }
    return figures


def report(skies: list[Sky]) -> dict[str, Any]:
    """Print the figures by the number of halos, and of all, and return them."""
    groups = {str(n): [sky for sky in skies if len(sky.halos) == n] for n in sorted({len(sky.halos) for sky in skies})}
    record = {name: summary(group) for name, group in {**groups, "all": skies}.items()}

    def cell(figures: dict[str, float], name: str, decimals: int) -> str:
        return f"{figures[name]:.{decimals}f} ±{figures[f'{name}_error']:.{decimals}f}"

    columns = (("found", 3), ("mean", 0), ("covered", 2))
    print_table(
        ("halos", "skies", f"found within {FOUND_WITHIN:.0f} px", "mean distance, px", "within the error", "score"),
        [
            (n, f"{f['n_skies']:.0f}", *(cell(f, *column) for column in columns), f"{f['score']:.3f}")
            for n, f in record.items()
        ],
    )  # fmt: skip
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the contest's training data")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use each Nth sky (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    skies = published_skies(args.data)
    if not skies:
        return
    references = read_references(args.data / "Training_halos.csv")
    tasks = [(path, halos, references[name]) for name, (path, halos) in list(skies.items())[:: args.every]]
    record = report(list(parallel(measure, tasks, n_jobs=args.jobs)))
    print(write_record("candidates", {"every": args.every, "halos": record}))


if __name__ == "__main__":
    main()
