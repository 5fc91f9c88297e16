"""`locate` on the skies of "Observing Dark Worlds": distances from the halo, and detection.

    python benchmarks/bench_darkworlds.py [--data ../shared/dark-worlds --randomizations 8 --seed 1 --jobs N]

DATA holds `skies/Training_Sky<N>.csv` and `Training_halos.csv` of that contest (Harvey et al. 2014). Distances are
those of the skies with one halo, in pixels of a field of side 4200. For detection, each sky is compared with copies of
it whose orientations are randomized: by its log Bayes factor, and by the excess of that over the log Bayes factors of
200 more copies, which serve for the sky and for its compared copies, since all have the same distribution. Beside
`locate` there are two simple maps, judged by their highest S/N, and two oracles. The first has the positions of all
halos, and fits their amplitudes. The second has the amplitudes (fitted to the same sky) and the positions relative to
each other, but not the position in the field: its likelihood ratio is about the most that any method without these can
reach (Neyman & Pearson 1933). Errors are bootstrap errors over skies.

References
----------
Harvey et al. 2014, Astronomy and Computing 5, 35, arXiv:1311.0704
Neyman & Pearson 1933, Phil. Trans. R. Soc. A 231, 289, doi:10.1098/rsta.1933.0009
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from harness.report import RESULTS, print_table, write_record
from plots.darkworlds import draw
from plots.style import BLUE, ORANGE
from scipy.special import logsumexp

from darkmatter_features.io.catalogs import ShapeCatalog, read_catalog
from darkmatter_features.location.field import field_of
from darkmatter_features.location.locate import locate, log_bayes_factor
from darkmatter_features.location.profiles import default_profiles
from darkmatter_features.location.significance import bayes_factor_excess, randomized_log_bayes_factors
from darkmatter_features.workers import parallel

DATA = Path(__file__).parents[2] / "shared" / "dark-worlds"
FIELD_SIDE = 4200.0
"""Side of a field, pixels."""

CORE_RADIUS = 240.0
"""Radius within which the simple filter is constant, pixels."""

MAP_SCALE = 400.0
"""Standard deviation of the window of the simple map, pixels."""

N_CELLS = 60
"""Centres along a side of the field for detection."""

N_FINE_CELLS = 150
"""Centres along a side of the field for positions."""

N_EXCESS_COPIES = 200
"""Randomized copies that the excess is relative to."""

N_RESAMPLES = 1000
"""Number of bootstrap resamples."""

LOCATE = "locate"
EXCESS = "locate, Bayes-factor excess"
FILTER = "1/max(r, 240) filter"
GAUSS = "Gaussian map, 400 px"
POSITIONS_ORACLE = "oracle: positions known"
SEARCH_ORACLE = "oracle: all but the position known"
COLORS = {LOCATE: BLUE, EXCESS: BLUE, FILTER: "0.45", GAUSS: "0.7", POSITIONS_ORACLE: ORANGE, SEARCH_ORACLE: ORANGE}
PROFILES: dict[str, Callable[[Any], Any]] = {
    FILTER: lambda r: 1.0 / np.maximum(r, CORE_RADIUS),
    GAUSS: lambda r: np.exp(-0.5 * (r / MAP_SCALE) ** 2),
}
"""Shear profiles of the simple maps, by radius in pixels."""


def published_skies(data: Path) -> dict[str, tuple[Path, np.ndarray]]:
    """Return the catalogue and the positions of the halos of each sky that is in a folder; print a line without any."""
    table = data / "Training_halos.csv"
    if not table.exists():
        print(f"skipped: {table} not found; download the contest's training data, and give their folder as --data")
        return {}
    halos = read_halos(table)
    files = {name: data / "skies" / f"Training_{name}.csv" for name in halos}
    return {name: (path, halos[name]) for name, path in files.items() if path.exists()}


def read_halos(path: Path) -> dict[str, np.ndarray]:
    """Return the positions (n, 2) of the halos of each sky, pixels."""
    with path.open(newline="") as file:
        return {
            row["SkyId"]: np.array(
                [[float(row[f"halo_{axis}{k + 1}"]) for axis in "xy"] for k in range(int(row["numberHalos"]))]
            )
            for row in csv.DictReader(file)
        }


def randomized(catalog: ShapeCatalog, rng: np.random.Generator) -> ShapeCatalog:
    """Return the catalogue with each galaxy turned by a random angle."""
    e = (catalog.e1 + 1j * catalog.e2) * np.exp(2j * np.pi * rng.random(len(catalog)))
    return replace(catalog, e1=e.real.copy(), e2=e.imag.copy())


def patterns(catalog: ShapeCatalog, positions: np.ndarray, profile: Callable[[Any], Any]) -> np.ndarray:
    """Return the shear e1 + i e2 of the galaxies for a lens of a profile at each position, (n_positions, n)."""
    z = (catalog.x + 1j * catalog.y)[None, :] - (positions[:, 0] + 1j * positions[:, 1])[:, None]
    return -profile(np.abs(z)) * np.exp(2j * np.angle(z))


def snr(catalog: ShapeCatalog, positions: np.ndarray, profile: Callable[[Any], Any], skies: np.ndarray) -> np.ndarray:
    """Return the S/N (n_positions, m) of the tangential shear of skies (n, m) of ellipticities."""
    pattern = patterns(catalog, positions, profile)
    sigma = np.sqrt((np.abs(skies) ** 2).mean(axis=0) / 2)
    return (pattern.conj() @ skies).real / np.sqrt((np.abs(pattern) ** 2).sum(axis=1))[:, None] / sigma


def fit_amplitudes(catalog: ShapeCatalog, halos: np.ndarray, skies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best-fit amplitudes (n_halos, m) and their shears, e1 and then e2, (2 n, m)."""
    shears = patterns(catalog, halos, PROFILES[FILTER])
    design = np.concatenate([shears.real, shears.imag], axis=1).T
    amplitudes = np.linalg.lstsq(design, np.concatenate([skies.real, skies.imag]), rcond=None)[0]
    return amplitudes, design @ amplitudes


