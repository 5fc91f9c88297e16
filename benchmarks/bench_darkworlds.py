"""`locate` on the skies of "Observing Dark Worlds": how near it comes to the halo, how surely it tells lens from none.

    python benchmarks/bench_darkworlds.py [--data ../shared/dark-worlds --randomizations 8 --seed 1 --jobs N]

DATA holds `skies/Training_Sky<N>.csv` and `Training_halos.csv` of that contest (Harvey et al. 2014). Distances are
those of the skies with one halo, in pixels of a field of 4200. For detection every sky stands against copies of it
whose orientations are randomized: by its log odds, and by their excess over those of 200 more copies. These serve for
the sky and the copies it stands against alike, for all have the same chances. Beside `locate` stand two simple maps,
their highest S/N, and two oracles. One is told where all halos are, and fits their strengths. The other is told how
strong they are (by a fit to that very sky) and how they lie to each other, but not where: its likelihood ratio is about
the most that who is told nothing can hope for (Neyman & Pearson 1933). Errors are those of a bootstrap over skies.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from helpers import RESULTS, print_table, write_result
from scipy.special import logsumexp

from classify.plots.performance import LINE, SECOND
from classify.plots.samples import INK, blank_figure, save_figure
from darkmatter_features.io.catalogs import ShapeCatalog, read_catalog
from darkmatter_features.location.field import field_of
from darkmatter_features.location.locate import locate, log_odds
from darkmatter_features.location.profiles import default_profiles
from darkmatter_features.location.significance import bayes_factor_excess, randomized_log_bayes_factors
from darkmatter_features.workers import parallel

DATA = Path(__file__).parents[2] / "shared" / "dark-worlds"
FIELD, CORE, WIDTH = 4200.0, 240.0, 400.0
N_CELLS = 60
N_MORE = 200
OURS, EXCESS = "locate", "locate, above randomized skies"
FILTER, GAUSS = "1/max(r, 240) filter", "Gaussian map, 400 px"
ORACLE, PLACELESS = "oracle: places known", "oracle: all but the place known"
SIMPLE: dict[str, Callable[[Any], Any]] = {
    FILTER: lambda r: 1.0 / np.maximum(r, CORE),
    GAUSS: lambda r: np.exp(-0.5 * (r / WIDTH) ** 2),
}
N_BOOTSTRAPS = 1000


def read_halos(path: Path) -> dict[str, np.ndarray]:
    """Places (n, 2) of the halos of each sky."""
    with path.open(newline="") as file:
        return {
            row["SkyId"]: np.array(
                [[float(row[f"halo_{axis}{k + 1}"]) for axis in "xy"] for k in range(int(row["numberHalos"]))]
            )
            for row in csv.DictReader(file)
        }


def scrambled(catalog: ShapeCatalog, rng: np.random.Generator) -> ShapeCatalog:
    """The catalogue with each galaxy turned at random."""
    e = (catalog.e1 + 1j * catalog.e2) * np.exp(2j * np.pi * rng.random(len(catalog)))
    return replace(catalog, e1=e.real.copy(), e2=e.imag.copy())


def patterns(catalog: ShapeCatalog, places: np.ndarray, weight: Callable[[Any], Any]) -> np.ndarray:
    """The ellipticities (n_places, n) that a lens of that profile at each place would make, e1 + i e2."""
    z = (catalog.x + 1j * catalog.y)[None, :] - (places[:, 0] + 1j * places[:, 1])[:, None]
    return -weight(np.abs(z)) * np.exp(2j * np.angle(z))


def snr(catalog: ShapeCatalog, places: np.ndarray, weight: Callable[[Any], Any], skies: np.ndarray) -> np.ndarray:
    """S/N (n_places, m) of the tangential shear of skies (n, m) of ellipticities."""
    pattern = patterns(catalog, places, weight)
    sigma = np.sqrt((np.abs(skies) ** 2).mean(axis=0) / 2)
    return (pattern.conj() @ skies).real / np.sqrt((np.abs(pattern) ** 2).sum(axis=1))[:, None] / sigma


def amplitudes(catalog: ShapeCatalog, halos: np.ndarray, skies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Strengths (n_halos, m) that fit best, and what they make of the ellipticities, e1 and then e2, (2 n, m)."""
    made = patterns(catalog, halos, SIMPLE[FILTER])
    design = np.concatenate([made.real, made.imag], axis=1).T
    fitted = np.linalg.lstsq(design, np.concatenate([skies.real, skies.imag]), rcond=None)[0]
    return fitted, design @ fitted


