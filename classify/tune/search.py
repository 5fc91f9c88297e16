"""Search for settings with a lower loss, by cross-validation on the training split."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.config_file import Config
from classify.tables.feature_table import FeatureTable, labelled
from classify.tune.space import SPACES, Scorer, Span
from classify.tune.study import Study, Trial, open_study
from darkmatter_features.errors import ConfigError, ModelError, TableError
from darkmatter_features.io.lock import held
from darkmatter_features.io.table import written_whole

STORAGE = "tune.sqlite3"
"""Default file of the trials."""
TUNED = "tuned.toml"
"""File of the best settings."""
Progress = Callable[[int, int, str], None]
"""Function called with the number of trials done, their total, and a note."""
Scoring = Callable[[dict[str, Any]], NDArray[np.float64]]
"""Function from the tried values by name to the out-of-fold log loss of each training sky."""


@dataclass(frozen=True)
class Check:
    """Comparison of the best and the initial settings on new folds of the training skies.

    Attributes
    ----------
    start, best : float
        Log loss of the initial and the best settings.
    gain, error : float
        Mean decrease of the log loss of a sky, and its standard error.
    """

    start: float
    best: float
    gain: float
    error: float


@dataclass(frozen=True)
class Tuned:
    """Result of a search.

    Attributes
    ----------
    section : str
        Section of the configuration.
    trials : tuple of Trial
        All trials; the first has the initial settings.
    n_new : int
        Number of trials of this call.
    config : Config
        Settings with the lowest loss.
    check : Check or None
        Comparison on new folds; None if the search was interrupted or found no lower loss.
    is_interrupted : bool
        Whether the user stopped the search.
    files : tuple of Path
        File of the settings, and file for the figure.
    spans : mapping of str to Span
        Bounds of the settings, by name.
    """

    section: str
    trials: tuple[Trial, ...]
    n_new: int
    config: Config
    check: Check | None
    is_interrupted: bool
    files: tuple[Path, Path]
    spans: Mapping[str, Span]

    @property
    def best(self) -> Trial:
        """Trial with the lowest loss."""
        return best_of(self.trials)


def best_of(trials: tuple[Trial, ...]) -> Trial:
    """Return the trial with the lowest loss, the earliest of equal ones."""
    return min(trials, key=lambda trial: trial.loss)


def tune(
    folder: str | Path,
    *,
    section: str = "train",
    config: Config | None = None,
    n_trials: int = 50,
    timeout: float | None = None,
    seed: int = 1,
    storage: str | Path | None = None,
    n_jobs: int = -1,
    progress: Progress | None = None,
) -> Tuned:
    """Search for settings with a lower log loss, by cross-validation on the training split.

    Parameters
    ----------
    folder : str or Path
        Folder of features, or of a run trained on them; `tuned.toml` is written there.
    section : str
        Section of the configuration, one of `SPACES`.
    config : Config, optional
        Initial settings; the defaults when not given. Its ``[measure]`` is replaced by that of the features.
    n_trials : int
        Total number of trials, earlier calls included.
    timeout : float, optional
        Time after which no trial begins, seconds.
    seed : int
        Seed of the sampler.
    storage : str or Path, optional
        SQLite file of the trials; `tune.sqlite3` in the folder when not given.
    n_jobs : int
        Number of processes for the maps of ``[measure]``; -1 for one per core.
    progress : callable, optional
        Function called with the number of trials done, their total, and a note on the best.

    Raises
    ------
    ConfigError
        If the numbers are out of range, the storage holds another search, or another process writes to the folder.
    TableError
        If the features are missing or unfit.
    KeyboardInterrupt
        If it comes before a trial is complete; later, the best so far is returned.
    """
    _check_numbers(n_trials, timeout)
    folder, space = Path(folder), SPACES[section]
    features = features_of(folder)
    table = FeatureTable.read(features)
    start = replace(config or Config(), measure=table.config)
    settings = {name: getattr(getattr(start, section), name) for name in space.spans}
    spans = {name: span.around(name, settings[name]) for name, span in space.spans.items()}

    def changed(settings: dict[str, Any]) -> Config:
        return replace(start, **{section: replace(getattr(start, section), **settings)})

    made_of = {"features": _digest(table), "settings": asdict(start), "spans": repr(spans), "seed": seed}
    path = Path(storage) if storage is not None else folder / STORAGE
    with (
        held(folder),
        open_study(path, section, spans, settings, seed=seed, made_of=made_of) as study,
        space.scorer(features, n_jobs) as score,
    ):
        n_before = len(study.trials)
        is_interrupted = _run(
            study, lambda settings: score(changed(settings)), n_trials, timeout, progress or (lambda *_: None)
        )
        trials = study.trials
        found = changed(best_of(trials).settings)
        check = None if is_interrupted or found == start else _check(score, start, found)
        files = folder / TUNED, folder / f"tuning-{section}.png"
        tuned = Tuned(section, trials, len(trials) - n_before, found, check, is_interrupted, files, spans)
    with written_whole(files[0]) as temporary:
        temporary.write_text(found.to_toml(), encoding="utf-8")
    return tuned


def features_of(folder: Path) -> Path:
    """Return the folder of the features of a folder: itself, or the features of a run.

    Raises
    ------
    TableError
        If the folder holds neither features nor a run.
    ModelError
        If the record of the run is damaged.
    """
    if (folder / "features.parquet").is_file():
        return folder
    try:
        return Path(json.loads((folder / "run.json").read_text(encoding="utf-8"))["features"])
    except FileNotFoundError:
        raise TableError(
            f"{folder} holds neither features nor a run; make them with `darkmatter features` or `darkmatter train`"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / 'run.json'} is damaged ({error}); run `darkmatter train` again") from None


def _run(study: Study, score: Scoring, n_trials: int, timeout: float | None, progress: Progress) -> bool:
    """Run trials up to their number or the timeout; return whether the user interrupted them."""
    begun, trials = time.monotonic(), study.trials
    progress(len(trials), n_trials, "")
    try:
        while len(trials) < n_trials and (timeout is None or time.monotonic() - begun < timeout):
            study.run_trial(score)
            trials = study.trials
            progress(len(trials), n_trials, f"log loss {best_of(trials).loss:.5f}, initial {trials[0].loss:.5f}")
    except KeyboardInterrupt:
        if not study.trials:
            raise
        return True
    return False


def _check(score: Scorer, start: Config, best: Config) -> Check:
    """Compare on new folds: on the folds of the search, the lowest of many losses is partly noise."""
    seed = (start.train.seed + 1) % 2**31
    losses = [score(replace(each, train=replace(each.train, seed=seed))) for each in (start, best)]
    gain = losses[0] - losses[1]
    return Check(
        float(losses[0].mean()), float(losses[1].mean()), float(gain.mean()), float(gain.std() / np.sqrt(gain.size))
    )


def _check_numbers(n_trials: int, timeout: float | None) -> None:
    if n_trials < 1:
        raise ConfigError(f"the number of trials must be 1 or more, got {n_trials}")
    if timeout is not None and not timeout > 0:
        raise ConfigError(f"the timeout must be above 0 seconds, got {timeout:g}")


def _digest(table: FeatureTable) -> str:
    """Return 16 hexadecimal digits that identify the labelled training rows."""
    rows, labels = labelled(table.split("training"))
    return hashlib.sha256(rows.tobytes() + labels.tobytes()).hexdigest()[:16]
