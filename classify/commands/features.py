"""`darkmatter features`."""

import argparse
from pathlib import Path

from classify.commands import (
    FEATURES,
    add_dask,
    add_data,
    add_example,
    add_jobs,
    check_folder,
    describe_notes,
    print_line,
    report_failures,
)
from darkmatter_features.processes import ALL_CORES, begin_processes, end_workers

BATCH = "darkmatter_features.features.batch"
"""Module that measures the skies; its import takes a second."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_data(parser)
    parser.add_argument("--out", type=Path, default=FEATURES, metavar="DIR", help="folder of the tables (%(default)s)")
    parser.add_argument("--config", type=Path, metavar="F.toml", help="settings file, section [measure] (the defaults)")
    add_jobs(parser, ALL_CORES)
    add_dask(parser)
    add_example(
        parser, "darkmatter features data --out features", "darkmatter features gs://luminide-example-darkmatter"
    )


def run(args: argparse.Namespace) -> int:
    """Measure every sky."""
    check_folder(args.out)
    if args.dask is None and Path(args.data).is_dir() and not (args.out / "features.parquet").exists():
        begin_processes(args.jobs, BATCH)
    try:
        return _measure(args)
    except BaseException:
        end_workers()  # Python would wait until they have imported
        raise


def _measure(args: argparse.Namespace) -> int:
    # Imported here, beside the same imports of the workers.
    from classify.commands.compilation import MEASURING
    from classify.commands.downloads import local_data
    from classify.commands.progress import Progress
    from classify.config_file import Config
    from darkmatter_features.features.batch import extract_dataset

    config = Config() if args.config is None else Config.read(args.config)
    done = extract_dataset(
        local_data(args.data),
        args.out,
        config=config.measure,
        n_jobs=args.jobs,
        dask=args.dask,
        progress=Progress("features", notice=MEASURING.notice),
        fit_progress=Progress("templates", unit="steps"),
        map_progress=Progress("maps", unit="parts"),
        debug=args.debug,
    )
    for line in describe_notes(done.notes, done.n_skies + len(done.failures)):
        print_line(line)
    print_line(f"{args.out / 'features.parquet'}: {done.n_skies} skies, {len(done.failures)} failed")
    return report_failures(done.failures, done.n_skies)
