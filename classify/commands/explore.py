"""`darkmatter explore`: a data set before training."""

import argparse
from pathlib import Path

from classify.commands import (
    add_data,
    add_example,
    add_jobs,
    check_file,
    defaults,
    describe_notes,
    print_line,
    report_failures,
)
from classify.commands.compilation import MEASURING
from classify.commands.downloads import local_data
from classify.commands.progress import Progress
from classify.config_file import Config
from classify.explore.findings import explore
from classify.explore.look import look_at
from classify.explore.names import printable
from classify.explore.page import write_page
from classify.explore.summary import summary_lines, to_dict
from classify.model.bundle import write_json
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.urls import is_url

OUT = Path("explore.html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_data(parser)
    parser.add_argument("--out", type=Path, default=OUT, metavar="F.html", help="page of the data set (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="F", help="JSON file for the numbers and the findings (none)")
    parser.add_argument(
        "--features", type=Path, metavar="DIR",
        help="folder of `darkmatter features` of this data set: its galaxies are not measured again (none)",
    )  # fmt: skip
    parser.add_argument(
        "--config", type=Path, metavar="F.toml",
        help="settings file, section [measure] (the defaults, or those of --features, which must be the same)",
    )  # fmt: skip
    add_jobs(parser, defaults(look_at)["n_jobs"])
    add_example(
        parser,
        "darkmatter explore data",
        "darkmatter explore data --features features --json exploration.json",
    )


def describe_findings(n: int) -> str:
    """Return the number of findings in words."""
    return "no finding" if n == 0 else "1 finding" if n == 1 else f"{n} findings"


def run(args: argparse.Namespace) -> int:
    """Look at a data set, print the findings, and write the page."""
    check_file(args.out)
    check_file(args.json)
    config = None if args.config is None else Config.read(args.config).measure
    dataset = Dataset.open(local_data(args.data), check_lenses=False)
    looks = look_at(
        dataset,
        features=args.features,
        config=config,
        n_jobs=args.jobs,
        progress=Progress("explore", notice=MEASURING.notice, folder=args.out.parent),
        debug=args.debug,
    )
    found = explore(looks)
    for line in (*summary_lines(found), *describe_notes(looks.notes, len(looks.files))):
        print_line(line)
    for finding in found.findings:
        print_line(f"! {finding.line}")
    write_page(args.out, found, args.data if is_url(args.data) else str(args.data.resolve()))
    if args.json is not None:
        write_json(args.json, to_dict(found))
    print_line(f"{printable(str(args.out))}: {describe_findings(len(found.findings))}")
    return report_failures(looks.failures, len(looks.files) - len(looks.failures))
