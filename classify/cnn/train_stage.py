"""Training of the CNN stage: from measured skies to a part of the model, or to the reason for its absence."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from classify.cnn import missing
from classify.cnn.config import CnnConfig
from classify.cnn.history import EpochLine, HistoryWriter
from classify.cnn.inputs import FieldInput, Task, read_inputs
from classify.cnn.stacking import Gain, Stacker, cross_fitted, uncertainty_limit
from classify.cnn.stage import CnnStage
from darkmatter_features.errors import ConfigError, DarkmatterError, DatasetError, TableError, TrainingError
from darkmatter_features.features.cross_fitting import Templates, catalogs_of, read_catalogs
from darkmatter_features.io.layouts import image_files
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.workers import release_workers

Array = NDArray[np.float64]

CATALOGS = "catalogs.parquet"
"""Name of the table of galaxies in the folder of the features."""
CNN_FOLDER = "cnn"
"""Name of the folder of a run for history, checkpoint and figures of the networks."""


@dataclass(frozen=True)
class StageInputs:
    """Skies, tables and log-odds that the CNN stage is trained on.

    Attributes
    ----------
    features : Path
        Folder of the feature tables, with the catalogues of galaxies.
    dataset : Path
        Folder of the images.
    template : LensTemplate
        Template fitted to the whole training split.
    training, validation : pandas.DataFrame
        Rows of the feature table. Those of training are labelled, and are the rows that the trees are trained on.
    log_odds : (n,) float64 array
        Log-odds of the training skies by the trees, out of fold and calibrated.
    """

    features: Path
    dataset: Path
    template: LensTemplate
    training: pd.DataFrame
    validation: pd.DataFrame
    log_odds: Array


@dataclass(frozen=True)
class TrainedStage:
    """Result of the training of the CNN stage.

    Attributes
    ----------
    stage : CnnStage or None
        Part of the model; None if it is left out.
    note : str
        Gain from the stage, or the reason for leaving it out; empty with ``--cnn off``.
    inputs : dict of str to FieldInput
        Inputs of the networks by the names of the skies; empty if no network was trained.
    """

    stage: CnnStage | None
    note: str
    inputs: dict[str, FieldInput]

    @property
    def notes(self) -> tuple[str, ...]:
        """The note, if there is one."""
        return (self.note,) if self.note else ()


NO_STAGE = TrainedStage(None, "", {})
"""Result of a training without networks."""


def train_cnn_stage(
    given: StageInputs,
    folder: Path,
    *,
    events: Path,
    mode: str = "auto",
    config: CnnConfig | None = None,
    resume: bool = False,
    n_jobs: int = -1,
    report: Callable[[EpochLine], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedStage:
    """Train the networks, find the uncertain skies, and fit the weights of trees and networks.

    Parameters
    ----------
    given : StageInputs
        Skies, tables and the log-odds of the trees.
    folder : Path
        Folder of history and checkpoint.
    events : Path
        Folder of TensorBoard's events.
    mode : str
        "auto" leaves the stage out if it does not help or cannot be trained; "on" keeps it or raises.
    config : CnnConfig, optional
        Settings of the stage.
    resume : bool
        Resume from the checkpoint in the folder.
    n_jobs : int
        Number of processes that read images; -1 for one a core.
    report : callable, optional
        Called with each line of the history.
    progress : callable, optional
        Called with the number of images read and in all.

    Raises
    ------
    DarkmatterError
        With "on", if PyTorch, the images or the catalogues are missing, or if the networks diverge.
    """
    config = config or CnnConfig()
    try:
        if (problem := missing()) is not None:
            raise ConfigError(problem)
        inputs = _inputs(given, n_jobs, progress)
        release_workers()
    except DarkmatterError as error:
        if mode == "on":
            raise
        return TrainedStage(None, f"CNN stage left out: {error}", {})
    try:
        with HistoryWriter(folder, events, report) as history:
            stage, gain = _fitted(given, inputs, folder, config, resume, history)
    except TrainingError as error:
        if mode == "on":
            raise
        return TrainedStage(None, f"CNN stage left out: {error}", inputs)
    if mode == "auto" and not gain.helps:
        return TrainedStage(None, f"CNN stage left out, its gain is not significant: {gain}", inputs)
    limit = f"{100 * expit(stage.limit):.1f} %"
    return TrainedStage(stage, f"CNN stage kept, for probabilities of the likelier class up to {limit}: {gain}", inputs)


def _fitted(
    given: StageInputs,
    inputs: dict[str, FieldInput],
    folder: Path,
    config: CnnConfig,
    resume: bool,
    report: Callable[[EpochLine], None],
) -> tuple[CnnStage, Gain]:
    """Return the stage with trained networks, and its gain on the uncertain training skies."""
    from classify.cnn.member import Skies
    from classify.cnn.training import train_networks

    skies, validation = (
        Skies([inputs[name] for name in rows["sky"]], *_labels_and_lenses(rows))
        for rows in (given.training, given.validation)
    )
    networks = train_networks(
        skies, validation, mean_profile(given.template), config=config, checkpoint=folder, resume=resume,
        report=report,
    )  # fmt: skip
    trees, labels = given.log_odds, skies.labels
    limit = uncertainty_limit(trees, config.uncertain_fraction)
    uncertain = np.abs(trees) <= limit
    refitted, stacked = cross_fitted(trees, networks.held_out, labels, networks.fold)
    gain = Gain.of(*(each[uncertain] for each in (trees, refitted, stacked, labels)))
    record = {"best_epoch": networks.best_epoch, "n_skies": len(skies), **vars(gain)}
    stacker = Stacker.fit(trees, networks.held_out, labels)
    return CnnStage(limit, stacker, config, networks.members, record), gain


def mean_profile(template: LensTemplate) -> Array:
    """Return the mean shear (n_nodes,) about a lens of the template, averaged over its amplitudes."""
    return np.asarray(np.einsum("pa,pan->n", template.weights, template.shears(template.nodes)))


def _labels_and_lenses(rows: pd.DataFrame) -> tuple[Array, ...]:
    """Return labels, and rows and columns of the lenses in pixels, (n,) each; nan for unknown."""
    names = ("label", "lens_row", "lens_column")
    return tuple(np.asarray(rows[name].to_numpy(dtype=np.float64, na_value=np.nan)) for name in names)


def check_files(features: Path, dataset: Path) -> None:
    """Check that the images, the table of their galaxies and the templates of the folds exist.

    Raises
    ------
    DatasetError
        If the folder of the images is missing.
    TableError
        If the table of galaxies or a template is missing.
    """
    if not dataset.is_dir():
        raise DatasetError(f"{dataset}: the images are missing; put the data set back, or use --cnn off")
    if not (features / CATALOGS).is_file():
        raise TableError(
            f"{features / CATALOGS}: the catalogues are missing; run `darkmatter features` again, or use --cnn off"
        )
    Templates.read(features)


def _inputs(given: StageInputs, n_jobs: int, progress: Callable[[int, int], None] | None) -> dict[str, FieldInput]:
    """Return the inputs of the networks by the names of the skies.

    The template of each training sky is that of its fold, as in the feature table.
    """
    check_files(given.features, given.dataset)
    catalogs = {catalog.name: catalog for catalog in catalogs_of(read_catalogs(given.features / CATALOGS))}
    own, others = given.training["sky"].tolist(), given.validation["sky"].tolist()
    files = image_files(given.dataset, [*own, *others])
    tasks: list[Task] = [(file, catalogs[name]) for file, name in zip(files, (*own, *others), strict=True)]
    read = read_inputs(tasks, Templates.read(given.features), n_jobs=n_jobs, progress=progress)
    return dict(zip([*own, *others], read, strict=True))
