"""Cross-validated gradient boosting: each member is trained without one fold of the training skies.

The out-of-fold log-odds, from the members trained without a sky, determine when training stops and calibrate the
probability. The validation split is reported and has no influence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from classify.config import TrainConfig
from classify.metrics import accuracy, auc, log_loss, log_losses
from classify.tables.columns import LOG_EVIDENCE
from classify.trees.calibration import Calibration
from darkmatter_features.errors import TableError

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class HistoryLine:
    """State of the training after a number of rounds.

    Attributes
    ----------
    round : int
        Trees of each member.
    training_loss : float
        Log loss of the skies a member is trained on, mean of the members.
    held_out_loss : float
        Log loss of the out-of-fold log-odds of the training skies; training stops by it.
    validation_accuracy, validation_auc, validation_log_loss : float
        Metrics of the averaged, calibrated members; nan without labelled validation skies.
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
        From the log evidence to the initial log-odds of the trees.
    members : tuple of lightgbm.Booster
        Members with the trees up to the best round; empty if no tree lowers the out-of-fold loss.
    calibration : Calibration
        Calibration of the out-of-fold log-odds at the best round.
    best_round : int
        Round with the lowest out-of-fold loss.
    history : tuple of HistoryLine
        One line for each block of rounds.
    chosen : (n_chosen,) int array
        Indices of the skies used for training, sorted: all, or the subset of the settings.
    held_out : (n_chosen,) float64 array
        Uncalibrated out-of-fold log-odds of those skies at the best round.
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
    """Train the members on labelled skies, starting from the log-odds of the log evidence.

    Parameters
    ----------
    rows : (n, n_inputs) float64 array
        Input columns of the training skies.
    labels : (n,) array
        1 for a sky with a lens, 0 for a sky without.
    validation_rows : (m, n_inputs) float64 array
        Input columns of the validation skies, for the history alone; may be empty.
    validation_labels : (m,) array
        Labels of the validation skies.
    config : TrainConfig, optional
        Settings; the defaults if None.
    report : callable, optional
        Function called with each line of the history.

    Returns
    -------
    Boosted

    Raises
    ------
    TableError
        If a label has fewer skies than there are folds.
    """
    config = config or TrainConfig()
    x, y = np.asarray(rows, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    chosen = _draw_subset(y, config)
    trainer = EnsembleTrainer(
        x[chosen], y[chosen], np.asarray(validation_rows, dtype=np.float64), validation_labels, config
    )
    report = report or (lambda line: None)
    report(trainer.history[0])
    while not trainer.is_finished:
        report(trainer.advance())
    return trainer.result(chosen)


def folds(labels: ArrayLike, n_folds: int, *, rng: np.random.Generator) -> Index:
    """Return a random fold of each sky, ``(n,)``, with equal fractions of each label in all folds.

    Notes
    -----
    The folds have the sizes of scikit-learn's ``StratifiedKFold``. Their draw stays here, because
    ``StratifiedKFold(shuffle=True)`` assigns other skies to them, which would change every trained model.
    """
    y = np.asarray(labels)
    fold = np.empty(y.size, dtype=np.int64)
    start = 0
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        fold[members] = (start + np.arange(members.size)) % n_folds
        start += members.size
    return fold


def _draw_subset(labels: Index, config: TrainConfig) -> Index:
    """Return the sorted indices of ``config.subset`` per cent of the skies of each label."""
    by_label = [np.flatnonzero(labels == label) for label in (0, 1)]
    rng = np.random.default_rng([config.seed, 0])
    kept = [rng.permutation(skies)[: round(config.subset / 100 * skies.size)] for skies in by_label]
    _check_enough([len(skies) for skies in kept], [len(skies) for skies in by_label], config)
    return np.sort(np.concatenate(kept))


def _check_enough(kept: list[int], known: list[int], config: TrainConfig) -> None:
    """Raise an error if a fold would lack a label; both lists have the numbers of skies without and with a lens."""
    if min(kept) >= config.n_folds:
        return
    is_subset = config.subset < 100
    source = f", {config.subset:g} per cent of {known[1]} and {known[0]}" if is_subset else ""
    raise TableError(
        f"Too few labelled training skies: {kept[1]} with a lens and {kept[0]} without{source}; {config.n_folds}-fold "
        f"cross-validation needs {config.n_folds} of each: {'raise subset, ' if is_subset else ''}lower n_folds or "
        "label more skies"
    )


class _Member:
    """A booster and its current log-odds of all skies."""

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
        data = lightgbm.Dataset(rows[own], labels[own], init_score=start[: len(rows)][own], params=params)
        self._booster = lightgbm.Booster(params, data)
        self.log_odds = start.copy()

    @property
    def n_trees(self) -> int:
        return int(self._booster.current_iteration())

    def grow(self, n_rounds: int) -> None:
        start = self.n_trees
        for _ in range(n_rounds):
            self._booster.update()
        grown = self.n_trees - start  # fewer than n_rounds when no leaf can be split any more
        if grown:
            self.log_odds += self._booster.predict(
                self._values, raw_score=True, start_iteration=start, num_iteration=grown, num_threads=1
            )

    def cut(self, n_trees: int) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self._booster.model_to_string(num_iteration=n_trees))


