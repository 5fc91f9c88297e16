"""`darkmatter train`."""

import argparse
import shlex
from dataclasses import replace
from math import isnan
from pathlib import Path

from classify.cnn import MODES
from classify.cnn.config import CnnConfig
from classify.cnn.history import EpochLine
from classify.commands import FEATURES, RUN, add_example, check_folder, defaults, print_line, print_metrics
from classify.commands.progress import Progress
from classify.config import TrainConfig
from classify.config_file import Config, check_measured
from classify.tables.feature_table import FeatureTable
from classify.train import train
from classify.trees.boosting import HistoryLine

HEADER = f"{'':>5}   {'log loss':^23}   {'validation':^30}\n" + "   ".join(
    f"{name:>{width}}"
    for name, width in (
        ("round", 5), ("training", 10), ("out of fold", 12), ("accuracy", 8), ("AUC", 7), ("log loss", 8),
    )
)  # fmt: skip


CNN_HEADER = (
    f"{'':>5}   {'training':^19}   {'out of fold':^19}   {'validation':^19}\n"
    f"{'epoch':>5}" + 3 * f"   {'log loss':>8}   {'accuracy':>8}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments: a flag for each field of `TrainConfig`."""
    parser.add_argument(
        "features", type=Path, nargs="?", default=FEATURES, metavar="FEATURES", help="folder of features (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=RUN, metavar="RUN", help="folder of the run (%(default)s)")
    parser.add_argument(
        "--config", type=Path, metavar="F.toml", help="settings file, sections [train] and [cnn] (the defaults)"
    )
    parser.add_argument("--fast", action="store_true", help="quick trial: --subset 50, fewer members and rounds")
    parser.add_argument(
        "--cnn", choices=MODES, default=defaults(train)["cnn"],
        help="CNN stage at uncertain skies; auto keeps it if it lowers the out-of-fold loss (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true", help="with --cnn: continue the networks from their last evaluation"
    )
    settings = parser.add_argument_group("settings")
    for name, field in TrainConfig.declared().items():
        flag, kind = f"--{name.replace('_', '-')}", type(field.default)
        text = f"{field.description} ({field.default:g})"
        settings.add_argument(flag, type=kind, dest=name, metavar="X" if kind is float else "N", help=text)
    add_example(parser, "darkmatter train features --out runs/default")


def run(args: argparse.Namespace) -> int:
    """Train and print a line for each block of rounds."""
    check_folder(args.out)
    trained = train(
        args.features, args.out, config=_config(args), report=_Report(), cnn=args.cnn,
        cnn_config=_cnn_config(args), resume=args.resume, cnn_report=_CnnReport(),
        progress=Progress("cnn inputs"),
    )  # fmt: skip
    print_line(f"\n{args.out}: {trained.best_round} rounds; metrics on the validation split with 95 % bounds:")
    print_metrics(trained.metrics)
    for note in trained.notes:
        print_line(note)
    print_line(f"all of it with the validation skies in one page: darkmatter report {shlex.quote(str(args.out))}")
    return 0


def _config(args: argparse.Namespace) -> TrainConfig:
    """Return the settings: flags override ``--fast``, which overrides the file."""
    base = TrainConfig()
    if args.config is not None:
        base = Config.read(args.config).train
        check_measured(args.config, args.features, FeatureTable.read(args.features).config)
    base = base.fast() if args.fast else base
    given = {name: getattr(args, name) for name in TrainConfig.declared()}
    return replace(base, **{name: value for name, value in given.items() if value is not None})


def _cnn_config(args: argparse.Namespace) -> CnnConfig:
    """Return the settings of the CNN stage."""
    base = CnnConfig() if args.config is None else Config.read(args.config).cnn
    return base.fast() if args.fast else base


class _Report:
    """Printer of the history of the trees."""

    def __init__(self) -> None:
        self._is_first = True

    def __call__(self, line: HistoryLine) -> None:
        if self._is_first:
            print_line(HEADER)
            self._is_first = False
        print_line(
            f"{line.round:>5}   {line.training_loss:>10.4f}   {line.held_out_loss:>12.4f}   "
            f"{line.validation_accuracy:>8.4f}   {line.validation_auc:>7.4f}   {line.validation_log_loss:>8.4f}"
        )


class _CnnReport:
    """Printer of the history of the networks."""

    def __init__(self) -> None:
        self._is_first = True

    def __call__(self, line: EpochLine) -> None:
        if self._is_first:
            print_line(f"\n{CNN_HEADER}")
            self._is_first = False
        figures = ("" if isnan(figure) else f"{figure:.4f}" for figure in line.figures)
        print_line("   ".join([f"{line.epoch:>5}", *(f"{figure:>8}" for figure in figures)]).rstrip())
