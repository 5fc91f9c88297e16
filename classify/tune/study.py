"""Trials of a search, stored by Optuna in an SQLite file as numbers and JSON.

The sampler of each trial is seeded with the seed of the search and the number of complete trials: a stopped search
that is continued finds the same trials as an uninterrupted one.
"""

import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.tune.space import Span, rounded
from darkmatter_features.errors import ConfigError, OutputError, install_command

try:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool
except ModuleNotFoundError as error:
    if error.name not in ("optuna", "sqlalchemy"):
        raise
    raise ConfigError(f"Optuna, which draws the trials, is missing; install it: {install_command('tune')}") from None

COMPLETE = optuna.trial.TrialState.COMPLETE
FAIL = optuna.trial.TrialState.FAIL
WAITING = optuna.trial.TrialState.WAITING


@dataclass(frozen=True)
class Trial:
    """A complete trial.

    Attributes
    ----------
    settings : dict
        Values by name.
    loss : float
        Mean out-of-fold log loss of the training skies.
    error : float
        Standard error of that mean.
    """

    settings: dict[str, Any]
    loss: float
    error: float


class Study:
    """Trials of a search.

    Parameters
    ----------
    study : optuna.Study
        Storage of the trials.
    spans : mapping of str to Span
        Bounds of the settings, by name.
    start : mapping
        Initial settings, used by the first trial.
    seed : int
        Seed of the sampler.
    """

    def __init__(self, study: Any, spans: Mapping[str, Span], start: Mapping[str, Any], seed: int) -> None:
        self._study, self._start, self._seed = study, dict(start), seed
        self._distributions = _distributions(spans, start)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Complete trials in the order of their ends."""
        return tuple(
            Trial(done.user_attrs["settings"], done.value, done.user_attrs["error"])
            for done in self._in_state(COMPLETE)
        )

    def run_trial(self, score: Callable[[dict[str, Any]], NDArray[np.float64]]) -> None:
        """Draw the settings of a trial and store their losses, which `score` returns; if it fails, none is stored."""
        n_done = len(self._in_state(COMPLETE))
        if n_done == 0 and not self._in_state(WAITING):
            self._study.enqueue_trial(self._start)
        seed = int(np.random.SeedSequence([self._seed, n_done]).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        drawn = self._study.ask(self._distributions)
        is_start = drawn.params == self._start
        settings = self._start if is_start else {name: rounded(value) for name, value in drawn.params.items()}
        try:
            losses = score(settings)
        except BaseException:
            self._study.tell(drawn, state=FAIL)
            raise
        drawn.set_user_attr("settings", settings)
        drawn.set_user_attr("error", float(losses.std() / np.sqrt(losses.size)))
        self._study.tell(drawn, float(losses.mean()))

    def _in_state(self, state: Any) -> list[Any]:
        return list(self._study.get_trials(deepcopy=False, states=(state,)))


def importances(trials: tuple[Trial, ...], spans: Mapping[str, Span]) -> dict[str, float]:
    """Return the importance of each setting for the loss by name, fractions of their sum, the largest first."""
    distributions = _distributions(spans, trials[0].settings)
    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the estimate is experimental, and warns where a setting is constant
        study = optuna.create_study()
        for trial in trials:
            study.add_trial(
                optuna.trial.create_trial(params=trial.settings, distributions=distributions, value=trial.loss)
            )
        return dict(optuna.importance.get_param_importances(study))


@contextmanager
def open_study(
    path: Path, name: str, spans: Mapping[str, Span], start: Mapping[str, Any], *, seed: int, made_of: Mapping[str, Any]
) -> Iterator[Study]:
    """Open the trials in a file, or create the file.

    Parameters
    ----------
    path : Path
        SQLite file.
    name : str
        Name of the search; a file may hold several.
    spans, start, seed
        As in `Study`; `start` has the types of the settings.
    made_of : mapping
        Features and settings of the search, of JSON types; they must agree with those in the file.

    Raises
    ------
    ConfigError
        If the file holds no trials, or trials of another search of that name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _quiet():
        try:
            storage = optuna.storages.RDBStorage(
                "sqlite://",  # the connection is made here, so that any path is possible
                engine_kwargs={"creator": lambda: _connection(path), "poolclass": NullPool},
            )
            study = optuna.create_study(storage=storage, study_name=name, direction="minimize", load_if_exists=True)
        except (SQLAlchemyError, RuntimeError) as error:
            raise ConfigError(f"{path}: no file of trials ({_first_line(error)}); name another by --storage") from None
        try:
            _check_same(path, name, study, dict(made_of))
            yield Study(study, spans, start, seed)
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            reason = _first_line(error.__cause__ or error)
            raise OutputError(
                f"{path}: the trials cannot be stored ({reason}); check that its folder is still there, its "
                "permissions and the free disk space, and run the command again"
            ) from error
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _connection(path: Path) -> sqlite3.Connection:
    """Connect without waiting for the disk: the writes of a killed process stay, and a trial takes 0.2 s less."""
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("pragma synchronous = off")
    return connection


def _check_same(path: Path, name: str, study: Any, made_of: dict[str, Any]) -> None:
    found = study.user_attrs or None
    if found is None:
        for key, value in made_of.items():
            study.set_user_attr(key, value)
        return
    other = [key for key in made_of if found.get(key) != made_of[key]]
    if other:
        raise ConfigError(
            f"{path} holds a search of [{name}] with other {' and '.join(other)}; name another file by --storage, "
            "or remove this one"
        )


def _distributions(spans: Mapping[str, Span], start: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _distribution(span, start[name]) for name, span in spans.items()}


def _distribution(span: Span, start: float) -> Any:
    if isinstance(start, int):
        return optuna.distributions.IntDistribution(int(span.low), int(span.high), log=span.is_log)
    return optuna.distributions.FloatDistribution(span.low, span.high, log=span.is_log)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the log of Optuna for each trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
