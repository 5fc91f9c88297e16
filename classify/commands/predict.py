"""`darkmatter predict`."""

import argparse
from pathlib import Path

from classify.commands import (
    add_cnn,
    add_dask,
    add_example,
    add_jobs,
    add_part,
    check_file,
    defaults,
    describe_cnn_stage,
    describe_notes,
    describe_unlike,
    print_line,
    report_failures,
)
from classify.commands.adapt import describe_adaptation
from classify.commands.compilation import MEASURING
from classify.commands.downloads import IMAGES_HELP, local_images
from classify.commands.progress import Progress
from classify.explain.contributions import largest_contributions
from classify.predict import explained_path, predict

OUT = Path("predictions.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("skies", nargs="+", metavar="SKY", help=IMAGES_HELP)
    parser.add_argument("--out", type=Path, default=OUT, metavar="F.csv", help="table of verdicts (%(default)s)")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="print the largest contributions to each verdict, and write all to F-explained.csv",
    )
    parser.add_argument(
        "--adapt", action="store_true", help="fit the run to these skies first, at least 50 of one kind; no CNN stage"
    )
    add_part(parser)
    given = defaults(predict)
    add_cnn(parser, given["cnn"])
    add_jobs(parser, given["n_jobs"])
    add_dask(parser)
    add_example(
        parser,
        "darkmatter predict runs/default sky.png 'survey/*.fits' --out predictions.csv",
        "darkmatter predict runs/default sky.png --explain",
    )


def run(args: argparse.Namespace) -> int:
    """Write the table of verdicts."""
    check_file(args.out)
    progress = Progress("predict", notice=MEASURING.notice, folder=args.out.parent)
    done = predict(
        args.model,
        local_images(args.skies),
        args.out,
        cnn=args.cnn,
        explain=args.explain,
        adapted=args.adapt,
        part=args.hdu,
        n_jobs=args.jobs,
        dask=args.dask,
        progress=progress,
        debug=args.debug,
    )
    n_done = len(done.table) - len(done.failures)
    if done.explained is not None:
        for _, row in done.explained.iterrows():
            print_line(f"{row['image']}: {largest_contributions(row)}")
        print_line(f"{explained_path(args.out)}: all contributions to the log-odds")
    decided_by = done.table["decided_by"].tolist()
    cnn_stage = describe_cnn_stage(done.without_cnn, decided_by)
    found = f"{int(done.table['label'].sum())} of {n_done} skies with a lens, {len(done.failures)} failed"
    if done.adaptation is not None:
        print_line(describe_adaptation(done.adaptation))
    for line in (*describe_notes(done.notes, len(done.table)), *describe_unlike(done.table)):
        print_line(line)
    print_line(f"{args.out}: {found}; {cnn_stage}")
    return report_failures(done.failures, n_done)
