"""`darkmatter evaluate`."""

import argparse
from pathlib import Path

from classify.commands import (
    RUN,
    add_cnn,
    add_data,
    add_example,
    add_jobs,
    check_file,
    defaults,
    describe_cnn_stage,
    print_line,
    print_metrics,
    report_failures,
)  # fmt: skip
from classify.commands.compilation import MEASURING
from classify.commands.downloads import local_data
from classify.commands.progress import Progress
from classify.evaluate import evaluate
from classify.model.bundle import write_json
from darkmatter_features.io.dataset import SPLITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    given = defaults(evaluate)
    parser.add_argument(
        "model", type=Path, nargs="?", default=RUN, metavar="RUN", help="folder of the run (%(default)s)"
    )
    add_data(parser)
    parser.add_argument("--split", choices=SPLITS, default=given["split"], help="split of the data set (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="F", help="JSON file for the metrics, one flat object (none)")
    add_cnn(parser, given["cnn"])
    add_jobs(parser, given["n_jobs"])
    add_example(parser, "darkmatter evaluate runs/default data --json metrics.json")


def run(args: argparse.Namespace) -> int:
    """Print the metrics of the model."""
    check_file(args.json)
    folder = None if args.json is None else args.json.parent
    progress = Progress("evaluate", notice=MEASURING.notice, folder=folder)
    done = evaluate(
        args.model,
        local_data(args.data),
        split=args.split,
        cnn=args.cnn,
        n_jobs=args.jobs,
        progress=progress,
        debug=args.debug,
    )
    decided_by = done.judged["decided_by"].tolist()
    cnn_stage = describe_cnn_stage(done.without_cnn, decided_by)
    print_line(f"{args.model} on the {args.split} split of {args.data}, {cnn_stage}, with 95 % bounds:")
    print_metrics(done.metrics)
    if args.json is not None:
        write_json(args.json, done.metrics)
    return report_failures(done.failures, len(done.judged))
