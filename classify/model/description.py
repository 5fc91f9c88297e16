"""Content of the description of a model bundle, ``model.json``: its schema and its checksum."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from classify.model.likeness import TOLERANCES
from darkmatter_features.errors import ModelError, shown

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Compared = Annotated[list[float], Field(min_length=len(TOLERANCES), max_length=len(TOLERANCES))]
Positive = Annotated[float, Field(gt=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class CalibrationEntry(_Entry):
    """A calibration of log-odds."""

    slope: float = Field(ge=0)
    intercept: float


class LikenessEntry(_Entry):
    """The comparison with the training skies."""

    centre: Compared
    scale: Annotated[list[Positive], Field(min_length=len(TOLERANCES), max_length=len(TOLERANCES))]
    distances: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1, max_length=100_000)]
    prior_log_odds: float


class StackerEntry(_Entry):
    """Weights of the log-odds of trees and networks."""

    intercept: float
    trees: float
    network: float


class CnnEntry(_Entry):
    """The CNN stage."""

    limit: float = Field(ge=0)
    stacker: StackerEntry
    config: dict[str, Any]
    members: dict[Annotated[str, Field(pattern=r"^cnn-\d{1,4}\.safetensors$")], Digest] = Field(min_length=1)
    record: dict[str, Any]


class Description(_Entry):
    """All of ``model.json``."""

    version: str
    features: list[str]
    config: dict[str, Any]
    config_fingerprint: Fingerprint
    template_fingerprint: Fingerprint
    start: CalibrationEntry
    calibration: CalibrationEntry
    training: dict[str, Any]
    members: dict[Annotated[str, Field(pattern=r"^member-\d{1,4}\.txt$")], Digest]
    cnn_stage: CnnEntry | None = None
    likeness: LikenessEntry | None = None
    checksum: Digest


def check_description(path: Path, description: dict[str, Any]) -> None:
    """Check the content of a description.

    Parameters
    ----------
    path : Path
        Its file, for the error.
    description : dict
        Its content.

    Raises
    ------
    ModelError
        It names the first entry that is missing, unknown, or of a wrong type or value.
    """
    try:
        Description.model_validate(description)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{path} is damaged: {shown(place)}: {shown(first['msg'])}; run `darkmatter train` again"
        ) from None


def checksum_of(description: dict[str, Any]) -> str:
    """Return the SHA-256 of a description without its checksum, hexadecimal.

    The description has the digests of the members and networks, and the fingerprints of settings and template.
    """
    content = {key: value for key, value in description.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
