"""Heatmaps of many skies: those named, or those of a run's validation split that are selected as examples."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from classify.cnn.inputs import FieldInput
from classify.model import LensModel, Verdict
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ConfigError, DatasetError, ModelError, failure_reason
from darkmatter_features.features.extract import report
from darkmatter_features.features.statistics import feature_row
from darkmatter_features.galaxies.shapes import GalaxyCatalog, measure
from darkmatter_features.io.labels import stem_of
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.io.table import written_whole
from darkmatter_features.lens.evidence import Evidence, lens_evidence
from darkmatter_features.lens.randomization import peak_p_value
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.matched_filter import matched_filter
from darkmatter_features.maps.shear import ShearMaps, shear_maps
from darkmatter_features.plots.heatmap import heatmap
from darkmatter_features.plots.template import draw_template
from darkmatter_features.workers import parallel

RANDOMIZATION_SEED = 1
"""Of the randomized skies behind a p-value; each sky starts from it, so that it has the same one in any company."""

TOLD = {"sky": "str", "label": "float64", "probability": "float64", "lens_row": "float64", "lens_column": "float64"}
"""What is used of a run's predictions, and how it is read."""

KINDS = ("wrong", "unsure", "sure")
"""Why a sky is selected as examples; its heatmap's name starts with it."""


@dataclass(frozen=True)
class Drawing:
    """A heatmap to draw.

    Attributes
    ----------
    sky : Path
        The picture of the sky.
    name : str
        Of the heatmap's file, without ending.
    lens : (row, column), pixels, or None
        The true lens, where there is one and its place is known.
    """

    sky: Path
    name: str
    lens: tuple[float, float] | None = None


def named(skies: Sequence[Path]) -> list[Drawing]:
    """Return a drawing for each sky, named like it; skies of one name are numbered."""
    stems = [stem_of(sky.name) for sky in skies]
    total, seen = Counter(stems), Counter[str]()
    drawings = []
    for sky, stem in zip(skies, stems):
        seen[stem] += 1
        drawings.append(Drawing(sky, stem if total[stem] == 1 else f"{stem}-{seen[stem]}"))
    return drawings


def select_examples(run: str | Path, n: int, *, data: str | Path | None = None) -> list[Drawing]:
    """Return the validation skies of a run that teach most: wrong ones, the least sure, the surest lenses.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    n : int
        How many skies: up to a third wrong (the surest mistakes first), a third unsure, and the rest sure.
    data : str or Path, optional
        Folder of the data set; where it was at training when not given.

    Raises
    ------
    ConfigError
        If `n` is negative.
    ModelError
        If the run holds no predictions.
    DatasetError
        If none of their pictures is there.
    """
    if n < 0:
        raise ConfigError(f"the number of skies selected as examples must be 0 or more, got {n}; ask for 12, say")
    judged, root = _judged_in(Path(run)), Path(data) if data is not None else _dataset_of(Path(run))
    chosen = [(kind, i) for kind, places in _choose(judged, n).items() for i in places]
    drawings = [_drawing(kind, judged.iloc[i], root) for kind, i in chosen]
    if drawings and not any(drawing.sky.is_file() for drawing in drawings):
        raise DatasetError(f"{drawings[0].sky}: no picture of the run is there; say where the data set is by --data")
    return drawings


def clear(out: Path) -> None:
    """Remove the heatmaps that an earlier look at a run left in a folder."""
    for kind in KINDS:
        for path in out.glob(f"{kind}-*.png"):
            path.unlink()


