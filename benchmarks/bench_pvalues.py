"""Uniformity of the p-values from randomized skies, in skies without a lens.

    python benchmarks/bench_pvalues.py [--skies 500 --randomizations 39 --seed 1 --jobs N --features DIR --turn]

Without --features, the skies are random: galaxies at random positions with random orientations and a bias in e1,
randomized once. With --features, they are the measured skies of the validation split that have no lens, unchanged;
galaxies that are aligned without a lens show up there as small p-values. The evidence is that of the shapes alone. Ties
of the few possible values of p are broken at random. Ellipticities are shuffled among the galaxies of a shape bin; with
--turn, each is turned by a random angle about the mean of its bin.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness.inputs import random_catalog
from harness.report import print_table, write_record
from scipy.stats import kstest

from darkmatter_features.features.cross_fitting import catalogs_of, read_catalogs
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.table import read_table
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.randomization import Randomization, peak_p_value, rotated, shuffled
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.workers import parallel

SHAPE = (512, 512)
"""Rows and columns of a random sky, pixels."""

N_GALAXIES = 180
"""Galaxies of a random sky."""

BIAS = 0.05
"""Mean e1 of a random sky."""

SCATTER = 0.2
"""Standard deviation of the ellipticity per component of a random sky."""

LEVELS = (0.05, 0.1, 0.25, 0.5)
"""p-values at which the fraction of skies is given."""


def random_sky(rng: np.random.Generator) -> GalaxyCatalog:
    """Return a sky of galaxies at random positions with random orientations."""
    return random_catalog(rng, n=N_GALAXIES, shape=SHAPE, bias=BIAS, scatter=SCATTER, max_scatter=0.8)


def measured_skies(features: Path, n_skies: int) -> list[GalaxyCatalog]:
    """Return the first skies of the validation split that have no lens."""
    rows, _ = read_table(features / "features.parquet", kind="features")
    galaxies = read_catalogs(features / "catalogs.parquet")
    chosen = rows[(rows["split"] == "validation") & (rows["label"] == 0)]["sky"].tolist()[:n_skies]
    return list(catalogs_of(galaxies[galaxies["sky"].isin(chosen)]))


def uniform_p_value(
    catalog: GalaxyCatalog,
    template: CompiledTemplate,
    n_randomizations: int,
    seed: np.random.SeedSequence,
    randomize: Randomization,
) -> float:
    """Return the p-value of a sky, less a random part of its step: uniform where only chance is at work."""
    rng = np.random.default_rng(seed)
    p = peak_p_value(catalog, template, n_randomizations=n_randomizations, rng=rng, randomize=randomize)
    return p - rng.random() / (1 + n_randomizations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=500, help="number of skies (%(default)s)")
    parser.add_argument("--randomizations", type=int, default=39, help="randomized copies of a sky (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--features", type=Path, help="folder of `darkmatter features`, for its skies without a lens")
    parser.add_argument("--turn", action="store_true", help="turn each ellipticity instead of shuffling them")
    args = parser.parse_args()
    randomize = rotated if args.turn else shuffled
    if args.features is None:
        template, rng = CompiledTemplate(LensTemplate.default(mean_e1=BIAS)), np.random.default_rng(args.seed)
        prepared = (PreparedCatalog(random_sky(rng), template) for _ in range(args.skies))
        skies = [randomize(sky, rng=rng) for sky in prepared]
    else:
        fitted = LensTemplate.read(args.features / "template.json")
        template = CompiledTemplate(replace(fitted, log_counts=np.zeros_like(fitted.log_counts)))
        skies = measured_skies(args.features, args.skies)
    seeds = np.random.SeedSequence(args.seed).spawn(len(skies))
    tasks = [(sky, template, args.randomizations, seed, randomize) for sky, seed in zip(skies, seeds, strict=True)]
    p = np.array(list(parallel(uniform_p_value, tasks, n_jobs=args.jobs)))
    ks = kstest(p, "uniform")
    fractions = {level: float((p <= level).mean()) for level in LEVELS}
    print_table(
        ("p-value up to", "fraction of skies"),
        [
            (f"{level:g}", f"{fraction:.3f} ±{np.sqrt(level * (1 - level) / p.size):.3f}")
            for level, fraction in fractions.items()
        ],
    )
    print(f"Kolmogorov-Smirnov: D = {ks.statistic:.4f} of {p.size} skies, probability {ks.pvalue:.3f}")
    record = {"n_skies": p.size, "n_randomizations": args.randomizations, "ks_statistic": float(ks.statistic)}
    record |= {"ks_probability": float(ks.pvalue), "fractions": {f"{k:g}": value for k, value in fractions.items()}}
    name = "pvalues" + ("" if args.features is None else "-measured") + ("-turned" if args.turn else "")
    print(write_record(name, record))


if __name__ == "__main__":
    main()
