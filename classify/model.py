"""The model bundle: boosted trees, their calibration, and how the features they learnt from were measured."""

import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import lightgbm
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from classify.cnn import DECIDES
from classify.cnn.inputs import FieldInput
from classify.cnn.stage import CnnStage, checked, digest_of
from classify.columns import FEATURE_NAMES, LOG_EVIDENCE, VERDICT_COLUMNS, select_features
from classify.trees.calibration import Calibration
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import DarkmatterError, ModelError
from darkmatter_features.features.extract import row_of_catalog
from darkmatter_features.galaxies.shapes import GalaxyCatalog, measure
from darkmatter_features.io.sky import Sky
from darkmatter_features.io.table import written_whole
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]
Part = TypeVar("Part", MeasureConfig, LensTemplate)
InputReader = Callable[[list[int]], Sequence[FieldInput]]
"""Lays skies, told by their places in a list, out for the networks of the CNN stage."""

AGAIN = "run `darkmatter features` and `darkmatter train` again"

BUNDLE = "model"
"""The bundle's folder in a run."""


@dataclass(frozen=True)
class Verdict:
    """What the model says about a sky.

    Attributes
    ----------
    name : str
        Of the sky.
    label : int
        1 for a lens, 0 for none: whether the probability reaches one half.
    probability : float
        That there is a lens.
    row, column : float, pixels
        Where the lens is, if there is one.
    snr : float
        Matched-filter signal to noise of the tangential shear about it.
    decided_by : str
        What settled the probability: "lightgbm", or "cnn" where the CNN stage was taken.
    """

    name: str
    label: int
    probability: float
    row: float
    column: float
    snr: float
    decided_by: str = "lightgbm"


