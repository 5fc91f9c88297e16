"""`darkmatter locate`: the lens of each shape catalogue."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from classify.commands import (
    add_dask,
    add_example,
    add_jobs,
    check_file,
    check_folder,
    defaults,
    print_line,
    report_failures,
)
from classify.commands.compilation import LOCATING
from classify.commands.downloads import local_tables
from classify.commands.progress import Progress
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.location.batch import locate_catalogs
from darkmatter_features.location.field import MAX_MEAN_SNR

OUT = Path("locations.csv")
COLUMNS = {
    "x": "x, in any unit",
    "y": "y, in the same unit",
    "e1": "e1 = (a - b) / (a + b) cos 2 phi, phi from +x towards +y",
    "e2": "e2 = (a - b) / (a + b) sin 2 phi",
    "weight": "weights, such as inverse variances; none for equal weights",
    "ra": "right ascension in the unit of the file or degrees, if there are no x and y",
    "dec": "declination in the unit of the file or degrees",
}
"""Column options and their help; a component of a column is written as g[0]."""

CONVENTIONS = {
    "distortion": "ellipticities are distortions (a^2 - b^2) / (a^2 + b^2), not (a - b) / (a + b)",
    "swap": "exchange e1 and e2",
    "flip_e1": "change the sign of e1",
    "flip_e2": "change the sign of e2",
}
"""Options of the convention of the shapes and their help."""

OTHERS = ("response", "star", "local_north", "merge", "hdu")
"""Further options with which a catalogue is read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    given = defaults(locate_catalogs)
    add_catalogs(parser)
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
    add_dask(parser)
    add_example(parser, "darkmatter locate shapes.fits 'fields/*.csv' --e1 E1 --e2 E2 --weight W --pictures maps")


def add_catalogs(parser: argparse.ArgumentParser) -> None:
    """Add ``CATALOG...`` and the options with which they are read, :func:`reading_options`."""
    parser.add_argument(
        "catalogs", nargs="+", metavar="CATALOG",
        help="tables (CSV, FITS, Parquet, ECSV, VOTable, HDF5, SExtractor), glob patterns, or URLs of these; a table "
        "of a file as FILE[NAME], FILE[NAME,VERSION] or FILE[NUMBER]",
    )  # fmt: skip
    add_reading(parser)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments with which a catalogue is read."""
    for name, content in COLUMNS.items():
        parser.add_argument(f"--{name}", metavar=name.upper(), help=f"column of {content} (default: by name)")
    parser.add_argument(
        "--response", metavar="COLUMN",
        help="response to shear, by whose mean all e are divided; the mean of several columns, as R11,R22; none for "
        "shapes as they are (default: by name)",
    )  # fmt: skip
    parser.add_argument(
        "--star", metavar="COLUMN", help="column that is not 0 for stars; none to keep all rows (default: by name)"
    )
    for name, content in CONVENTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=content)
    parser.add_argument(
        "--local-north", action=argparse.BooleanOptionalAction, default=CatalogOptions.local_north,
        help="with positions from RA and Dec, shapes refer to north at each galaxy (the default), not at the centre",
    )  # fmt: skip
    parser.add_argument(
        "--merge", action=argparse.BooleanOptionalAction, default=CatalogOptions.merge,
        help="merge all rows that lie close to each other, or none (default: those at one position, and close ones "
        "where they are more than by chance)",
    )  # fmt: skip
    parser.add_argument(
        "--hdu", metavar="TABLE", help="name or number of the table in each file (default: the one with the columns)"
    )
    parser.add_argument("--subtract-mean", action="store_true", help="subtract the mean ellipticity first")


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of :func:`~darkmatter_features.io.catalogs.read_catalog`."""
    return {name: getattr(args, name) for name in (*COLUMNS, *CONVENTIONS, *OTHERS)}


def run(args: argparse.Namespace) -> int:
    """Find the lenses."""
    check_file(args.out)
    check_folder(args.pictures or args.out.parent)
    progress = Progress("locate", unit="catalogues", notice=LOCATING.notice, folder=args.out.parent)
    done = locate_catalogs(
        local_tables(args.catalogs),
        args.out,
        columns=reading_options(args),
        subtract_mean=args.subtract_mean,
        n_randomizations=args.randomizations,
        seed=args.seed,
        pictures=args.pictures,
        n_jobs=args.jobs,
        dask=args.dask,
        progress=progress,
        debug=args.debug,
    )
    located = done.table[done.table["error"].isna()]
    for index, row in zip(located.index, located.to_dict("records")):
        print_line(_summary(row, subtracted=args.subtract_mean))
        print_line(f"  {done.notes[index]}")
        if done.warnings[index]:
            print_line(f"  {done.warnings[index]}")
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
