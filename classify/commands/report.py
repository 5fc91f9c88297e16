"""`darkmatter report`."""

import argparse
from pathlib import Path

from classify.commands import (
    RUN,
    add_example,
    add_jobs,
    as_data,
    check_file,
    defaults,
    local_data,
    print_line,
    report_failures,
)
from classify.commands.compilation import MEASURING
from classify.commands.progress import Progress
from classify.report.run_report import MAX_MB, MB, NAME, write_report
from darkmatter_features.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "model", type=Path, nargs="?", default=RUN, metavar="RUN", help="folder of the run (%(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="F.html", help=f"the page (RUN/{NAME})")
    parser.add_argument(
        "--data", type=as_data, help="data set, folder or URL, where it has moved (that of the training)"
    )
    parser.add_argument(
        "--max-mb", type=float, default=MAX_MB, metavar="MB",
        help="maximum size of the page; beyond, images and maps of certain skies are left out (%(default)g)",
    )  # fmt: skip
    add_jobs(parser, defaults(write_report)["n_jobs"])
    add_example(parser, "darkmatter report runs/default --out report.html")


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    check_file(args.out)
    if not args.max_mb > 0:
        raise ConfigError(f"--max-mb must be positive, got {args.max_mb:g}; the default is {MAX_MB:g}")
    data = None if args.data is None else local_data(args.data)
    progress = Progress("report", notice=MEASURING.notice)
    done = write_report(
        args.model, args.out, data=data, max_mb=args.max_mb, n_jobs=args.jobs, progress=progress, debug=args.debug
    )
    for note in done.notes:
        print_line(f"left out: {note}")
    if done.n_detailed:
        print_line(f"galaxies of the maps: {done.galaxies}")
    print_line(
        f"{done.path}: {done.n_detailed} of {done.n_skies} skies with image and maps, {done.n_bytes / MB:.1f} MB"
    )
    return report_failures(done.failures, done.n_detailed)
