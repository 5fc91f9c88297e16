"""Training: from a feature table to a run with the model, its history and its metrics on the validation split."""

import shutil
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classify.cnn import need_torch, train_stage
from classify.cnn.config import CnnConfig
from classify.cnn.history import EVENTS, EpochLine
from classify.cnn.inputs import FieldInput
from classify.config import TrainConfig
from classify.evaluate import count_unlike, judged_table, score_judged
from classify.model import LensModel
from classify.model.bundle import write_json
from classify.model.likeness import Likeness
from classify.plots.explain_run import OF_VALIDATION, explain_run
from classify.plots.grad_cam import draw_uncertain_lenses
from classify.plots.performance import performance
from classify.plots.samples import sample_grid, samples
from classify.run_folder import RECORD, changed_whole, run_record
from classify.tables.columns import FEATURE_NAMES
from classify.tables.feature_table import FeatureTable, labelled, labels_of
from classify.trees.boosting import Boosted, HistoryLine, boost
from classify.verdicts.table import write_verdicts
from darkmatter_features.errors import ConfigError, DarkmatterError
from darkmatter_features.io.labels import write_records
from darkmatter_features.io.lock import held
from darkmatter_features.io.table import check_made
from darkmatter_features.plots.page import save_figure
from darkmatter_features.plots.template import draw_template

