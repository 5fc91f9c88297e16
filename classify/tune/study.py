"""The trials of a search, kept by Optuna in an SQLite file as numbers and JSON, so that a search can go on.

Each trial is drawn by a sampler whose seed is made of the search's and of how many trials are done: a search that was
stopped and goes on finds what it would have found at one go.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.tune.space import Span, rounded
from darkmatter_features.errors import ConfigError

try:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool
except ModuleNotFoundError as error:
    if error.name not in ("optuna", "sqlalchemy"):
        raise
    raise ConfigError(
        "Optuna, which draws the trials, is missing; install it: pip install 'darkmatter[tune]'"
    ) from None

COMPLETE, FAIL, WAITING = (getattr(optuna.trial.TrialState, name) for name in ("COMPLETE", "FAIL", "WAITING"))

FEW = 12
"""Trials below which nothing is said of importance: the best tenth of them, which it rests on, is hardly one."""


@dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Attributes
    ----------
    settings : dict
        Their values by name.
    loss : float
        Mean log loss of the training skies, each judged by members that have not learnt from it.
    error : float
        Standard error of that mean.
    """

    settings: dict[str, Any]
    loss: float
    error: float


class Study:
    """A search's trials.

    Parameters
    ----------
    study : optuna.Study
        Where they are kept.
    spans : mapping of str to Span
        What is searched, by the name of the setting.
    start : mapping
        The settings that the search starts from; they are the first trial.
    seed : int
        Of the draws.
    """

    def __init__(self, study: Any, spans: Mapping[str, Span], start: Mapping[str, Any], seed: int) -> None:
        self._study, self._start, self._seed = study, dict(start), seed
        self._distributions = {name: _distribution(span, start[name]) for name, span in spans.items()}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Those that came to an end, in the order in which they did."""
        return tuple(
            Trial(done.user_attrs["settings"], done.value, done.user_attrs["error"])
            for done in self._in_state(COMPLETE)
        )

    @contextmanager
    def ask(self) -> Iterator[tuple[dict[str, Any], "TrialResult"]]:
        """Give settings to try, and what is to be told their losses; without that, the trial does not count."""
        n_done = len(self._in_state(COMPLETE))
        if n_done == 0 and not self._in_state(WAITING):
            self._study.enqueue_trial(self._start)
        seed = int(np.random.SeedSequence([self._seed, n_done]).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        drawn = self._study.ask(self._distributions)
        is_start = drawn.params == self._start
        settings = self._start if is_start else {name: rounded(value) for name, value in drawn.params.items()}
        told = TrialResult()
        try:
            yield settings, told
        finally:
            self._keep(drawn, settings, told.losses)

    def importances(self) -> dict[str, float]:
        """Return by setting how much it decides which trials do well, the sum being 1; empty with too few trials."""
        if len(self._in_state(COMPLETE)) < FEW:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(self._study, evaluator=evaluator))

    def _in_state(self, state: Any) -> list[Any]:
        return list(self._study.get_trials(deepcopy=False, states=(state,)))

    def _keep(self, drawn: Any, settings: dict[str, Any], losses: NDArray[np.float64] | None) -> None:
        if losses is None:
            self._study.tell(drawn, state=FAIL)
            return
        drawn.set_user_attr("settings", settings)
        drawn.set_user_attr("error", float(losses.std() / np.sqrt(losses.size)))
        self._study.tell(drawn, float(losses.mean()))


class TrialResult:
    """Takes the losses of a trial."""

    losses: NDArray[np.float64] | None = None


@contextmanager
def open_study(
    path: Path, name: str, spans: Mapping[str, Span], start: Mapping[str, Any], *, seed: int, made_of: Mapping[str, Any]
) -> Iterator[Study]:
    """Open the trials in a file, or begin them.

    Parameters
    ----------
    path : Path
        SQLite file.
    name : str
        Of the search: a file may hold several.
    spans, start, seed
        As those of `Study`; `start` has the types of the settings.
    made_of : mapping
        What the search is about, of JSON's types: trials of something else are not gone on with.

    Raises
    ------
    ConfigError
        If the file is something else, or holds trials of another search of that name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _quiet():
        try:
            storage = optuna.storages.RDBStorage(
                "sqlite://",  # the connection is made here, so that every path will do
                engine_kwargs={"creator": lambda: _connection(path), "poolclass": NullPool},
            )
            study = optuna.create_study(storage=storage, study_name=name, direction="minimize", load_if_exists=True)
        except (SQLAlchemyError, RuntimeError) as error:
            raise ConfigError(f"{path}: no file of trials ({_first_line(error)}); name another by --storage") from None
        try:
            _check_same(path, name, study, dict(made_of))
            yield Study(study, spans, start, seed)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _connection(path: Path) -> sqlite3.Connection:
    """Connect without waiting for the disk: what a killed process wrote stays, and a trial costs 0.2 s less."""
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


def _distribution(span: Span, start: float) -> Any:
    kinds = optuna.distributions
    if isinstance(start, int):
        return kinds.IntDistribution(int(span.low), int(span.high), log=span.is_log)
    return kinds.FloatDistribution(span.low, span.high, log=span.is_log)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from telling each trial; what it told before, it tells again after."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
