"""Effect of each part of the evidence: the same skies judged without it.

    python benchmarks/bench_ablation.py [--features DIR --data DIR --jobs -1]

Training skies are judged, each with a template fitted to the other half of them, so that the validation split selects
nothing. The log Bayes factors are calibrated (a slope and an offset) on the same skies in all variants. Without
--features, the default data set is simulated and measured first. Errors of the paired difference in log loss are
bootstrap errors. The oracle of the same skies shows the room that is left.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from harness.environment import environment
from harness.report import print_table, write_record
from numpy.typing import NDArray
from oracle.likelihood import oracle_table
from scipy.special import expit

from classify import metrics
from classify.trees.calibration import Calibration
from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.features.rebuild import training_skies
from darkmatter_features.galaxies.shapes import Flag, GalaxyCatalog
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.density import log_density_of
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit import LabelledSkies, fit_template
from darkmatter_features.lens.template import DEFAULT_SIGMA_E, LensTemplate
from darkmatter_features.simulation import simulate_dataset
from darkmatter_features.workers import parallel

Array = NDArray[np.float64]
N_RESAMPLES = 1000
"""Number of bootstrap resamples."""


@dataclass(frozen=True)
class Variant:
    """Changes of a variant: to the measurement (a folder of tables), the catalogues, the labels, the template."""

    features: str = "full"
    catalog: Callable[[GalaxyCatalog], GalaxyCatalog] = lambda catalog: catalog
    template: Callable[[LensTemplate], LensTemplate] = lambda template: template
    positions_known: bool = True


def _without_flags(catalog: GalaxyCatalog) -> GalaxyCatalog:
    return replace(catalog, flags=np.zeros_like(catalog.flags))


def _one_shape_bin(catalog: GalaxyCatalog) -> GalaxyCatalog:
    return replace(catalog, fill_factor=np.ones(len(catalog)))


def _without_border(catalog: GalaxyCatalog) -> GalaxyCatalog:
    inside = (catalog.flags & Flag.EDGE) == 0
    return replace(catalog, **{name: column[inside] for name, column in catalog.columns().items()})


def _gaussian(template: LensTemplate) -> LensTemplate:
    """Return the template with a Gaussian density in each shape bin, of its own mean and of the default width."""
    means = zip(template.mean_e1, template.mean_e2, strict=True)
    densities = [log_density_of(np.array([e1]), np.array([e2]), smoothing=DEFAULT_SIGMA_E) for e1, e2 in means]
    return replace(template, log_p0=np.stack(densities))


def _counts_without_sizes(template: LensTemplate) -> LensTemplate:
    overall = np.log(template.size_fractions @ np.exp(template.log_counts))
    return replace(template, log_counts=np.repeat(overall[None], template.size_fractions.size, axis=0))


def _one_amplitude(template: LensTemplate) -> LensTemplate:
    return replace(template, amplitudes=np.ones(1), weights=np.ones((1, 1)))


MEASUREMENTS = {
    "unsplit": MeasureConfig(split_colors=False, split_contrast=1.0),
    "no PSF": MeasureConfig(psf_sigma=0.0),
    "undilated": MeasureConfig(dilation_fraction=MeasureConfig().threshold_fraction),
}
VARIANTS = {
    "everything": Variant(),
    "no splitting by colour": Variant(features="unsplit"),
    "no PSF correction": Variant(features="no PSF"),
    "no dilation": Variant(features="undilated"),
    "no shape bins by fill factor": Variant(catalog=_one_shape_bin),
    "no shape bins of their own for partial galaxies": Variant(catalog=_without_flags),
    "no galaxies at the border": Variant(catalog=_without_border),
    "equal response of all shape bins to shear": Variant(
        template=lambda t: replace(t, response=np.ones_like(t.response))
    ),
    "Gaussian ellipticities": Variant(template=_gaussian),
    "one amplitude": Variant(template=_one_amplitude),
    "amplitude exponent 1 everywhere": Variant(
        template=lambda t: replace(t, amplitude_exponent=np.ones_like(t.amplitude_exponent))
    ),
    "counts without sizes (no magnification)": Variant(template=_counts_without_sizes),
    "no counts": Variant(template=lambda t: replace(t, log_counts=np.zeros_like(t.log_counts))),
    "positions of the lenses unknown": Variant(positions_known=False),
}


def evaluate(skies: LabelledSkies, variant: Variant, n_jobs: int) -> tuple[Array, Array]:
    """Return the log Bayes factor and the offset (pixels; nan without a lens) of each sky.

    The template of each half of the skies is fitted to the other half.
    """
    skies = replace(skies, catalogs=[variant.catalog(catalog) for catalog in skies.catalogs])
    unknown = np.full_like(skies.lens_rows, np.nan)
    training = skies if variant.positions_known else replace(skies, lens_rows=unknown, lens_columns=unknown)
    is_even = np.arange(skies.labels.size) % 2 == 0
    log_bayes_factors, offsets = np.empty(is_even.size), np.empty(is_even.size)
    for half in (is_even, ~is_even):
        template = CompiledTemplate(variant.template(fit_template(training.chosen(half))))
        others = np.flatnonzero(~half)
        found = list(parallel(lens_evidence, [(skies.catalogs[k], template) for k in others], n_jobs=n_jobs))
        log_bayes_factors[others] = [each.log_bayes_factor for each in found]
        rows, columns = np.array([(each.row, each.column) for each in found]).T
        offsets[others] = np.hypot(rows - skies.lens_rows[others], columns - skies.lens_columns[others])
    return log_bayes_factors, offsets


def losses(log_bayes_factors: Array, labels: Array) -> tuple[Array, Array]:
    """Return the calibrated probability and the log loss of each sky."""
    probability = expit(Calibration.fit(log_bayes_factors, labels)(log_bayes_factors))
    return probability, -np.log(np.where(labels == 1, probability, 1.0 - probability))


def oracle_metrics(data: Path, n_jobs: int) -> dict[str, float]:
    """Return the metrics of the oracle on the same skies."""
    found = oracle_table(data, "training", n_jobs=n_jobs)
    labels, log_bayes_factors = found["label"].to_numpy(dtype=np.float64), found["log_bayes_factor"].to_numpy()
    offsets = np.hypot(found["row"] - found["lens_row"], found["column"] - found["lens_column"])
    return {
        "auc": metrics.auc(labels, log_bayes_factors),
        "accuracy": metrics.accuracy(labels, expit(log_bayes_factors)),
        "log_loss": metrics.log_loss(labels, expit(log_bayes_factors)),
        "median_offset_px": float(np.nanmedian(offsets)),
    }


def measure_all(args: argparse.Namespace, data: Path, work: Path) -> dict[str, Path]:
    """Measure the data set where needed, and return the folders of tables by measurement."""
    full = args.features or work / "full"
    if args.features is None:
        extract_dataset(data, full, n_jobs=args.jobs)
    for name, config in MEASUREMENTS.items():
        extract_dataset(data, work / name, config=config, n_jobs=args.jobs)
    return {"full": full, **{name: work / name for name in MEASUREMENTS}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="data set (simulated when not given)")
    parser.add_argument("--features", type=Path, help="its feature tables (measured when not given)")
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    variants: dict[str, dict[str, float]] = {}
    reference = None
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or Path(folder) / "data"
        if args.data is None:
            simulate_dataset(data, n_jobs=args.jobs)
        skies = {name: training_skies(path) for name, path in measure_all(args, data, Path(folder)).items()}
        oracle = oracle_metrics(data, args.jobs)
    for name, variant in VARIANTS.items():
        own = skies[variant.features]
        log_bayes_factors, offsets = evaluate(own, variant, args.jobs)
        probability, loss = losses(log_bayes_factors, own.labels)
        reference = loss if reference is None else reference
        # nan where a variant measures other skies than the reference: never on the default data.
        change = loss - reference if loss.size == reference.size else np.full(1, np.nan)
        resamples = rng.integers(0, change.size, (N_RESAMPLES, change.size))
        variants[name] = {
            "auc": metrics.auc(own.labels, log_bayes_factors),
            "accuracy": metrics.accuracy(own.labels, probability),
            "log_loss": float(loss.mean()),
            "change": float(change.mean()),
            "change_error": float(change[resamples].mean(axis=1).std()),
            "median_offset_px": float(np.nanmedian(offsets)),
        }
    print(environment())
    header = ("variant", "AUC", "accuracy", "log loss", "change of log loss", "offset, px")
    print_table(header, [(name, *_cells(row)) for name, row in variants.items()])
    print("oracle:", ", ".join(f"{name} {value:.4f}" for name, value in oracle.items()))
    print(write_record("ablation", {"skies": int(skies["full"].labels.size), "oracle": oracle, "variants": variants}))


def _cells(row: dict[str, float]) -> tuple[str, ...]:
    values = (f"{row[key]:.4f}" for key in ("auc", "accuracy", "log_loss"))
    return (*values, f"{row['change']:+.4f} ±{row['change_error']:.4f}", f"{row['median_offset_px']:.2f}")


if __name__ == "__main__":
    main()
