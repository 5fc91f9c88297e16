"""`darkmatter report`."""

import argparse
from pathlib import Path

from classify.cli import DONE
from classify.commands import (
    RUN,
    add_example,
    add_jobs,
    as_place,
    check_file,
    defaults,
    print_line,
    report_failures,
)
from classify.commands.compilation import MEASURING
from classify.commands.downloads import local_data
from classify.commands.progress import Progress
from classify.model.bundle import BUNDLE
from classify.report.candidate_data import TABLE
from classify.report.candidate_report import write_candidate_report
from classify.report.run_report import MAX_MB, MB, NAME, write_report
from darkmatter_features.errors import ConfigError, ModelError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=RUN,
        metavar="DIR",
        help="folder of a run, or of `darkmatter candidates` (%(default)s)",
    )
    parser.add_argument("--out", type=Path, metavar="F.html", help=f"the page (DIR/{NAME})")
    parser.add_argument(
        "--data", type=as_place, help="data set, folder or URL, where it has moved (that of the training)"
    )
    parser.add_argument(
        "--max-mb", type=float, default=MAX_MB, metavar="MB",
        help="maximum size of the page; beyond, images and maps of certain skies are left out (%(default)g)",
    )  # fmt: skip
    add_jobs(parser, defaults(write_report)["n_jobs"])
    add_example(parser, "darkmatter report runs/default --out report.html", "darkmatter report candidates")


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    check_file(args.out)
    if not args.max_mb > 0:
        raise ConfigError(f"--max-mb must be positive, got {args.max_mb:g}; the default is {MAX_MB:g}")
    if is_candidates(args.folder):
        return _report_candidates(args)
    data = None if args.data is None else local_data(args.data)
    progress = Progress("report", notice=MEASURING.notice, folder=(args.out or args.folder / NAME).parent)
    done = write_report(
        args.folder, args.out, data=data, max_mb=args.max_mb, n_jobs=args.jobs, progress=progress, debug=args.debug
    )
    for note in done.notes:
        print_line(f"left out: {note}")
    if done.n_detailed:
        print_line(f"galaxies of the maps: {done.galaxies}")
    print_line(
        f"{done.path}: {done.n_detailed} of {done.n_skies} skies with image and maps, {done.n_bytes / MB:.1f} MB"
    )
    return report_failures(done.failures, done.n_detailed)


def is_candidates(folder: Path) -> bool:
    """Return whether a folder is one of candidates, and not of a run.

    Raises
    ------
    ModelError
        If it is neither.
    """
    if (folder / BUNDLE).exists():
        return False
    if (folder / TABLE).is_file():
        return True
    raise ModelError(f"{folder} {_defect(folder)}; give the folder of a run or of `darkmatter candidates`")


def _defect(folder: Path) -> str:
    """Return why a path is no folder to report on."""
    if not folder.is_dir():
        return "is a file" if folder.exists() else "does not exist"
    inner = [path.parent for path in sorted(folder.glob(f"*/{TABLE}"))]
    if inner:
        return f"has {len(inner)} folders of candidates, such as {inner[0]}, and is none itself"
    return f"has neither a model ({BUNDLE}/) nor a list of candidates ({TABLE})"


def _report_candidates(args: argparse.Namespace) -> int:
    """Write the page of a list of candidates."""
    if args.data is not None:
        raise ConfigError(
            f"--data is for the report of a run, and {args.folder} is a folder of candidates; leave it out"
        )
    done = write_candidate_report(args.folder, args.out, max_mb=args.max_mb)
    for note in done.notes:
        print_line(f"left out: {note}")
    count = f"{done.n_candidates} candidate{'' if done.n_candidates == 1 else 's'}"
    maps = f"{done.n_maps} map{'' if done.n_maps == 1 else 's'}"
    print_line(f"{done.path}: {count}, {maps}, {done.n_bytes / MB:.1f} MB")
    return DONE
