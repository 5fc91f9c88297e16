"""How far the model is from the oracle, and what each step from a single map to the whole model brings.

    python benchmarks/bench_accuracy.py [--data DIR --features DIR --work DIR --curve 100,200,400 --no-cnn --jobs -1]

Without --data, the default data set is simulated, with more training skies for the end of the curve. What the work
folder holds already is used again. All sides judge the same validation skies, and that split chooses nothing. Errors
are those of 1,000 bootstrap resamples of the skies; differences to the limit are paired: both are judged on the same
resamples.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from helpers import RESULTS, print_table, write_result
from numpy.typing import NDArray
from oracle.likelihood import oracle_of
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

N_TRAINING, N_VALIDATION = 1200, 600
N_RESAMPLES = 1000
CURVE = "100,200,400,800,1200,2400"
FIGURES: dict[str, tuple[str, Callable[[Array, Array, Array], float]]] = {
    "auc": ("AUC", lambda y, p, offset: metrics.auc(y, p)),
    "accuracy": ("accuracy", lambda y, p, offset: metrics.accuracy(y, p)),
    "log_loss": ("log loss", lambda y, p, offset: metrics.log_loss(y, p)),
    "calibration_error": ("ECE", lambda y, p, offset: calibration_error(y, p)),
    "recall_at_1pct_fpr": ("recall at 1 %", lambda y, p, offset: metrics.recall_at_1pct_fpr(y, p)),
    "median_offset_px": ("offset, px", lambda y, p, offset: float(np.median(known)) if len(
        known := offset[np.isfinite(offset)]) else np.nan),
}  # fmt: skip
LIMIT = "the limit"


def calibration_error(labels: Array, probabilities: Array) -> float:
    """The expected calibration error: how far shares are from probabilities, in ten even bins, by their members."""
    bins = np.minimum((probabilities * 10).astype(np.int64), 9)
    off = np.bincount(bins, labels - probabilities, minlength=10)
    return float(np.abs(off).sum() / len(labels))


@dataclass(frozen=True)
class Trial:
    """What a side may use: a data set, its tables, and how many training skies."""

    data: Path
    features: Path
    n_training: int
    n_jobs: int

    def rows(self, split: str) -> pd.DataFrame:
        """Labelled feature rows of a split: of training, the first `n_training`."""
        frame, _ = read_table(self.features / "features.parquet", kind="features")
        frame = frame[(frame["split"] == split) & frame["label"].notna()]
        return frame.head(self.n_training) if split == "training" else frame


@dataclass(frozen=True)
class Answer:
    """What a side says of validation skies: names, log-odds, and places in pixels (nan for none)."""

    sky: Sequence[str]
    log_odds: Array
    row: Array
    column: Array


Side = Callable[[Trial], Answer]


def limit(trial: Trial, *, use: str = "both") -> Answer:
    """The exact evidence of the true catalogues."""
    found = oracle_of(trial.data, "validation", use=use, n_jobs=trial.n_jobs)
    return Answer(found["sky"].tolist(), *(found[name].to_numpy() for name in ("log_odds", "row", "column")))


def single_scale(trial: Trial) -> Answer:
    """The maximum of one map, at the scale that parts the training skies best."""
    rows = trial.rows("training")
    best = max(_maxima(rows), key=lambda name: metrics.auc(_labels(rows), expit(rows[name].to_numpy())))
    answer = one_column(trial, best)
    nowhere = np.full(len(answer.sky), np.nan)  # the table tells the place of the highest peak of all scales alone
    return replace(answer, row=nowhere, column=nowhere)


def one_column(trial: Trial, name: str) -> Answer:
    """One column of the feature table, turned into log-odds by a logistic curve fitted to the training skies."""
    rows, judged = trial.rows("training"), trial.rows("validation")
    curve = Calibration.fit(rows[name], _labels(rows))
    return _at_peak(judged, curve(judged[name].to_numpy()))


def boosted(trial: Trial, columns: Callable[[pd.DataFrame], list[str]]) -> Answer:
    """The project's boosting on some of the columns."""
    rows, judged = trial.rows("training"), trial.rows("validation")
    names = columns(rows)
    grown = boost(rows[names], _labels(rows), judged[names].head(0), [])
    return _at_peak(judged, grown.calibration(mean_log_odds(grown.members, judged[names].to_numpy())))