def draw(
    drawings: Sequence[Drawing],
    out: str | Path,
    *,
    model: LensModel | None = None,
    n_randomizations: int = 0,
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> tuple[tuple[str, str], ...]:
    """Draw heatmaps as PNG files.

    Parameters
    ----------
    drawings : sequence of Drawing
        What to draw.
    out : str or Path
        Folder for the pictures.
    model : LensModel, optional
        Measures and judges; the default settings and no verdict when not given.
    n_randomizations : int
        Randomized skies to compare each with for its p-value; 0 for none.
    n_jobs : int
        Processes; -1 for one a core.
    progress : callable, optional
        Called with the number of skies done and in all.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Returns
    -------
    tuple of (str, str)
        Skies that failed, and why.
    """
    tasks = [(drawing, Path(out), model, n_randomizations, debug) for drawing in drawings]
    failures = []
    reasons = parallel(_draw_or_reason, tasks, n_jobs=n_jobs if len(tasks) > 1 else 1)
    report(progress, 0, len(drawings))
    for done, (drawing, reason) in enumerate(zip(drawings, reasons), start=1):
        if reason is not None:
            failures.append((str(drawing.sky), reason))
        report(progress, done, len(drawings))
    return tuple(failures)


def draw_template_of(model: LensModel | None, out: str | Path) -> Path:
    """Draw the template of a model, or the default one, as ``template.png`` in a folder, and return its path."""
    path = Path(out) / "template.png"
    with written_whole(path) as temporary:
        figure = draw_template(LensTemplate.default() if model is None else model.template)
        figure.savefig(temporary, format="png")
    return path


def _judged_in(run: Path) -> pd.DataFrame:
    """Return what a run's predictions tell of its skies: all but the label and the lens are known of each."""
    path = run / "validation-predictions.csv"
    try:
        judged = pd.read_csv(path, usecols=list(TOLD), dtype=TOLD)
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    if judged[["sky", "probability"]].isna().any(axis=None):
        raise _unusable(path, "a sky or its probability is missing")
    return judged


def _dataset_of(run: Path) -> Path:
    """Return where the data set of a run was at training."""
    path = run / "run.json"
    try:
        return Path(json.loads(path.read_text(encoding="utf-8"))["dataset"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, f"it has no {error}" if isinstance(error, KeyError) else error) from error


def _unusable(path: Path, reason: object) -> ModelError:
    return ModelError(f"{path} cannot be used ({reason}); make a run with `darkmatter train`")


def _choose(judged: pd.DataFrame, n: int) -> dict[str, list[int]]:
    p, label = judged["probability"].to_numpy(), judged["label"].to_numpy()
    doubt = np.abs(p - 0.5)
    is_wrong = np.isfinite(label) & ((p >= 0.5) != (label == 1))
    mistakes = [int(i) for i in np.argsort(-doubt, kind="stable") if is_wrong[i]][: n // 3]
    others = [int(i) for i in np.argsort(doubt, kind="stable") if int(i) not in mistakes]
    unsure, rest = others[: n // 3], others[n // 3 :]
    sure = sorted(rest, key=lambda i: -p[i])[: n - len(mistakes) - len(unsure)]
    return dict(zip(KINDS, (mistakes, unsure, sure)))


def _drawing(kind: str, row: "pd.Series[float]", root: Path) -> Drawing:
    lens = float(row["lens_row"]), float(row["lens_column"])
    return Drawing(
        root / row["sky"], f"{kind}-{stem_of(Path(row['sky']).name)}", lens if np.isfinite(lens).all() else None
    )


def _draw_or_reason(
    drawing: Drawing, out: Path, model: LensModel | None, n_randomizations: int, debug: bool
) -> str | None:
    try:
        _draw(drawing, out, model, n_randomizations)
    except Exception as error:  # a sky that nobody foresaw costs its own picture only
        return failure_reason(error, debug=debug)
    return None


def _draw(drawing: Drawing, out: Path, model: LensModel | None, n_randomizations: int) -> None:
    sky = read_sky(drawing.sky)
    config, template = (MeasureConfig(), None) if model is None else (model.config, model.template)
    catalog = measure(sky, config)
    maps, evidence = shear_maps(catalog, template, config), lens_evidence(catalog, template)
    rng = np.random.default_rng(RANDOMIZATION_SEED)
    figure = heatmap(
        sky,
        catalog,
        maps,
        matched=None if template is None else matched_filter(catalog, template, config),
        evidence=evidence,
        null=None if template is None else lens_evidence(catalog, template, cross=True),
        verdict=None if model is None else _verdict(model, sky, catalog, maps, evidence),
        lens=drawing.lens,
        p_value=peak_p_value(catalog, template, n_randomizations=n_randomizations, rng=rng)
        if n_randomizations
        else None,
    )
    with written_whole(out / f"{drawing.name}.png") as temporary:
        figure.savefig(temporary, format="png")


def _verdict(model: LensModel, sky: Sky, catalog: GalaxyCatalog, maps: ShearMaps, evidence: Evidence) -> Verdict:
    """Judge by what is measured already."""
    row = feature_row(catalog, maps, evidence, model.template)[None]
    return model.verdicts([catalog.name], row, inputs=lambda _: [FieldInput.of(sky, catalog, model.template)])[0]
