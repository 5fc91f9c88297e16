"""The figures of the oracle of a data set, and whether they belong to the validation skies of a run."""

import hashlib
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkmatter_features.errors import DarkmatterError
from darkmatter_features.io.truth import read_sky_truth

ORACLE = "truth/oracle.json"
"""In a data set, the metrics of the best possible decision on its validation skies, if they were computed."""
SKIES = "skies"
"""Entry of that file with the identity of its skies, see :func:`identity_of`."""
PROPERTIES = ("density", "elongation", "alignment")
"""Properties of skies in the truth of a simulated data set without which there is no oracle."""
COLUMNS = ("label", "lens_row", "lens_column")


@dataclass(frozen=True)
class Oracle:
    """The oracle beside a run.

    Attributes
    ----------
    metrics : dict
        Its metrics on the validation skies of the run; empty where there are none.
    note : str
        Why there are none, and the command that computes them; empty for data of which no oracle is known.
    """

    metrics: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def identity_of(skies: pd.DataFrame) -> str:
    """Return 16 hexadecimal digits that identify skies by their names, labels and lenses, in any order.

    Parameters
    ----------
    skies : pandas.DataFrame
        ``sky, label, lens_row, lens_column``, pixels, nan for unknown; positions count to a hundredth of a pixel, as
        tables have them.
    """
    numbers = skies[list(COLUMNS)].to_numpy(dtype=np.float64, na_value=np.nan).tolist()
    lines = sorted(
        f"{name},{label:g},{row:.2f},{column:.2f}" for name, (label, row, column) in zip(skies["sky"], numbers)
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def read_oracle(dataset: Path, judged: pd.DataFrame) -> Oracle:
    """Return the oracle of the validation skies of a run.

    Parameters
    ----------
    dataset : Path
        Folder of the data set.
    judged : pandas.DataFrame
        Verdicts of the run, with the truth.
    """
    path = dataset / ORACLE
    command = shlex.join(["python", "benchmarks/oracle_figures.py", str(dataset)])
    remedy = f"in the sources of darkmatter, run `{command}`"
    if path.is_file():
        found = _read(path)
        if found.get(SKIES) == identity_of(judged):
            return Oracle(found)
        return Oracle(note=f"{path} is not of the validation skies of this run; {remedy}.")
    if _has_truth(dataset):
        return Oracle(note=f"The oracle of this data set is not computed; {remedy}.")
    return Oracle()


def _read(path: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _has_truth(dataset: Path) -> bool:
    """Return whether a data set has the truth that the oracle needs."""
    try:
        truth = read_sky_truth(dataset)
    except (DarkmatterError, OSError):
        return False
    first = next(iter(truth.values()), {})
    return all(np.isfinite(first.get(name, np.nan)) for name in PROPERTIES)
