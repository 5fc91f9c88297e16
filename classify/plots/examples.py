"""Skies to draw: those named by the user, and examples from the validation split of a run."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from darkmatter_features.errors import ConfigError, DatasetError, ModelError
from darkmatter_features.io.labels import stem_of
from darkmatter_features.io.layouts import image_files
from darkmatter_features.io.parts import split_part
from darkmatter_features.plots.page import FORMATS

PREDICTION_COLUMNS = {
    "sky": "str", "label": "float64", "probability": "float64", "lens_row": "float64", "lens_column": "float64",
}  # fmt: skip
"""Columns that are read from the predictions of a run, and their types."""

CATEGORIES = ("wrong", "unsure", "sure")
"""Categories of examples, with which the names of their heatmaps start."""


@dataclass(frozen=True)
class Drawing:
    """A heatmap to draw.

    Attributes
    ----------
    sky : Path
        Image of the sky.
    name : str
        Name of the file of the heatmap, without suffix.
    lens : (row, column), pixels, or None
        Position of the true lens, if there is one and it is known.
    """

    sky: Path
    name: str
    lens: tuple[float, float] | None = None


def named(skies: Sequence[Path]) -> list[Drawing]:
    """Return a drawing for each sky, with the name of its image; images of the same name are numbered."""
    stems = [_stem(sky) for sky in skies]
    total, so_far = Counter(stems), Counter[str]()
    drawings = []
    for sky, stem in zip(skies, stems):
        so_far[stem] += 1
        drawings.append(Drawing(sky, stem if total[stem] == 1 else f"{stem}-{so_far[stem]}"))
    return drawings


def _stem(sky: Path) -> str:
    """Return the name of an image without its suffix, with its part: ``sky-SCI-2`` of ``sky.fits[SCI,2]``."""
    file, part = split_part(sky)
    return stem_of(file.name) if part is None else f"{stem_of(file.name)}-{part}".replace(",", "-")


def select_examples(run: str | Path, n: int, *, data: str | Path | None = None) -> list[Drawing]:
    """Return examples from the validation skies of a run: wrong ones, the least certain, the most certain lenses.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    n : int
        Number of skies: up to a third wrong (the most certain first), a third least certain, the rest most certain.
    data : str or Path, optional
        Folder of the data set; by default the one of the training.

    Raises
    ------
    ConfigError
        If `n` is negative.
    ModelError
        If the run holds no predictions.
    DatasetError
        If none of the images exists.
    """
    if n < 0:
        raise ConfigError(f"number of examples must be 0 or more, got {n}; use 12, for example")
    predictions = _predictions_of(Path(run))
    root = Path(data) if data is not None else _dataset_of(Path(run))
    chosen = [(category, i) for category, skies in _choose(predictions, n).items() for i in skies]
    files = image_files(root, predictions["sky"].iloc[[i for _, i in chosen]])
    drawings = [
        _drawing(category, predictions.iloc[i], file) for (category, i), file in zip(chosen, files, strict=True)
    ]
    if drawings and not any(drawing.sky.is_file() for drawing in drawings):
        raise DatasetError(f"{drawings[0].sky}: no image of the run exists; give the folder of the data set by --data")
    return drawings


def clear(out: Path) -> None:
    """Remove the heatmaps of earlier examples from a folder, of all formats."""
    for category in CATEGORIES:
        for path in out.glob(f"{category}-*"):
            if path.suffix[1:] in FORMATS:
                path.unlink()


def _predictions_of(run: Path) -> pd.DataFrame:
    """Return the predictions of a run; label and position of the lens may be missing, the other columns may not."""
    path = run / "validation-predictions.csv"
    try:
        predictions = pd.read_csv(path, usecols=list(PREDICTION_COLUMNS), dtype=PREDICTION_COLUMNS)
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    if predictions[["sky", "probability"]].isna().any(axis=None):
        raise _unusable(path, "a sky or its probability is missing")
    return predictions


def _dataset_of(run: Path) -> Path:
    """Return the folder of the data set that a run was trained on."""
    path = run / "run.json"
    try:
        return Path(json.loads(path.read_text(encoding="utf-8"))["dataset"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, f"it has no {error}" if isinstance(error, KeyError) else error) from error


def _unusable(path: Path, reason: object) -> ModelError:
    return ModelError(f"{path} cannot be used ({reason}); make a run with `darkmatter train`")


def _choose(predictions: pd.DataFrame, n: int) -> dict[str, list[int]]:
    """Return the indices of the examples by category."""
    p, label = predictions["probability"].to_numpy(), predictions["label"].to_numpy()
    certainty = np.abs(p - 0.5)
    is_wrong = np.isfinite(label) & ((p >= 0.5) != (label == 1))
    wrong = [int(i) for i in np.argsort(-certainty, kind="stable") if is_wrong[i]][: n // 3]
    others = [int(i) for i in np.argsort(certainty, kind="stable") if int(i) not in wrong]
    unsure, rest = others[: n // 3], others[n // 3 :]
    sure = sorted(rest, key=lambda i: -p[i])[: n - len(wrong) - len(unsure)]
    return dict(zip(CATEGORIES, (wrong, unsure, sure)))


def _drawing(category: str, row: "pd.Series[float]", file: Path) -> Drawing:
    lens = float(row["lens_row"]), float(row["lens_column"])
    name = f"{category}-{stem_of(Path(row['sky']).name)}"
    return Drawing(file, name, lens if np.isfinite(lens).all() else None)
