"""Accuracy of the model beside the oracle, and the effect of each step from a single map to the full model.

    python benchmarks/bench_accuracy.py [--data DIR --features DIR --work DIR --curve 100,200,400 --no-cnn --jobs -1]

The oracle is the best possible decision for an observer who has exactly the true shapes and positions of the galaxies.
Without --data, a data set of the default preset is simulated, of a seed of its own and with more training skies for the
end of the learning curve. Files already in the work folder are used again. All sides judge the same validation skies,
which select nothing. Errors are those of 1,000 bootstrap resamples of the skies. Differences to the oracle are paired:
both sides are evaluated on the same resamples.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness.judgements import METRICS, N_RESAMPLES, Judgement, beside_truth, metrics_of
from harness.report import RESULTS, print_table, write_record
from numpy.typing import NDArray
from oracle.likelihood import oracle_table
from plots.accuracy import draw
from scipy.special import expit, logit

from classify import metrics
from classify.config import TrainConfig
from classify.model import mean_log_odds
from classify.train import train
from classify.trees.boosting import boost
from classify.trees.calibration import Calibration
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.io.dataset import Dataset, write_labels
from darkmatter_features.io.table import read_table
from darkmatter_features.simulation import simulate_dataset

Array = NDArray[np.float64]

SEED = 90_212
"""Seed of the data set: no choice was made on skies of this seed."""

N_TRAINING = 1200
N_VALIDATION = 600
CURVE = "100,200,400,800,1200,2400"
"""Training skies of the learning curve."""

ORACLE = "oracle"
NEAR_ONE = 1.0 - 1e-16
"""Maximum probability that is turned into log-odds."""


@dataclass(frozen=True)
class Trial:
    """Input of a side: a data set, its feature tables, and the number of training skies."""

    data: Path
    features: Path
    n_training: int
    n_jobs: int

    def rows(self, split: str) -> pd.DataFrame:
        """Return the labelled feature rows of a split; of the training split, the first `n_training`."""
        frame, _ = read_table(self.features / "features.parquet", kind="features")
        frame = frame[(frame["split"] == split) & frame["label"].notna()]
        return frame.head(self.n_training) if split == "training" else frame


Side = Callable[[Trial], Judgement]


def oracle(trial: Trial, *, use: str = "both") -> Judgement:
    """Return the judgement of the oracle, from the true catalogues."""
    found = oracle_table(trial.data, "validation", use=use, n_jobs=trial.n_jobs)
    return Judgement(found["sky"].tolist(), *(found[name].to_numpy() for name in ("log_bayes_factor", "row", "column")))


def single_scale(trial: Trial) -> Judgement:
    """Judge by the maximum of one map, at the scale with the largest AUC on the training skies."""
    rows = trial.rows("training")
    best = max(_maxima(rows), key=lambda name: metrics.auc(_labels(rows), expit(rows[name].to_numpy())))
    judgement = one_column(trial, best)
    unknown = np.full(len(judgement.sky), np.nan)  # the table has no position of the peak of a single scale
    return replace(judgement, row=unknown, column=unknown)


def one_column(trial: Trial, name: str) -> Judgement:
    """Judge by one column of the feature table, with a logistic curve fitted to the training skies."""
    training, validation = trial.rows("training"), trial.rows("validation")
    curve = Calibration.fit(training[name], _labels(training))
    return _at_best_fit(validation, curve(validation[name].to_numpy()))


def boosted(trial: Trial, columns: Callable[[pd.DataFrame], list[str]]) -> Judgement:
    """Judge by the boosting of the project on some of the columns."""
    training, validation = trial.rows("training"), trial.rows("validation")
    names = columns(training)
    trees = boost(training[names], _labels(training), validation[names].head(0), [])
    return _at_best_fit(validation, trees.calibration(mean_log_odds(trees.members, validation[names].to_numpy())))


def full_model(trial: Trial, *, cnn: str = "off") -> Judgement:
    """Judge by the full model, trained as `darkmatter train` does."""
    everything = replace(trial, n_training=2**31)
    fraction = min(1.0, trial.n_training / len(everything.rows("training")))
    with tempfile.TemporaryDirectory() as run:
        train(trial.features, run, config=TrainConfig(subset=100.0 * fraction), cnn=cnn, n_jobs=trial.n_jobs)
        judged = pd.read_csv(Path(run) / "validation-predictions.csv")
    return judgement_of(judged)


def judgement_of(predictions: pd.DataFrame) -> Judgement:
    """Return the judgement of a run, from its `validation-predictions.csv`."""
    log_odds = logit(np.clip(predictions["probability"].to_numpy(), np.finfo(float).tiny, NEAR_ONE))
    return Judgement(
        predictions["sky"].tolist(), log_odds, *(predictions[name].to_numpy() for name in ("row", "column"))
    )


SIDES: dict[str, Side] = {
    ORACLE: oracle,
    "oracle, shear only": lambda trial: oracle(trial, use="shear"),
    "oracle, counts only": lambda trial: oracle(trial, use="counts"),
    "highest S/N, one scale": single_scale,
    "highest S/N, best of scales": lambda trial: one_column(trial, "peak_snr"),
    "LightGBM on the highest S/N": lambda trial: boosted(trial, lambda rows: _maxima(rows)),
    "evidence, shapes": lambda trial: one_column(trial, "evidence_shear"),
    "evidence, shapes and counts": lambda trial: one_column(trial, "evidence"),
    "full model": full_model,
}
"""Sides that are compared: each judges the validation skies, and learns from the training skies alone."""

CNN_SIDES: dict[str, Side] = {"full model, CNN stage": lambda trial: full_model(trial, cnn="on")}
"""Sides that are compared too with --cnn; they take minutes."""

CURVES = ("LightGBM on the highest S/N", "full model")
"""Sides of the learning curve."""


def _maxima(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.startswith("snr_max_")]


def _labels(rows: pd.DataFrame) -> NDArray[np.int64]:
    return rows["label"].to_numpy(dtype=np.int64)


def _at_best_fit(rows: pd.DataFrame, log_odds: Array) -> Judgement:
    return Judgement(rows["sky"].tolist(), log_odds, rows["row"].to_numpy(), rows["column"].to_numpy())


def compare(
    judged: dict[str, pd.DataFrame], *, reference: str = ORACLE, n_resamples: int = N_RESAMPLES
) -> dict[str, dict[str, float]]:
    """Return each metric of each side, its bootstrap error, its difference to the oracle and the error of that."""
    n = len(judged[reference])
    draws = np.random.default_rng(1).integers(0, n, (n_resamples, n))
    scatter = {name: pd.DataFrame([metrics_of(table, draw) for draw in draws]) for name, table in judged.items()}
    value = {name: metrics_of(table) for name, table in judged.items()}
    return {
        name: {
            label: float(number)
            for key in METRICS
            for label, number in (
                (key, value[name][key]),
                (f"{key}_error", scatter[name][key].std()),
                (f"{key}_minus_oracle", value[name][key] - value[reference][key]),
                (f"{key}_minus_oracle_error", (scatter[name][key] - scatter[reference][key]).std()),
            )
        }
        for name in judged
    }


def learning_curve(trial: Trial, truth: pd.DataFrame, sizes: Sequence[int]) -> dict[str, dict[int, dict[str, float]]]:
    """Return metrics by the number of training skies, to which the template is fitted too."""
    curve: dict[str, dict[int, dict[str, float]]] = {name: {} for name in CURVES}
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            some = fewer(trial, n, Path(folder))
            for name in CURVES:
                curve[name][n] = metrics_of(beside_truth(SIDES[name](some), truth))
    return curve


def fewer(trial: Trial, n: int, folder: Path) -> Trial:
    """Return the trial with the first n training skies alone, measured and mapped without the others."""
    data = folder / "data"
    for split in Dataset.open(trial.data).splits:
        some = slice(n if split.name == "training" else None)
        (data / split.name).mkdir(parents=True, exist_ok=True)
        for file in split.files[some]:
            link = data / split.name / file.name
            if not link.exists():
                link.symlink_to(file.resolve())
        write_labels(data, split.name, split.labels[some], split.lens_rows[some], split.lens_columns[some])
    extract_dataset(data, folder / "features", n_jobs=trial.n_jobs)
    return Trial(trial.data, folder / "features", n, trial.n_jobs)


def print_results(sides: dict[str, dict[str, float]], curve: dict[str, dict[int, dict[str, float]]]) -> None:
    for suffix, heading in (("", "with bootstrap errors"), ("_minus_oracle", "less the oracle, paired")):
        print(f"\nvalidation skies, {heading}")
        header = ("side", *(heading for heading, _ in METRICS.values()))
        print_table(header, [(name, *(_cell(row, key, suffix) for key in METRICS)) for name, row in sides.items()])
    if curve:
        print("\naccuracy and AUC by the number of training skies")
        sizes = list(next(iter(curve.values())))
        print_table(
            ("side", *map(str, sizes)),
            [(name, *(f"{r['accuracy']:.3f} {r['auc']:.4f}" for r in rows.values())) for name, rows in curve.items()],
        )


def _cell(row: dict[str, float], key: str, suffix: str) -> str:
    value, error = row[f"{key}{suffix}"], row[f"{key}{suffix}_error"]
    decimals = 1 if key.endswith(("px", "1000")) else 4
    return "-" if np.isnan(value) else f"{value:{'+' if suffix else ''}.{decimals}f} ±{error:.{decimals}f}"


def prepare(args: argparse.Namespace, work: Path) -> Trial:
    """Simulate and measure whatever is missing, and return the trial."""
    data, features = args.data or work / "data", args.features or work / "features"
    if args.data is None:
        n_training = max([N_TRAINING, *args.curve])
        simulate_dataset(data, n_training=n_training, n_validation=N_VALIDATION, seed=SEED, n_jobs=args.jobs)
    trial = Trial(data, features, N_TRAINING, args.jobs)
    if args.features is None and len(Dataset.open(data).splits[0]) > N_TRAINING:
        return fewer(trial, N_TRAINING, work / "default")
    if args.features is None:
        extract_dataset(data, features, n_jobs=args.jobs)
    return trial


def run(trial: Trial, sizes: Sequence[int], chosen: dict[str, Side]) -> dict[str, Any]:
    """Return the metrics of all sides, and the learning curve up to the number of training skies available."""
    truth = trial.rows("validation")[["sky", "label", "lens_row", "lens_column"]]
    sides = compare({name: beside_truth(side(trial), truth) for name, side in chosen.items()})
    n_available = len(Dataset.open(trial.data).splits[0])
    curve = learning_curve(trial, truth, [n for n in sizes if n <= n_available]) if sizes else {}
    return {"skies": len(truth), "training": len(trial.rows("training")), "sides": sides, "curve": curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="data set of the preset seed, with its truth (simulated when not given)"
    )
    parser.add_argument(
        "--features", type=Path, help=f"tables of its first {N_TRAINING} training skies (measured when not given)"
    )
    parser.add_argument("--work", type=Path, help="folder to simulate and measure in (a temporary one when not given)")
    parser.add_argument(
        "--curve",
        type=_sizes,
        default=CURVE,
        help="numbers of training skies of the learning curve; empty for no curve (%(default)s)",
    )
    parser.add_argument(
        "--cnn",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="judge by the model with a CNN stage too",
    )
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen = SIDES | CNN_SIDES if args.cnn else SIDES
        found = run(prepare(args, args.work or Path(folder)), args.curve, chosen)
    print_results(found["sides"], found["curve"])
    print(write_record("accuracy", found))
    draw(RESULTS / "accuracy.png", found["sides"], found["curve"], ORACLE)


def _sizes(text: str) -> list[int]:
    return sorted({int(size) for size in text.split(",") if size})


if __name__ == "__main__":
    main()
