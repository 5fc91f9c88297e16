"""The feature stage, stage by stage: from a picture on disk to its row, on one core, and the memory of a worker.

    python benchmarks/bench_throughput.py [--skies 12 --repeats 15 --data DIR]

Medians over repeated runs in one process, averaged over skies; compiled beforehand.
"""

import argparse
import resource
import statistics
import tempfile
from pathlib import Path

from helpers import environment, milliseconds, print_table, write_result

from darkmatter_features.dataset import Dataset
from darkmatter_features.extract import extract_sky
from darkmatter_features.segmentation import segment
from darkmatter_features.shapes import measure_shapes
from darkmatter_features.shear import shear_maps
from darkmatter_features.simulation import simulate_dataset
from darkmatter_features.sky import read_sky
from darkmatter_features.statistics import feature_row
from darkmatter_features.template import LensTemplate


def stages(path: Path, repeats: int) -> dict[str, float]:
    """Milliseconds of each stage for one sky."""
    sky = read_sky(path)
    segments = segment(sky)
    catalog = measure_shapes(segments)
    template = LensTemplate.of_sky(catalog)
    maps = shear_maps(catalog, template)
    work = {
        "read": lambda: read_sky(path),
        "segment": lambda: segment(sky),
        "shapes": lambda: measure_shapes(segments),
        "maps": lambda: shear_maps(catalog, template),
        "statistics": lambda: feature_row(catalog, maps, template),
        "whole": lambda: extract_sky(read_sky(path), template=template),
    }
    return {name: milliseconds(run, repeats=repeats) for name, run in work.items()}


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
        rows = [stages(path, args.repeats) for path in split.files[: args.skies]]
    mean = {name: statistics.mean(row[name] for row in rows) for name in rows[0]}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(environment())
    print_table(("stage", "ms a sky"), [(name, f"{ms:.2f}") for name, ms in mean.items()])
    print(f"peak memory of this process: {memory:.0f} MB")
    print(write_result("throughput", {"skies": len(rows), "milliseconds": mean, "peak_memory_mb": memory}))


if __name__ == "__main__":
    main()
