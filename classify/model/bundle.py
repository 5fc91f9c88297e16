"""Files of the model bundle: reading, writing and checks."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lightgbm

from classify.cnn.stage import checked, digest_of
from classify.model.description import check_description, checksum_of
from classify.tables.columns import FEATURE_INDICES, FEATURE_NAMES
from classify.trees.members import booster
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig, release_series
from darkmatter_features.errors import ModelError, shown
from darkmatter_features.io.table import refusals_of, written_whole
from darkmatter_features.lens.template import LensTemplate

Part = TypeVar("Part", MeasureConfig, LensTemplate)

BUNDLE = "model"
"""Folder of the bundle in a run."""
DESCRIPTION = "model.json"
"""File in the bundle that describes the others."""
AGAIN = "run `darkmatter features` and `darkmatter train` again"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that appears whole or not at all; numbers that are not finite become null."""
    known = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in content.items()}
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(known, indent=2, allow_nan=False) + "\n", encoding="utf-8")


@contextmanager
def written_bundle(run: str | Path) -> Iterator[Path]:
    """Give an empty folder that replaces ``run/model`` at the end of the block."""
    folder = Path(run) / BUNDLE
    with refusals_of(folder):
        yield from _written_bundle(folder)


def _written_bundle(folder: Path) -> Iterator[Path]:
    fresh = folder.with_name(f".{BUNDLE}.{os.getpid()}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    yield fresh
    old = fresh.with_suffix(".old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_description(folder: Path) -> dict[str, Any]:
    """Return the description of a bundle, with the fields of :class:`~classify.model.description.Description`.

    Raises
    ------
    ModelError
        If it is missing or damaged, was changed, or was made by another version or for other features.
    """
    path = folder / DESCRIPTION
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
        description: dict[str, Any] = read if isinstance(read, dict) else {}
        checksum = checksum_of(description)
    except FileNotFoundError:
        raise ModelError(f"No model in {folder.parent}: {path} is missing; make one with `darkmatter train`") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read ({shown(error)}); run `darkmatter train` again") from error
    if not isinstance(read, dict):
        raise ModelError(f"{path} holds no description of a model; run `darkmatter train` again")
    _check_version(folder, description)
    if description.get("checksum") != checksum:
        raise ModelError(f"{path} is damaged or was changed; run `darkmatter train` again, or copy the run again")
    check_description(path, description)
    return description


def sealed(description: dict[str, Any]) -> dict[str, Any]:
    """Return a description with its checksum, which covers, by their digests, the other files of the bundle too."""
    return description | {"checksum": checksum_of(description)}


def digest_of_model(run: Path) -> str:
    """Return a digest of the model of a run: of its description, which has the digests of its other files."""
    return digest_of((run / BUNDLE / DESCRIPTION).read_bytes())


def _check_version(folder: Path, description: dict[str, Any]) -> None:
    """Raise a ModelError if a bundle was made by another version or for other features."""
    if "version" not in description:
        raise ModelError(f"{folder / DESCRIPTION} is damaged: it has no version; run `darkmatter train` again")
    version, features = description["version"], description.get("features")
    if release_series(version) != release_series(__version__):
        raise ModelError(f"{folder} was trained with darkmatter {shown(version)}, this is {__version__}; {AGAIN}")
    if features != list(FEATURE_NAMES):
        names = {shown(name) for name in features} if isinstance(features, list) else set()
        odd = sorted(names ^ set(FEATURE_NAMES)) or ["another order"]
        raise ModelError(f"{folder} was trained on other features (differing: {', '.join(odd[:3])}); {AGAIN}")
    if "checksum" not in description:
        raise ModelError(f"{folder} has no checksum, as those of earlier versions; {AGAIN}")


def read_member(folder: Path, name: str, digest: str) -> lightgbm.Booster:
    """Return a member after checks of its digest and its structure, because LightGBM may crash on a damaged file.

    Raises
    ------
    ModelError
        If it is missing or damaged.
    """
    text = checked(folder, name, digest)
    try:
        return booster(text.decode("ascii"), len(FEATURE_INDICES))
    except ValueError as error:
        raise ModelError(f"{folder / name} is damaged: {shown(error)}; run `darkmatter train` again") from None


def same(folder: Path, part: Part, fingerprint: str) -> Part:
    """Return a part of a bundle; raise a ModelError if it has another fingerprint."""
    if part.fingerprint() != fingerprint:
        raise ModelError(
            f"{folder} was trained with {type(part).__name__} {fingerprint}, "
            f"but this version gives {part.fingerprint()}; {AGAIN}"
        )
    return part


def damage(error: Exception) -> str:
    """Return the defect of a bundle, without the remedy of an error in a single file."""
    return str(error).split("; ")[0]
