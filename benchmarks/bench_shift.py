"""A model of the default preset on skies that differ from it, beside models trained there, the oracle and `adapt`.

    python benchmarks/bench_shift.py [--work DIR --training 600 --validation 300 --families a,b --run RUN --jobs -1]

Each family of skies (`shift/families.py`) differs from the default preset in one respect, except for one that is drawn
in another way altogether; constants of the program were chosen on other skies of these families. Those of
`shift/held_out.py` were first drawn for the table. The model of the default preset never saw any of them.

Beside it: a model trained on skies of the family; the model of the default after `darkmatter adapt` to 100 of its skies
without labels; and the oracle, which has the true shapes and positions. Withheld verdicts count as a probability of one
half. Mild families, on which the losses are compared as a ratio, have four times as many validation skies: with 300,
the ratio of two models of equal worth scatters by a quarter. Data sets, models and judgements in the work folder are
used again: take a new folder for other numbers of skies or another version. With --families, nothing is recorded.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness.judgements import METRICS, N_RESAMPLES, metrics_of
from harness.report import RESULTS, print_table, write_record
from numpy.typing import ArrayLike, NDArray
from oracle.likelihood import oracle_table
from oracle.tables import oracle_model
from plots.shift import draw
from scipy.special import expit
from shift.families import FAMILIES, Family
from shift.held_out import HELD_OUT

from classify.adaptation.fit import adapt_run
from classify.evaluate import evaluate
from classify.train import train
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.simulation import PRESETS, Preset, simulate_dataset
from darkmatter_features.simulation.conditions import SkyDistribution
from darkmatter_features.simulation.seed import DISTRIBUTION

SEED = 90_211
"""Seed of the families: no choice was made on skies of this seed."""

N_ADAPT = 100
"""Number of unlabelled skies that a run is adapted to."""

SURE = 0.02
"""A verdict is sure if the probability of the other class is below this."""

MILD_FACTOR = 4
"""Validation skies of a mild family, in units of those of the others."""

DEFAULT = Family(PRESETS["seed"], "skies of the default preset", is_mild=True)
"""The default preset, as a family."""

SHOWN = ("auc", "accuracy", "log_loss", "calibration_error")
"""Metrics of the table."""


@dataclass(frozen=True)
class Sizes:
    """Numbers of skies and processes."""

    n_training: int
    n_validation: int
    n_jobs: int


def made(preset: Preset, folder: Path, sizes: Sizes, seed: int) -> Path:
    """Return the folder of a data set of a preset, simulated at its first use."""
    if not (folder / "truth" / "skies.csv").exists():
        simulate_dataset(
            folder, n_training=sizes.n_training, n_validation=sizes.n_validation, preset=preset, seed=seed,
            n_jobs=sizes.n_jobs,
        )  # fmt: skip
    return folder


def trained(data: Path, work: Path, n_jobs: int) -> Path:
    """Return the folder of a run trained on a data set, without the CNN stage, trained at the first use."""
    run = work / "run"
    if not (run / "model").exists():
        extract_dataset(data, work / "features", n_jobs=n_jobs)
        train(work / "features", run)
    return run


def judged_by_run(run: Path, data: Path, n_jobs: int) -> pd.DataFrame:
    """Return the verdicts of a run on the validation split of a data set, beside the truth."""
    table = evaluate(run, data, cnn="off", n_jobs=n_jobs).judged
    return table.assign(offset=table["offset_px"], unlike=table["unlike"].astype(float))


def judged_by_oracle(distribution: SkyDistribution, data: Path, n_jobs: int) -> pd.DataFrame:
    """Return the judgements of the oracle for skies of a distribution."""
    found = oracle_table(data, model=oracle_model(distribution=distribution), n_jobs=n_jobs)
    offset = np.hypot(found["row"] - found["lens_row"], found["column"] - found["lens_column"])
    return found.assign(probability=expit(found["log_bayes_factor"]), offset=offset, unlike=0.0)


def losses_of(label: ArrayLike, probability: ArrayLike) -> NDArray[np.float64]:
    """Return the log loss of each sky (n,)."""
    p = np.where(np.asarray(label) == 1, probability, 1.0 - np.asarray(probability))
    return np.asarray(-np.log(np.clip(p, 1e-15, 1.0)))


def summary(judged: pd.DataFrame) -> dict[str, float]:
    """Return the metrics, the error of the log loss, and the fractions of unlike and of surely wrong skies."""
    rng = np.random.default_rng(1)
    label, p = (judged[name].to_numpy(dtype=np.float64) for name in ("label", "probability"))
    draws = rng.integers(0, len(label), (N_RESAMPLES, len(label)))
    losses = losses_of(label, p)
    sure: NDArray[Any] = np.where(label == 1, p < SURE, p > 1.0 - SURE)
    return {
        **metrics_of(judged),
        "log_loss_error": float(losses[draws].mean(axis=1).std()),
        "unlike": float(judged["unlike"].mean()),
        "sure_and_wrong": float(sure.mean()),
    }


def ratio(judged: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """Return the log loss over that of another model on the same skies, and its error, by resampling skies."""
    both = judged.merge(other, on="sky", validate="one_to_one", suffixes=("", "_other"))
    own, others = losses_of(both["label"], both["probability"]), losses_of(both["label"], both["probability_other"])
    draws = np.random.default_rng(1).integers(0, len(own), (N_RESAMPLES, len(own)))
    ratios = own[draws].mean(axis=1) / others[draws].mean(axis=1)
    return {"ratio_to_trained": float(own.mean() / others.mean()), "ratio_to_trained_error": float(ratios.std())}


def adapted(run: Path, data: Path, work: Path, n_jobs: int) -> Path:
    """Return the folder of a run adapted to skies of a data set, adapted at the first use."""
    folder = work / "adapted"
    if not (folder / "adaptation.json").exists():
        adapt_run(run, sorted((data / "training").iterdir())[:N_ADAPT], folder, n_jobs=n_jobs)
    return folder


def compare(family: Family, default_run: Path, work: Path, sizes: Sizes) -> dict[str, dict[str, float]]:
    """Return the summaries of all sides on a family; judgements in its work folder are not made again."""
    if family.is_mild:
        sizes = replace(sizes, n_validation=MILD_FACTOR * sizes.n_validation)
    data = made(family.preset, work / "data", sizes, seed=SEED)
    judges: dict[str, Callable[[], pd.DataFrame]] = {
        "default": lambda: judged_by_run(default_run, data, sizes.n_jobs),
        "adapted": lambda: judged_by_run(adapted(default_run, data, work, sizes.n_jobs), data, sizes.n_jobs),
        "trained": lambda: judged_by_run(trained(data, work, sizes.n_jobs), data, sizes.n_jobs),
    }
    distribution = family.distribution
    if distribution is not None:
        judges["oracle"] = lambda: judged_by_oracle(distribution, data, sizes.n_jobs)
    judged = {side: _kept(work / f"judged-{side}.csv", judge) for side, judge in judges.items()}
    found = {side: summary(own) for side, own in judged.items()}
    found["adapted"] |= json.loads((work / "adapted" / "adaptation.json").read_text(encoding="utf-8"))
    for side in ("default", "adapted"):
        found[side] |= ratio(judged[side], judged["trained"])
    return found


def _kept(path: Path, judge: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return the table in a file, made at the first use."""
    if not path.exists():
        columns = ["sky", "label", "probability", "offset", "unlike"]
        judge()[columns].to_csv(path, index=False, float_format="%.17g")
    return pd.read_csv(path)


