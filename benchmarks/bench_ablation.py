"""What each part of the evidence earns: the same skies judged without it.

    python benchmarks/bench_ablation.py [--features DIR --data DIR --jobs -1]

Judged are training skies, each by a template fitted to the other half of them, so that the validation split chooses
nothing; the log-odds are calibrated (a slope and an offset) on the same skies, alike for all. Without --features, the
default data set is simulated and measured first. Errors of the paired difference in log loss are bootstrap errors. The
oracle of the same skies, which tells how much is left, stands beside.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from helpers import environment, print_table, write_result
from numpy.typing import NDArray
from oracle.likelihood import oracle_of
from scipy.special import expit

from classify import metrics
from classify.trees.calibration import Calibration
from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.features.rebuild import training_skies
from darkmatter_features.galaxies.shapes import Flag, GalaxyCatalog
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit import LabelledSkies, fit_template
from darkmatter_features.lens.template import DEFAULT_SIGMA_E, LensTemplate, log_density_of
from darkmatter_features.simulation import simulate_dataset
from darkmatter_features.workers import parallel

Array = NDArray[np.float64]
N_RESAMPLES = 1000


@dataclass(frozen=True)
class Variant:
    """What is changed: the measuring (as a folder of tables), the catalogues, the labels, the template."""

    features: str = "full"
    catalog: Callable[[GalaxyCatalog], GalaxyCatalog] = lambda catalog: catalog
    template: Callable[[LensTemplate], LensTemplate] = lambda template: template
    places_known: bool = True


def _without_flags(catalog: GalaxyCatalog) -> GalaxyCatalog:
    return replace(catalog, flags=np.zeros_like(catalog.flags))


def _all_alike(catalog: GalaxyCatalog) -> GalaxyCatalog:
    return replace(catalog, fill_factor=np.ones(len(catalog)))


def _without_border(catalog: GalaxyCatalog) -> GalaxyCatalog:
    whole = (catalog.flags & Flag.EDGE) == 0
    return replace(catalog, **{name: column[whole] for name, column in catalog.columns().items()})


def _gaussian(template: LensTemplate) -> LensTemplate:
    """Each kind with a Gaussian of its own mean, as wide as the default."""
    means = zip(template.mean_e1, template.mean_e2, strict=True)
    densities = [log_density_of(np.array([e1]), np.array([e2]), smoothing=DEFAULT_SIGMA_E) for e1, e2 in means]
    return replace(template, log_p0=np.stack(densities))


def _counts_of_all(template: LensTemplate) -> LensTemplate:
    overall = np.log(template.size_fractions @ np.exp(template.log_counts))
    return replace(template, log_counts=np.repeat(overall[None], template.size_fractions.size, axis=0))


def _one_strength(template: LensTemplate) -> LensTemplate:
    return replace(template, amplitudes=np.ones(1), weights=np.ones((1, 1)))


MEASURED = {
    "unsplit": MeasureConfig(split_colors=False, split_contrast=1.0),
    "blurred": MeasureConfig(psf_sigma=0.0),
    "rimless": MeasureConfig(dilation_fraction=MeasureConfig().threshold_fraction),
}
VARIANTS = {
    "everything": Variant(),
    "no splitting by colour": Variant(features="unsplit"),
    "the blur left on": Variant(features="blurred"),
    "no rims": Variant(features="rimless"),
    "no kinds by fill_factor": Variant(catalog=_all_alike),
    "split and cut galaxies no kind of their own": Variant(catalog=_without_flags),
    "no galaxies at the border": Variant(catalog=_without_border),
    "all kinds answer alike to shear": Variant(template=lambda t: replace(t, response=np.ones_like(t.response))),
    "Gaussian ellipticities": Variant(template=_gaussian),
    "one strength": Variant(template=_one_strength),
    "shear grows as the strength everywhere": Variant(
        template=lambda t: replace(t, amplitude_exponent=np.ones_like(t.amplitude_exponent))
    ),
    "counts without sizes (no magnification)": Variant(template=_counts_of_all),
    "no counts": Variant(template=lambda t: replace(t, log_counts=np.zeros_like(t.log_counts))),
    "places of the lenses unknown": Variant(places_known=False),
}


def judged(skies: LabelledSkies, variant: Variant, n_jobs: int) -> tuple[Array, Array]:
    """Log-odds and offsets (pixels; nan without a lens) of every sky, by a template that does not know it."""
    skies = replace(skies, catalogs=[variant.catalog(catalog) for catalog in skies.catalogs])
    if not variant.places_known:
        known = skies
        unknown = np.full_like(skies.lens_rows, np.nan)
        skies = replace(skies, lens_rows=unknown, lens_columns=unknown)
    else:
        known = skies
    first = np.arange(skies.labels.size) % 2 == 0
    log_odds, offsets = np.empty(first.size), np.empty(first.size)
    for half in (first, ~first):
        template = variant.template(fit_template(skies.chosen(half)))
        own = np.flatnonzero(~half)
        found = list(parallel(lens_evidence, [(skies.catalogs[k], template) for k in own], n_jobs=n_jobs))
        log_odds[own] = [each.log_odds for each in found]
        places = np.array([(each.row, each.column) for each in found])
        offsets[own] = np.hypot(places[:, 0] - known.lens_rows[own], places[:, 1] - known.lens_columns[own])
    return log_odds, offsets


def losses(log_odds: Array, labels: Array) -> tuple[Array, Array]:
    """Calibrated probabilities, and the log loss of every sky."""
    probability = expit(Calibration.fit(log_odds, labels)(log_odds))
    return probability, -np.log(np.where(labels == 1, probability, 1.0 - probability))


def limit_figures(data: Path, n_jobs: int) -> dict[str, float]:
    """What the oracle makes of the same skies."""
    found = oracle_of(data, "training", n_jobs=n_jobs)
    labels, log_odds = found["label"].to_numpy(dtype=np.float64), found["log_odds"].to_numpy()
    offsets = np.hypot(found["row"] - found["lens_row"], found["column"] - found["lens_column"])
    return {
        "auc": metrics.auc(labels, log_odds),
        "accuracy": metrics.accuracy(labels, expit(log_odds)),
        "log_loss": metrics.log_loss(labels, expit(log_odds)),
        "median_offset_px": float(np.nanmedian(offsets)),
    }


def measured(args: argparse.Namespace, data: Path, work: Path) -> dict[str, Path]:
    """Folders of tables, by how they were measured."""
    full = args.features or work / "full"
    if args.features is None:
        extract_dataset(data, full, n_jobs=args.jobs)
    for name, config in MEASURED.items():
        extract_dataset(data, work / name, config=config, n_jobs=args.jobs)
    return {"full": full, **{name: work / name for name in MEASURED}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="data set (simulated)")
    parser.add_argument("--features", type=Path, help="its feature tables (measured)")
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    rows, table, reference = {}, [], None
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or Path(folder) / "data"
        if args.data is None:
            simulate_dataset(data, n_jobs=args.jobs)
        skies = {name: training_skies(path) for name, path in measured(args, data, Path(folder)).items()}
        limit = limit_figures(data, args.jobs)
    for name, variant in VARIANTS.items():
        own = skies[variant.features]
        log_odds, offsets = judged(own, variant, args.jobs)
        probability, loss = losses(log_odds, own.labels)
        reference = loss if reference is None else reference
        # Skies that only one of the two could measure are left out of the difference: none on the default data.
        change = loss - reference if loss.size == reference.size else np.full(1, np.nan)
        resamples = rng.integers(0, change.size, (N_RESAMPLES, change.size))
        rows[name] = {
            "auc": metrics.auc(own.labels, log_odds),
            "accuracy": metrics.accuracy(own.labels, probability),
            "log_loss": float(loss.mean()),
            "change": float(change.mean()),
            "change_error": float(change[resamples].mean(axis=1).std()),
            "median_offset_px": float(np.nanmedian(offsets)),
        }
        r = rows[name]
        told = f"{r['change']:+.4f} ±{r['change_error']:.4f}"
        table.append(
            (
                name,
                f"{r['auc']:.4f}",
                f"{r['accuracy']:.4f}",
                f"{r['log_loss']:.4f}",
                told,
                f"{r['median_offset_px']:.2f}",
            )
        )
    print(environment())
    print_table(("left out", "AUC", "accuracy", "log loss", "change of log loss", "offset, px"), table)
    print("the oracle:", ", ".join(f"{name} {value:.4f}" for name, value in limit.items()))
    print(write_result("ablation", {"skies": int(skies["full"].labels.size), "limit": limit, "variants": rows}))


if __name__ == "__main__":
    main()
