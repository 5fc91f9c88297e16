"""Time from an image on disk to its feature row, on one core, beside other packages or another version.

    python benchmarks/bench_throughput.py [--skies 5 --repeats 7 --quality-skies 24 --data DIR --sky PNG --run RUN]
    python benchmarks/bench_throughput.py --against DIR [--rounds 30 --template JSON --sky PNG]

Each round runs all sides in turn in one process on one core; times are medians over rounds of the processor time.
darkmatter goes from the PNG to the row: galaxies, maps of six scales, evidence, statistics. The other packages get the
decoded brightest channel, the threshold and the grid of centres of darkmatter; the time of the fastest decoder is added
to each. Their map has one scale: by NumPy for all, and by TreeCorr for SEP too. Their ellipticities are compared with
the true ones of simulated skies. A published sky, where it is present, is timed beside the simulated ones. With --run,
the time to the verdict of a trained model is measured too: by its trees, for skies that are judged together.

With --against, this version is compared with another one, whose root is DIR: each runs in a process of its own on the
same image, in turn. Nothing is written to disk then.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from competitors import catalogs, decoders
from competitors.catalog_quality import errors, summary
from competitors.catalogs import Competitor, Shapes
from competitors.plain_maps import numpy_map, treecorr_map
from harness import stage_probe, versions
from harness.environment import environment, pin_to_one_core
from harness.inputs import N_FITTED, PUBLISHED_SKY, fitted_template
from harness.report import RESULTS, print_table, write_record
from harness.timing import interleaved, median_wall_ms
from plots import throughput as throughput_plot

from classify.model import LensModel
from classify.predict import load_model
from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.extract import extract_sky
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.io.truth import read_galaxy_truth
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.simulation import simulate_dataset

DARKMATTER = "darkmatter"
TO_VERDICT = "darkmatter, to the verdict"
VERDICT = "verdict"
N_JUDGED = 200
"""Skies that are judged together."""
SCALE = 3
"""Index of the scale of the plain maps: the window with the highest S/N of a lens in the published skies."""

TREECORR = "TreeCorr"
Times = dict[str, dict[str, float]]
"""Milliseconds by group (stages, decode, catalogue, map) and by name."""


def time_sky(
    path: Path, template: LensTemplate, competitors: dict[str, Competitor], repeats: int, model: LensModel | None
) -> Times:
    """Return the milliseconds of the stages, decoders, catalogues and maps of one sky."""
    judged = {} if model is None else {VERDICT: verdict_work(path, model)}
    work = {
        "stages": stage_probe.stages_of(path, template) | judged,
        "decode": {name: lambda d=decode: d(path) for name, decode in decoders.installed().items()},
        **competitor_work(read_sky(path), competitors),
    }
    times = interleaved(
        {(group, name): run for group, each in work.items() for name, run in each.items()}, repeats=repeats
    )
    for name in judged:
        times["stages", name] /= N_JUDGED
    return {group: {name: times[group, name] for name in sides} for group, sides in work.items()}


def verdict_work(path: Path, model: LensModel) -> Callable[[], object]:
    """Return the work of the verdicts on N_JUDGED skies like one, which `predict` judges together."""
    rows = np.tile(extract_sky(read_sky(path), template=model.template), (N_JUDGED, 1))
    return lambda: model.verdicts([path.name] * N_JUDGED, rows)


def competitor_work(sky: Sky, competitors: dict[str, Competitor]) -> dict[str, dict]:
    """Return the work of each catalogue, and that of the map of each catalogue."""
    inputs = competitor_inputs(sky)
    grid = shear_maps(measure(sky))
    centres = (grid.columns, grid.rows, float(grid.scales[SCALE]))
    shapes = {name: work(*inputs) for name, work in competitors.items()}
    maps = {name: lambda s=each: numpy_map(s, *centres) for name, each in shapes.items()}
    if catalogs.SEP in shapes and find_spec("treecorr"):
        maps[TREECORR] = lambda: treecorr_map(shapes[catalogs.SEP], *centres)
    return {"catalogue": {name: lambda w=work: w(*inputs) for name, work in competitors.items()}, "map": maps}


def competitor_inputs(sky: Sky) -> tuple:
    """Return the inputs of the competitors: the brightest channel, the threshold and the minimum number of pixels."""
    return sky.pixels.max(axis=2).astype(np.float32), segment(sky).threshold, MeasureConfig().n_pixels


def file_to_map(times: Times) -> dict[str, float]:
    """Return the milliseconds from the file to the row (darkmatter) or to the map (the competitors)."""
    decode = min(times["decode"].values())
    stages = times["stages"]
    total = {DARKMATTER: stages["whole sky"]}
    if VERDICT in stages:
        total[TO_VERDICT] = stages["whole sky"] + stages[VERDICT]
    total |= {f"{name} + NumPy map": decode + ms + times["map"][name] for name, ms in times["catalogue"].items()}
    if TREECORR in times["map"]:
        total[f"{catalogs.SEP} + TreeCorr"] = decode + times["catalogue"][catalogs.SEP] + times["map"][TREECORR]
    return total


def ratios(times: Times) -> dict[str, float]:
    """Return the ratios of total times: darkmatter over the fastest decoder, and two competitors over darkmatter."""
    total, decode = file_to_map(times), min(times["decode"].values())
    own = total[DARKMATTER]
    found = {f"{name} / fastest decode": total[name] / decode for name in (DARKMATTER, TO_VERDICT) if name in total}
    for name, side in (
        ("SEP + TreeCorr", "SEP + TreeCorr"),
        ("photutils, deblended", "photutils, deblended + NumPy map"),
    ):
        if side in total:
            found[f"{name} / darkmatter"] = total[side] / own
    return found


def qualities(root: Path, paths: Sequence[Path], competitors: dict[str, Competitor]) -> dict[str, dict[str, float]]:
    """Return the errors of the ellipticities and the completeness of each side."""
    sides: dict[str, list] = {name: [] for name in (DARKMATTER, *competitors)}
    for path in paths:
        sky, truth = read_sky(path), read_galaxy_truth(root, path)
        own = measure(sky)
        found = {DARKMATTER: Shapes(own.x, own.y, own.e1 + 1j * own.e2)}
        found |= {name: work(*competitor_inputs(sky)) for name, work in competitors.items()}
        for name, shapes in found.items():
            sides[name].append(errors(shapes, truth))
    return summary(sides)


def mean_of(rows: Sequence[Times]) -> Times:
    """Return the mean times over skies."""
    return {
        group: {name: float(np.mean([row[group][name] for row in rows])) for name in sides}
        for group, sides in rows[0].items()
    }


def with_costs(quality: dict[str, dict[str, float]], times: Times) -> dict[str, dict[str, float]]:
    """Return the quality of each side with the milliseconds from the file to its catalogue."""
    decode = min(times["decode"].values())
    cost = {name: decode + ms for name, ms in times["catalogue"].items()}
    cost[DARKMATTER] = sum(times["stages"][stage] for stage in ("read", "segment", "shapes"))
    return {name: {"ms": cost[name], **figures} for name, figures in quality.items()}


def help_milliseconds(repeats: int = 9) -> float:
    """Return the wall-clock time of `darkmatter --help`, milliseconds, with the start of the interpreter."""
    words = [sys.executable, "-c", "from classify.cli import main; main(['--help'])"]
    return median_wall_ms(lambda: subprocess.run(words, stdout=subprocess.DEVNULL, check=True), repeats=repeats)


def print_times(times: dict[str, Times], quality: dict[str, dict[str, float]]) -> None:
    """Print the tables."""
    skies = list(times)
    for group in next(iter(times.values())):
        rows = [(name, *(f"{times[sky][group][name]:.2f}" for sky in skies)) for name in times[skies[0]][group]]
        print_table((f"{group}, ms", *skies), rows)
        print()
    for title, figures, form in (("file to map, ms", file_to_map, "{:.1f}"), ("ratio", ratios, "{:.2f}")):
        by_sky = {sky: figures(each) for sky, each in times.items()}
        print_table(
            (title, *skies), [(name, *(form.format(by_sky[sky][name]) for sky in skies)) for name in by_sky[skies[0]]]
        )
        print()
    header = ("file to catalogue", "ms", "found", "rms |de|", "median", "rms, found by all")
    rows = [
        (
            name,
            f"{q['ms']:.1f}",
            f"{q['completeness']:.1%}",
            *(f"{q[k]:.4f}" for k in ("rms", "median", "rms_found_by_all")),
        )
        for name, q in quality.items()
    ]
    print_table(header, rows)


def simulated(args: argparse.Namespace, folder: Path, n_skies: int) -> Path:
    """Return the data set that is given, or simulate one of `n_skies` skies, and of those that a template needs."""
    if args.data is not None:
        return args.data
    n_fitted = N_FITTED if args.template is None else 0
    simulate_dataset(folder, n_training=max(n_skies, n_fitted), n_validation=1, n_jobs=1)
    return folder


def template_of(args: argparse.Namespace, data: Path) -> LensTemplate:
    """Return the template that is given, or fit one to the data set."""
    return fitted_template(Dataset.open(data).splits[0]) if args.template is None else LensTemplate.read(args.template)


def compare_versions(args: argparse.Namespace) -> None:
    """Compare the stages of this version with those of another one, and print the ratios of their times."""
    with tempfile.TemporaryDirectory() as folder:
        image, template = args.sky, args.template
        if template is None or not image.exists():
            data = simulated(args, Path(folder) / "data", 1)
            image = image if image.exists() else Dataset.open(data).splits[0].files[0]
        if template is None:
            template = Path(folder) / "template.json"
            template_of(args, data).write(template)
        new, old, difference = versions.compare(args.against, image, template, n_rounds=args.rounds)
    print(environment())
    print(f"{image.name}, {args.rounds} rounds; new: this version, old: {args.against}")
    versions.print_comparison(new, old)
    print(f"maximum difference of the feature rows: {difference:.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=5, help="simulated skies to time (%(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds (%(default)s)")
    parser.add_argument("--quality-skies", type=int, default=24, help="skies to compare shapes on (%(default)s)")
    parser.add_argument(
        "--sky", type=Path, default=PUBLISHED_SKY, help="a sky to time too (a published one where present)"
    )
    parser.add_argument("--data", type=Path, help="simulated data set to take skies from (simulated when not given)")
    parser.add_argument("--template", type=Path, help="fitted template (fitted to the data set when not given)")
    parser.add_argument("--run", type=Path, help="training run whose verdicts are timed too")
    parser.add_argument("--against", type=Path, help="root of another version, to compare the stages with")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of the comparison with it (%(default)s)")
    args = parser.parse_args()
    pin_to_one_core()
    if args.against is not None:
        compare_versions(args)
        return
    competitors, missing = catalogs.installed()
    if not find_spec("treecorr"):
        missing.append(f"{TREECORR} is left out: install treecorr ({catalogs.REMEDY})")
    print(environment(), *missing, sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        data = simulated(args, Path(folder), max(args.skies, args.quality_skies))
        model = None if args.run is None else load_model(args.run, cnn="off")
        files, template = Dataset.open(data).splits[0].files, template_of(args, data)
        timed = {f"mean of {args.skies} simulated": list(files[: args.skies])}
        if args.sky.exists():
            timed = {args.sky.name: [args.sky]} | timed
        times = {
            name: mean_of([time_sky(path, template, competitors, args.repeats, model) for path in paths])
            for name, paths in timed.items()
        }
        quality = qualities(data, files[: args.quality_skies], competitors)
    quality = with_costs(quality, list(times.values())[-1])
    help_ms = help_milliseconds()
    print_times(times, quality)
    print(f"\n`darkmatter --help`: {help_ms:.0f} ms")
    figures = {name: {**each, "file to map": file_to_map(each), "ratios": ratios(each)} for name, each in times.items()}
    print(write_record("throughput", {"milliseconds": figures, "quality": quality, "help_milliseconds": help_ms}))
    throughput_plot.draw(RESULTS / "throughput.png", quality)


if __name__ == "__main__":
    main()
