"""`darkmatter tune`."""

import argparse
import shlex
from pathlib import Path

from classify.cli import DONE
from classify.commands import FEATURES, add_example, add_jobs, defaults, print_line
from classify.commands.compilation import MAPPING
from classify.commands.progress import Progress
from classify.config_file import Config, check_measured
from classify.plots.tuning import draw_search
from classify.tables.feature_table import FeatureTable
from classify.tune.search import STORAGE, TUNED, Tuned, features_of, tune
from classify.tune.space import SPACES
from darkmatter_features.plots.page import save_figure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    given = defaults(tune)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=FEATURES, metavar="FEATURES|RUN",
        help="folder of features, or of a run trained on them; also the folder of the results (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--search", choices=SPACES, default=given["section"],
        help="settings to search: train, of the trees; measure, of the maps, made from catalogues (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--config", type=Path, metavar="F.toml", help="initial settings (the defaults)")
    parser.add_argument(
        "--trials", type=int, default=given["n_trials"], metavar="N",
        help="total number of trials, earlier calls included (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--timeout", type=float, metavar="S", help="time after which no trial begins, seconds (none)")
    parser.add_argument("--seed", type=int, default=given["seed"], help="seed of the trials (%(default)s)")
    parser.add_argument(
        "--storage", type=Path, metavar="F.sqlite3", help=f"file of the trials ({STORAGE} in the folder)"
    )
    add_jobs(parser, given["n_jobs"])
    add_example(
        parser,
        "darkmatter tune features --trials 100",
        f"darkmatter tune features --search measure --config features/{TUNED} --timeout 3600",
    )


def run(args: argparse.Namespace) -> int:
    """Run the search and print the result."""
    config = None if args.config is None else _read(args.config, args.folder)
    progress = Progress("tune", unit="trials", notice=MAPPING.notice if args.search == "measure" else None)
    tuned = tune(
        args.folder,
        section=args.search,
        config=config,
        n_trials=args.trials,
        timeout=args.timeout,
        seed=args.seed,
        storage=args.storage,
        n_jobs=args.jobs,
        progress=progress,
    )
    progress.stop()
    if not tuned.is_interrupted:  # a figure takes seconds
        save_figure(tuned.files[1], draw_search(tuned.section, tuned.trials, tuned.spans))
    for line in _lines(tuned, args.folder):
        print_line(line)
    if tuned.is_interrupted:
        raise KeyboardInterrupt
    return DONE


def _read(path: Path, folder: Path) -> Config:
    config, features = Config.read(path), features_of(folder)
    check_measured(path, features, FeatureTable.read(features).config)
    return config


def _lines(tuned: Tuned, folder: Path) -> list[str]:
    start, best = tuned.trials[0], tuned.best
    stopped = "interrupted; " if tuned.is_interrupted else ""
    counted = f"{stopped}trials of [{tuned.section}]: {len(tuned.trials)}, {tuned.n_new} of them new"
    lines = [
        f"{counted}; log loss by cross-validation on the training split:",
        f"  initial   {start.loss:.5f} ± {start.error:.5f}",
        f"  lowest    {best.loss:.5f} ± {best.error:.5f}",
    ]
    return [*lines, *_compared(tuned), *_changed(tuned), *_written(tuned, folder)]


def _compared(tuned: Tuned) -> list[str]:
    if tuned.best is tuned.trials[0]:
        return ["no trial has a lower loss than the initial settings"]
    if tuned.check is None:
        return []
    check = tuned.check
    change = "better" if check.gain > 0 else "worse"
    doubt = "" if abs(check.gain) > 2 * check.error else "; not significant"
    gain = f"{change} by {abs(check.gain):.5f} ± {check.error:.5f}{doubt}"
    return [f"on new folds: {check.best:.5f} instead of {check.start:.5f}, {gain}"]


def _changed(tuned: Tuned) -> list[str]:
    first = tuned.trials[0].settings
    return [f"  {name:<18} {first[name]!r:>8} -> {value!r}" for name, value in tuned.best.settings.items()]


def _written(tuned: Tuned, folder: Path) -> list[str]:
    settings, figure = tuned.files
    use = ["features", "DATA"] if tuned.section == "measure" else ["train", str(features_of(folder))]
    command = shlex.join(["darkmatter", *use, "--config", str(settings)])
    lines = [f"{settings}: for `{command}`"]
    return lines if tuned.is_interrupted else [*lines, f"{figure}: figure of the search"]
