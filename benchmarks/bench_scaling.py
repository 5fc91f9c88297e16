"""Growth of the cost: with galaxies, candidate centres, the size of an image, and workers.

    python benchmarks/bench_scaling.py [--galaxies 100000 --side 1024 --image 2048 --skies 1200 --seed 1]

Times are processor seconds on one core, after compilation; times of workers are wall-clock seconds. Beside the cost of
the method that the package selects stands the cost of direct sums, galaxy by galaxy, at sizes that take a second or
two. Exponents are fitted to the larger half of the sizes, three or more. Images are simulated skies of 512 px, side by
side. The options are the largest sizes.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from harness.environment import environment
from harness.inputs import fitted_template, random_catalog
from harness.report import RESULTS, print_table, write_record
from harness.stage_probe import stages_of_sky
from harness.timing import shortest_seconds
from plots.scaling import draw

from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.location.locate import locate, p_value
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.numerics.mesh import Mesh
from darkmatter_features.simulation import simulate_dataset
from darkmatter_features.workers import release_workers

SPACING = MeasureConfig().grid_spacing
"""Distance between candidate centres, pixels."""

BIAS = 0.05
"""Mean e1 of the random galaxies."""

MAX_DIRECT_PAIRS = {"maps": 3e8, "locate": 1e8}
"""Maximum number of pairs of galaxies and centres for direct sums: a second or two."""

N_LOCATE_CENTRES = 200
"""Centres along a side of the field in `locate`."""

SKY_SIDE = 512
"""Side of a simulated sky, pixels."""

MIN_SKIES = 8
"""Minimum number of skies of the workers, which are compared on a quarter of them too."""

MIN_SECONDS = 1e-4
"""Minimum time in the fit of an exponent, below which the clock is too coarse."""

DIRECT = ", direct"
METHODS = ("", DIRECT)

Series = dict[str, dict[int, float]]


def galaxies(n: int, n_centres: int, rng: np.random.Generator) -> GalaxyCatalog:
    """Return n random galaxies in a field with `n_centres` candidate centres along a side."""
    side = round((n_centres - 1) * SPACING) + 1
    return random_catalog(rng, n=n, shape=(side, side), bias=BIAS)


def shape_catalog(catalog: GalaxyCatalog) -> ShapeCatalog:
    """Return the same galaxies as a shape catalogue, without their bias."""
    columns = (values.copy() for values in (catalog.x, catalog.y, catalog.e1 - BIAS, catalog.e2))
    high = float(catalog.shape[0]) - 0.5
    return ShapeCatalog("random", *columns, None, None, None, None, (-0.5, high, -0.5, high))


@contextmanager
def summed_by(method: str) -> Iterator[None]:
    """Sum directly, if that is the method, even where a mesh would be faster."""
    if method != DIRECT:
        yield
        return
    with patch.object(Mesh, "cost", lambda *args, **kwargs: np.inf):
        yield


def by_galaxies(largest: int, n_centres: int, seed: int) -> Series:
    """Return seconds of maps and of `locate` by the number of galaxies."""
    series: Series = {f"{stage}{method}": {} for stage in MAX_DIRECT_PAIRS for method in METHODS}
    for n in sizes(300, largest, 6):
        catalog = galaxies(n, n_centres, np.random.default_rng(seed))
        field, template = shape_catalog(catalog), LensTemplate.default(mean_e1=BIAS)
        for method in METHODS:
            with summed_by(method):
                if method != DIRECT or n * n_centres**2 <= MAX_DIRECT_PAIRS["maps"]:
                    series[f"maps{method}"][n] = shortest_seconds(lambda: shear_maps(catalog, template))  # noqa: B023
                if method != DIRECT or n * N_LOCATE_CENTRES**2 <= MAX_DIRECT_PAIRS["locate"]:
                    series[f"locate{method}"][n] = shortest_seconds(lambda: locate(field))  # noqa: B023
    return series


def by_centres(n: int, largest: int, seed: int) -> Series:
    """Return seconds of maps by the number of centres."""
    series: Series = {f"maps{method}": {} for method in METHODS}
    for side in sizes(64, largest, 5):
        catalog, template = galaxies(n, side, np.random.default_rng(seed)), LensTemplate.default(mean_e1=BIAS)
        for method in METHODS:
            if method != DIRECT or n * side**2 <= MAX_DIRECT_PAIRS["maps"]:
                with summed_by(method):
                    seconds = shortest_seconds(lambda: shear_maps(catalog, template))  # noqa: B023
                    series[f"maps{method}"][side**2] = seconds
    return series


def by_image(data: Path, largest: int) -> Series:
    """Return seconds of the stages by the side of the image, pixels."""
    split = Dataset.open(data).splits[0]
    n_largest = max(largest // SKY_SIDE, 1)
    skies, template = [read_sky(path) for path in split.files[: n_largest**2]], fitted_template(split)
    series: Series = {"segment": {}, "maps": {}, "evidence": {}}
    for n in range(1, n_largest + 1):
        stages = stages_of_sky(side_by_side(skies, n), template)
        for stage, seconds in series.items():
            seconds[n * SKY_SIDE] = shortest_seconds(stages[stage], repeats=3)
    return series


def side_by_side(skies: Sequence[Sky], n: int) -> Sky:
    """Return an image of n x n skies, repeated where there are fewer."""
    rows = [np.concatenate([skies[(n * i + j) % len(skies)].pixels for j in range(n)], axis=1) for i in range(n)]
    return replace(skies[0], name="tiled", pixels=np.concatenate(rows, axis=0))


def by_workers(folders: Mapping[int, Path]) -> dict[int, dict[int, float]]:
    """Return wall-clock seconds of `extract_dataset` by workers and by skies; workers are started for each run."""
    seconds: dict[int, dict[int, float]] = {}
    for n_jobs in (1, 2):
        for n_skies, data in folders.items():
            with tempfile.TemporaryDirectory() as out:
                start = time.perf_counter()
                extract_dataset(data, out, n_jobs=n_jobs)
                seconds.setdefault(n_jobs, {})[n_skies] = time.perf_counter() - start
            release_workers()
    return seconds


def speedups(workers: Mapping[int, Mapping[int, float]]) -> dict[str, float]:
    """Return the time with one worker over that with two: on all skies, and on the skies beyond the first quarter."""
    one, two = (list(workers[n].values()) for n in (1, 2))
    return {"all": one[-1] / two[-1], "further skies": (one[-1] - one[0]) / (two[-1] - two[0])}


def largest_field(n: int, n_centres: int, seed: int) -> dict[str, float]:
    """Return seconds for the largest field, and for each randomized sky of a p-value."""
    catalog = galaxies(n, n_centres, np.random.default_rng(seed))
    field, rng = shape_catalog(catalog), np.random.default_rng(seed)
    few, many = (shortest_seconds(lambda k=k: p_value(field, n_randomizations=k, rng=rng)) for k in (25, 50))
    return {
        "maps": shortest_seconds(lambda: shear_maps(catalog, LensTemplate.default(mean_e1=BIAS))),
        "locate": shortest_seconds(lambda: locate(field)),
        "randomized sky": (many - few) / 25,
    }


def sizes(smallest: int, largest: int, n: int) -> list[int]:
    """Return n integers, about even in their logs."""
    return sorted({round(size) for size in np.geomspace(min(smallest, largest), largest, n)})


def exponent(points: Mapping[int, float]) -> float:
    """Return the slope of log time over log size for the larger half of the sizes; nan for fewer than two."""
    larger = sorted(points)[-max((len(points) + 1) // 2, 3) :]
    if len(larger) < 2:
        return float("nan")
    return float(np.polyfit(np.log(larger), np.log([max(points[size], MIN_SECONDS) for size in larger]), 1)[0])


def print_series(title: str, unit: str, series: Series) -> None:
    """Print seconds by size, and exponents."""
    all_sizes = sorted({size for points in series.values() for size in points})
    rows = [
        (name, *(f"{points[size]:.3g}" if size in points else "" for size in all_sizes), f"{exponent(points):.2f}")
        for name, points in series.items()
    ]
    print(f"\n{title}: seconds by {unit}")
    print_table(("", *(f"{size:,}" for size in all_sizes), "exponent"), rows)


def compile_kernels(seed: int) -> None:
    """Run small fields by both methods, so that all kernels are compiled."""
    for n in (50, 3000):
        catalog = galaxies(n, 256, np.random.default_rng(seed))
        shear_maps(catalog, LensTemplate.default())
        locate(shape_catalog(catalog), n_randomizations=1, rng=np.random.default_rng(seed))
    lens_evidence(galaxies(50, 20, np.random.default_rng(seed)), LensTemplate.default())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=100_000, help="galaxies of a field (%(default)s)")
    parser.add_argument("--side", type=int, default=1024, help="centres along a side (%(default)s)")
    parser.add_argument("--image", type=int, default=2048, help="side of the image, pixels (%(default)s)")
    parser.add_argument("--skies", type=int, default=1200, help="skies for the workers (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.skies < MIN_SKIES:
        parser.error(
            f"--skies must be {MIN_SKIES} or more, got {args.skies}: workers are compared on a quarter of them too"
        )
    compile_kernels(args.seed)
    n_centres, n_galaxies = max(args.side // 4, 2), max(args.galaxies // 10, 10)
    seconds: dict[str, Series] = {
        "galaxies": by_galaxies(args.galaxies, n_centres, args.seed),
        "centres": by_centres(n_galaxies, args.side, args.seed),
    }
    with tempfile.TemporaryDirectory() as data:
        folders = {n: Path(data) / str(n) for n in (args.skies // 4, args.skies)}
        for n, folder in folders.items():
            simulate_dataset(folder, n_training=n - 1, n_validation=1)
        seconds["image"] = by_image(folders[args.skies], args.image)
        workers = by_workers(folders)
    largest, load = largest_field(args.galaxies, args.side, args.seed), round(os.getloadavg()[0], 1)
    print(environment())
    title = f"{n_centres} x {n_centres} centres (maps), {N_LOCATE_CENTRES} x {N_LOCATE_CENTRES} (locate)"
    print_series(title, "galaxies", seconds["galaxies"])
    print_series(f"{n_galaxies:,} galaxies", "centres", seconds["centres"])
    print_series("an image", "side, px", seconds["image"])
    by_skies = {f"{n} worker" + "s" * (n > 1): points for n, points in workers.items()}
    print_series("features, wall clock", "skies", by_skies)
    speedup = speedups(workers)
    print(
        f"two workers are {speedup['all']:.2f} times as fast as one, {speedup['further skies']:.2f} times on the skies"
    )
    print(f"beyond the first quarter; the load of the machine was {load}")
    print(
        f"{args.galaxies:,} galaxies: maps of {args.side} x {args.side} centres {largest['maps']:.1f} s, "
        f"locate {largest['locate']:.1f} s, each randomized sky {1e3 * largest['randomized sky']:.0f} ms"
    )
    draw(RESULTS / "scaling.png", seconds, {n: points[args.skies] for n, points in workers.items()}, n_skies=args.skies)
    record = {
        "n_galaxies": args.galaxies,
        "n_centres_per_side": args.side,
        "n_skies": args.skies,
        "load": load,
        "seconds": seconds,
        "exponents": {
            by: {name: exponent(points) for name, points in series.items()} for by, series in seconds.items()
        },
        "workers": workers,
        "speedups": speedup,
        "largest": largest,
    }
    print(write_record("scaling", record))


if __name__ == "__main__":
    main()