def full_model(trial: Trial, *, cnn: str = "off") -> Answer:
    """The whole training, as the command runs it."""
    every = replace(trial, n_training=2**31)
    share = min(1.0, trial.n_training / len(every.rows("training")))
    with tempfile.TemporaryDirectory() as run:
        train(trial.features, run, config=TrainConfig(subset=100.0 * share), cnn=cnn, n_jobs=trial.n_jobs)
        judged = pd.read_csv(Path(run) / "validation-predictions.csv")
    tiny = np.finfo(float).tiny
    log_odds = logit(np.clip(judged["probability"].to_numpy(), tiny, 1.0 - 1e-16))
    return Answer(judged["sky"].tolist(), log_odds, judged["row"].to_numpy(), judged["column"].to_numpy())


SIDES: dict[str, Side] = {
    LIMIT: limit,
    "the limit, shear only": lambda trial: limit(trial, use="shear"),
    "the limit, counts only": lambda trial: limit(trial, use="counts"),
    "highest S/N, one scale": single_scale,
    "highest S/N, best of scales": lambda trial: one_column(trial, "peak_snr"),
    "LightGBM on the highest S/N": lambda trial: boosted(trial, lambda rows: _maxima(rows)),
    "evidence, shapes": lambda trial: one_column(trial, "evidence_shear"),
    "evidence, shapes and counts": lambda trial: one_column(trial, "evidence"),
    "the full model": full_model,
}
"""What is compared. A side tells log-odds of the validation skies, and has learnt from the training skies alone."""

SECOND_LOOK: dict[str, Side] = {"the full model, CNN stage": lambda trial: full_model(trial, cnn="on")}
"""What is compared besides with --cnn: it takes minutes."""

CURVES = ("LightGBM on the highest S/N", "the full model")
"""Sides that the learning curve follows."""


def _maxima(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.startswith("snr_max_")]


def _labels(rows: pd.DataFrame) -> NDArray[np.int64]:
    return rows["label"].to_numpy(dtype=np.int64)


def _at_peak(judged: pd.DataFrame, log_odds: Array) -> Answer:
    return Answer(judged["sky"].tolist(), log_odds, judged["row"].to_numpy(), judged["column"].to_numpy())


def judge(answer: Answer, truth: pd.DataFrame) -> pd.DataFrame:
    """Put an answer beside the truth; a sky that a side says nothing of counts as undecided."""
    told = pd.DataFrame({"sky": answer.sky, "log_odds": answer.log_odds, "row": answer.row, "column": answer.column})
    table = truth.merge(told, on="sky", how="left", validate="one_to_one")
    offset = np.hypot(table["row"] - table["lens_row"], table["column"] - table["lens_column"])
    return table.assign(probability=expit(table["log_odds"].fillna(0.0)), offset=offset)


def figures(judged: pd.DataFrame, chosen: NDArray[np.int64] | slice = slice(None)) -> dict[str, float]:
    """Every figure of some of the skies."""
    columns = [judged[name].to_numpy(dtype=np.float64)[chosen] for name in ("label", "probability", "offset")]
    return {key: figure(*columns) for key, (_, figure) in FIGURES.items()}


def compare(judged: dict[str, pd.DataFrame], *, n_resamples: int = N_RESAMPLES) -> dict[str, dict[str, float]]:
    """Every figure of every side, its bootstrap error, its difference to the limit and the error of that."""
    n = len(judged[LIMIT])
    draws = np.random.default_rng(1).integers(0, n, (n_resamples, n))
    scatter = {name: pd.DataFrame([figures(table, draw) for draw in draws]) for name, table in judged.items()}
    value = {name: figures(table) for name, table in judged.items()}
    return {
        name: {
            label: float(number)
            for key in FIGURES
            for label, number in (
                (key, value[name][key]),
                (f"{key}_error", scatter[name][key].std()),
                (f"{key}_to_limit", value[name][key] - value[LIMIT][key]),
                (f"{key}_to_limit_error", (scatter[name][key] - scatter[LIMIT][key]).std()),
            )
        }
        for name in judged
    }


