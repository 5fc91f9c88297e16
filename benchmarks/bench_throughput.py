"""From a picture on disk to a finished feature row, on one core, beside what one would otherwise put together.

    python benchmarks/bench_throughput.py [--skies 5 --repeats 7 --quality-skies 24 --data DIR]

Each sky is timed in rounds of all sides, one after another in one process kept on one core; told are medians, over the
rounds, of the processor's time. Ours goes from the PNG to the row: galaxies, maps of six scales, evidence, statistics.
The others are given the decoded brightest channel, our threshold and our grid of centres; the fastest decode is added
to each. Their map has one scale: by NumPy for all, and for SEP by TreeCorr, too. The ellipticities of all are compared
with the true ones of simulated skies. A published sky is timed apart from the simulated ones where it is there.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from competitors import contenders, decoders
from competitors.contenders import Contender, Shapes
from competitors.plain_maps import numpy_map, treecorr_map
from competitors.quality import errors, summary
from helpers import (
    FITTED,
    PUBLISHED_SKY,
    RESULTS,
    environment,
    fitted,
    interleaved,
    milliseconds,
    print_table,
    stay_on_one_core,
    write_result,
)
from plots import throughput as throughput_plot

from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.extract import extract_sky
from darkmatter_features.features.statistics import feature_row
from darkmatter_features.galaxies.segmentation import segment
from darkmatter_features.galaxies.shapes import measure, measure_shapes
from darkmatter_features.io.dataset import Dataset, read_galaxy_truth
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import shear_maps
from darkmatter_features.simulation import simulate_dataset

OURS = "darkmatter"
STAGES = ("read", "segment", "shapes", "maps", "evidence", "statistics", "whole")
SCALE = 3  # index of the scale of the plain maps: the window in which a lens of the published skies is clearest
TREECORR = "TreeCorr"
Times = dict[str, dict[str, float]]


def time_sky(path: Path, template: LensTemplate, others: dict[str, Contender], repeats: int) -> Times:
    """Milliseconds of one sky: of our stages, of each decoder, of each catalogue and of each map."""
    work = {
        "stages": our_stages(path, template),
        "decode": {name: lambda d=decode: d(path) for name, decode in decoders.installed().items()},
        **their_parts(read_sky(path), others),
    }
    times = interleaved(
        {(kind, name): run for kind, each in work.items() for name, run in each.items()}, repeats=repeats
    )
    return {kind: {name: times[kind, name] for name in sides} for kind, sides in work.items()}


def our_stages(path: Path, template: LensTemplate) -> dict:
    """Every stage with what the one before it left, and the whole."""
    sky = read_sky(path)
    segments = segment(sky)
    catalog = measure_shapes(segments)
    maps = shear_maps(catalog, template)
    evidence = lens_evidence(catalog, template)
    runs = (
        lambda: read_sky(path),
        lambda: segment(sky),
        lambda: measure_shapes(segments),
        lambda: shear_maps(catalog, template),
        lambda: lens_evidence(catalog, template),
        lambda: feature_row(catalog, maps, evidence, template),
        lambda: extract_sky(read_sky(path), template=template),
    )
    return dict(zip(STAGES, runs, strict=True))


def their_parts(sky: Sky, others: dict[str, Contender]) -> dict[str, dict]:
    """The catalogue of each, and the map of that catalogue."""
    given = channel(sky)
    grid = shear_maps(measure(sky))
    at = (grid.columns, grid.rows, float(grid.scales[SCALE]))
    shapes = {name: work(*given) for name, work in others.items()}
    maps = {name: lambda s=each: numpy_map(s, *at) for name, each in shapes.items()}
    if contenders.SEP in shapes and find_spec("treecorr"):
        maps[TREECORR] = lambda: treecorr_map(shapes[contenders.SEP], *at)
    return {"catalogue": {name: lambda w=work: w(*given) for name, work in others.items()}, "map": maps}


def channel(sky: Sky) -> tuple:
    """What the others are given: the brightest channel, our threshold and fewest pixels."""
    return sky.pixels.max(axis=2).astype(np.float32), segment(sky).threshold, MeasureConfig().n_pixels


def wholes(times: Times) -> dict[str, float]:
    """Milliseconds from the file to the row (ours) or to the map (the others)."""
    unit = min(times["decode"].values())
    whole = {OURS: times["stages"]["whole"]}
    whole |= {f"{name} + NumPy map": unit + ms + times["map"][name] for name, ms in times["catalogue"].items()}
    if TREECORR in times["map"]:
        whole[f"{contenders.SEP} + TreeCorr"] = unit + times["catalogue"][contenders.SEP] + times["map"][TREECORR]
    return whole


def ratios(times: Times) -> dict[str, float]:
    """The figures to watch."""
    whole = wholes(times)
    ours = whole[OURS]
    told = {"ours / fastest decode": ours / min(times["decode"].values())}
    for name, side in (
        ("SEP + TreeCorr", "SEP + TreeCorr"),
        ("photutils, deblended", "photutils, deblended + NumPy map"),
    ):
        if side in whole:
            told[f"{name} / ours"] = whole[side] / ours
    return told


def qualities(root: Path, paths: Sequence[Path], others: dict[str, Contender]) -> dict[str, dict[str, float]]:
    """Errors of the ellipticities and completeness of every side."""
    sides: dict[str, list] = {name: [] for name in (OURS, *others)}
    for path in paths:
        sky, truth = read_sky(path), read_galaxy_truth(root, path)
        ours = measure(sky)
        found = {OURS: Shapes(ours.x, ours.y, ours.e1 + 1j * ours.e2)}
        found |= {name: work(*channel(sky)) for name, work in others.items()}
        for name, shapes in found.items():
            sides[name].append(errors(shapes, truth))
    return summary(sides)


def mean_of(rows: Sequence[Times]) -> Times:
    """Mean over skies of what was timed."""
    return {
        kind: {name: float(np.mean([row[kind][name] for row in rows])) for name in sides}
        for kind, sides in rows[0].items()
    }


def with_costs(quality: dict[str, dict[str, float]], times: Times) -> dict[str, dict[str, float]]:
    """Add to each side the milliseconds from the file to its catalogue."""
    unit = min(times["decode"].values())
    cost = {name: unit + ms for name, ms in times["catalogue"].items()}
    cost[OURS] = sum(times["stages"][stage] for stage in ("read", "segment", "shapes"))
    return {name: {"ms": cost[name], **figures} for name, figures in quality.items()}


def help_milliseconds(repeats: int = 9) -> float:
    """Time of `darkmatter --help`, the interpreter's start included."""
    words = [sys.executable, "-c", "from classify.cli import main; main(['--help'])"]
    return milliseconds(lambda: subprocess.run(words, stdout=subprocess.DEVNULL, check=True), repeats=repeats)