@dataclass
class EnsembleTrainer:
    """Trainer of all members in blocks of rounds, until the out-of-fold loss does not fall any more."""

    rows: Array
    labels: Index
    validation_rows: Array
    validation_labels: ArrayLike
    config: TrainConfig

    def __post_init__(self) -> None:
        self.start = Calibration.fit(self.rows[:, LOG_EVIDENCE], self.labels)
        self._started = self.start(np.concatenate([self.rows, self.validation_rows])[:, LOG_EVIDENCE])
        self.members = [
            self._member(repeat, fold) for repeat in range(self.config.n_repeats) for fold in range(self.config.n_folds)
        ]
        line, calibration, held_out = self._line(0)
        self.history = [line]
        self.best = line, calibration, held_out, [0] * len(self.members)

    def _member(self, repeat: int, fold: int) -> _Member:
        config = self.config
        fold_of_sky = folds(self.labels, config.n_folds, rng=np.random.default_rng([config.seed, 1, repeat]))
        seed = (config.seed + repeat * config.n_folds + fold) % 2**31
        parameters = config.lightgbm_parameters(seed)
        return _Member(self.rows, self.labels, fold_of_sky == fold, self.validation_rows, self._started, parameters)

    @property
    def is_finished(self) -> bool:
        """Whether all rounds are done, or the last `patience` rounds did not lower the out-of-fold loss."""
        done = self.history[-1].round
        return done >= self.config.max_rounds or done - self.best[0].round >= self.config.patience

    def advance(self) -> HistoryLine:
        """Add a block of rounds to every member and return the new line of the history."""
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
        metrics = (metric(self.validation_labels, probability) for metric in (accuracy, auc, log_loss))
        loss = float(log_losses(self.labels, held_out).mean())
        return HistoryLine(n_rounds, self._training_loss(), loss, *metrics), calibration, held_out

    def _out_of_fold(self) -> Array:
        """Return the out-of-fold log-odds of each sky, ``(n,)``, mean of the repeats."""
        total = np.zeros(self.labels.size)
        for member in self.members:
            total[member.held_out] += member.log_odds[: total.size][member.held_out]
        return total / self.config.n_repeats

    def _training_loss(self) -> float:
        n = self.labels.size
        losses = [
            log_losses(self.labels[~member.held_out], member.log_odds[:n][~member.held_out]).mean()
            for member in self.members
        ]
        return float(np.mean(losses))

    def result(self, chosen: Index) -> Boosted:
        """Return the members at the best round, with the indices of their skies."""
        line, calibration, held_out, n_trees = self.best
        members = tuple(member.cut(n) for member, n in zip(self.members, n_trees) if line.round)
        return Boosted(self.start, members, calibration, line.round, tuple(self.history), chosen, held_out)