def learning_curve(trial: Trial, truth: pd.DataFrame, sizes: Sequence[int]) -> dict[str, dict[int, dict[str, float]]]:
    """Figures of the sides that learn, by the number of training skies: the template is fitted to so many too."""
    curve: dict[str, dict[int, dict[str, float]]] = {name: {} for name in CURVES}
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            some = fewer(trial, n, Path(folder))
            for name in CURVES:
                curve[name][n] = figures(judge(SIDES[name](some), truth))
    return curve


def fewer(trial: Trial, n: int, folder: Path) -> Trial:
    """The same trial with the first n training skies alone, measured and mapped as if there were no others."""
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


def show(sides: dict[str, dict[str, float]], curve: dict[str, dict[int, dict[str, float]]]) -> None:
    for suffix, heading in (("", "with bootstrap errors"), ("_to_limit", "less the limit's, paired")):
        print(f"\nvalidation skies, {heading}")
        header = ("side", *(told for told, _ in FIGURES.values()))
        print_table(header, [(name, *(_cell(row, key, suffix) for key in FIGURES)) for name, row in sides.items()])
    if curve:
        print("\naccuracy and AUC by the number of training skies")
        sizes = list(next(iter(curve.values())))
        print_table(
            ("side", *map(str, sizes)),
            [(name, *(f"{r['accuracy']:.3f} {r['auc']:.4f}" for r in rows.values())) for name, rows in curve.items()],
        )


def _cell(row: dict[str, float], key: str, suffix: str) -> str:
    value, error = row[f"{key}{suffix}"], row[f"{key}{suffix}_error"]
    places = 1 if key.endswith("px") else 4
    return "-" if np.isnan(value) else f"{value:{'+' if suffix else ''}.{places}f} ±{error:.{places}f}"


def prepare(args: argparse.Namespace, work: Path) -> Trial:
    """Simulate and measure what is not there yet."""
    data, features = args.data or work / "data", args.features or work / "features"
    if args.data is None:
        n_training = max([N_TRAINING, *args.curve])
        simulate_dataset(data, n_training=n_training, n_validation=N_VALIDATION, n_jobs=args.jobs)
    trial = Trial(data, features, N_TRAINING, args.jobs)
    if args.features is None and len(Dataset.open(data).splits[0]) > N_TRAINING:
        return fewer(trial, N_TRAINING, work / "default")
    if args.features is None:
        extract_dataset(data, features, n_jobs=args.jobs)
    return trial


def run(trial: Trial, sizes: Sequence[int], chosen: dict[str, Side]) -> dict[str, Any]:
    """Judge all sides, and follow the learning curve up to the training skies that there are."""
    truth = trial.rows("validation")[["sky", "label", "lens_row", "lens_column"]]
    sides = compare({name: judge(side(trial), truth) for name, side in chosen.items()})
    there = len(Dataset.open(trial.data).splits[0])
    curve = learning_curve(trial, truth, [n for n in sizes if n <= there]) if sizes else {}
    return {"skies": len(truth), "training": len(trial.rows("training")), "sides": sides, "curve": curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="data set of the preset seed, with its truth (simulated)")
    parser.add_argument("--features", type=Path, help=f"tables of its first {N_TRAINING} training skies (measured)")
    parser.add_argument("--work", type=Path, help="folder to simulate and measure in (a temporary one)")
    parser.add_argument(
        "--curve", type=_sizes, default=CURVE, help="training skies of a learning curve, none if empty (%(default)s)"
    )
    parser.add_argument(
        "--cnn",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the model with networks for uncertain skies too",
    )
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen = SIDES | SECOND_LOOK if args.cnn else SIDES
        found = run(prepare(args, args.work or Path(folder)), args.curve, chosen)
    show(found["sides"], found["curve"])
    print(write_result("accuracy", found))
    draw(RESULTS / "accuracy.png", found["sides"], found["curve"], LIMIT)


def _sizes(text: str) -> list[int]:
    return sorted({int(size) for size in text.split(",") if size})


if __name__ == "__main__":
    main()
