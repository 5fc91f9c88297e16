"""How cost grows: with galaxies, with candidate centres, with the size of a picture, with workers.

    python benchmarks/bench_scaling.py [--galaxies 100000 --side 1024 --picture 2048 --skies 1200 --seed 1]

Seconds of one core, compiled before; of workers, seconds by the clock. Beside the cost as it is stands that of summing
galaxy by galaxy whatever the field is (direct), as far as a second or two go. Exponents are those of the larger half of
the sizes, three or more. Pictures are simulated skies of 512 px, laid side by side. The options are the largest sizes.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from helpers import RESULTS, environment, fitted, print_table, write_result
from joblib.externals.loky import get_reusable_executor
from plots.scaling import draw

from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.galaxies.shapes import GalaxyCatalog, measure_shapes
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.location import profile_sums
from darkmatter_features.location.locate import locate, p_value
from darkmatter_features.maps import shear
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.numerics.mesh import MIN_SPEEDUP
from darkmatter_features.simulation import simulate_dataset

SPACING = MeasureConfig().grid_spacing
SCATTER, BIAS = 0.22, 0.05
MOST_PAIRS = {"maps": 3e8, "locate": 1e8}  # of galaxies and centres, direct: a second or two
SKY = 512
DIRECT = ", direct"

Series = dict[str, dict[int, float]]


def galaxies(n: int, n_centres: int, rng: np.random.Generator) -> GalaxyCatalog:
    """Galaxies of random places and orientations, in a field of that many centres a side."""
    side = round((n_centres - 1) * SPACING) + 1
    e = BIAS + np.minimum(SCATTER * rng.rayleigh(size=n), 0.9) * np.exp(2j * np.pi * rng.random(n))
    x, y = rng.uniform(-0.5, side - 0.5, (2, n))
    ones = np.ones(n)
    return GalaxyCatalog(
        "drawn", (side, side), x, y, e.real.copy(), e.imag.copy(), 0.5 * np.angle(e),
        2 * ones, ones.copy(), ones.copy(), 50 * ones, np.full(n, 40, dtype=np.int32), np.zeros(n, dtype=np.uint8),
    )  # fmt: skip


def shapes(catalog: GalaxyCatalog) -> ShapeCatalog:
    """The same as a shape catalogue, without its bias."""
    columns = (values.copy() for values in (catalog.x, catalog.y, catalog.e1 - BIAS, catalog.e2))
    high = float(catalog.shape[0]) - 0.5
    return ShapeCatalog("drawn", *columns, None, None, None, None, (-0.5, high, -0.5, high))


@contextmanager
def summed(how: str) -> Iterator[None]:
    """Sum galaxy by galaxy even where a mesh is cheaper, if `how` is direct."""
    gain = np.inf if how == DIRECT else MIN_SPEEDUP
    with patch.object(shear, "MIN_SPEEDUP", gain), patch.object(profile_sums, "MIN_SPEEDUP", gain):
        yield


def seconds(work: Callable[[], Any], *, repeats: int = 1) -> float:
    """The shortest time of this process."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def by_galaxies(largest: int, n_centres: int, seed: int) -> Series:
    """Seconds of maps and of `locate` by the number of galaxies."""
    series: Series = {f"{what}{how}": {} for what in MOST_PAIRS for how in ("", DIRECT)}
    for n in sizes(300, largest, 6):
        catalog = galaxies(n, n_centres, np.random.default_rng(seed))
        field, template = shapes(catalog), LensTemplate.default(mean_e1=BIAS)
        for how in ("", DIRECT):
            with summed(how):
                if how != DIRECT or n * n_centres**2 <= MOST_PAIRS["maps"]:
                    series[f"maps{how}"][n] = seconds(lambda: shear_maps(catalog, template))  # noqa: B023
                if how != DIRECT or n * 200**2 <= MOST_PAIRS["locate"]:
                    series[f"locate{how}"][n] = seconds(lambda: locate(field))  # noqa: B023
    return series


def by_centres(n: int, largest: int, seed: int) -> Series:
    """Seconds of maps by the number of centres."""
    series: Series = {f"maps{how}": {} for how in ("", DIRECT)}
    for side in sizes(64, largest, 5):
        catalog, template = galaxies(n, side, np.random.default_rng(seed)), LensTemplate.default(mean_e1=BIAS)
        for how in ("", DIRECT):
            if how != DIRECT or n * side**2 <= MOST_PAIRS["maps"]:
                with summed(how):
                    series[f"maps{how}"][side**2] = seconds(lambda: shear_maps(catalog, template))  # noqa: B023
    return series


