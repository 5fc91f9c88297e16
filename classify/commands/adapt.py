"""`darkmatter adapt`: fit a run to unlabelled skies of another kind."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from classify.adaptation.fit import Adaptation, adapt, adapt_run, skies_of
from classify.commands import (
    add_dask,
    add_data,
    add_example,
    add_jobs,
    check_folder,
    defaults,
    print_line,
    report_failures,
)
from classify.commands.compilation import MEASURING
from classify.commands.downloads import local_data, local_images
from classify.commands.progress import Progress
from darkmatter_features.errors import DarkmatterError, DatasetError, SkyError
from darkmatter_features.io.image_paths import find_skies
from darkmatter_features.urls import is_url


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", type=Path, metavar="RUN", help="folder of the run")
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="RUN2", help="folder for the adapted run")
    add_jobs(parser, defaults(adapt)["n_jobs"])
    add_dask(parser)
    add_example(parser, "darkmatter adapt runs/default survey-images --out runs/survey")


def run(args: argparse.Namespace) -> int:
    """Write the adapted run."""
    check_folder(args.out)
    progress = Progress("adapt", unit="steps", notice=MEASURING.notice, folder=args.out.parent)
    done = adapt_run(
        args.model,
        _skies(str(args.data)),
        args.out,
        n_jobs=args.jobs,
        dask=args.dask,
        progress=progress,
        debug=args.debug,
    )
    print_line(f"{args.out}: {describe_adaptation(done)}")
    return report_failures(done.failures, done.n_skies)


def _skies(data: str) -> Sequence[str | Path]:
    """Return the images of a folder or a pattern or, if it is none, of a data set."""
    try:
        return list(find_skies(local_images([data])))
    except (SkyError, DatasetError) as error:
        if not (is_url(data) and _may_be_data_set(error)) and not Path(data).is_dir():
            raise
    return skies_of(local_data(data))


def _may_be_data_set(error: DarkmatterError) -> bool:
    """Return whether a URL without images may be that of a data set: it was not the network that failed."""
    return not getattr(error, "is_network", False)


def describe_adaptation(done: Adaptation) -> str:
    """Return a line on what a model was adapted to, and how well it is known."""
    shapes = "fitted" if done.is_refitted else "kept, since those of the run describe them better"
    fraction = f"{done.lens_fraction:.2f} +- {done.lens_fraction_error:.2f}"
    return (
        f"adapted to {done.n_galaxies} galaxies of {done.n_skies} skies, unlensed shapes {shapes}; "
        f"fraction with a lens {fraction}, expected log loss {done.expected_log_loss:.3f}, "
        f"last change of the log Bayes factors {done.change:.2f} rms"
    )
