"""Simulated images of a survey: a run trained on them beside the oracle, and the measured shapes beside the true ones.

    python benchmarks/bench_survey.py [--data DIR --features DIR --run DIR --work DIR --like-skies 6 --jobs -1]

Images of the preset `survey` are simulated with a seed of their own, measured, and a default run without the CNN stage
is trained on the training skies; a data set or tables in the work folder are used again. The run and the oracles judge
the same validation skies. An oracle is the best possible decision for an observer who has the distributions of the
preset and the galaxies of the sky: all true ones; those found in the image alone, with their true shapes; these with
errors as large as those of the measurement; or with the measured shapes. Errors are those of bootstrap resamples of the
skies, differences are paired.

The measured ellipticities of the galaxies found, corrected for the response, are fitted by a straight line in the true
ones, with the weights of the catalogue, for the preset and for images like those of each survey; about the lenses of
the preset also in the true shear, on which the response of the catalogue is calibrated.
"""

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_accuracy import Trial, compare, full_model, judgement_of
from harness.judgements import METRICS, Judgement, beside_truth
from harness.report import print_table, write_record
from joblib import Parallel, delayed
from numpy.typing import NDArray
from oracle.detection import Detection, learn_detection
from oracle.found import (
    FoundSky,
    all_galaxies,
    found_galaxies,
    found_skies,
    found_sources,
    measured_galaxies,
    with_true_shear,
)
from oracle.likelihood import Posterior
from oracle.survey import survey_oracle, survey_posteriors

from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.galaxies.noisy.catalog import measure_image
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.sky import read_sky
from darkmatter_features.io.truth import read_galaxy_truth, read_sky_truth, sky_truth_path
from darkmatter_features.simulation import simulate_dataset
from darkmatter_features.simulation.surveys import SURVEYS

Array = NDArray[np.float64]

SEED = 90_213
"""Seed of the data set: no choice was made on skies of this seed."""

N_TRAINING = 500
N_VALIDATION = 400

RUN = "default run"
FOUND, WITH_ERRORS = "oracle, found, true shapes", "oracle, found, true shapes with errors"
"""Sides to which the others are compared."""

N_RESAMPLES = 400
"""Bootstrap resamples of the skies for the fits of shapes."""

MAX_SHEAR = 0.3
"""Maximum true shear of the galaxies in whose ellipticities the slope with the shear is measured."""

SNR_EDGES = (0.0, 15.0, 30.0, np.inf)
"""Edges of the bins of S/N in which shapes are fitted, too."""


def oracles(skies: list[FoundSky], detection: Detection, noise: float, n_jobs: int) -> dict[str, Judgement]:
    """Return the judgements of all oracles on skies; `noise` is the scatter of shapes over their nominal error."""
    found = survey_oracle(detection)
    everything = survey_posteriors(all_galaxies(skies), survey_oracle(), n_jobs=n_jobs)
    sides = {
        FOUND: found_galaxies(skies, detection),
        WITH_ERRORS: found_galaxies(skies, detection, noise=noise),
        "oracle, found, measured shapes": measured_galaxies(skies, detection, noise=noise),
    }
    shear = survey_posteriors(sides[FOUND], found, use="shear", n_jobs=n_jobs)
    judged = {name: survey_posteriors(each, found, n_jobs=n_jobs) for name, each in sides.items()}
    judged = {"oracle, all true galaxies": everything} | judged | {"oracle, found, true shapes, shear only": shear}
    return {name: _judgement(skies, posteriors) for name, posteriors in judged.items()}


def _judgement(skies: list[FoundSky], found: list[Posterior]) -> Judgement:
    columns = (np.array([getattr(p, name) for p in found]) for name in ("log_bayes_factor", "row", "column"))
    return Judgement([sky.sky for sky in skies], *columns)


def noise_factor(skies: list[FoundSky]) -> float:
    """Return the scatter of measured shapes about the true ones, over their nominal error.

    It is that of the middle 68 %, as a blended galaxy may have any shape.
    """
    found = pd.concat([sky.found for sky in skies])
    pulls = [(found[f"measured_e{k}"] - found[f"e{k}"]) / found["error"] for k in (1, 2)]
    low, high = np.percentile(np.concatenate(pulls), [15.87, 84.13])
    return float(0.5 * (high - low))


