"""What the adjustment of the template to each sky is worth: log loss of the evidence with parts of it left out.

    python benchmarks/bench_adjustment.py --work DIR [--families a,b --jobs -1]

The work folder is that of `bench_shift.py`, which simulates the families and trains the model of the default preset.
Its template, never fitted to a family, judges the validation skies of each by the log Bayes factor alone, with even
prior odds and no calibration.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness.report import print_table, write_record
from joblib import Parallel, delayed
from scipy.special import expit

from classify import metrics
from classify.model import LensModel
from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.template import SKY_STATISTICS, LensTemplate

SHAPES = ("fill_factor", "fill_factor_spread")
SIZES = ("size", "size_spread")
MEAN = ("mean_e1", "mean_e2")
SCATTER = ("sigma_e",)
NUMBER = ("n_galaxies",)

TRIALS: dict[str, tuple[bool, tuple[str, ...]]] = {
    "nothing": (False, ()),
    "PSF": (True, ()),
    "PSF, scatter": (True, SCATTER),
    "PSF, scatter, shapes": (True, SCATTER + SHAPES),
    "PSF, scatter, shapes, sizes": (True, SCATTER + SHAPES + SIZES),
    "all": (True, SCATTER + SHAPES + SIZES + MEAN),
    "all but the PSF": (False, SCATTER + SHAPES + SIZES + MEAN),
}
"""From the name of a trial to whether the PSF is measured, and the statistics of a sky that the template follows."""


def with_statistics(template: LensTemplate, names: Sequence[str]) -> LensTemplate:
    """Return the template that follows some statistics of a sky alone: the others never deviate."""
    chosen = np.isin(SKY_STATISTICS, [*names, *NUMBER])
    return replace(template, sky_scatter=template.sky_scatter * chosen, sky_error=template.sky_error * chosen)


def catalogs_of(data: Path, config: MeasureConfig, n_jobs: int) -> tuple[list[GalaxyCatalog], np.ndarray]:
    """Return the measured validation skies of a data set, and their labels."""
    split = next(each for each in Dataset.open(data).splits if each.name == "validation")
    catalogs = Parallel(n_jobs)(delayed(lambda file: measure(read_sky(file), config))(file) for file in split.files)
    return list(catalogs), np.asarray(split.labels, dtype=np.float64)


def log_loss(catalogs: Sequence[GalaxyCatalog], labels: np.ndarray, template: LensTemplate, n_jobs: int) -> float:
    """Return the log loss of the evidence of a template."""
    compiled = CompiledTemplate(template)
    compiled.mean_counts(catalogs[0].shape)
    log_odds = Parallel(n_jobs)(
        delayed(lambda catalog: lens_evidence(catalog, compiled).log_bayes_factor)(catalog) for catalog in catalogs
    )
    return metrics.log_loss(labels, expit(np.clip(log_odds, -30.0, 30.0)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Log loss of the evidence with parts of the adjustment left out.")
    parser.add_argument("--work", type=Path, required=True, help="work folder of bench_shift.py")
    parser.add_argument("--families", help="names, separated by commas (all in the folder)")
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args()
    model = LensModel.load(options.work / "default" / "run")
    folders = sorted(path.parent for path in (options.work / "families").glob("*/data"))
    if options.families:
        folders = [path for path in folders if path.name in options.families.split(",")]
    table: dict[str, dict[str, float]] = {}
    for folder in folders:
        measured = {
            psf: catalogs_of(folder / "data", replace(model.config, measure_psf=psf), options.jobs)
            for psf in (False, True)
        }
        table[folder.name] = {
            name: log_loss(*measured[psf], with_statistics(model.template, names), options.jobs)
            for name, (psf, names) in TRIALS.items()
        }
        rows = [[folder.name, *(f"{value:.3f}" for value in table[folder.name].values())]]
        print_table(["family".ljust(13), *TRIALS], rows)
    print(write_record("adjustment", {"log_loss": table}))


if __name__ == "__main__":
    main()
