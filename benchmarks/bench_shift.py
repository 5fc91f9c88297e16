"""A model of the default preset on skies that differ from it, beside models trained there, the oracle and `adapt`.

    python benchmarks/bench_shift.py [--work DIR --training 600 --validation 300 --families a,b --run RUN --jobs -1]

Each family of skies (`shift/families.py`) differs from the default preset in one respect, except for one that is drawn
in another way altogether; constants of the program were chosen on other skies of these families. Those of
`shift/held_out.py` were first drawn for the table. The model of the default preset never saw any of them.

Beside it: a model trained on skies of the family; the model of the default after `darkmatter adapt` to 100 of its skies
without labels; and the oracle, which has the true shapes and positions. Withheld verdicts count as a probability of one
half. Data sets, models and summaries in the work folder are used again: take a new folder for other numbers of skies or
another version. With --families, nothing is recorded.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness.judgements import METRICS, N_RESAMPLES, metrics_of
from harness.report import RESULTS, print_table, write_record
from numpy.typing import NDArray
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

DEFAULT = Family(PRESETS["seed"], "skies of the default preset", is_mild=True)
"""The default preset, as a family."""

SHOWN = ("auc", "accuracy", "log_loss", "calibration_error")
"""Metrics of the table."""

SIDES = ("default", "adapted", "trained", "oracle")
"""Sides of the comparison: the model of the default preset, adapted to the family, trained on it, and the oracle."""


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


def summary(judged: pd.DataFrame) -> dict[str, float]:
    """Return the metrics, the error of the log loss, and the fractions of unlike and of surely wrong skies."""
    rng = np.random.default_rng(1)
    label, p = (judged[name].to_numpy(dtype=np.float64) for name in ("label", "probability"))
    draws = rng.integers(0, len(label), (N_RESAMPLES, len(label)))
    losses = -np.log(np.clip(np.where(label == 1, p, 1.0 - p), 1e-15, 1.0))
    sure: NDArray[Any] = np.where(label == 1, p < SURE, p > 1.0 - SURE)
    return {
        **metrics_of(judged),
        "log_loss_error": float(losses[draws].mean(axis=1).std()),
        "unlike": float(judged["unlike"].mean()),
        "sure_and_wrong": float(sure.mean()),
    }


def compare(family: Family, default_run: Path, work: Path, sizes: Sizes) -> dict[str, dict[str, float]]:
    """Return the summaries of all sides on a family; those in the summary of its work folder are not made again."""
    kept = work / "summary.json"
    found: dict[str, dict[str, float]] = json.loads(kept.read_text()) if kept.exists() else {}
    data = made(family.preset, work / "data", sizes, seed=SEED)
    if "default" not in found:
        found["default"] = summary(judged_by_run(default_run, data, sizes.n_jobs))
    if "adapted" not in found:
        unlabelled = sorted((data / "training").iterdir())[:N_ADAPT]
        done = adapt_run(default_run, unlabelled, work / "adapted", n_jobs=sizes.n_jobs)
        found["adapted"] = summary(judged_by_run(work / "adapted", data, sizes.n_jobs)) | done.summary()
    if "trained" not in found:
        found["trained"] = summary(judged_by_run(trained(data, work, sizes.n_jobs), data, sizes.n_jobs))
    if "oracle" not in found and family.distribution is not None:
        found["oracle"] = summary(judged_by_oracle(family.distribution, data, sizes.n_jobs))
    kept.write_text(json.dumps(found))
    return {side: found[side] for side in SIDES if side in found}


def print_family(name: str, found: dict[str, dict[str, float]]) -> None:
    """Print a line for each side of a family."""
    rows = [
        [
            f"{name if k == 0 else ''} {side}".strip().rjust(24),
            *(f"{own[metric]:.3f}" for metric in SHOWN),
            f"{own['log_loss_error']:.3f}",
            f"{100 * own['unlike']:.1f} %",
            f"{100 * own['sure_and_wrong']:.1f} %",
        ]
        for k, (side, own) in enumerate(found.items())
    ]
    print_table(
        ["family, side".ljust(24), *(METRICS[metric][0] for metric in SHOWN), "+-", "unlike", "sure, wrong"], rows
    )


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
    about = {
        family.name: {"description": family.description, "is_mild": family.is_mild, "is_held_out": family in HELD_OUT}
        for family in families
    }
    print(write_record("shift", values | {"about": about, "families": table}))
    draw(table, RESULTS / "shift.png")


if __name__ == "__main__":
    main()