def print_family(name: str, found: dict[str, dict[str, float]]) -> None:
    """Print a line for each side of a family."""
    rows = [
        [
            f"{name if k == 0 else ''} {side}".strip().rjust(24),
            *(f"{own[metric]:.3f}" for metric in SHOWN),
            f"{own['log_loss_error']:.3f}",
            f"{own['ratio_to_trained']:.2f} +-{own['ratio_to_trained_error']:.2f}" if "ratio_to_trained" in own else "",
            f"{100 * own['unlike']:.1f} %",
            f"{100 * own['sure_and_wrong']:.1f} %",
        ]
        for k, (side, own) in enumerate(found.items())
    ]
    headings = [METRICS[metric][0] for metric in SHOWN]
    print_table(["family, side".ljust(24), *headings, "+-", "of trained", "unlike", "sure, wrong"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Score a model of the default preset on shifted families of skies.")
    parser.add_argument("--work", type=Path, help="folder of data sets and models (a temporary one)")
    parser.add_argument("--training", type=int, default=600, help="training skies of a family (%(default)s)")
    parser.add_argument("--validation", type=int, default=300, help="validation skies of a family (%(default)s)")
    parser.add_argument("--families", help="names, separated by commas (all)")
    parser.add_argument("--run", type=Path, help="run of the default preset (trained here on 1,200 skies)")
    parser.add_argument("--jobs", type=int, default=-1)
    options = parser.parse_args()
    sizes = Sizes(options.training, options.validation, options.jobs)
    families = (DEFAULT, *FAMILIES, *HELD_OUT)
    wanted = options.families.split(",") if options.families else [family.name for family in families]
    if unknown := set(wanted) - {family.name for family in families}:
        parser.error(f"unknown families: {', '.join(sorted(unknown))}")
    families = tuple(family for family in families if family.name in wanted)
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        run = options.run
        if run is None:
            default = made(PRESETS["seed"], work / "default" / "data", Sizes(1200, 600, options.jobs), seed=1)
            run = trained(default, work / "default", options.jobs)
        table: dict[str, Any] = {}
        for family in families:
            table[family.name] = compare(family, run, work / "families" / family.name, sizes)
            print_family(family.name, table[family.name])
    if options.families:
        return
    values = {"distribution": repr(DISTRIBUTION), "training": sizes.n_training, "validation": sizes.n_validation}
    values["validation_mild"] = MILD_FACTOR * sizes.n_validation
    about = {
        family.name: {"description": family.description, "is_mild": family.is_mild, "is_held_out": family in HELD_OUT}
        for family in families
    }
    print(write_record("shift", values | {"about": about, "families": table}))
    draw(table, RESULTS / "shift.png")


if __name__ == "__main__":
    main()
