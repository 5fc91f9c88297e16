"""The feature stage, stage by stage: from a picture on disk to its row, on one core, and the memory of a worker.

    python benchmarks/bench_throughput.py [--skies 12 --repeats 15 --data DIR]

Medians over repeated runs in one process, averaged over skies; compiled beforehand.
"""

import argparse
import resource
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from helpers import environment, milliseconds, print_table, write_result

from darkmatter_features.dataset import Dataset
from darkmatter_features.evidence import lens_evidence
from darkmatter_features.extract import extract_sky
from darkmatter_features.fit import LabelledSkies, fit_template
from darkmatter_features.segmentation import segment
from darkmatter_features.shapes import measure, measure_shapes
from darkmatter_features.shear import shear_maps
from darkmatter_features.simulation import simulate_dataset
from darkmatter_features.sky import read_sky
from darkmatter_features.statistics import feature_row
from darkmatter_features.template import LensTemplate


def stages(path: Path, template: LensTemplate, repeats: int) -> dict[str, float]:
    """Milliseconds of each stage for one sky."""
    sky = read_sky(path)
    segments = segment(sky)
    catalog = measure_shapes(segments)
    maps = shear_maps(catalog, template)
    evidence = lens_evidence(catalog, template)
    work = {
        "read": lambda: read_sky(path),
        "segment": lambda: segment(sky),
        "shapes": lambda: measure_shapes(segments),
        "maps": lambda: shear_maps(catalog, template),
        "evidence": lambda: lens_evidence(catalog, template),
        "statistics": lambda: feature_row(catalog, maps, evidence, template),
        "whole": lambda: extract_sky(read_sky(path), template=template),
    }
    return {name: milliseconds(run, repeats=repeats) for name, run in work.items()}


def fitted(paths: Sequence[Path]) -> LensTemplate:
    """A template as large as a fitted one: unlensed shapes of these skies, and the default profile."""
    catalogs = [measure(read_sky(path)) for path in paths]
    unknown = np.full(len(catalogs), np.nan)
    return fit_template(LabelledSkies(catalogs, unknown, unknown, unknown))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--data", type=Path, help="data set to take skies from (simulated when not given)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or Path(folder)
        if args.data is None:
            simulate_dataset(data, n_training=args.skies, n_validation=1)
        split = Dataset.open(data).splits[0]
        template = fitted(split.files[: args.skies])
        rows = [stages(path, template, args.repeats) for path in split.files[: args.skies]]
    mean = {name: statistics.mean(row[name] for row in rows) for name in rows[0]}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(environment())
    print_table(("stage", "ms a sky"), [(name, f"{ms:.2f}") for name, ms in mean.items()])
    print(f"peak memory of this process: {memory:.0f} MB")
    print(write_result("throughput", {"skies": len(rows), "milliseconds": mean, "peak_memory_mb": memory}))


if __name__ == "__main__":
    main()