def by_picture(data: Path, largest: int) -> Series:
    """Seconds of the stages by the side of the picture, as the pipeline takes them."""
    split = Dataset.open(data).splits[0]
    most = max(largest // SKY, 1)
    skies, template = [read_sky(path) for path in split.files[: most**2]], fitted(split)
    series: Series = {"segment": {}, "maps": {}, "evidence": {}}
    for n in range(1, most + 1):
        sky = side_by_side(skies, n)
        segments = segment(sky)
        catalog = measure_shapes(segments)
        work = {
            "segment": lambda: segment(sky),  # noqa: B023
            "maps": lambda: shear_maps(catalog, template),  # noqa: B023
            "evidence": lambda: lens_evidence(catalog, template),  # noqa: B023
        }
        for stage, run in work.items():
            series[stage][n * SKY] = seconds(run, repeats=3)
    return series


def side_by_side(skies: Sequence[Sky], n: int) -> Sky:
    """A picture of n x n skies, some of them more than once if there are not so many."""
    rows = [np.concatenate([skies[(n * i + j) % len(skies)].pixels for j in range(n)], axis=1) for i in range(n)]
    return replace(skies[0], name="tiled", pixels=np.concatenate(rows, axis=0))


def by_workers(folders: Mapping[int, Path]) -> dict[int, dict[int, float]]:
    """Seconds by the clock of the whole feature stage, by workers and by skies; workers are started each time."""
    told: dict[int, dict[int, float]] = {}
    for n_jobs in (1, 2):
        for n_skies, data in folders.items():
            with tempfile.TemporaryDirectory() as out:
                start = time.perf_counter()
                extract_dataset(data, out, n_jobs=n_jobs)
                told.setdefault(n_jobs, {})[n_skies] = time.perf_counter() - start
            get_reusable_executor().shutdown()
    return told


def gains(workers: Mapping[int, Mapping[int, float]]) -> dict[str, float]:
    """How many times faster two workers are than one: on all skies, and on those beyond the fewer."""
    one, two = (list(workers[n].values()) for n in (1, 2))
    return {"all": one[-1] / two[-1], "further skies": (one[-1] - one[0]) / (two[-1] - two[0])}


def whole(n: int, n_centres: int, seed: int) -> dict[str, float]:
    """Seconds for the largest field, the way it is taken, and of each randomized sky of a p-value."""
    catalog = galaxies(n, n_centres, np.random.default_rng(seed))
    field, rng = shapes(catalog), np.random.default_rng(seed)
    few, many = (seconds(lambda k=k: p_value(field, n_randomizations=k, rng=rng)) for k in (25, 50))
    return {
        "maps": seconds(lambda: shear_maps(catalog, LensTemplate.default(mean_e1=BIAS))),
        "locate": seconds(lambda: locate(field)),
        "randomized sky": (many - few) / 25,
    }


def sizes(smallest: int, largest: int, n: int) -> list[int]:
    """Whole numbers, about even in their logs."""
    return sorted({round(size) for size in np.geomspace(min(smallest, largest), largest, n)})


def exponent(points: Mapping[int, float]) -> float:
    """Slope of the logs over the larger half of the sizes; nan of fewer than two."""
    larger = sorted(points)[-max((len(points) + 1) // 2, 3) :]
    if len(larger) < 2:
        return float("nan")
    return float(np.polyfit(np.log(larger), np.log([max(points[size], 1e-4) for size in larger]), 1)[0])


def table(title: str, unit: str, series: Series) -> None:
    """Print seconds by size, and exponents."""
    every = sorted({size for points in series.values() for size in points})
    rows = [
        (name, *(f"{points[size]:.3g}" if size in points else "" for size in every), f"{exponent(points):.2f}")
        for name, points in series.items()
    ]
    print(f"\n{title}: seconds by {unit}")
    print_table(("", *(f"{size:,}" for size in every), "exponent"), rows)


def compiled(seed: int) -> None:
    """Run all once, small, each way."""
    for n in (50, 3000):
        catalog = galaxies(n, 256, np.random.default_rng(seed))
        shear_maps(catalog, LensTemplate.default())
        locate(shapes(catalog), n_randomizations=1, rng=np.random.default_rng(seed))
    lens_evidence(galaxies(50, 20, np.random.default_rng(seed)), LensTemplate.default())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=1024, help="centres to a side")
    parser.add_argument("--picture", type=int, default=2048, help="side of the picture, pixels")
    parser.add_argument("--skies", type=int, default=1200, help="skies for the workers")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.skies < 8:
        parser.error(f"--skies must be 8 or more, got {args.skies}: workers are compared on a quarter of them, too")
    compiled(args.seed)
    middle = max(args.side // 4, 2)
    told: dict[str, Series] = {
        "galaxies": by_galaxies(args.galaxies, middle, args.seed),
        "centres": by_centres(max(args.galaxies // 10, 10), args.side, args.seed),
    }
    with tempfile.TemporaryDirectory() as data:
        folders = {n: Path(data) / str(n) for n in (args.skies // 4, args.skies)}
        for n, folder in folders.items():
            simulate_dataset(folder, n_training=n - 1, n_validation=1)
        told["picture"] = by_picture(folders[args.skies], args.picture)
        workers = by_workers(folders)
    largest = whole(args.galaxies, args.side, args.seed)
    print(environment())
    table(f"{middle} x {middle} centres (maps), 200 x 200 (locate)", "galaxies", told["galaxies"])
    table(f"{max(args.galaxies // 10, 10):,} galaxies", "centres", told["centres"])
    table("a picture", "side, px", told["picture"])
    load = round(os.getloadavg()[0], 1)
    table("features, by the clock", "skies", {f"{n} worker" + "s" * (n > 1): points for n, points in workers.items()})
    faster = gains(workers)
    print(f"two workers are {faster['all']:.2f} times as fast as one, {faster['further skies']:.2f} times on the skies")
    print(f"beyond the fewer; the machine's load was {load}")
    print(
        f"{args.galaxies:,} galaxies: maps of {args.side} x {args.side} centres {largest['maps']:.1f} s, "
        f"locate {largest['locate']:.1f} s, each randomized sky {1e3 * largest['randomized sky']:.0f} ms"
    )
    draw(RESULTS / "scaling.png", told, {n: points[args.skies] for n, points in workers.items()}, n_skies=args.skies)
    exponents = {by: {name: exponent(points) for name, points in series.items()} for by, series in told.items()}
    sized = {"n_galaxies": args.galaxies, "n_centres_a_side": args.side, "n_skies": args.skies, "load": load}
    print(
        write_result(
            "scaling",
            {**sized, "seconds": told, "exponents": exponents, "workers": workers, "gains": faster, "largest": largest},
        )
    )


if __name__ == "__main__":
    main()
