"""The trained model: boosted trees, their calibration, the measurement settings, the template and the CNN stage."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from classify.cnn import DECIDES
from classify.cnn.inputs import FieldInput
from classify.cnn.stage import CnnStage, digest_of
from classify.model import bundle
from classify.model.bundle import BUNDLE
from classify.model.likeness import UNLIKE, Likeness
from classify.tables.columns import FEATURE_INDICES, FEATURE_NAMES, LOG_EVIDENCE, VERDICT_COLUMNS, select_features
from classify.trees.calibration import Calibration, moderated
from classify.trees.members import thresholds_of
from classify.verdicts.verdict import WITHHELD, Verdict
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ConfigError, DarkmatterError, ModelError
from darkmatter_features.features.extract import row_of_catalog
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.prepared import PreparedCatalog
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.processes import n_workers
from darkmatter_features.workers import threaded

Array = NDArray[np.float64]
InputReader = Callable[[list[int]], Sequence[FieldInput]]
"""Function from the indices of skies to their inputs of the CNN stage."""

ROWS_FOR_THREADS = 2000
"""Number of rows from which on threads share the members."""


@dataclass(frozen=True)
class LensModel:
    """Averaged boosted trees with their calibration, and the measurement they were trained on.

    Attributes
    ----------
    start : Calibration
        From the log evidence to the initial log-odds of the trees.
    members : tuple of lightgbm.Booster
        Ensembles of trees, averaged; may be empty.
    calibration : Calibration
        Calibration of the average.
    config : MeasureConfig
        Settings of the measurement.
    template : LensTemplate
        Template of the lensing signal.
    training : dict
        Settings and rounds of the training, for the record.
    cnn_stage : CnnStage or None
        Networks for the uncertain skies.
    likeness : Likeness or None
        Comparison of skies with the training skies; without it, all skies count as like these.
    without_cnn : str
        Why there is no CNN stage, where there is none.
    """

    start: Calibration
    members: tuple[lightgbm.Booster, ...]
    calibration: Calibration
    config: MeasureConfig
    template: LensTemplate
    training: dict[str, Any]
    cnn_stage: CnnStage | None = None
    likeness: Likeness | None = None
    without_cnn: str = "the run has none"

    @cached_property
    def compiled(self) -> CompiledTemplate:
        """The template in the form that skies are evaluated with, made at the first use."""
        return CompiledTemplate(self.template)

    @cached_property
    def thresholds(self) -> tuple[Array, ...]:
        """Sorted thresholds of each input column in the trees: values of one interval get the same log-odds of them."""
        return thresholds_of(self.members, len(FEATURE_INDICES))

    def log_odds(self, rows: ArrayLike) -> Array:
        """Return the calibrated log-odds of a lens, by the trees alone, before they are moderated.

        Parameters
        ----------
        rows : (n, n_features) float64 array
            Feature rows, in the order of ``FEATURES``.

        Returns
        -------
        (n,) float64 array
        """
        values = select_features(rows)
        return self.calibration(self.start(values[:, LOG_EVIDENCE]) + mean_log_odds(self.members, values))

    def probability(self, rows: ArrayLike) -> Array:
        """Return the probability of a lens by the trees, ``(n,)``, for feature rows ``(n, n_features)``.

        It is moderated, see :func:`~classify.trees.calibration.moderated`; that of skies unlike the training skies is
        drawn towards the prior, and nan where it is withheld.
        """
        return np.asarray(expit(self._drawn(self._moderated(self.log_odds(rows), rows), rows)), dtype=np.float64)

    def _moderated(self, log_odds: Array, rows: ArrayLike) -> Array:
        prior = 0.0 if self.likeness is None else self.likeness.prior_log_odds
        return moderated(log_odds, select_features(rows)[:, LOG_EVIDENCE], prior)

    def is_uncertain(self, log_odds: Array, rows: ArrayLike) -> NDArray[np.bool_]:
        """Return which skies ``(n,)`` the CNN stage evaluates: uncertain ones like the training skies.

        Parameters
        ----------
        log_odds : (n,) float64 array
            Log-odds by the trees.
        rows : (n, n_features) float64 array
            Feature rows, in the order of ``FEATURES``.
        """
        if self.cnn_stage is None:
            return np.zeros(log_odds.size, dtype=np.bool_)
        return self.cnn_stage.is_uncertain(log_odds) & (self._likeness_of(rows) >= UNLIKE)

    def _likeness_of(self, rows: ArrayLike) -> Array:
        return np.ones(len(np.asarray(rows))) if self.likeness is None else self.likeness.likeness(rows)

    def _drawn(self, log_odds: Array, rows: ArrayLike) -> Array:
        return log_odds if self.likeness is None else self.likeness.drawn(log_odds, rows)

    def verdicts(self, names: list[str], rows: ArrayLike, *, inputs: InputReader | None = None) -> list[Verdict]:
        """Return the verdicts on skies.

        Parameters
        ----------
        names : (n,) list of str
            Names of the skies.
        rows : (n, n_features) float64 array
            Feature rows, in the order of ``FEATURES``.
        inputs : callable, optional
            Reader of the inputs of uncertain skies for the CNN stage; without it the trees decide alone.

        Returns
        -------
        (n,) list of Verdict
        """
        values = np.asarray(rows, dtype=np.float64).reshape(len(names), len(FEATURE_NAMES))
        if not names:
            return []
        log_odds = self.log_odds(values)
        moderate = self._moderated(log_odds, values)
        by_cnn = self._apply_cnn_stage(log_odds, values, inputs)
        log_odds = np.where(by_cnn, log_odds, moderate)
        probability, likeness = expit(self._drawn(log_odds, values)), self._likeness_of(values)
        unlike = likeness < UNLIKE
        reasons = iter([] if self.likeness is None else self.likeness.reasons(values[unlike]))
        columns = zip(*(values[:, FEATURE_NAMES.index(name)].tolist() for name in VERDICT_COLUMNS), strict=True)
        return [
            Verdict(
                name,
                None if np.isnan(p) else int(p >= 0.5),
                float(p),
                row,
                column,
                snr,
                decided_by=WITHHELD if np.isnan(p) else DECIDES if is_by_cnn else Verdict.decided_by,
                likeness=float(typical),
                unlike=bool(is_unlike),
                reason=next(reasons) if is_unlike else "",
            )
            for name, p, (row, column, snr), is_by_cnn, typical, is_unlike in zip(
                names, probability, columns, by_cnn, likeness, unlike, strict=True
            )
        ]

    def _apply_cnn_stage(self, log_odds: Array, rows: Array, inputs: InputReader | None) -> NDArray[np.bool_]:
        """Replace the log-odds of uncertain skies by those of the CNN stage, in place; return a mask of these skies."""
        if inputs is None or self.cnn_stage is None:
            return np.zeros(log_odds.size, dtype=np.bool_)
        uncertain = self.is_uncertain(log_odds, rows)
        if uncertain.any():
            chosen = inputs(np.flatnonzero(uncertain).tolist())
            log_odds[uncertain] = self.cnn_stage.stacked(log_odds[uncertain], chosen)
        return uncertain

    def predict(self, sky: Sky) -> Verdict:
        """Return the verdict on a sky.

        Raises
        ------
        SkyError
            If nothing can be measured in the sky.
        """
        return self.judge(measure(sky, self.config), sky)

    def judge(self, catalog: GalaxyCatalog, sky: Sky | None = None) -> Verdict:
        """Return the verdict on a catalogue measured with `config`; without the sky, by the trees alone."""
        galaxies = PreparedCatalog(catalog, self.compiled)
        row = row_of_catalog(galaxies, config=self.config)
        inputs = None if sky is None else lambda chosen: [FieldInput.of(sky, galaxies) for _ in chosen]
        return self.verdicts([catalog.name], row[None], inputs=inputs)[0]

    def without_cnn_stage(self, reason: str = "left out") -> Self:
        """Return the same model without its CNN stage, for a reason."""
        return replace(self, cnn_stage=None, without_cnn=reason)

    def save(self, run: str | Path) -> Path:
        """Write the bundle to ``run/model``, replacing an earlier one, and return that folder."""
        texts = {f"member-{i}.txt": member.model_to_string() for i, member in enumerate(self.members)}
        with bundle.written_bundle(run) as fresh:
            for name, text in texts.items():
                (fresh / name).write_text(text, encoding="utf-8", newline="\n")
            self.template.write(fresh / "template.json")
            parts = {} if self.cnn_stage is None else {"cnn_stage": self.cnn_stage.write(fresh)}
            parts |= {} if self.likeness is None else {"likeness": self.likeness.to_dict()}
            digests = {name: digest_of(text.encode()) for name, text in texts.items()}
            bundle.write_json(fresh / bundle.DESCRIPTION, bundle.sealed(self._description(digests) | parts))
        return Path(run) / BUNDLE

    def _description(self, members: dict[str, str]) -> dict[str, Any]:
        return {
            "version": __version__,
            "features": list(FEATURE_NAMES),
            "config": self.config.to_dict(),
            "config_fingerprint": self.config.fingerprint(),
            "template_fingerprint": self.template.fingerprint(),
            "start": asdict(self.start),
            "calibration": asdict(self.calibration),
            "training": self.training,
            "members": members,
        }

    @classmethod
    def load(cls, run: str | Path) -> Self:
        """Return the model of a run.

        Raises
        ------
        ModelError
            If the bundle is missing or damaged, or made by another version or for other features.
        """
        folder = Path(run) / BUNDLE
        read = bundle.read_description(folder)
        try:
            return cls(
                members=tuple(bundle.read_member(folder, name, digest) for name, digest in read["members"].items()),
                start=Calibration(**read["start"]),
                calibration=Calibration(**read["calibration"]),
                config=bundle.same(folder, MeasureConfig.from_dict(read["config"]), read["config_fingerprint"]),
                template=bundle.same(folder, LensTemplate.read(folder / "template.json"), read["template_fingerprint"]),
                training=read["training"],
                cnn_stage=None if read.get("cnn_stage") is None else CnnStage.read(folder, read["cnn_stage"]),
                likeness=None if read.get("likeness") is None else Likeness.from_dict(read["likeness"]),
            )
        except ModelError:
            raise
        except ConfigError as error:
            raise ModelError(f"{folder} was made by another version ({error}); {bundle.AGAIN}") from error
        except (DarkmatterError, ValueError, OSError) as error:
            raise ModelError(f"{folder} is damaged ({bundle.damage(error)}); run `darkmatter train` again") from error


def mean_log_odds(members: tuple[lightgbm.Booster, ...], values: Array) -> Array:
    """Return the mean of the members' log-odds, ``(n,)``, for input columns ``(n, n_inputs)``."""
    if not members or len(values) == 0:
        return np.zeros(len(values))
    n_threads = n_workers(-1) if len(values) >= ROWS_FOR_THREADS else 1
    tasks = ((member, values) for member in members)
    return np.asarray(np.mean(list(threaded(_log_odds_of, tasks, n_threads=n_threads)), axis=0), dtype=np.float64)


def _log_odds_of(member: lightgbm.Booster, values: Array) -> Array:
    return np.asarray(member.predict(values, raw_score=True, num_threads=1))
