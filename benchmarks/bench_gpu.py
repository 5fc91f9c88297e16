"""Training and inference of the CNN stage on a GPU beside the processor: time, probabilities, log loss.

    python benchmarks/bench_gpu.py [--data DIR --features DIR --run RUN --work DIR --skies N --jobs -1]

Both devices train on the same skies with the same settings and seed. Probabilities are compared for the same weights:
those of --run, a run with a CNN stage, or those trained on the processor. Without --data, the data set of
`bench_accuracy.py` is simulated. Where there is no GPU, its columns are "not run", and no record is written.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_accuracy import Trial, prepare
from harness.environment import cpu_name
from harness.report import print_table, write_record
from harness.timing import median_wall_ms
from numpy.typing import NDArray
from scipy.special import expit

from classify.cnn.config import CnnConfig
from classify.cnn.device import best_device, mixed, single
from classify.cnn.inputs import FieldInput, read_inputs
from classify.cnn.member import Skies
from classify.cnn.network import SKIES_PER_BATCH, batches_of
from classify.cnn.stacking import Stacker
from classify.cnn.stage import CnnStage
from classify.cnn.train_stage import CATALOGS, mean_profile
from classify.cnn.training import Networks, train_networks
from classify.cnn.weights import from_bytes
from classify.model import LensModel
from classify.tables.columns import FEATURE_NAMES
from darkmatter_features.features.cross_fitting import Templates, catalogs_of, read_catalogs

Array = NDArray[np.float64]

CPU = torch.device("cpu")
MAX_DIFFERENCE = 1e-3
"""Largest difference of a probability between devices that the benchmark accepts."""
REPEATS = 3
"""Timed passes over the validation skies."""
NOT_RUN = "not run"


@dataclass(frozen=True)
class Stage:
    """Weights whose probabilities are compared, and the log-odds of the trees; None without a run."""

    networks: CnnStage
    trees: Array | None


def skies_of(trial: Trial, split: str, n: int | None) -> Skies:
    """Return the first n labelled skies of a split, with the templates that `darkmatter features` fitted."""
    rows = trial.rows(split).head(n)
    catalogs = {catalog.name: catalog for catalog in catalogs_of(read_catalogs(trial.features / CATALOGS))}
    tasks = [(trial.data / name, catalogs[name]) for name in rows["sky"]]
    columns = (rows[name].to_numpy(np.float64, na_value=np.nan) for name in ("label", "lens_row", "lens_column"))
    return Skies(read_inputs(tasks, Templates.read(trial.features), n_jobs=trial.n_jobs), *columns)


def trained(
    trial: Trial, training: Skies, validation: Skies, config: CnnConfig, device: torch.device
) -> tuple[Networks, dict[str, float]]:
    """Train the networks on a device; return them, and the time and the log loss after the best epoch."""
    profile = mean_profile(Templates.read(trial.features).full.template)
    start = time.perf_counter()
    networks = train_networks(training, validation, profile, config=config, device=device)
    seconds = time.perf_counter() - start
    best = networks.history[networks.best_epoch - 1]
    return networks, {
        "seconds": seconds,
        "seconds_per_epoch": seconds / len(networks.history),
        "best_epoch": networks.best_epoch,
        "held_out_loss": best.held_out_loss,
        "validation_loss": best.validation_loss,
    }


def stage_of(trial: Trial, run: Path | None, networks: Networks, config: CnnConfig, n: int | None) -> Stage:
    """Return the stage of a run, or that of the networks trained on the processor."""
    if run is None:
        return Stage(CnnStage(np.inf, Stacker(0.0, 0.0, 1.0), config, networks.members, {}), None)
    model = LensModel.load(run)
    if model.cnn_stage is None:
        raise SystemExit(f"{run} was trained without a CNN stage; train one with `darkmatter train --cnn on`")
    return Stage(model.cnn_stage, model.log_odds(trial.rows("validation").head(n)[list(FEATURE_NAMES)]))


def inference(stage: Stage, inputs: list[FieldInput], device: torch.device) -> tuple[Array, dict[str, float]]:
    """Return the log-odds of the networks, (n,), and the skies per second with all networks."""
    passes: list[Array] = []
    ms = median_wall_ms(lambda: passes.append(stage.networks.network_log_odds(inputs, device)), repeats=REPEATS)
    return passes[-1], {"skies_per_second": 1e3 * len(inputs) / ms}


def differences(stage: Stage, found: Array, expected: Array) -> dict[str, float]:
    """Return the largest differences of the probabilities of the networks, and of networks and trees together."""
    values = {"networks": float(np.abs(expit(found) - expit(expected)).max())}
    if stage.trees is not None:
        first, second = (expit(stage.networks.stacker(stage.trees, each)) for each in (found, expected))
        values |= {
            "verdicts": float(np.abs(first - second).max()),
            "changed_labels": int(((first > 0.5) != (second > 0.5)).sum()),
        }
    return values


PRECISIONS: Mapping[str, Callable[[torch.device], AbstractContextManager[Any]]] = {
    "float32": single,
    "TF32": lambda device: torch.backends.cudnn.flags(enabled=True, allow_tf32=True),
    "bfloat16": mixed,
}
"""Precisions of the inference; the first one is that of the stage."""


def precisions(stage: Stage, inputs: list[FieldInput], device: torch.device, expected: Array) -> dict[str, Any]:
    """Return for each precision the time of a pass over batches on the device, and the differences to the processor."""
    networks = [from_bytes(member, stage.networks.config).to(device) for member in stage.networks.members]
    batches = list(batches_of(inputs, device))
    found = {}
    for name, context in PRECISIONS.items():
        passes: list[Array] = []

        def run_once(context: Any = context, passes: list[Array] = passes) -> None:
            with torch.no_grad(), context(device):
                odds = [torch.stack([network(batch)[0].float() for network in networks]) for batch in batches]
                passes.append(torch.cat(odds, dim=1).mean(dim=0).cpu().double().numpy())

        ms = median_wall_ms(run_once, repeats=REPEATS)
        found[name] = {"ms_per_batch": ms / len(batches), **differences(stage, passes[-1], expected)}
    return found


def measure(args: argparse.Namespace, work: Path, gpu: torch.device | None) -> dict[str, Any]:
    """Return the figures of the processor and, where there is one, of the GPU."""
    trial, config = prepare(args, work), CnnConfig(epochs=args.epochs)
    training, validation = skies_of(trial, "training", args.skies), skies_of(trial, "validation", args.skies)
    inputs = list(validation.inputs)
    networks, on_cpu = trained(trial, training, validation, config, CPU)
    stage = stage_of(trial, args.run, networks, config, args.skies)
    expected, cpu_rate = inference(stage, inputs, CPU)
    figures: dict[str, Any] = {"skies": {"training": len(training), "validation": len(validation)}}
    figures |= {"cpu": {"training": on_cpu, "inference": cpu_rate}, "gpu": None}
    if gpu is not None:
        trained(trial, training, validation, CnnConfig(epochs=1), gpu)  # loads the kernels
        _, on_gpu = trained(trial, training, validation, config, gpu)
        found, gpu_rate = inference(stage, inputs, gpu)
        figures["gpu"] = {"training": on_gpu, "inference": gpu_rate, "differences": differences(stage, found, expected)}
        figures["precisions"] = precisions(stage, inputs, gpu, expected)
    return figures


ROWS = (
    ("training, s", "training", "seconds", "{:.1f}"),
    ("training, s an epoch", "training", "seconds_per_epoch", "{:.2f}"),
    ("log loss, out of fold", "training", "held_out_loss", "{:.4f}"),
    ("log loss, validation", "training", "validation_loss", "{:.4f}"),
    ("inference, skies/s", "inference", "skies_per_second", "{:.0f}"),
)
"""Rows of the table: title, part, figure, format."""


def table_of(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the rows of the table: title, processor, GPU; "not run" without a GPU."""
    rows = []
    for title, part, key, form in ROWS:
        cells = (NOT_RUN if side is None else form.format(side[part][key]) for side in (figures["cpu"], figures["gpu"]))
        rows.append((title, *cells))
    return rows