def shape_fit(skies: list[pd.DataFrame]) -> dict[str, float]:
    """Return the slope of measured in true ellipticities and both offsets, with bootstrap errors over skies."""
    sums = np.array([_sums(found) for found in skies if len(found)])
    draws = np.random.default_rng(1).integers(0, len(sums), (N_RESAMPLES, len(sums)))
    scatter = np.array([_line(sums[draw].sum(axis=0)) for draw in draws]).std(axis=0)
    values = zip(("slope", "c1", "c2"), _line(sums.sum(axis=0)), scatter)
    fit = {key: float(v) for name, value, error in values for key, v in ((name, value), (f"{name}_error", error))}
    return {"skies": len(sums), "galaxies": int(sum(map(len, skies)))} | fit


def _sums(found: pd.DataFrame) -> Array:
    w = found["weight"].to_numpy()
    e, m = (found[[f"{kind}e1", f"{kind}e2"]].to_numpy() for kind in ("", "measured_"))
    sums: Array = np.array([w.sum(), *(w @ e), *(w @ m), (w @ (e * e)).sum(), (w @ (e * m)).sum()])
    return sums


def _line(sums: Array) -> Array:
    """Return the common slope of both components, and the offsets."""
    w, e, m = sums[0], sums[1:3], sums[3:5]
    slope = (sums[6] - e @ m / w) / (sums[5] - e @ e / w)
    return np.array([slope, *((m - slope * e) / w)])


def shape_fits(found: list[pd.DataFrame]) -> dict[str, dict[str, float]]:
    """Return the fits of all galaxies of skies of the preset, of isolated and blended ones, and by S/N."""
    parts = {
        "all": found,
        "isolated": [f[~f["is_blended"]] for f in found],
        "blended": [f[f["is_blended"]] for f in found],
    }
    for low, high in pairwise(SNR_EDGES):
        parts[f"S/N {low:.0f} to {high:.0f}"] = [f[(f["snr"] >= low) & (f["snr"] < high)] for f in found]
    return {name: shape_fit(each) for name, each in parts.items()}


def shear_fits(data: Path, skies: dict[str, pd.DataFrame]) -> dict[str, dict[str, float]]:
    """Return the slopes of true and measured ellipticities in the true shear about the lenses, below MAX_SHEAR."""
    lenses = read_sky_truth(data)
    lensed = [with_true_shear(skies[sky], lenses[sky]) for sky in skies if np.isfinite(lenses[sky]["strength"])]
    lensed = [found[np.hypot(found["g1"], found["g2"]) < MAX_SHEAR] for found in lensed]
    return {name: shear_fit(lensed, kind) for name, kind in (("true", ""), ("measured", "measured_"))}


def shear_fit(skies: list[pd.DataFrame], kind: str) -> dict[str, float]:
    """Return the slope of ellipticities in the true shear, and its bootstrap error over skies."""
    sums = np.array([[_products(sky, kind), _products(sky, "", "g")] for sky in skies])
    draws = np.random.default_rng(1).integers(0, len(sums), (N_RESAMPLES, len(sums)))
    slopes = np.array([np.divide(*sums[draw].sum(axis=0)) for draw in draws])
    slope = float(np.divide(*sums.sum(axis=0)))
    return {"galaxies": int(sum(map(len, skies))), "slope": slope, "slope_error": float(slopes.std())}


def _products(sky: pd.DataFrame, kind: str, letter: str = "e") -> float:
    return float(sum((sky["weight"] * sky[f"g{k}"] * sky[f"{kind}{letter}{k}"]).sum() for k in (1, 2)))


def simulate_missing(folder: Path, **options: Any) -> None:
    """Simulate a data set of the preset unless it is there already."""
    if not sky_truth_path(folder).exists():
        simulate_dataset(folder, preset="survey", seed=SEED, **options)


def like_survey(name: str, n_skies: int, folder: Path, n_jobs: int) -> dict[str, float]:
    """Return the fit for images like those of a survey."""
    simulate_missing(folder, n_training=0, n_validation=n_skies, like=name, n_jobs=n_jobs)
    dataset = Dataset.open(folder)
    files = next(split.files for split in dataset.splits if split.name == "validation")
    return shape_fit(list(measured_shapes(folder, [dataset.relative(file) for file in files], n_jobs).values()))


def measured_shapes(data: Path, skies: list[str], n_jobs: int) -> dict[str, pd.DataFrame]:
    """Return the true galaxies of each sky that are sources with a weight, with their measured shapes."""
    found = Parallel(n_jobs=n_jobs)(delayed(_shapes)(data, sky) for sky in skies)
    return dict(zip(skies, found))


def _shapes(data: Path, sky: str) -> pd.DataFrame:
    return found_sources(read_galaxy_truth(data, sky), measure_image(read_sky(data / sky)))


