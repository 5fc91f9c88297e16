"""Whether p-values from randomized skies are those of chance: even between 0 and 1 in skies without a lens.

    python benchmarks/bench_pvalues.py [--skies 500 --randomizations 39 --seed 1 --jobs N --features DIR --turn]

The skies are drawn, randomly placed and oriented galaxies with a bias in e1, and then randomized once; with --features,
the measured skies of the validation split that have no lens, as they are: what is not chance in them shows. The
evidence is that of shapes alone. Ties of the few possible values of p are broken at random. Ellipticities are shuffled
among the galaxies of a kind; with --turn, each is turned about its mean.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from helpers import print_table, write_result
from scipy.stats import kstest

from darkmatter_features.features.cross_fitting import catalogs_of, read_catalogs
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.table import read_table
from darkmatter_features.lens.randomization import Randomization, peak_p_value, rotated, shuffled
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.workers import parallel

SHAPE, N_GALAXIES, BIAS, SCATTER = (512, 512), 180, 0.05, 0.2
LEVELS = (0.05, 0.1, 0.25, 0.5)


def drawn(rng: np.random.Generator) -> GalaxyCatalog:
    """A sky of galaxies at random places, oriented at random."""
    e = BIAS + np.clip(SCATTER * rng.rayleigh(size=N_GALAXIES), 0, 0.8) * np.exp(2j * np.pi * rng.random(N_GALAXIES))
    x, y = (rng.uniform(0, side, N_GALAXIES) - 0.5 for side in SHAPE[::-1])
    ones = np.ones(N_GALAXIES)
    return GalaxyCatalog(
        "drawn", SHAPE, x, y, e.real.copy(), e.imag.copy(), 0.5 * np.angle(e),
        2 * ones, ones.copy(), ones.copy(), 50 * ones,
        np.full(N_GALAXIES, 40, dtype=np.int32), np.zeros(N_GALAXIES, dtype=np.uint8),
    )  # fmt: skip


def measured(features: Path, n_skies: int) -> list[GalaxyCatalog]:
    """The first skies of the validation split that have no lens."""
    rows, _ = read_table(features / "features.parquet", kind="features")
    galaxies = read_catalogs(features / "catalogs.parquet")
    wanted = rows[(rows["split"] == "validation") & (rows["label"] == 0)]["sky"].tolist()[:n_skies]
    return list(catalogs_of(galaxies[galaxies["sky"].isin(wanted)]))


def p_value(
    catalog: GalaxyCatalog,
    template: LensTemplate,
    n_randomizations: int,
    seed: np.random.SeedSequence,
    randomize: Randomization,
) -> float:
    """p of one sky, made even within its step."""
    rng = np.random.default_rng(seed)
    p = peak_p_value(catalog, template, n_randomizations=n_randomizations, rng=rng, randomize=randomize)
    return p - rng.random() / (1 + n_randomizations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=500)
    parser.add_argument("--randomizations", type=int, default=39)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--features", type=Path, help="folder of `darkmatter features`: its skies without a lens")
    parser.add_argument("--turn", action="store_true", help="turn shapes about their mean, and shuffle none")
    args = parser.parse_args()
    randomize = rotated if args.turn else shuffled
    if args.features is None:
        template, rng = LensTemplate.default(mean_e1=BIAS), np.random.default_rng(args.seed)
        skies = [randomize(drawn(rng), template, rng=rng) for _ in range(args.skies)]
    else:
        template = LensTemplate.read(args.features / "template.json")
        template = replace(template, log_counts=np.zeros_like(template.log_counts))
        skies = measured(args.features, args.skies)
    seeds = np.random.SeedSequence(args.seed).spawn(len(skies))
    tasks = [(sky, template, args.scrambles, seed, randomize) for sky, seed in zip(skies, seeds, strict=True)]
    p = np.array(list(parallel(p_value, tasks, n_jobs=args.jobs)))
    ks = kstest(p, "uniform")
    shares = {level: float((p <= level).mean()) for level in LEVELS}
    print_table(
        ("skies with p up to", "share"),
        [
            (f"{level:g}", f"{share:.3f} +- {np.sqrt(level * (1 - level) / p.size):.3f}")
            for level, share in shares.items()
        ],
    )
    print(f"Kolmogorov-Smirnov: D = {ks.statistic:.4f} of {p.size} skies, probability {ks.pvalue:.3f}")
    told = {"n_skies": p.size, "n_randomizations": args.scrambles, "ks_statistic": float(ks.statistic)}
    told |= {"ks_probability": float(ks.pvalue), "shares": {f"{level:g}": share for level, share in shares.items()}}
    name = "pvalues" + ("" if args.features is None else "-measured") + ("-turned" if args.turn else "")
    print(write_result(name, told))


if __name__ == "__main__":
    main()