SAMPLE_SEED = 1
"""Seed of the choice of skies in the figure of samples."""
CAM = "grad-cam.png"
"""Figure of the class activation of uncertain lenses."""
SAMPLES = "validation-samples.png"
"""Figure of validation skies with their verdicts."""
MAY_LACK = (SAMPLES, *OF_VALIDATION, train_stage.CNN_FOLDER)
"""Files that a run lacks without validation skies or without networks."""


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes
    ----------
    model : LensModel
        Model saved in the run.
    metrics : dict
        Metrics on the validation split, as in `metrics.json`; ``n_training``, the number of training skies, which is
        ``subset`` per cent of them.
    best_round : int
        Trees of each member.
    notes : tuple of str
        Missing parts of the run, with the reasons.
    """

    model: LensModel
    metrics: dict[str, float]
    best_round: int
    notes: tuple[str, ...]


def train(
    features: str | Path,
    run: str | Path,
    *,
    config: TrainConfig | None = None,
    report: Callable[[HistoryLine], None] | None = None,
    cnn: str = "off",
    cnn_config: CnnConfig | None = None,
    resume: bool = False,
    cnn_report: Callable[[EpochLine], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    n_jobs: int = -1,
) -> Trained:
    """Train on the training split of a feature table, and write a run.

    Parameters
    ----------
    features : str or Path
        Folder of `darkmatter features`.
    run : str or Path
        Folder for the model, `history.csv`, `metrics.json`, `validation-predictions.csv` and the figures. The files
        of an earlier training there are replaced at the end, all at once.
    config : TrainConfig, optional
        Settings of the trees; the defaults if None.
    report : callable, optional
        Function called with each line of the history.
    cnn : str
        CNN stage at uncertain skies: "off", "auto" (kept if it lowers the out-of-fold loss) or "on".
    cnn_config : CnnConfig, optional
        Settings of the networks; the defaults if None.
    resume : bool
        Whether to continue the networks from the checkpoint of a stopped training, or else of the run.
    cnn_report : callable, optional
        Function called with each line of the history of the networks.
    progress : callable, optional
        Function called with the number of images read for the networks and their total.
    n_jobs : int
        Number of processes that read those images; -1 for one per core.

    Returns
    -------
    Trained

    Raises
    ------
    TableError
        If the features are missing or of another version, or have too few labelled training rows.
    ConfigError
        If `resume` is set with ``cnn="off"``, or another process writes to `run`.
    DarkmatterError
        With ``cnn="on"``, if PyTorch, the images or the catalogues are missing.
    """
    run, config = Path(run), config or TrainConfig()
    _check_cnn(cnn, resume)
    table = FeatureTable.read(features)
    if cnn == "on":
        train_stage.check_files(Path(features), table.dataset)
    x, y = labelled(table.split("training"))
    with held(run), changed_whole(run, may_lack=MAY_LACK, resumable=train_stage.CNN_FOLDER, resume=resume) as fresh:
        log = _HistoryFile(fresh / "history.csv", report)
        boosted = boost(x, y, *labelled(table.split("validation")), config=config, report=log)
        record = {**config.to_dict(), "n_rows": len(boosted.chosen), "best_round": boosted.best_round}
        used = _training_skies(table, boosted.chosen)
        model = LensModel(
            boosted.start, boosted.members, boosted.calibration, table.config, table.template, record,
            likeness=Likeness.fit(used[list(FEATURE_NAMES)], labels_of(used)),
        )  # fmt: skip
        check_made(fresh)
        taken = train_stage.NO_STAGE
        if cnn != "off":
            taken = train_stage.train_cnn_stage(
                _measured(Path(features), table, boosted), fresh / train_stage.CNN_FOLDER, events=run / EVENTS,
                mode=cnn, config=cnn_config, resume=resume, n_jobs=n_jobs, report=cnn_report, progress=progress,
            )  # fmt: skip
            model = replace(model, cnn_stage=taken.stage)
        judged = _judge(model, table.split("validation"), taken.inputs)
        check_made(fresh)
        metrics = {
            **score_judged(judged),
            **count_unlike(judged),
            "n_training": len(boosted.chosen),
            "subset": config.subset,
        }
        write_json(fresh / "metrics.json", metrics)
        write_json(fresh / RECORD, run_record(table.dataset, Path(features), cnn=cnn, cnn_config=cnn_config))
        notes = _write(fresh, model, table, boosted, judged)
        if not taken.inputs:
            shutil.rmtree(run / EVENTS, ignore_errors=True)
    notes += _without_trees(len(boosted.chosen), config)
    return Trained(model, metrics, boosted.best_round, (*notes, *taken.notes))


def _write(run: Path, model: LensModel, table: FeatureTable, boosted: Boosted, judged: pd.DataFrame) -> tuple[str, ...]:
    """Write the model, its verdicts and their figures; return the reasons for missing figures."""
    validation = table.split("validation")
    model.save(run)
    write_verdicts(run / "validation-predictions.csv", judged.assign(label=judged["label"].astype("Int8")))
    save_figure(run / "template.png", draw_template(model.template))
    explain_run(run, model, validation, _training_skies(table, boosted.chosen), verdicts=judged)
    notes = _draw(run, table.dataset, judged, boosted.history)
    cam = run / train_stage.CNN_FOLDER / CAM
    cam.unlink(missing_ok=True)  # of the run that is resumed
    if model.cnn_stage is None:
        return notes
    return notes + draw_uncertain_lenses(cam, model, validation, table.dataset)


def _check_cnn(cnn: str, resume: bool) -> None:
    """Raise an error, before any work, if the CNN stage cannot be trained or resumed."""
    if resume and cnn == "off":
        raise ConfigError("--resume continues the networks of the CNN stage, which are off; add --cnn auto or on")
    if cnn == "on":
        need_torch()


def _without_trees(n_skies: int, config: TrainConfig) -> tuple[str, ...]:
    """Return a note if the skies of a member are too few for two leaves."""
    n_used, leaf = n_skies - n_skies // config.n_folds, config.min_data_in_leaf
    if n_used >= 2 * leaf:
        return ()
    few = f"{n_used} skies, of {n_skies}, are too few for two leaves of {leaf} (min_data_in_leaf)"
    return (f"no trees: {few}; the evidence alone decides",)


def _measured(features: Path, table: FeatureTable, boosted: Boosted) -> train_stage.StageInputs:
    """Return the measured skies for the CNN stage."""
    return train_stage.StageInputs(
        features, table.dataset, table.template, _training_skies(table, boosted.chosen), table.split("validation"),
        boosted.calibration(boosted.held_out),
    )  # fmt: skip


def _judge(model: LensModel, frame: pd.DataFrame, inputs: dict[str, FieldInput]) -> pd.DataFrame:
    names = frame["sky"].tolist()
    rows = frame[list(FEATURE_NAMES)]
    verdicts = model.verdicts(names, rows, inputs=lambda chosen: [inputs[names[i]] for i in chosen])
    return judged_table(verdicts, labels_of(frame), frame["lens_row"], frame["lens_column"])


def _draw(run: Path, dataset: Path, judged: pd.DataFrame, history: tuple[HistoryLine, ...]) -> tuple[str, ...]:
    """Draw the figures of a run; return the reasons for missing figures."""
    save_figure(run / "performance.png", performance(judged, history))
    path = run / SAMPLES
    try:
        chosen = samples(judged, dataset, rng=np.random.default_rng(SAMPLE_SEED))
    except (DarkmatterError, OSError) as error:
        return (f"{SAMPLES} not drawn: {error}",)
    if not chosen:
        return (f"{SAMPLES} not drawn: there are no validation skies",)
    save_figure(path, sample_grid(chosen))
    return ()


def _training_skies(table: FeatureTable, chosen: Any) -> pd.DataFrame:
    """Return the rows of the training skies in use; `chosen` are their indices among the labelled ones."""
    training = table.split("training")
    return training[np.isfinite(labels_of(training))].iloc[chosen]


class _HistoryFile:
    """Writer of the history; it writes the file again with each line, so that the file is always complete."""

    def __init__(self, path: Path, report: Callable[[HistoryLine], None] | None) -> None:
        self._path, self._report = path, report
        self._lines: list[HistoryLine] = []

    def __call__(self, line: HistoryLine) -> None:
        self._lines.append(line)
        check_made(self._path.parent)
        write_records(self._path, [field.name for field in fields(HistoryLine)], map(_as_text, self._lines))
        if self._report is not None:
            self._report(line)


def _as_text(line: HistoryLine) -> list[str]:
    n_rounds, *values = astuple(line)
    return [str(n_rounds), *("" if np.isnan(value) else f"{value:.6f}" for value in values)]