def positions_oracle(catalog: ShapeCatalog, halos: np.ndarray, skies: np.ndarray) -> np.ndarray:
    """Return the gain (m,) in chi square of a fit of all amplitudes at the true positions, signed as the first one."""
    amplitudes, shears = fit_amplitudes(catalog, halos, skies)
    return np.sign(amplitudes[0]) * (shears**2).sum(axis=0) / (0.5 * (np.abs(skies) ** 2).mean(axis=0))


def search_oracle(catalog: ShapeCatalog, halos: np.ndarray, skies: np.ndarray) -> np.ndarray:
    """Return the log Bayes factor (m,), up to a constant, of the halos of the first sky moved anywhere in the field."""
    amplitudes = np.maximum(fit_amplitudes(catalog, halos, skies[:, :1])[0][:, 0], 0.0)
    centres = cells(N_CELLS)
    shears = sum(
        amplitude * patterns(catalog, centres + (halo - halos[0]), PROFILES[FILTER])
        for amplitude, halo in zip(amplitudes, halos, strict=True)
    )
    variance = (np.abs(skies) ** 2).mean(axis=0) / 2
    squares = (np.abs(shears) ** 2).sum(axis=1)[:, None]
    return logsumexp(((shears.conj() @ skies).real - 0.5 * squares) / variance, axis=0)


def excesses(catalog: ShapeCatalog, log_bayes_factors: list[float], rng: np.random.Generator) -> list[float]:
    """Return the excess of log Bayes factors over those of randomized copies of a catalogue."""
    field = field_of(catalog, subtract_mean=False)
    _, copies = randomized_log_bayes_factors(field, default_profiles(), n_randomizations=N_EXCESS_COPIES, rng=rng)
    return [bayes_factor_excess(each, copies) for each in log_bayes_factors]


def cells(n: int) -> np.ndarray:
    """Return the centres (n * n, 2) of the cells of a field, pixels."""
    centres = (np.arange(n) + 0.5) * FIELD_SIDE / n
    return np.stack([axis.ravel() for axis in np.meshgrid(centres, centres)], axis=1)


