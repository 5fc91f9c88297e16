"""Searching for settings that do better, by cross-validation on the training split alone."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from classify.config_file import Config
from classify.feature_table import FeatureTable, labelled
from classify.tune.space import SPACES, Scorer, Span
from classify.tune.study import Study, Trial, open_study
from darkmatter_features.errors import ConfigError, ModelError, TableError
from darkmatter_features.io.table import written_whole

STORAGE, TUNED = "tune.sqlite3", "tuned.toml"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Check:
    """The best settings and those of the start, compared on parts of the training skies drawn anew.

    Attributes
    ----------
    start, best : float
        Log loss.
    gain, error : float
        By how much the best is lower, and the standard error of that, from the differences sky by sky.
    """

    start: float
    best: float
    gain: float
    error: float


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    section : str
        Of the configuration, that was searched.
    trials : tuple of Trial
        All there are, the first with the settings that the search started from.
    n_new : int
        How many of them are of this call.
    importances : dict
        By setting, how much it decides which trials do well; empty with few trials.
    config : Config
        The settings with the lowest loss.
    check : Check or None
        None when the search was interrupted, or found nothing better.
    is_interrupted : bool
        Whether it was stopped by the user.
    files : tuple of Path
        Where the settings are, and where a picture of the search belongs.
    spans : mapping of str to Span
        Bounds of the search, by the name of the setting.
    """

    section: str
    trials: tuple[Trial, ...]
    n_new: int
    importances: dict[str, float]
    config: Config
    check: Check | None
    is_interrupted: bool
    files: tuple[Path, Path]
    spans: Mapping[str, Span]

    @property
    def best(self) -> Trial:
        """The trial with the lowest loss."""
        return best_of(self.trials)


def best_of(trials: tuple[Trial, ...]) -> Trial:
    """Return the trial with the lowest loss; of equals, the earliest."""
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
        Folder of features, or of a run that was trained on them; `tuned.toml` goes there.
    section : str
        Of the configuration, that is searched; one of `SPACES`.
    config : Config, optional
        Settings to start from; the defaults when not given. ``[measure]`` is that of the features, whatever it says.
    n_trials : int
        How many there shall be in the end, those of earlier calls counted.
    timeout : float, optional
        Seconds after which no trial is begun any more.
    seed : int
        Of the draws.
    storage : str or Path, optional
        SQLite file of the trials; `tune.sqlite3` in the folder when not given.
    n_jobs : int
        Worker processes that map skies again, where that is needed; -1 for one a core.
    progress : callable, optional
        Called with the number of trials done and in all, and a note on the best.

    Raises
    ------
    ConfigError
        If the numbers are out of range, or the storage holds another search.
    TableError
        If the features are missing or unfit.
    KeyboardInterrupt
        If it comes before any trial is done; later, the best so far is returned.
    """
    _check_numbers(n_trials, timeout)
    folder, space = Path(folder), SPACES[section]
    features = features_of(folder)
    table = FeatureTable.read(features)
    start = replace(config or Config(), measure=table.config)
    settings = {name: getattr(getattr(start, section), name) for name in space.spans}
    spans = {name: span.around(name, settings[name]) for name, span in space.spans.items()}
    made_of = {"features": _digest(table), "settings": asdict(start), "spans": repr(spans), "seed": seed}
    path = Path(storage) if storage is not None else folder / STORAGE
    with (
        open_study(path, section, spans, settings, seed=seed, made_of=made_of) as study,
        space.scorer(features, n_jobs) as score,
    ):
        n_before = len(study.trials)
        search = _Search(study, score, start, section)
        is_interrupted = search.run(n_trials, timeout, progress or (lambda done, total, note: None))
        trials = study.trials
        found = search.config_of(best_of(trials))
        check = None if is_interrupted or found == start else _check(score, start, found)
        files = folder / TUNED, folder / f"tuning-{section}.png"
        tuned = Tuned(
            section, trials, len(trials) - n_before, study.importances(), found, check, is_interrupted, files, spans
        )
    with written_whole(files[0]) as temporary:
        temporary.write_text(found.to_toml(), encoding="utf-8")
    return tuned


def features_of(folder: Path) -> Path:
    """Return the features that a folder holds or, if it is a run, was trained on.

    Raises
    ------
    TableError
        If it is neither.
    ModelError
        If it is a run whose record is damaged.
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


@dataclass(frozen=True)
class _Search:
    study: Study
    score: Scorer
    start: Config
    section: str

    def run(self, n_trials: int, timeout: float | None, progress: Progress) -> bool:
        """Try until there are so many trials or time is up; return whether the user stopped it before."""
        begun = time.monotonic()
        progress(len(self.study.trials), n_trials, "")
        try:
            while len(self.study.trials) < n_trials and (timeout is None or time.monotonic() - begun < timeout):
                self._try_one()
                trials = self.study.trials
                progress(len(trials), n_trials, f"log loss {best_of(trials).loss:.5f}, at first {trials[0].loss:.5f}")
        except KeyboardInterrupt:
            if not self.study.trials:
                raise
            return True
        return False

    def _try_one(self) -> None:
        with self.study.ask() as (settings, told):
            told.losses = self.score(self._with(settings))

    def config_of(self, trial: Trial) -> Config:
        return self._with(trial.settings)

    def _with(self, settings: dict[str, Any]) -> Config:
        part: Any = getattr(self.start, self.section)
        changed: dict[str, Any] = {self.section: replace(part, **settings)}
        return replace(self.start, **changed)


def _check(score: Scorer, start: Config, best: Config) -> Check:
    """Compare on parts drawn anew: on those of the search, the best of many is partly luck."""
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
    """Return 16 hexadecimal digits that change whenever the labelled training rows do."""
    rows, labels = labelled(table.split("training"))
    return hashlib.sha256(rows.tobytes() + labels.tobytes()).hexdigest()[:16]