def prepare(args: argparse.Namespace, work: Path) -> Trial:
    """Simulate and measure whatever is missing, and return the trial."""
    data, features = args.data or work / "data", args.features or work / "features"
    if args.data is None:
        counts = {"n_training": args.training, "n_validation": args.validation}
        simulate_missing(data, n_jobs=args.jobs, **counts)
    if args.features is None and not (features / "features.parquet").exists():
        extract_dataset(data, features, n_jobs=args.jobs)
    return Trial(data, features, 2**31, args.jobs)


def judge_run(trial: Trial, run: Path | None) -> Judgement:
    """Return the judgement of a run, or of one that is trained for this."""
    return full_model(trial) if run is None else judgement_of(pd.read_csv(run / "validation-predictions.csv"))


def compare_sides(trial: Trial, run: Path | None) -> dict[str, Any]:
    """Return all metrics of all sides, compared to two oracles, and the fits of the shapes."""
    rows = trial.rows("validation")
    truth = rows[["sky", "label", "lens_row", "lens_column"]]
    skies = found_skies(trial.data, trial.features, truth["sky"].tolist())
    training = found_skies(trial.data, trial.features, trial.rows("training")["sky"].tolist())
    noise, detection = noise_factor(training), learn_detection(n_jobs=trial.n_jobs)
    judgements = oracles(skies, detection, noise, trial.n_jobs) | {RUN: judge_run(trial, run)}
    judged = {name: beside_truth(each, truth) for name, each in judgements.items()}
    shapes = measured_shapes(trial.data, [sky.sky for sky in (*training, *skies)], trial.n_jobs)
    return {
        "skies": len(truth),
        "training": len(training),
        "galaxies in a sky": {
            "true": float(np.mean([len(sky.truth["x"]) for sky in skies])),
            "measured": float(np.mean([sky.n_measured for sky in skies])),
            "found": float(np.mean([len(sky.found) for sky in skies])),
        },
        "noise_factor": noise,
        "sides": {reference: compare(judged, reference=reference) for reference in (FOUND, WITH_ERRORS)},
        "shapes": shape_fits(list(shapes.values())),
        "shear": shear_fits(trial.data, shapes),
    }


def print_results(found: dict[str, Any]) -> None:
    header = ("side", *(heading for heading, _ in METRICS.values()))
    for number, (reference, sides) in enumerate(found["sides"].items()):
        for suffix, heading in (("", "with bootstrap errors"), ("_minus_oracle", f"less that of: {reference}, paired")):
            if suffix or not number:
                print(f"\nvalidation skies, {heading}")
                print_table(header, [(n, *(_cell(row, key, suffix) for key in METRICS)) for n, row in sides.items()])
    print("\nmeasured ellipticity fitted by a line in the true one")
    cells = [
        (
            name,
            f"{fit['skies']}",
            f"{fit['galaxies']}",
            *(f"{fit[k]:+.4f} ±{fit[f'{k}_error']:.4f}" for k in ("slope", "c1", "c2")),
        )
        for name, fit in (found["shapes"] | found["like"]).items()
    ]
    print_table(("galaxies", "skies", "number", "slope", "c1", "c2"), cells)
    for name, fit in found["shear"].items():
        print(f"slope of the {name} ellipticities in the true shear: {fit['slope']:.4f} ±{fit['slope_error']:.4f}")


def _cell(row: dict[str, float], key: str, suffix: str) -> str:
    value, error = row[f"{key}{suffix}"], row[f"{key}{suffix}_error"]
    decimals = 1 if key.endswith(("px", "1000")) else 4
    return "-" if np.isnan(value) else f"{value:{'+' if suffix else ''}.{decimals}f} ±{error:.{decimals}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="data set of the preset survey, with its truth (else simulated)")
    parser.add_argument("--features", type=Path, help="its feature tables (else measured)")
    parser.add_argument("--run", type=Path, help="run trained on them (else trained)")
    parser.add_argument("--work", type=Path, help="folder to simulate and measure in (a temporary one when not given)")
    parser.add_argument("--training", type=int, default=N_TRAINING, help="training skies to simulate (%(default)s)")
    parser.add_argument("--validation", type=int, default=N_VALIDATION, help="validation skies (%(default)s)")
    parser.add_argument("--like-skies", type=int, default=6, help="skies like those of each survey (%(default)s)")
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or Path(folder)
        found = compare_sides(prepare(args, work), args.run)
        found["like"] = {
            f"like {name}": like_survey(name, args.like_skies, work / f"like-{name}", args.jobs)
            for name in (SURVEYS if args.like_skies else ())
        }
    print_results(found)
    print(write_record("survey", found))


if __name__ == "__main__":
    main()
