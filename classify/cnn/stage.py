"""The CNN stage as a stage of the training: from measured skies to a part of the model, or the reason for none."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classify.cnn import missing
from classify.cnn.config import CnnConfig
from classify.cnn.history import EpochLine, HistoryWriter
from classify.cnn.inputs import FieldInput, Task, read_inputs
from classify.cnn.judge import CnnStage
from classify.cnn.stacking import Gain, Stacker, cross_fitted, uncertainty_limit
from darkmatter_features.errors import ConfigError, DarkmatterError, DatasetError, TableError
from darkmatter_features.features.cross_fitting import N_FOLDS, catalogs_of, read_catalogs
from darkmatter_features.lens.fit import fit_template
from darkmatter_features.lens.lensed_galaxies import LabelledSkies
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]

CATALOGS = "catalogs.parquet"
"""Of the features."""
FOLDER = "cnn"
"""Of a run: history, checkpoint, events and pictures of the networks."""


@dataclass(frozen=True)
class Measured:
    """What the stage starts from.

    Attributes
    ----------
    features : Path
        Folder of the tables; its catalogues are read.
    dataset : Path
        Folder of the pictures.
    template : LensTemplate
        Fitted to the whole training split.
    training, validation : pandas.DataFrame
        Rows of the feature table; those of training are labelled, and the very ones that the trees learnt from.
    log_odds : (n,) float64 array
        Of the training skies: the trees', out of fold and calibrated.
    """

    features: Path
    dataset: Path
    template: LensTemplate
    training: pd.DataFrame
    validation: pd.DataFrame
    log_odds: Array


@dataclass(frozen=True)
class Stage:
    """What came of it.

    Attributes
    ----------
    look : CnnStage or None
        To be part of the model; None if it is left out.
    note : str
        What it gains, or why it is left out.
    inputs : dict
        What the network sees of the validation skies, by their names.
    """

    look: CnnStage | None
    note: str
    inputs: dict[str, FieldInput]

    @property
    def notes(self) -> tuple[str, ...]:
        """The note, if there is one."""
        return (self.note,) if self.note else ()


NONE = Stage(None, "", {})
"""No networks."""


def train_cnn_stage(
    measured: Measured,
    folder: Path,
    *,
    events: Path,
    mode: str = "auto",
    config: CnnConfig | None = None,
    resume: bool = False,
    n_jobs: int = -1,
    report: Callable[[EpochLine], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Stage:
    """Train the networks, find the uncertain skies, and weigh both answers there.

    Parameters
    ----------
    measured : Measured
        Skies, tables and the trees' log-odds.
    folder : Path
        For the networks' own things: history and checkpoint.
    events : Path
        Folder for TensorBoard's events.
    mode : str
        "auto" leaves the networks out where they do not help, or cannot be had; "on" keeps or refuses.
    config : CnnConfig, optional
        The settings.
    resume : bool
        Go on from the checkpoint in the folder.
    n_jobs : int
        Processes that read pictures; -1 for one a core.
    report, progress : callable, optional
        Called with each line of the history; with the number of pictures read and in all.

    Raises
    ------
    DarkmatterError
        With "on", if PyTorch, the pictures or the catalogues are missing.
    """
    config = config or CnnConfig()
    try:
        if (said := missing()) is not None:
            raise ConfigError(said)
        inputs = _inputs(measured, n_jobs, progress)
    except DarkmatterError as error:
        if mode == "on":
            raise
        return Stage(None, f"cnn left out: {error}", {})
    with HistoryWriter(folder, events, report) as history:
        return _trained(measured, inputs, folder, mode, config, resume, history)


def _trained(
    measured: Measured,
    inputs: dict[str, FieldInput],
    folder: Path,
    mode: str,
    config: CnnConfig,
    resume: bool,
    report: Callable[[EpochLine], None],
) -> Stage:
    from classify.cnn.training import Skies, train_networks

    skies, others = (
        Skies([inputs[name] for name in rows["sky"]], _column(rows, "label"), *(
            _column(rows, name) for name in ("lens_row", "lens_column")
        )) for rows in (measured.training, measured.validation)
    )  # fmt: skip
    found = train_networks(
        skies, others, mean_profile(measured.template), config=config, checkpoint=folder, resume=resume,
        report=report,
    )  # fmt: skip
    limit = uncertainty_limit(measured.log_odds, config.uncertain_fraction)
    hard, trees, labels = np.abs(measured.log_odds) <= limit, measured.log_odds, skies.labels
    alone, stacked = cross_fitted(trees, found.held_out, labels, found.part)
    gain = Gain.of(trees[hard], alone[hard], stacked[hard], labels[hard])
    record = {"best_epoch": found.best_epoch, "n_skies": len(skies), **vars(gain)}
    look = CnnStage(limit, Stacker.fit(trees, found.held_out, labels), config, found.members, record)
    if mode == "auto" and not gain.helps:
        return Stage(None, f"cnn left out, it does not surely help: {gain}", inputs)
    return Stage(look, f"cnn takes the CNN stage where the trees are less sure than {_percent(limit)}: {gain}", inputs)


def mean_profile(template: LensTemplate) -> Array:
    """Return the mean shear (n_nodes,) about a lens of the template, over its strengths."""
    return np.asarray(np.einsum("pa,pan->n", template.weights, template.shears(template.nodes)))


def _percent(log_odds: float) -> str:
    return f"{100 / (1 + np.exp(-log_odds)):.1f} %"


def _column(frame: pd.DataFrame, name: str) -> Array:
    return np.asarray(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))


def check_there(features: Path, dataset: Path) -> None:
    """Refuse to show skies to networks where the pictures or the tables of their galaxies are gone.

    Raises
    ------
    DatasetError, TableError
        It names what is gone.
    """
    if not dataset.is_dir():
        raise DatasetError(f"{dataset}: the pictures are gone; put the data set back, or use --cnn off")
    if not (features / CATALOGS).is_file():
        raise TableError(
            f"{features / CATALOGS}: the galaxies are gone; run `darkmatter features` again, or use --cnn off"
        )


def _inputs(measured: Measured, n_jobs: int, progress: Callable[[int, int], None] | None) -> dict[str, FieldInput]:
    """Return what the network sees, by the names of the skies; training skies by templates that do not know them."""
    check_there(measured.features, measured.dataset)
    catalogs = {catalog.name: catalog for catalog in catalogs_of(read_catalogs(measured.features / CATALOGS))}
    own = measured.training
    skies = LabelledSkies(
        [catalogs[name] for name in own["sky"]], *(_column(own, name) for name in ("label", "lens_row", "lens_column"))
    )
    part = np.arange(len(own)) % N_FOLDS
    templates = [fit_template(skies.chosen(part != k)) for k in range(N_FOLDS)]
    tasks: list[Task] = [
        (measured.dataset / catalog.name, catalog, templates[k]) for catalog, k in zip(skies.catalogs, part)
    ]
    tasks += [(measured.dataset / name, catalogs[name], measured.template) for name in measured.validation["sky"]]
    read = read_inputs(tasks, n_jobs=n_jobs, progress=progress)
    return dict(zip([*own["sky"], *measured.validation["sky"]], read, strict=True))
