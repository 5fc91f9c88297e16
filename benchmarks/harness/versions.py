"""Stages of two versions of darkmatter, timed in turn on the same image."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from harness.report import print_table

PROBE = Path(__file__).with_name("stage_probe.py")
THIS_VERSION = Path(__file__).parents[2]
"""Root of this checkout."""

N_CALLS = 5
"""Calls of a stage whose shortest time is that of a round."""

Rounds = Sequence[Mapping[str, float]]


class Version:
    """A process that runs the stages of the version whose root is `root`, on one image.

    Parameters
    ----------
    root : Path
        Folder that contains the package `darkmatter_features`.
    image, template : Path
        Files of the sky and of the fitted template.
    """

    def __init__(self, root: Path, image: Path, template: Path) -> None:
        if not (root / "darkmatter_features").is_dir():
            raise SystemExit(f"{root} contains no package darkmatter_features; give the root of a checkout")
        words = [sys.executable, str(PROBE), *(str(path.resolve()) for path in (image, template)), str(N_CALLS)]
        environment = os.environ | {"PYTHONPATH": str(root.resolve())}
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        first = self._read()
        if Path(first["package"]).resolve() != root.resolve() / "darkmatter_features":
            raise SystemExit(f"{first['package']} was imported instead of the package below {root}")
        self.row = np.array(first["row"])

    def times(self) -> dict[str, float]:
        """Run each stage and return its milliseconds."""
        assert self.process.stdin is not None
        print(file=self.process.stdin, flush=True)
        return self._read()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self.process.args))} failed; its error is above")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.communicate()


def compare(old_root: Path, image: Path, template: Path, *, n_rounds: int) -> tuple[Rounds, Rounds, float]:
    """Time this version and another one in turn, A B A B.

    Returns
    -------
    new, old : sequences of mappings
        Milliseconds by stage, for each round, of this version and of the other one.
    difference : float
        Maximum absolute difference of the two feature rows.
    """
    with Version(THIS_VERSION, image, template) as new, Version(old_root, image, template) as old:
        rounds = [(new.times(), old.times()) for _ in range(n_rounds)]
        difference = float(np.nanmax(np.abs(new.row - old.row))) if new.row.shape == old.row.shape else np.nan
    return [each[0] for each in rounds], [each[1] for each in rounds], difference


def ratios(new: Rounds, old: Rounds) -> dict[str, tuple[float, float, float]]:
    """Return the median of new/old over rounds by stage, and its 16 and 84 % quantiles."""
    return {
        stage: tuple(np.quantile([a[stage] / b[stage] for a, b in zip(new, old, strict=True)], (0.5, 0.16, 0.84)))
        for stage in new[0]
    }


def print_comparison(new: Rounds, old: Rounds) -> None:
    """Print the milliseconds and the ratio new/old of each stage."""
    medians = [{stage: np.median([each[stage] for each in rounds]) for stage in new[0]} for rounds in (new, old)]
    print_table(
        ("stage", "new, ms", "old, ms", "new/old", "16 to 84 %"),
        [
            (stage, *(f"{median[stage]:.3f}" for median in medians), f"{ratio:.3f}", f"{low:.3f} to {high:.3f}")
            for stage, (ratio, low, high) in ratios(new, old).items()
        ],
    )
