"""Boosting: members that each leave out another part of the training rows, advanced together.

Every training row is judged by the members that have not learnt from it. These out-of-fold log-odds tell when
to stop and calibrate the probability: the validation split decides nothing and is only reported on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from classify.columns import LOG_EVIDENCE
from classify.config import TrainConfig
from classify.metrics import accuracy, auc, log_loss
from classify.trees.calibration import Calibration
from darkmatter_features.errors import TableError

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class HistoryLine:
    """Where training stands after some rounds.

    Attributes
    ----------
    round : int
        Trees of each member so far.
    training_loss : float
        Log loss on the rows a member learns from, averaged over the members.
    held_out_loss : float
        Log loss of the out-of-fold log-odds of the training rows; it decides when to stop.
    validation_accuracy, validation_auc, validation_log_loss : float
        Of the averaged, calibrated members; nan without labelled validation rows.
    """

    round: int
    training_loss: float
    held_out_loss: float
    validation_accuracy: float
    validation_auc: float
    validation_log_loss: float


@dataclass(frozen=True)
class Boosted:
    """Trained members.

    Attributes
    ----------
    start : Calibration
        From the log evidence to the log-odds that the trees start from.
    members : tuple of lightgbm.Booster
        Cut at the best round; none if no tree made it better.
    calibration : Calibration
        Fitted to the out-of-fold log-odds at that round.
    best_round : int
        Where the out-of-fold loss was lowest.
    history : tuple of HistoryLine
        One for each block of rounds.
    chosen : (n_chosen,) int array
        The rows that were learnt from, sorted: all, or the subset that was asked for.
    held_out : (n_chosen,) float64 array
        Out-of-fold log-odds of those rows at the best round, not calibrated.
    """

    start: Calibration
    members: tuple[lightgbm.Booster, ...]
    calibration: Calibration
    best_round: int
    history: tuple[HistoryLine, ...]
    chosen: Index
    held_out: Array


def boost(
    rows: ArrayLike,
    labels: ArrayLike,
    validation_rows: ArrayLike,
    validation_labels: ArrayLike,
    *,
    config: TrainConfig | None = None,
    report: Callable[[HistoryLine], None] | None = None,
) -> Boosted:
    """Train the members on labelled rows.

    They start from the log-odds that the log evidence alone gives, and learn what is to be added.

    Parameters
    ----------
    rows : (n, n_evidence) float64 array
        Of the training split.
    labels : (n,) array
        1 for a sky with a lens, 0 for one without.
    validation_rows : (m, n_evidence) float64 array
        Reported on and nothing else; there may be none.
    validation_labels : (m,) array
        As `labels`.
    config : TrainConfig, optional
        The settings.
    report : callable, optional
        Called with each line of the history as it is made.

    Raises
    ------
    TableError
        If there are fewer rows of a kind than parts of the cross-validation.
    """
    config = config or TrainConfig()
    x, y = np.asarray(rows, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    chosen = _some_rows(y, config)
    race = EnsembleTrainer(
        x[chosen], y[chosen], np.asarray(validation_rows, dtype=np.float64), validation_labels, config
    )
    tell = report or (lambda line: None)
    tell(race.history[0])
    while race.goes_on:
        tell(race.advance())
    return race.result(chosen)


def folds(labels: ArrayLike, n_folds: int, *, rng: np.random.Generator) -> Index:
    """Return the part of each row, ``(n,)``: random, and with an even share of each label in every part."""
    y = np.asarray(labels)
    part = np.empty(y.size, dtype=np.int64)
    start = 0
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        part[members] = (start + np.arange(members.size)) % n_folds
        start += members.size
    return part


def _some_rows(labels: Index, config: TrainConfig) -> Index:
    kinds = [np.flatnonzero(labels == label) for label in (0, 1)]
    rng = np.random.default_rng([config.seed, 0])
    kept = [rng.permutation(kind)[: round(config.subset / 100 * kind.size)] for kind in kinds]
    _check_enough([len(kind) for kind in kept], [len(kind) for kind in kinds], config)
    return np.sort(np.concatenate(kept))


def _check_enough(kept: list[int], known: list[int], config: TrainConfig) -> None:
    """Refuse a training of which a part would lack a kind of sky; numbers are of skies without a lens and with one."""
    if min(kept) >= config.n_folds:
        return
    is_part = config.subset < 100
    share = f", {config.subset:g} per cent of {known[1]} and {known[0]}" if is_part else ""
    raise TableError(
        f"Too few labelled training skies: {kept[1]} with a lens and {kept[0]} without{share}; cross-validation in "
        f"{config.n_folds} parts wants {config.n_folds} of each: {'raise subset, ' if is_part else ''}lower n_folds or "
        "label more skies"
    )


class _Member:
    """One booster, and its log-odds for every row, kept up to date as it grows."""

    def __init__(
        self,
        rows: Array,
        labels: Index,
        held_out: NDArray[np.bool_],
        others: Array,
        start: Array,
        params: dict[str, Any],
    ):
        self.held_out = held_out
        self._values = np.concatenate([rows, others])
        own = ~held_out
        learnt = lightgbm.Dataset(rows[own], labels[own], init_score=start[: len(rows)][own], params=params)
        self._booster = lightgbm.Booster(params, learnt)
        self.log_odds = start.copy()

    @property
    def n_trees(self) -> int:
        return int(self._booster.current_iteration())

    def grow(self, n_rounds: int) -> None:
        start = self.n_trees
        for _ in range(n_rounds):
            self._booster.update()
        grown = self.n_trees - start  # fewer than asked for once no leaf can be parted
        if grown:
            self.log_odds += self._booster.predict(
                self._values, raw_score=True, start_iteration=start, num_iteration=grown, num_threads=1
            )

    def cut(self, n_trees: int) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self._booster.model_to_string(num_iteration=n_trees))


@dataclass
class EnsembleTrainer:
    """Members that advance together, block by block, until the out-of-fold loss gets no better."""

    rows: Array
    labels: Index
    validation_rows: Array
    validation_labels: ArrayLike
    config: TrainConfig

    def __post_init__(self) -> None:
        self.start = Calibration.fit(self.rows[:, LOG_EVIDENCE], self.labels)
        self._started = self.start(np.concatenate([self.rows, self.validation_rows])[:, LOG_EVIDENCE])
        self.members = [
            self._member(repeat, part) for repeat in range(self.config.n_repeats) for part in range(self.config.n_folds)
        ]
        line, calibration, held_out = self._line(0)
        self.history = [line]
        self.best = line, calibration, held_out, [0] * len(self.members)

    def _member(self, repeat: int, part: int) -> _Member:
        config = self.config
        parts = folds(self.labels, config.n_folds, rng=np.random.default_rng([config.seed, 1, repeat]))
        seed = (config.seed + repeat * config.n_folds + part) % 2**31
        parameters = config.lightgbm_parameters(seed)
        return _Member(self.rows, self.labels, parts == part, self.validation_rows, self._started, parameters)

    @property
    def goes_on(self) -> bool:
        done = self.history[-1].round
        return done < self.config.max_rounds and done - self.best[0].round < self.config.patience

    def advance(self) -> HistoryLine:
        """Grow every member by a block of rounds, and look where that leads."""
        done = self.history[-1].round
        n_rounds = min(self.config.block, self.config.max_rounds - done)
        for member in self.members:
            member.grow(n_rounds)
        line, calibration, held_out = self._line(done + n_rounds)
        self.history.append(line)
        if line.held_out_loss < self.best[0].held_out_loss:
            self.best = line, calibration, held_out, [member.n_trees for member in self.members]
        return line

    def _line(self, n_rounds: int) -> tuple[HistoryLine, Calibration, Array]:
        n = self.labels.size
        held_out = self._out_of_fold()
        calibration = Calibration.fit(held_out, self.labels)
        mean = np.mean([member.log_odds[n:] for member in self.members], axis=0)
        probability = expit(calibration(mean))
        figures = (figure(self.validation_labels, probability) for figure in (accuracy, auc, log_loss))
        line = HistoryLine(n_rounds, self._training_loss(), log_loss(self.labels, expit(held_out)), *figures)
        return line, calibration, held_out

    def _out_of_fold(self) -> Array:
        """Return for each row the mean log-odds of the members that left it out; one a repeat."""
        total = np.zeros(self.labels.size)
        for member in self.members:
            total[member.held_out] += member.log_odds[: total.size][member.held_out]
        return total / self.config.n_repeats

    def _training_loss(self) -> float:
        n = self.labels.size
        losses = [
            log_loss(self.labels[~member.held_out], expit(member.log_odds[:n][~member.held_out]))
            for member in self.members
        ]
        return float(np.mean(losses))

    def result(self, chosen: Index) -> Boosted:
        """Return the members as they were at the best round; `chosen` tells which rows they are of."""
        line, calibration, held_out, n_trees = self.best
        members = tuple(member.cut(n) for member, n in zip(self.members, n_trees) if line.round)
        return Boosted(self.start, members, calibration, line.round, tuple(self.history), chosen, held_out)