def oracle(catalog: ShapeCatalog, halos: np.ndarray, skies: np.ndarray) -> np.ndarray:
    """How much a fit of all strengths at the true places betters chi square, (m,); negative where mass would be."""
    fitted, made = amplitudes(catalog, halos, skies)
    return np.sign(fitted[0]) * (made**2).sum(axis=0) / (0.5 * (np.abs(skies) ** 2).mean(axis=0))


def placeless(catalog: ShapeCatalog, halos: np.ndarray, skies: np.ndarray) -> np.ndarray:
    """Log odds (m,) of halos as strong as in the first sky, lying to each other as there, but anywhere in the field."""
    fitted = np.maximum(amplitudes(catalog, halos, skies[:, :1])[0][:, 0], 0.0)
    places = cells(N_CELLS)
    made = sum(
        amplitude_factor * patterns(catalog, places + (halo - halos[0]), SIMPLE[FILTER])
        for amplitude_factor, halo in zip(fitted, halos, strict=True)
    )
    variance = (np.abs(skies) ** 2).mean(axis=0) / 2
    square = (np.abs(made) ** 2).sum(axis=1)[:, None]
    return logsumexp(((made.conj() @ skies).real - 0.5 * square) / variance, axis=0)


def excesses(catalog: ShapeCatalog, odds: list[float], rng: np.random.Generator) -> list[float]:
    """Of log odds of the sky and its randomized copies."""
    field = field_of(catalog, subtract_mean=False)
    _, scrambled_skies = randomized_log_bayes_factors(field, default_profiles(), n_randomizations=N_MORE, rng=rng)
    return [bayes_factor_excess(each, scrambled_skies) for each in odds]


def cells(n: int) -> np.ndarray:
    centres = (np.arange(n) + 0.5) * FIELD / n
    return np.stack([axis.ravel() for axis in np.meshgrid(centres, centres)], axis=1)