def tell(times: dict[str, Times], quality: dict[str, dict[str, float]]) -> None:
    """Print the tables."""
    skies = list(times)
    for kind in next(iter(times.values())):
        rows = [(name, *(f"{times[sky][kind][name]:.2f}" for sky in skies)) for name in times[skies[0]][kind]]
        print_table((f"{kind}, ms", *skies), rows)
        print()
    for title, figures, form in (("file to map, ms", wholes, "{:.1f}"), ("ratio", ratios, "{:.2f}")):
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=5, help="simulated skies to time (%(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="rounds (%(default)s)")
    parser.add_argument("--quality-skies", type=int, default=24, help="skies to compare shapes on (%(default)s)")
    parser.add_argument("--sky", type=Path, default=PUBLISHED_SKY, help="published sky, timed too if it is there")
    parser.add_argument("--data", type=Path, help="simulated data set to take skies from (made when not given)")
    args = parser.parse_args()
    stay_on_one_core()
    others, missing = contenders.installed()
    if not find_spec("treecorr"):
        missing.append(f"{TREECORR} is left out: install treecorr ({contenders.REMEDY})")
    print(environment(), *missing, sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or Path(folder)
        if args.data is None:
            simulate_dataset(data, n_training=max(args.skies, args.quality_skies, FITTED), n_validation=1, n_jobs=1)
        split = Dataset.open(data).splits[0]
        files, template = split.files, fitted(split)
        timed = {f"mean of {args.skies} simulated": list(files[: args.skies])}
        if args.sky.exists():
            timed = {args.sky.name: [args.sky]} | timed
        times = {
            name: mean_of([time_sky(path, template, others, args.repeats) for path in paths])
            for name, paths in timed.items()
        }
        quality = qualities(data, files[: args.quality_skies], others)
    quality = with_costs(quality, list(times.values())[-1])
    started = help_milliseconds()
    tell(times, quality)
    print(f"\n`darkmatter --help`: {started:.0f} ms")
    figures = {name: {**each, "file to map": wholes(each), "ratios": ratios(each)} for name, each in times.items()}
    print(write_result("throughput", {"milliseconds": figures, "quality": quality, "help_milliseconds": started}))
    throughput_plot.draw(RESULTS / "throughput.png", quality)


if __name__ == "__main__":
    main()
