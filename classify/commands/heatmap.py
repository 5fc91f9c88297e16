"""`darkmatter heatmap`."""

import argparse
from pathlib import Path

from classify.cli import DONE
from classify.commands import (
    RUN,
    add_cnn,
    add_example,
    add_jobs,
    add_part,
    as_place,
    check_folder,
    defaults,
    describe_cnn_stage,
    describe_notes,
    print_line,
    report_failures,
)
from classify.commands.compilation import MEASURING
from classify.commands.downloads import IMAGES_HELP, local_data, local_images
from classify.commands.progress import Progress
from classify.model import LensModel
from classify.model.bundle import BUNDLE
from classify.plots.examples import Drawing, clear, named, select_examples
from classify.plots.heatmaps import FigureStyle, draw, draw_template_of
from classify.predict import load_model, reason_without_cnn
from darkmatter_features.errors import ConfigError
from darkmatter_features.io.image_paths import find_skies
from darkmatter_features.lens.randomization import peak_p_value
from darkmatter_features.numerics.significance import check_n_randomizations
from darkmatter_features.plots.page import FORMATS
from darkmatter_features.plots.theme import THEMES

FOLDER = "heatmaps"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("skies", nargs="*", metavar="SKY", help=IMAGES_HELP)
    run_or_none = parser.add_mutually_exclusive_group()
    run_or_none.add_argument(
        "--run",
        type=Path,
        dest="model",
        metavar="RUN",
        help=f"run with the model for the verdicts ({RUN} if it exists)",
    )
    run_or_none.add_argument(
        "--no-run", action="store_true", help=f"use no run, even if {RUN} exists: maps and no verdicts"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder of the heatmaps (RUN/{FOLDER} with --run, else {FOLDER})"
    )
    style = FigureStyle()
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=style.format,
        help="format of the figures; pdf, svg for papers (%(default)s)",
    )
    parser.add_argument(
        "--theme", choices=list(THEMES), default=style.theme,
        help="dark for screens; light for print, as wide as a page of a journal (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--examples", type=int, metavar="N",
        help="draw N validation skies of the run: misclassified, most uncertain, most certain lenses (none)",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=as_place, help="data set of the --examples, folder or URL (that of the training)"
    )
    parser.add_argument("--template", action="store_true", help="also draw the lens template of the run")
    parser.add_argument("--p-value", action="store_true", help="compute the p-value of the evidence")
    parser.add_argument(
        "--randomizations", type=int, default=defaults(peak_p_value)["n_randomizations"], metavar="N",
        help="number of randomized skies for --p-value (%(default)s)",
    )  # fmt: skip
    add_part(parser)
    add_cnn(parser, defaults(load_model)["cnn"])
    add_jobs(parser, defaults(draw)["n_jobs"])
    add_example(
        parser,
        "darkmatter heatmap sky.png --p-value --out heatmaps",
        "darkmatter heatmap --run runs/default --examples 12",
        "darkmatter heatmap --run runs/default --template",
        "darkmatter heatmap field.fits --no-run --theme light --format pdf",
    )


def run(args: argparse.Namespace) -> int:
    """Draw the heatmaps."""
    _check_run(args)
    drawings = _drawings(args)
    model = None if args.no_run else _model(args.model, args.cnn if drawings else "off")
    style = FigureStyle(args.format, args.theme)
    check_n_randomizations(args.randomizations)
    out = args.out or (Path(FOLDER) if args.model is None else args.model / FOLDER)
    check_folder(out)
    if args.examples is not None:
        clear(out)
    if args.template:
        print_line(f"{draw_template_of(model, out, style)}: the lens template of {_name_of(model, args.model)}")
    if not drawings:
        return DONE
    n_randomizations = args.randomizations if args.p_value else 0
    progress = Progress("heatmap", notice=MEASURING.notice)
    done = draw(
        drawings,
        out,
        model=model,
        n_randomizations=n_randomizations,
        n_jobs=args.jobs,
        progress=progress,
        style=style,
        debug=args.debug,
    )
    n_done = len(drawings) - len(done.failures)
    for line in describe_notes(done.notes, len(drawings)):
        print_line(line)
    print_line(f"{out}: {n_done} drawn, {len(done.failures)} failed; {_judged_by(model)}")
    return report_failures(done.failures, n_done)


def _check_run(args: argparse.Namespace) -> None:
    """Raise an error if what is asked for needs a run and none is to be used."""
    if args.no_run and args.examples is not None:
        raise ConfigError("--examples are skies of a run; leave out --no-run, or name the images")
    if args.no_run and args.cnn == "on":
        raise ConfigError("--cnn on needs a run; leave out --no-run or --cnn on")


def _drawings(args: argparse.Namespace) -> list[Drawing]:
    chosen = named(find_skies(local_images(args.skies), part=args.hdu))
    if args.examples is not None:
        data = None if args.data is None else local_data(args.data)
        chosen += select_examples(args.model or RUN, args.examples, data=data)
    if not chosen and not args.template:
        raise ConfigError("No skies to draw; name images, or add --examples N or --template")
    return chosen


def _model(run: Path | None, cnn: str) -> LensModel | None:
    """Return the model of the given run, or of the default run if it exists."""
    if run is not None or cnn == "on" or (RUN / BUNDLE).exists():
        return load_model(run or RUN, cnn=cnn)
    return None


def _judged_by(model: LensModel | None) -> str:
    return "no run and no verdicts" if model is None else describe_cnn_stage(reason_without_cnn(model))


def _name_of(model: LensModel | None, run: Path | None) -> str:
    return "no run (the default template)" if model is None else str(run or RUN)
