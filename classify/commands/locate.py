"""`darkmatter locate`."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from classify.commands import add_example, add_jobs, check_file, check_folder, defaults, say, tell_failures
from classify.commands.compilation import LOCATING
from classify.commands.progress import Progress
from darkmatter_features.location.batch import locate_catalogs

OUT = Path("locations.csv")
COLUMNS = {
    "x": "x, in any unit",
    "y": "y, in the same",
    "e1": "e1 = (a - b) / (a + b) cos 2 phi, phi from +x towards +y",
    "e2": "e2, with the sine",
    "weight": "weights, such as inverse variances",
    "ra": "right ascension, degrees, where there are no x and y",
    "dec": "declination, degrees",
}
BIASED = 4.0
"""A mean ellipticity over its error that no lens makes: noise alone does so in one catalogue of ten million."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    given = defaults(locate_catalogs)
    parser.add_argument(
        "catalogs", nargs="+", metavar="CATALOG", help="tables (CSV, ECSV, FITS, Parquet) or glob patterns"
    )
    for name, what in COLUMNS.items():
        parser.add_argument(f"--{name}", metavar=name.upper(), help=f"column of {what} (guessed)")
    parser.add_argument("--flip-e2", action="store_true", help="turn the sign of e2")
    parser.add_argument("--subtract-mean", action="store_true", help="take the mean ellipticity off first")
    parser.add_argument("--out", type=Path, default=OUT, metavar="F.csv", help="table of locations (%(default)s)")
    parser.add_argument(
        "--randomizations", type=int, default=given["n_randomizations"], metavar="N",
        help="randomized skies behind p_value and bayes_factor_excess; 0: neither (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=given["seed"], metavar="S", help="of the randomization (%(default)s)"
    )
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="folder for a picture of each")
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
        say(_told(row, subtracted=args.subtract_mean))
    say(f"{args.out}: {len(located)} located, {len(done.failures)} failed")
    return tell_failures(done.failures, len(located))


def _told(row: Mapping[str, Any], *, subtracted: bool) -> str:
    """Return a located catalogue in a line."""
    p = "" if pd.isna(row["p_value"]) else f", p = {row['p_value']:.2g}"
    error = row["position_error"]
    place = f"x {row['x']:.5g}, y {row['y']:.5g}, error {float(f'{error:.2g}'):g}"
    biased = row["mean_snr"] > BIASED and not subtracted
    bias = f"; the mean ellipticity is {row['mean_snr']:.1f} sigma from 0: --subtract-mean" if biased else ""
    told = f"S/N {row['snr']:.1f} (cross {row['snr_cross']:.1f}){p}{bias}"
    return f"{row['catalog']}: {row['n']} galaxies, {place}, {told}"
