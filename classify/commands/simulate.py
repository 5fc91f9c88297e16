"""`darkmatter simulate`."""

import argparse
from pathlib import Path

from classify.commands import DATA, add_dask, add_example, add_jobs, check_folder, defaults, print_line
from classify.commands.progress import Progress
from darkmatter_features.simulation import PRESETS, SURVEYS, simulate_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    given = defaults(simulate_dataset)
    parser.add_argument(
        "out", type=Path, nargs="?", default=DATA, metavar="OUT", help="folder of the data set (%(default)s)"
    )
    for split in ("training", "validation"):
        default = given[f"n_{split}"]
        parser.add_argument(
            f"--{split}", type=int, default=default, metavar="N", help=f"number of {split} skies (%(default)s)"
        )
    parser.add_argument(
        "--preset", choices=PRESETS, default=given["preset"],
        help="seed: 8-bit colour images like the published skies; survey: FITS with noise and a PSF (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--like", choices=SURVEYS, default=given["like"], metavar="|".join(SURVEYS),
        help="survey that the images of the preset survey resemble: they then have a weight and a mask in their file, "
        "and their PSF and stars in truth/",
    )  # fmt: skip
    parser.add_argument(
        "--mirrored", action="store_true", help="with --like: images with east to the right where north is up"
    )
    parser.add_argument("--seed", type=int, default=given["seed"], help="seed of the skies (%(default)s)")
    add_jobs(parser, given["n_jobs"])
    add_dask(parser)
    add_example(
        parser,
        "darkmatter simulate data --training 1200 --validation 600",
        "darkmatter simulate data --preset survey --like hsc",
    )


def run(args: argparse.Namespace) -> int:
    """Write the data set."""
    check_folder(args.out)
    simulate_dataset(
        args.out,
        n_training=args.training,
        n_validation=args.validation,
        preset=args.preset,
        like=args.like,
        mirrored=args.mirrored,
        seed=args.seed,
        n_jobs=args.jobs,
        dask=args.dask,
        progress=Progress("simulate"),
    )
    print_line(f"{args.out}: {args.training} training and {args.validation} validation skies")
    return 0
