"""From a feature table to a run: a model, how its training went, and how it does on the validation split."""

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
from classify.columns import FEATURE_NAMES
from classify.config import TrainConfig
from classify.evaluate import judged_table, score_judged
from classify.feature_table import FeatureTable, labelled, labels_of
from classify.model import LensModel, write_json
from classify.plots.explain_run import OF_VALIDATION, explain_run
from classify.plots.grad_cam import draw_uncertain_lenses
from classify.plots.performance import performance
from classify.plots.samples import sample_grid, samples, save_figure
from classify.predict import write_csv
from classify.run_folder import changed_whole
from classify.trees.boosting import Boosted, HistoryLine, boost
from darkmatter_features.errors import ConfigError, DarkmatterError
from darkmatter_features.io.labels import write_records
from darkmatter_features.io.table import written_whole
from darkmatter_features.plots.template import draw_template

SAMPLE_SEED = 1
"""Of the choice of skies in the picture of samples."""
CAM, SAMPLES = "grad-cam.png", "validation-samples.png"
MAY_LACK = (SAMPLES, *OF_VALIDATION, train_stage.CNN_FOLDER)
"""What a run has not where there are no validation skies, or no networks."""


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes
    ----------
    model : LensModel
        As saved in the run.
    metrics : dict
        On the validation split, as in `metrics.json`; and how many training skies it took, ``n_training``, which are
        the ``subset`` per cent of them.
    best_round : int
        Trees of each member.
    notes : tuple of str
        What could not be made, and why.
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
        Folder that `darkmatter features` wrote.
    run : str or Path
        Folder for the model, `history.csv`, `metrics.json`, `validation-predictions.csv` and the pictures.
        What an earlier training left there is replaced at the end, as a whole; till then it stays.
    config : TrainConfig, optional
        The settings.
    report : callable, optional
        Called with each line of the history as it is made.
    cnn : str
        Whether networks take the CNN stage at uncertain skies: "off", "auto" (where it helps, out of fold) or "on".
    cnn_config : CnnConfig, optional
        Their settings.
    resume : bool
        Go on with the networks from the checkpoint of a training that was stopped, or else of the run.
    cnn_report, progress : callable, optional
        Called with each line of the networks' history; with the number of pictures read for them and in all.
    n_jobs : int
        Processes that read those pictures; -1 for one a core.

    Raises
    ------
    TableError
        If the features are missing or unfit, or have too few labelled training rows.
    ConfigError
        If it is to go on with networks that are off.
    DarkmatterError
        With ``cnn="on"``, if PyTorch, the pictures or the catalogues are missing.
    """
    run, config = Path(run), config or TrainConfig()
    _check_look(cnn, resume)
    table = FeatureTable.read(features)
    if cnn == "on":
        train_stage.check_files(Path(features), table.dataset)
    x, y = labelled(table.split("training"))
    with changed_whole(run, may_lack=MAY_LACK, resumable=train_stage.CNN_FOLDER, resume=resume) as fresh:
        log = _HistoryFile(fresh / "history.csv", report)
        boosted = boost(x, y, *labelled(table.split("validation")), config=config, report=log)
        record = {**config.to_dict(), "n_rows": len(boosted.chosen), "best_round": boosted.best_round}
        model = LensModel(boosted.start, boosted.members, boosted.calibration, table.config, table.template, record)
        taken = train_stage.NO_STAGE
        if cnn != "off":
            taken = train_stage.train_cnn_stage(
                _measured(Path(features), table, boosted), fresh / train_stage.CNN_FOLDER, events=run / EVENTS,
                mode=cnn, config=cnn_config, resume=resume, n_jobs=n_jobs, report=cnn_report, progress=progress,
            )  # fmt: skip
            model = replace(model, cnn_stage=taken.stage)
        judged = _judge(model, table.split("validation"), taken.inputs)
        metrics = {**score_judged(judged), "n_training": len(boosted.chosen), "subset": config.subset}
        write_json(fresh / "metrics.json", metrics)
        write_json(fresh / "run.json", {"dataset": str(table.dataset), "features": str(Path(features).resolve())})
        notes = _write(fresh, model, table, boosted, judged)
        if not taken.inputs:
            shutil.rmtree(run / EVENTS, ignore_errors=True)
    notes += _without_trees(len(boosted.chosen), config)
    return Trained(model, metrics, boosted.best_round, (*notes, *taken.notes))


def _write(run: Path, model: LensModel, table: FeatureTable, boosted: Boosted, judged: pd.DataFrame) -> tuple[str, ...]:
    """Write the model, its verdicts and the pictures of both; return why one of these could not be drawn."""
    validation = table.split("validation")
    model.save(run)
    write_csv(run / "validation-predictions.csv", _with_wholelabels_of(judged))
    _draw_template(run, model)
    explain_run(run, model, validation, _learnt_from(table, boosted.chosen), verdicts=judged)
    notes = _draw(run, table.dataset, judged, boosted.history)
    cam = run / train_stage.CNN_FOLDER / CAM
    cam.unlink(missing_ok=True)  # of the run that is gone on with
    if model.cnn_stage is None:
        return notes
    return notes + draw_uncertain_lenses(cam, model, validation, table.dataset)


def _check_look(cnn: str, resume: bool) -> None:
    """Refuse, before any work and before anything in the run is touched, what cannot come to its end."""
    if resume and cnn == "off":
        raise ConfigError("--resume goes on with the networks of the CNN stage, which are off; add --cnn auto or on")
    if cnn == "on":
        need_torch()


def _without_trees(n_skies: int, config: TrainConfig) -> tuple[str, ...]:
    """Say so where a member learns from too few skies for a tree to part them in two."""
    n_learnt, leaf = n_skies - n_skies // config.n_folds, config.min_data_in_leaf
    if n_learnt >= 2 * leaf:
        return ()
    few = f"{n_learnt} skies, of {n_skies}, are too few for two leaves of {leaf} (min_data_in_leaf)"
    return (f"no trees: {few}; the evidence alone decides",)


def _measured(features: Path, table: FeatureTable, boosted: Boosted) -> train_stage.StageInputs:
    """Return what the CNN stage starts from."""
    return train_stage.StageInputs(
        features, table.dataset, table.template, _learnt_from(table, boosted.chosen), table.split("validation"),
        boosted.calibration(boosted.held_out),
    )  # fmt: skip


def _judge(model: LensModel, frame: pd.DataFrame, inputs: dict[str, FieldInput]) -> pd.DataFrame:
    names = frame["sky"].tolist()
    verdicts = model.verdicts(names, frame[list(FEATURE_NAMES)], look=lambda chosen: [inputs[names[i]] for i in chosen])
    return judged_table(verdicts, labels_of(frame), frame["lens_row"], frame["lens_column"])


def _with_wholelabels_of(judged: pd.DataFrame) -> pd.DataFrame:
    return judged.assign(label=judged["label"].astype("Int8"))


def _draw(run: Path, dataset: Path, judged: pd.DataFrame, history: tuple[HistoryLine, ...]) -> tuple[str, ...]:
    """Draw the pictures of a run; return why one of them could not be drawn."""
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


def _draw_template(run: Path, model: LensModel) -> None:
    with written_whole(run / "template.png") as temporary:
        draw_template(model.template).savefig(temporary, format="png")


def _learnt_from(table: FeatureTable, chosen: Any) -> pd.DataFrame:
    """Return the training rows that the members learnt from; `chosen` are their places among those with a label."""
    training = table.split("training")
    return training[np.isfinite(labels_of(training))].iloc[chosen]


class _HistoryFile:
    """Writes the history anew with each line, so that the file is whole at every moment."""

    def __init__(self, path: Path, report: Callable[[HistoryLine], None] | None) -> None:
        self._path, self._report = path, report
        self._lines: list[HistoryLine] = []

    def __call__(self, line: HistoryLine) -> None:
        self._lines.append(line)
        write_records(self._path, [field.name for field in fields(HistoryLine)], map(_told, self._lines))
        if self._report is not None:
            self._report(line)


def _told(line: HistoryLine) -> list[str]:
    n_rounds, *values = astuple(line)
    return [str(n_rounds), *("" if np.isnan(value) else f"{value:.6f}" for value in values)]
