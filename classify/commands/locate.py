"""`darkmatter locate`: the lens of each shape catalogue."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from classify.commands import add_example, add_jobs, check_file, check_folder, defaults, print_line, report_failures
from classify.commands.compilation import LOCATING
from classify.commands.progress import Progress
from darkmatter_features.location.batch import locate_catalogs

OUT = Path("locations.csv")
COLUMNS = {
    "x": "x, in any unit",
    "y": "y, in the same unit",
    "e1": "e1 = (a - b) / (a + b) cos 2 phi, phi from +x towards +y",
    "e2": "e2 = (a - b) / (a + b) sin 2 phi",
    "weight": "weights, such as inverse variances",
    "ra": "right ascension in degrees, if there are no x and y",
    "dec": "declination in degrees",
}
"""Column options and their help."""

MAX_MEAN_SNR = 4.0
"""Mean ellipticity over its error above which the shapes are biased: noise exceeds it in one catalogue of ten million,
and a lens does not reach it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    given = defaults(locate_catalogs)
    parser.add_argument(
        "catalogs", nargs="+", metavar="CATALOG", help="tables (CSV, ECSV, FITS, Parquet) or glob patterns"
    )
    for name, content in COLUMNS.items():
        parser.add_argument(f"--{name}", metavar=name.upper(), help=f"column of {content} (default: by name)")
    parser.add_argument("--flip-e2", action="store_true", help="change the sign of e2")
    parser.add_argument("--subtract-mean", action="store_true", help="subtract the mean ellipticity first")
    parser.add_argument("--out", type=Path, default=OUT, metavar="F.csv", help="output table (%(default)s)")
    parser.add_argument(
        "--randomizations", type=int, default=given["n_randomizations"], metavar="N",
        help="randomized skies for p_value and bayes_factor_excess; 0 for neither (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=given["seed"], metavar="S", help="seed of the randomization (%(default)s)"
    )
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="folder for a figure of each catalogue")
    add_jobs(parser, given["n_jobs"])
    add_example(parser, "darkmatter locate shapes.fits 'fields/*.csv' --e1 E1 --e2 E2 --weight W --pictures maps")


def run(args: argparse.Namespace) -> int:
    """Find the lenses."""
    check_file(args.out)
    check_folder(args.pictures or args.out.parent)
    progress = Progress("locate", unit="catalogues", notice=LOCATING.notice)
    done = locate_catalogs(
        args.catalogs,
        args.out,
        columns={name: getattr(args, name) for name in (*COLUMNS, "flip_e2")},
        subtract_mean=args.subtract_mean,
        n_randomizations=args.randomizations,
        seed=args.seed,
        pictures=args.pictures,
        n_jobs=args.jobs,
        progress=progress,
        debug=args.debug,
    )
    located = done.table[done.table["error"].isna()]
    for row in located.to_dict("records"):
        print_line(_summary(row, subtracted=args.subtract_mean))
    print_line(f"{args.out}: {len(located)} located, {len(done.failures)} failed")
    return report_failures(done.failures, len(located))


def _summary(row: Mapping[str, Any], *, subtracted: bool) -> str:
    """Return one line on a located catalogue."""
    error = float(f"{row['position_error']:.2g}")
    position = f"x {row['x']:.5g}, y {row['y']:.5g}, error {error:g}"
    p = "" if pd.isna(row["p_value"]) else f", p = {row['p_value']:.2g}"
    biased = row["mean_snr"] > MAX_MEAN_SNR and not subtracted
    bias = f"; mean ellipticity {row['mean_snr']:.1f} sigma from 0: use --subtract-mean" if biased else ""
    snr = f"S/N {row['snr']:.1f} (cross {row['snr_cross']:.1f})"
    return f"{row['catalog']}: {row['n']} galaxies, {position}, {snr}{p}{bias}"