def judge(path: Path, halos: np.ndarray, n_randomizations: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Distances from the halo, and by method the statistic of the sky followed by those of its randomized copies."""
    catalog, rng = read_catalog(path), np.random.default_rng(seed)
    copies = [catalog, *(scrambled(catalog, rng) for _ in range(n_randomizations))]
    skies = np.stack([copy.e1 + 1j * copy.e2 for copy in copies], axis=1)
    told: dict[str, Any] = {"n_halos": len(halos), "statistic": {}, "distance": {}}
    told["statistic"][OURS] = [log_odds(copy) for copy in copies]
    told["statistic"][EXCESS] = excesses(catalog, told["statistic"][OURS], rng)
    told["statistic"][ORACLE] = oracle(catalog, halos, skies).tolist()
    told["statistic"][PLACELESS] = placeless(catalog, halos, skies).tolist()
    if len(halos) == 1:
        found = locate(catalog)
        told["distance"][OURS] = float(np.hypot(*(halos[0] - (found.x, found.y))))
        told["error"] = found.position_error
    for name, weight in SIMPLE.items():
        told["statistic"][name] = snr(catalog, cells(N_CELLS), weight, skies).max(axis=0).tolist()
        if len(halos) == 1:
            fine = cells(150)
            at = fine[snr(catalog, fine, weight, skies[:, :1]).argmax()]
            told["distance"][name] = float(np.hypot(*(halos[0] - at)))
    return told


def detection(statistic: np.ndarray) -> tuple[float, float]:
    """AUC and recall at 1 % false alarms of (n_skies, 1 + n_randomizations)."""
    real, null = statistic[:, 0], np.sort(statistic[:, 1:].ravel())
    below = 0.5 * (np.searchsorted(null, real) + np.searchsorted(null, real, side="right"))
    return float(below.mean() / null.size), float((real > np.quantile(null, 0.99)).mean())


def bootstrap(function: Callable[[np.ndarray], Any], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Standard errors of what a function makes of the rows of `values`."""
    drawn = [function(values[rng.integers(0, len(values), len(values))]) for _ in range(N_BOOTSTRAPS)]
    return np.std(drawn, axis=0)


def summarised(judged: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Figures of each method with their errors."""
    rng, methods = np.random.default_rng(0), {}
    for name in (OURS, EXCESS, FILTER, GAUSS, ORACLE, PLACELESS):
        statistic = np.array([sky["statistic"][name] for sky in judged])
        figures = dict(zip(("auc", "recall"), detection(statistic)))
        figures |= dict(zip(("auc_error", "recall_error"), bootstrap(detection, statistic, rng).tolist()))
        distance = np.array([sky["distance"][name] for sky in judged if name in sky["distance"]])
        if distance.size:
            figures |= {"mean": float(distance.mean()), "median": float(np.median(distance))}
            figures["mean_error"] = float(bootstrap(np.mean, distance, rng))
            figures["median_error"] = float(bootstrap(np.median, distance, rng))
        methods[name] = figures
    return methods


def draw(path: Path, judged: list[dict[str, Any]], methods: dict[str, dict[str, float]]) -> None:
    """Draw the shares of skies located within a distance, and detected at a rate of false alarms."""
    figure = blank_figure(9.4, 3.7)
    left, right = figure.subplots(1, 2, gridspec_kw={"left": 0.07, "right": 0.98, "bottom": 0.15, "top": 0.9})
    colors = {OURS: LINE, EXCESS: LINE, FILTER: "0.45", GAUSS: "0.7", ORACLE: SECOND, PLACELESS: SECOND}
    for name in methods:
        distance = np.sort([sky["distance"][name] for sky in judged if name in sky["distance"]])
        style: dict[str, Any] = {"color": colors[name], "linewidth": 2.2 if name in (OURS, EXCESS) else 1.5}
        style["linestyle"] = "--" if name in (EXCESS, PLACELESS) else "-"
        if distance.size:
            left.plot(distance, (np.arange(distance.size) + 1) / distance.size, drawstyle="steps-post", **style)
        statistic = np.array([sky["statistic"][name] for sky in judged])
        null = np.sort(statistic[:, 1:].ravel())[::-1]
        rate = (np.arange(null.size) + 1) / null.size
        right.plot(rate, [(statistic[:, 0] > level).mean() for level in null], label=name, **style)
    left.set(xscale="log", xlim=(5, FIELD), ylim=(0, 1), xlabel="distance from the halo, px")
    left.set_title("share of single-halo skies within", fontsize=10, weight="bold", color=INK, loc="left")
    right.set(xscale="log", xlim=(1e-3, 1), ylim=(0.5, 1), xlabel="false alarms in randomized skies")
    right.set_title("share of skies detected", fontsize=10, weight="bold", color=INK, loc="left")
    right.axvline(0.01, color="0.8", linewidth=0.9, linestyle="--", zorder=0)
    right.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="lower right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8.5, colors=INK)
    save_figure(path, figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--randomizations", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    table = args.data / "Training_halos.csv"
    if not table.exists():
        print(f"skipped: no {table}; get the contest's training data, and give their folder as --data")
        return
    halos = read_halos(table)
    skies = {name: args.data / "skies" / f"Training_{name}.csv" for name in halos}
    there = [name for name, path in skies.items() if path.exists()]
    seeds = np.random.SeedSequence(args.seed).spawn(len(there))
    tasks = [(skies[name], halos[name], args.scrambles, seed) for name, seed in zip(there, seeds)]
    judged = list(parallel(judge, tasks, n_jobs=args.jobs))
    methods = summarised(judged)
    print_table(
        ("method", "mean, px", "median, px", "AUC", "recall at 1 %"),
        [
            (
                name,
                *(
                    f"{told[key]:.1f} +- {told[f'{key}_error']:.1f}" if key in told else ""
                    for key in ("mean", "median")
                ),
                *(f"{told[key]:.3f} +- {told[f'{key}_error']:.3f}" for key in ("auc", "recall")),
            )
            for name, told in methods.items()
        ],
    )
    single = [sky for sky in judged if sky["n_halos"] == 1]
    within = float(np.mean([sky["distance"][OURS] < sky["error"] for sky in single]))
    print(f"{len(judged)} skies, {len(single)} with one halo; {within:.0%} of those within the error that is told")
    draw(RESULTS / "darkworlds.png", judged, methods)
    counts = {
        "n_skies": len(judged),
        "n_single": len(single),
        "n_randomizations": args.scrambles,
        "within_error": within,
    }
    print(write_result("darkworlds", {**counts, "methods": methods}))


if __name__ == "__main__":
    main()
