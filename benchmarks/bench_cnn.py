"""Effect of the CNN stage, which judges uncertain skies again, beside a plain network and the oracle.

    python benchmarks/bench_cnn.py [--data DIR --features DIR --work DIR --run RUN --jobs -1]

The plain network is a ResNet-18 on shrunk images. Without --data, the default data set is simulated; --run takes a
model that was trained with `--cnn on`. All sides judge the same validation skies, which select nothing: a sky is
uncertain where the log-odds of the trees are within a bound found on the training skies. Errors are those of 1,000
bootstrap resamples; differences are paired.
"""

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_accuracy import ORACLE, Trial, oracle, prepare
from competitors.resnet import resnet_log_odds
from harness.judgements import METRICS, N_RESAMPLES, Judgement, beside_truth, metrics_of
from harness.report import RESULTS, print_table, write_record
from numpy.typing import NDArray
from plots.cnn import draw
from scipy.special import logit

from classify.cnn import DECIDES
from classify.cnn.inputs import FieldInput, measured_inputs
from classify.model import LensModel
from classify.tables.columns import FEATURE_NAMES
from classify.train import train

Array = NDArray[np.float64]

RESNET = "ResNet-18 at 64 px"
TREES = "LightGBM"
NETWORKS = "CNN alone"
BOTH = "LightGBM + CNN"
SHOWN = [key for key in METRICS if key != "median_offset_px"]
"""Metrics that are shown: none of position, which the CNN stage leaves alone."""

SKIES = {"all": "All {n} validation skies", "uncertain": "The {n} uncertain skies"}


def judgements(trial: Trial, run: Path) -> tuple[dict[str, Judgement], NDArray[np.bool_], dict[str, Any]]:
    """Return the judgement of each side, a mask of the uncertain skies, and the record of the networks' training."""
    if not (run / "model").exists():
        train(trial.features, run, cnn="on", n_jobs=trial.n_jobs)
    model, rows = LensModel.load(run), trial.rows("validation")
    if model.cnn_stage is None:
        raise SystemExit(f"{run} was trained without a CNN stage; train one with `darkmatter train --cnn on`")
    names, paths = rows["sky"].tolist(), [trial.data / name for name in rows["sky"]]

    def inputs(chosen: list[int]) -> list[FieldInput]:
        return measured_inputs([paths[i] for i in chosen], model.template, model.config, n_jobs=trial.n_jobs)

    verdicts = model.verdicts(names, rows[list(FEATURE_NAMES)], inputs=inputs)
    unknown = np.full(len(names), np.nan)
    log_odds = {
        RESNET: _resnet(trial, paths),
        TREES: model.log_odds(rows[list(FEATURE_NAMES)]),
        NETWORKS: model.cnn_stage.network_log_odds(inputs(list(range(len(names))))),
        BOTH: logit(np.array([verdict.probability for verdict in verdicts])),
    }
    is_uncertain = np.array([verdict.decided_by == DECIDES for verdict in verdicts])
    sides = {ORACLE: oracle(trial)} | {name: Judgement(names, x, unknown, unknown) for name, x in log_odds.items()}
    return sides, is_uncertain, model.cnn_stage.record


def _resnet(trial: Trial, paths: list[Path]) -> Array:
    rows = trial.rows("training")
    labels = rows["label"].to_numpy(dtype=np.float64)
    return resnet_log_odds([trial.data / name for name in rows["sky"]], labels, paths, n_jobs=trial.n_jobs)


def compare(judged: dict[str, pd.DataFrame], chosen: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Return the metrics of each side on some skies with errors, and paired changes to LightGBM with 95 % bounds."""
    draws = chosen[np.random.default_rng(1).integers(0, chosen.size, (N_RESAMPLES, chosen.size))]
    scatter = {name: pd.DataFrame([metrics_of(table, draw) for draw in draws]) for name, table in judged.items()}
    found = {}
    for name, table in judged.items():
        value, base = metrics_of(table, chosen), metrics_of(judged[TREES], chosen)
        found[name] = {}
        for key in SHOWN:
            change = scatter[name][key] - scatter[TREES][key]
            low, high = np.nanquantile(change, [0.025, 0.975])
            found[name] |= {
                key: float(value[key]),
                f"{key}_error": float(scatter[name][key].std()),
                f"{key}_change": float(value[key] - base[key]),
                f"{key}_change_lo": float(low),
                f"{key}_change_hi": float(high),
            }
    return found


def print_results(results: dict[str, dict[str, dict[str, float]]], n: dict[str, int]) -> None:
    for chosen, sides in results.items():
        print(f"\n{SKIES[chosen].format(n=n[chosen])}, with bootstrap errors")
        header = ("side", *(METRICS[key][0] for key in SHOWN))
        print_table(header, [
            (name, *(f"{row[key]:.4f} ±{row[f'{key}_error']:.4f}" for key in SHOWN)) for name, row in sides.items()
        ])  # fmt: skip
        row = sides[BOTH]
        print(f"{BOTH} less {TREES}, with paired 95 % bounds")
        for key in SHOWN:
            change, low, high = (row[f"{key}_change{end}"] for end in ("", "_lo", "_hi"))
            print(f"  {METRICS[key][0]:<14} {change:+.4f} ({low:+.4f} to {high:+.4f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="data set of the preset seed, with its truth (simulated when not given)"
    )
    parser.add_argument("--features", type=Path, help="its feature tables (measured when not given)")
    parser.add_argument(
        "--work", type=Path, help="folder to simulate, measure and train in (a temporary one when not given)"
    )
    parser.add_argument(
        "--run", type=Path, help="run of `darkmatter train --cnn on` on those tables (trained when not given)"
    )
    parser.add_argument("--jobs", type=int, default=-1)
    parser.set_defaults(curve=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or Path(folder)
        trial = prepare(args, work)
        sides, is_uncertain, record = judgements(trial, args.run or work / "run")
        truth = trial.rows("validation")[["sky", "label", "lens_row", "lens_column"]]
    judged = {name: beside_truth(judgement, truth) for name, judgement in sides.items()}
    skies = {"all": np.arange(is_uncertain.size), "uncertain": np.flatnonzero(is_uncertain)}
    results = {name: compare(judged, chosen) for name, chosen in skies.items()}
    n = {name: int(chosen.size) for name, chosen in skies.items()}
    print_results(results, n)
    print(write_record("cnn", {"torch": version("torch"), "skies": n, "training": record, **results}))
    titles = {name: title.format(n=n[name]) for name, title in SKIES.items()}
    draw(RESULTS / "cnn.png", results, titles, ORACLE, RESNET)


if __name__ == "__main__":
    main()
