"""What the CNN stage at uncertain skies brings, beside a plain network on shrunk pictures and the oracle.

    python benchmarks/bench_cnn.py [--data DIR --features DIR --work DIR --run RUN --jobs -1]

Without --data, the default data set is simulated; --run takes a model that was trained with `--cnn on`. All sides
judge the same validation skies, and that split chooses nothing: which skies are hard is settled by the trees' log-odds
and the limit found on the training skies. Errors are those of 1,000 bootstrap resamples; differences are paired.
"""

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_accuracy import FIGURES, N_RESAMPLES, Answer, Trial, figures, judge, limit, prepare
from competitors.resnet import judged_by_resnet
from helpers import RESULTS, print_table, write_result
from numpy.typing import NDArray
from plots.cnn import draw
from scipy.special import logit

from classify.cnn import DECIDES
from classify.columns import FEATURE_NAMES
from classify.model import LensModel
from classify.predict import cnn_inputs_of
from classify.train import train

Array = NDArray[np.float64]

LIMIT, RESNET, TREES = "the oracle", "ResNet-18 at 64 px", "LightGBM"
NETWORKS, BOTH = "CNN alone", "LightGBM + CNN"
SHOWN = [key for key in FIGURES if key not in ("median_offset_px",)]
SKIES = {"all": "All {n} validation skies", "hard": "The {n} hard ones"}


def answers(trial: Trial, run: Path) -> tuple[dict[str, Answer], NDArray[np.bool_], dict[str, Any]]:
    """What each side says, which skies are hard, and how the training of the networks went."""
    if not (run / "model").exists():
        train(trial.features, run, cnn="on", n_jobs=trial.n_jobs)
    model, rows = LensModel.load(run), trial.rows("validation")
    if model.cnn_stage is None:
        raise SystemExit(f"{run} was trained without the CNN stage; give one of `darkmatter train --cnn on`")
    names, paths = rows["sky"].tolist(), [trial.data / name for name in rows["sky"]]
    look = cnn_inputs_of(model, paths, n_jobs=trial.n_jobs)
    verdicts = model.verdicts(names, rows[list(FEATURE_NAMES)], inputs=look)
    nowhere = np.full(len(names), np.nan)
    told = {
        RESNET: _resnet(trial, paths),
        TREES: model.log_odds(rows[list(FEATURE_NAMES)]),
        NETWORKS: model.cnn_stage.network_log_odds(look(list(range(len(names))))),
        BOTH: logit(np.array([verdict.probability for verdict in verdicts])),
    }
    hard = np.array([verdict.decided_by == DECIDES for verdict in verdicts])
    sides = {LIMIT: limit(trial)} | {name: Answer(names, x, nowhere, nowhere) for name, x in told.items()}
    return sides, hard, model.cnn_stage.record


def _resnet(trial: Trial, paths: list[Path]) -> Array:
    rows = trial.rows("training")
    labels = rows["label"].to_numpy(dtype=np.float64)
    return judged_by_resnet([trial.data / name for name in rows["sky"]], labels, paths, n_jobs=trial.n_jobs)


def compare(judged: dict[str, pd.DataFrame], chosen: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Figures of every side on some skies, with bootstrap errors, and less LightGBM's: paired, with 95 % bounds."""
    draws = chosen[np.random.default_rng(1).integers(0, chosen.size, (N_RESAMPLES, chosen.size))]
    scatter = {name: pd.DataFrame([figures(table, draw) for draw in draws]) for name, table in judged.items()}
    found = {}
    for name, table in judged.items():
        value, base = figures(table, chosen), figures(judged[TREES], chosen)
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


def show(results: dict[str, dict[str, dict[str, float]]], n: dict[str, int]) -> None:
    for which, sides in results.items():
        print(f"\n{SKIES[which].format(n=n[which])}, with bootstrap errors")
        header = ("side", *(FIGURES[key][0] for key in SHOWN))
        print_table(header, [
            (name, *(f"{row[key]:.4f} ±{row[f'{key}_error']:.4f}" for key in SHOWN)) for name, row in sides.items()
        ])  # fmt: skip
        row = sides[BOTH]
        print(f"{BOTH} less {TREES}, with paired 95 % bounds")
        for key in SHOWN:
            change, low, high = (row[f"{key}_change{end}"] for end in ("", "_lo", "_hi"))
            print(f"  {FIGURES[key][0]:<14} {change:+.4f} ({low:+.4f} to {high:+.4f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="data set of the preset seed, with its truth (simulated)")
    parser.add_argument("--features", type=Path, help="its feature tables (measured)")
    parser.add_argument("--work", type=Path, help="folder to simulate, measure and train in (a temporary one)")
    parser.add_argument("--run", type=Path, help="run of `darkmatter train --cnn on` on those tables (trained)")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.set_defaults(curve=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or Path(folder)
        trial = prepare(args, work)
        sides, hard, record = answers(trial, args.run or work / "run")
        truth = trial.rows("validation")[["sky", "label", "lens_row", "lens_column"]]
    judged = {name: judge(answer, truth) for name, answer in sides.items()}
    skies = {"all": np.arange(hard.size), "hard": np.flatnonzero(hard)}
    results = {which: compare(judged, chosen) for which, chosen in skies.items()}
    n = {which: int(chosen.size) for which, chosen in skies.items()}
    show(results, n)
    print(write_result("cnn", {"torch": version("torch"), "skies": n, "training": record, **results}))
    draw(RESULTS / "cnn.png", results, {which: told.format(n=n[which]) for which, told in SKIES.items()}, LIMIT, RESNET)


if __name__ == "__main__":
    main()