def measure(path: Path, halos: np.ndarray, n_randomizations: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Return distances from the halo (pixels), and the statistics of the sky and of its copies, by method."""
    catalog, rng = read_catalog(path), np.random.default_rng(seed)
    copies = [catalog, *(randomized(catalog, rng) for _ in range(n_randomizations))]
    skies = np.stack([copy.e1 + 1j * copy.e2 for copy in copies], axis=1)
    log_bayes_factors = [log_bayes_factor(copy) for copy in copies]
    statistic = {
        LOCATE: log_bayes_factors,
        EXCESS: excesses(catalog, log_bayes_factors, rng),
        **{name: snr(catalog, cells(N_CELLS), profile, skies).max(axis=0) for name, profile in PROFILES.items()},
        POSITIONS_ORACLE: positions_oracle(catalog, halos, skies),
        SEARCH_ORACLE: search_oracle(catalog, halos, skies),
    }
    record: dict[str, Any] = {"n_halos": len(halos), "statistic": statistic, "distance": {}}
    if len(halos) == 1:
        found = locate(catalog)
        record["error"] = found.position_error
        positions = {LOCATE: np.array([found.x, found.y])}
        centres = cells(N_FINE_CELLS)
        for name, profile in PROFILES.items():
            positions[name] = centres[snr(catalog, centres, profile, skies[:, :1]).argmax()]
        record["distance"] = {name: float(np.hypot(*(halos[0] - at))) for name, at in positions.items()}
    return record


def detection(statistic: np.ndarray) -> tuple[float, float]:
    """Return AUC and recall at 1 % false alarms of statistics (n_skies, 1 + n_randomizations)."""
    real, null = statistic[:, 0], np.sort(statistic[:, 1:].ravel())
    n_below = 0.5 * (np.searchsorted(null, real) + np.searchsorted(null, real, side="right"))
    return float(n_below.mean() / null.size), float((real > np.quantile(null, 0.99)).mean())


def bootstrap_error(function: Callable[[np.ndarray], Any], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the standard errors of a function of the rows of `values`."""
    drawn = [function(values[rng.integers(0, len(values), len(values))]) for _ in range(N_RESAMPLES)]
    return np.std(drawn, axis=0)


def summary(skies: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the metrics of each method with their errors."""
    rng, methods = np.random.default_rng(0), {}
    for name in (LOCATE, EXCESS, FILTER, GAUSS, POSITIONS_ORACLE, SEARCH_ORACLE):
        statistic = statistics_of(skies, name)
        figures = dict(zip(("auc", "recall"), detection(statistic)))
        figures |= dict(zip(("auc_error", "recall_error"), bootstrap_error(detection, statistic, rng).tolist()))
        distance = np.array(distances_of(skies, name))
        if distance.size:
            figures |= {"mean": float(distance.mean()), "median": float(np.median(distance))}
            figures["mean_error"] = float(bootstrap_error(np.mean, distance, rng))
            figures["median_error"] = float(bootstrap_error(np.median, distance, rng))
        methods[name] = figures
    return methods


def statistics_of(skies: list[dict[str, Any]], name: str) -> np.ndarray:
    """Return the statistics (n_skies, 1 + n_randomizations) of a method."""
    return np.array([sky["statistic"][name] for sky in skies])


def distances_of(skies: list[dict[str, Any]], name: str) -> list[float]:
    """Return the distances of a method from the halos of the skies that have one, pixels."""
    return [sky["distance"][name] for sky in skies if name in sky["distance"]]


def print_methods(methods: dict[str, dict[str, float]]) -> None:
    """Print the metrics of each method."""

    def cell(figures: dict[str, float], key: str, decimals: int) -> str:
        return f"{figures[key]:.{decimals}f} ±{figures[f'{key}_error']:.{decimals}f}" if key in figures else ""

    columns = (("mean", 1), ("median", 1), ("auc", 3), ("recall", 3))
    print_table(
        ("method", "mean, px", "median, px", "AUC", "recall at 1 %"),
        [(name, *(cell(figures, *column) for column in columns)) for name, figures in methods.items()],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the contest's training data")
    parser.add_argument("--randomizations", type=int, default=8, help="randomized copies of a sky (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    skies = published_skies(args.data)
    if not skies:
        return
    halos = {name: positions for name, (_, positions) in skies.items()}
    files = {name: path for name, (path, _) in skies.items()}
    present = list(skies)
    seeds = np.random.SeedSequence(args.seed).spawn(len(present))
    tasks = [(files[name], halos[name], args.randomizations, seed) for name, seed in zip(present, seeds)]
    skies = list(parallel(measure, tasks, n_jobs=args.jobs))
    methods = summary(skies)
    print_methods(methods)
    single = [sky for sky in skies if sky["n_halos"] == 1]
    within = float(np.mean([sky["distance"][LOCATE] < sky["error"] for sky in single]))
    print(f"{len(skies)} skies, {len(single)} with one halo; {within:.0%} of these lie within the position error")
    draw(
        RESULTS / "darkworlds.png",
        {name: distances_of(skies, name) for name in methods},
        {name: statistics_of(skies, name) for name in methods},
        COLORS,
        bold=(LOCATE, EXCESS),
        dashed=(EXCESS, SEARCH_ORACLE),
        field_side=FIELD_SIDE,
    )
    record = {
        "n_skies": len(skies),
        "n_single": len(single),
        "n_randomizations": args.randomizations,
        "within_error": within,
        "methods": methods,
    }
    print(write_record("darkworlds", record))


if __name__ == "__main__":
    main()
