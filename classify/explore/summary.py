"""The content of a data set, in words and as one object for JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from classify.explore.findings import Exploration, counted
from classify.explore.values import number
from darkmatter_features.io.dataset import SPLITS


def class_table(skies: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the number of skies of each class of each split."""
    rows = []
    for name in SPLITS:
        own = skies[skies["split"] == name]
        if len(own):
            label = own["label"]
            rows.append({
                "split": name,
                "skies": len(own),
                "with": int((label == 1).sum()),
                "without": int((label == 0).sum()),
                "unlabelled": int(label.isna().sum()),
                "positions": int(own["lens_row"].notna().sum()),
                "failed": int((own["error"] != "").sum()),
            })  # fmt: skip
    return rows


@dataclass(frozen=True)
class Fact:
    """A number of a data set.

    Attributes
    ----------
    name, value, note : str
        The quantity, its value, and to which skies or galaxies it belongs.
    error : str
        Its error; "" without one.
    """

    name: str
    value: str
    note: str
    error: str = ""

    @property
    def line(self) -> str:
        """The number in one line."""
        return f"{self.name}: {self.value}{self.error and f' ± {self.error}'} ({self.note})"


def facts(exploration: Exploration) -> list[Fact]:
    """Return the main numbers of a data set, as far as they are known."""
    skies, bias, profile, found = exploration.looks.skies, exploration.bias, exploration.profile, list[Fact]()
    counts = skies["n_galaxies"].dropna()
    if len(counts):
        low, high = counts.quantile([0.05, 0.95])
        found.append(Fact("galaxies of a sky", f"{counts.median():.0f}", f"median; 90 % from {low:.0f} to {high:.0f}"))
    if skies["sigma_e"].notna().any():
        note = "per component; median of the skies"
        found.append(Fact("scatter of ellipticities", f"{skies['sigma_e'].median():.3f}", note))
    if bias is not None:
        value, _, error = bias.text.partition(" ± ")
        found.append(Fact("mean ellipticity", value, f"mean of {bias.n_skies} skies", error))
    if profile is not None and np.isfinite(profile.snr_t):
        note = f"tangential, {profile.n_lenses} lenses; cross S/N {number(profile.snr_x, '.1f')}"
        found.append(Fact("shear about lenses", f"S/N {number(profile.snr_t, '.1f')}", note))
    return found


def summary_lines(exploration: Exploration) -> list[str]:
    """Return the content of a data set, a line for each split and each number."""
    lines = [_of_split(row) for row in class_table(exploration.looks.skies)]
    return lines + [fact.line for fact in facts(exploration)]


def _of_split(row: dict[str, Any]) -> str:
    classes = f"{row['with']} with a lens, {row['without']} without" if not row["unlabelled"] else "unlabelled"
    failed = f", {row['failed']} failed" if row["failed"] else ""
    return f"{row['split']}: {counted(row['skies'])}, {classes}{failed}"


def to_dict(exploration: Exploration) -> dict[str, Any]:
    """Return an exploration as one object for JSON."""
    skies, bias, profile = exploration.looks.skies, exploration.bias, exploration.profile
    content: dict[str, Any] = {"n": len(skies), "n_failed": len(exploration.looks.failures)}
    for row in class_table(skies):
        split = row.pop("split")
        content |= {f"{split}_{key}": value for key, value in row.items()}
    content["n_galaxies_median"] = _median(skies["n_galaxies"])
    content["sigma_e"] = _median(skies["sigma_e"])
    content |= {f"mean_{name}": None if bias is None else getattr(bias, name) for name in ("e1", "e2")}
    content["mean_e_error"] = None if bias is None else bias.error
    content |= {name: None if profile is None else getattr(profile, name) for name in ("snr_t", "snr_x", "n_lenses")}
    content["n_findings"] = len(exploration.findings)
    content["notes"] = [{"sky": sky, "note": note} for sky, note in exploration.looks.notes]
    content["findings"] = [finding.to_dict() for finding in exploration.findings]
    return content


def _median(values: "pd.Series[float]") -> float | None:
    known = values.dropna()
    return float(known.median()) if len(known) else None