def print_figures(figures: dict[str, Any]) -> None:
    print_table(("CNN stage", "processor", "GPU"), table_of(figures))
    for name, row in figures.get("precisions", {}).items():
        changes = ", ".join(f"{key} {value:.2g}" for key, value in row.items() if key != "ms_per_batch")
        print(
            f"{name}: {row['ms_per_batch']:.2f} ms for {SKIES_PER_BATCH} skies; difference to the processor: {changes}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="data set (simulated when not given)")
    parser.add_argument("--features", type=Path, help="its feature tables (measured when not given)")
    parser.add_argument("--run", type=Path, help="run with a CNN stage, whose weights are compared")
    parser.add_argument("--work", type=Path, help="folder to simulate and measure in (a temporary one when not given)")
    parser.add_argument("--skies", type=int, help="skies of each split (all when not given)")
    parser.add_argument("--epochs", type=int, default=CnnConfig().epochs)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.set_defaults(curve=[])
    args = parser.parse_args()
    gpu = None if (device := best_device()).type == "cpu" else device
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(args, args.work or Path(folder), gpu)
    print_figures(figures)
    if gpu is None:
        print("no GPU on this machine: no record is written")
        return
    name = torch.cuda.get_device_name(gpu) if gpu.type == "cuda" else gpu.type
    hardware = {"gpu": name, "processor": f"{cpu_name()}, {os.cpu_count()} cores", "torch": version("torch")}
    print(write_record("gpu", {"hardware": hardware, **figures}))
    if figures["gpu"]["differences"]["networks"] > MAX_DIFFERENCE:
        raise SystemExit(f"the probabilities of the two devices differ by more than {MAX_DIFFERENCE}")


if __name__ == "__main__":
    main()