@dataclass(frozen=True)
class LensModel:
    """Averaged boosted trees with their calibration, and the measuring they were trained on.

    Attributes
    ----------
    start : Calibration
        From the log evidence to the log-odds that the trees start from.
    members : tuple of lightgbm.Booster
        What they add is averaged; there may be none.
    calibration : Calibration
        Applied to the average.
    config : MeasureConfig
        How skies are measured for this model.
    template : LensTemplate
        What lensing looks like, for this model.
    training : dict
        The settings and rounds of the training, for the record.
    cnn_stage : CnnStage or None
        What judges the uncertain skies, together with the trees.
    """

    start: Calibration
    members: tuple[lightgbm.Booster, ...]
    calibration: Calibration
    config: MeasureConfig
    template: LensTemplate
    training: dict[str, Any]
    cnn_stage: CnnStage | None = None

    def log_odds(self, rows: ArrayLike) -> Array:
        """Return the calibrated log-odds of a lens, by the trees alone.

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
        """Return the probability of a lens, ``(n,)``, for feature rows ``(n, n_features)``."""
        return np.asarray(expit(self.log_odds(rows)), dtype=np.float64)

    def verdicts(self, names: list[str], rows: ArrayLike, *, look: InputReader | None = None) -> list[Verdict]:
        """Return a verdict for each feature row ``(n, n_features)``; `look` lays uncertain skies out for the CNN stage.

        Without it the trees decide alone.
        """
        values = np.asarray(rows, dtype=np.float64).reshape(len(names), len(FEATURE_NAMES))
        if not names:
            return []
        row, column, snr = (values[:, FEATURE_NAMES.index(name)].tolist() for name in VERDICT_COLUMNS)
        log_odds = self.log_odds(values)
        hard = self._apply_cnn_stage(log_odds, look)
        probability = expit(log_odds).tolist()
        label = [int(p >= 0.5) for p in probability]
        decided_by = [DECIDES if again else Verdict.decided_by for again in hard]
        return [Verdict(*told) for told in zip(names, label, probability, row, column, snr, decided_by)]

    def _apply_cnn_stage(self, log_odds: Array, look: InputReader | None) -> NDArray[np.bool_]:
        """Put the log-odds of the CNN stage in the place of the trees' where they are unsure; say where."""
        if look is None or self.cnn_stage is None:
            return np.zeros(log_odds.size, dtype=np.bool_)
        hard = self.cnn_stage.is_uncertain(log_odds)
        if not hard.any():
            return hard
        log_odds[hard] = self.cnn_stage.stacked(log_odds[hard], look(np.flatnonzero(hard).tolist()))
        return hard

    def predict(self, sky: Sky) -> Verdict:
        """Measure a sky and judge it.

        Raises
        ------
        SkyError
            If nothing can be measured in it.
        """
        return self.judge(measure(sky, self.config), sky)

    def judge(self, catalog: GalaxyCatalog, sky: Sky | None = None) -> Verdict:
        """Judge a sky by its catalogue, measured with this model's config; the CNN stage needs the picture, too."""
        row = row_of_catalog(catalog, template=self.template, config=self.config)
        look = None if sky is None else lambda chosen: [FieldInput.of(sky, catalog, self.template) for _ in chosen]
        return self.verdicts([catalog.name], row[None], look=look)[0]

    def without_cnn_stage(self) -> Self:
        """Return the same model, of the trees alone."""
        return replace(self, cnn_stage=None)

    def save(self, run: str | Path) -> Path:
        """Write the bundle to ``run/model``, in the place of an earlier one, and return that folder."""
        folder = Path(run) / BUNDLE
        fresh = folder.with_name(f".{BUNDLE}.{os.getpid()}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        texts = {f"member-{i}.txt": member.model_to_string() for i, member in enumerate(self.members)}
        for name, text in texts.items():
            (fresh / name).write_text(text, encoding="utf-8", newline="\n")
        self.template.write(fresh / "template.json")
        look = {} if self.cnn_stage is None else {"cnn_stage": self.cnn_stage.write(fresh)}
        told = self._description({name: digest_of(text.encode()) for name, text in texts.items()})
        write_json(fresh / "model.json", told | look)
        _replace_folder(folder, fresh)
        return folder

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
        """Read the bundle of a run.

        Raises
        ------
        ModelError
            If it is missing or damaged, or made by another version or for other features.
        """
        folder = Path(run) / BUNDLE
        told = _read_description(folder / "model.json")
        try:
            _check_version(folder, told)
            return cls(
                members=tuple(_read_member(folder, name, digest) for name, digest in told["members"].items()),
                start=Calibration(**told["start"]),
                calibration=Calibration(**told["calibration"]),
                config=_same(folder, MeasureConfig.from_dict(told["config"]), told["config_fingerprint"]),
                template=_same(folder, LensTemplate.read(folder / "template.json"), told["template_fingerprint"]),
                training=told["training"],
                cnn_stage=CnnStage.read(folder, told["cnn_stage"]) if "cnn_stage" in told else None,
            )
        except ModelError:
            raise
        except (DarkmatterError, KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            raise ModelError(f"{folder} is damaged ({_reason(error)}); run `darkmatter train` again") from error


def mean_log_odds(members: tuple[lightgbm.Booster, ...], values: Array) -> Array:
    """Return the average of the members' log-odds, ``(n,)``, for evidence ``(n, n_evidence)``."""
    if not members or len(values) == 0:
        return np.zeros(len(values))
    each = [member.predict(values, raw_score=True, num_threads=1) for member in members]
    return np.asarray(np.mean(each, axis=0), dtype=np.float64)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that appears whole or not at all; numbers that are not finite become null."""
    known = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in content.items()}
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(known, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _replace_folder(folder: Path, fresh: Path) -> None:
    old = fresh.with_suffix(".old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _read_description(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"No model in {path.parent.parent}: {path} is missing; make one with `darkmatter train`"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); run `darkmatter train` again") from error
    if not isinstance(told, dict):
        raise ModelError(f"{path} holds no description of a model; run `darkmatter train` again")
    return told


def _check_version(folder: Path, told: dict[str, Any]) -> None:
    if told["version"] != __version__:
        raise ModelError(f"{folder} was trained with darkmatter {told['version']}, this is {__version__}; {AGAIN}")
    if told["features"] != list(FEATURE_NAMES):
        odd = sorted(set(told["features"]) ^ set(FEATURE_NAMES)) or ["another order"]
        raise ModelError(f"{folder} was trained on other features (differing: {', '.join(odd[:3])}); {AGAIN}")


def _read_member(folder: Path, name: str, digest: str) -> lightgbm.Booster:
    """Read a member after its checksum: LightGBM itself may crash on a damaged file."""
    return lightgbm.Booster(model_str=checked(folder, name, digest).decode())


def _reason(error: Exception) -> str:
    """Return what is wrong with a bundle, without the remedy for a file that stands by itself."""
    return f"model.json has no {error}" if isinstance(error, KeyError) else str(error).split("; ")[0]


def _same(folder: Path, part: Part, fingerprint: str) -> Part:
    if part.fingerprint() != fingerprint:
        raise ModelError(
            f"{folder} was trained with {type(part).__name__} {fingerprint}, "
            f"of which this version makes {part.fingerprint()}; {AGAIN}"
        )
    return part
