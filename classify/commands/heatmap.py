"""`darkmatter heatmap`."""

import argparse
from pathlib import Path

from classify.cli import DONE
from classify.commands import (
    RUN,
    add_cnn,
    add_example,
    add_jobs,
    check_folder,
    defaults,
    describe_cnn_stage,
    say,
    tell_failures,
)
from classify.commands.compilation import MEASURING
from classify.commands.progress import Progress
from classify.model import BUNDLE, LensModel
from classify.plots.examples import Drawing, clear, named, select_examples
from classify.plots.heatmaps import draw, draw_template_of
from classify.predict import find_skies, model_of
from darkmatter_features.errors import ConfigError
from darkmatter_features.lens.randomization import check_number, peak_p_value

FOLDER = "heatmaps"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("skies", nargs="*", metavar="SKY", help="pictures, folders of pictures or glob patterns")
    parser.add_argument("--run", type=Path, dest="model", metavar="RUN", help=f"run that judges them ({RUN} if there)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder for the pictures (RUN/{FOLDER} with --run, else {FOLDER})"
    )
    parser.add_argument(
        "--examples", type=int, metavar="N",
        help="draw N validation skies of the run: wrong ones, the least sure, the surest lenses",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, help="data set of those N (where it was at training)")
    parser.add_argument("--template", action="store_true", help="draw the lens template of the run, too")
    parser.add_argument("--p-value", action="store_true", help="tell how probable so much evidence is by chance")
    parser.add_argument(
        "--randomizations", type=int, default=defaults(peak_p_value)["n_randomizations"], metavar="N",
        help="randomized skies that --p-value compares with (%(default)s)",
    )  # fmt: skip
    add_cnn(parser, defaults(model_of)["cnn"])
    add_jobs(parser, defaults(draw)["n_jobs"])
    add_example(
        parser,
        "darkmatter heatmap sky.png --p-value --out heatmaps",
        "darkmatter heatmap --run runs/default --examples 12",
        "darkmatter heatmap --run runs/default --template",
    )


def run(args: argparse.Namespace) -> int:
    """Draw the heatmaps."""
    drawings = _drawings(args)
    model = _model(args.model, args.cnn if drawings else "off")
    check_number(args.randomizations)
    out = args.out or (Path(FOLDER) if args.model is None else args.model / FOLDER)
    check_folder(out)
    if args.examples is not None:
        clear(out)
    if args.template:
        say(f"{draw_template_of(model, out)}: the lens template of {_name_of(model, args.model)}")
    if not drawings:
        return DONE
    n_randomizations = args.randomizations if args.p_value else 0
    progress = Progress("heatmap", notice=MEASURING.notice)
    failures = draw(
        drawings,
        out,
        model=model,
        n_randomizations=n_randomizations,
        n_jobs=args.jobs,
        progress=progress,
        debug=args.debug,
    )
    n_done = len(drawings) - len(failures)
    say(f"{out}: {n_done} drawn, {len(failures)} failed; {_judged_by(model, args.cnn)}")
    return tell_failures(failures, n_done)


def _drawings(args: argparse.Namespace) -> list[Drawing]:
    chosen = named(find_skies(args.skies))
    if args.examples is not None:
        chosen += select_examples(args.model or RUN, args.examples, data=args.data)
    if not chosen and not args.template:
        raise ConfigError("No skies to draw; name pictures, or ask for --examples N or the --template of a run")
    return chosen


def _model(run: Path | None, cnn: str) -> LensModel | None:
    """Return the model of the run that was named, or of the default run where there is one."""
    if run is not None or cnn == "on" or (RUN / BUNDLE).exists():
        return model_of(run or RUN, cnn=cnn)
    return None


def _judged_by(model: LensModel | None, cnn: str) -> str:
    return (
        "no run, no verdicts" if model is None else describe_cnn_stage(cnn, has_cnn_stage=model.cnn_stage is not None)
    )


def _name_of(model: LensModel | None, run: Path | None) -> str:
    return "no run: the default" if model is None else str(run or RUN)
