"""Settings of the measurement: defaults, ranges and descriptions, and the base of all settings."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from darkmatter_features.errors import ConfigError, shown

ALGORITHM = 11
"""Version of the measurement, part of the fingerprint: raise it when the same settings give other numbers."""

N_SERIES_PARTS = 2
"""Number of parts of a version that name its series: the formats of all files stay the same from 0.1.0 to 0.1.9."""

MAX_BYTES = 2**16
"""Maximum length of a file of settings, bytes; one with all settings has 7,000."""

MAX_DOTS = 100
"""Maximum number of dots in a line of settings: reading a name of n parts takes a time of n squared."""

MAX_NAME = 100
"""Maximum length of a name in the search for a similar one."""

LIST_ALL = "`darkmatter config --show` lists all"
TYPES = {bool: "true or false", int: "a whole number", float: "a number"}
"""Names of the types of settings in messages."""

Number = Annotated[float, AfterValidator(lambda value: value + 0.0)]
"""Finite number; -0.0 becomes 0.0, so that equal settings have one fingerprint."""

Fraction = Annotated[Number, Field(ge=0, le=1)]
"""Number from 0 to 1."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class Settings:
    """Base of a section of the configuration.

    Raises
    ------
    ConfigError
        If a setting is unknown, has a wrong type or lies out of range.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Present names of the settings of earlier versions."""

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, values: Any, validate: Any) -> Any:
        try:
            return validate(values)
        except ValidationError as error:
            raise ConfigError(cls._reason(error)) from None

    @classmethod
    def _reason(cls, error: ValidationError) -> str:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        if name not in cls.declared():
            return cls._unknown(name)
        field = cls.declared()[name]
        return f"{name} must be {allowed(field)}, got {_value(first['input'])}; the default is {as_toml(field.default)}"

    @classmethod
    def _unknown(cls, name: str) -> str:
        if name in cls.RENAMED:
            return f"setting {name!r} is now {cls.RENAMED[name]!r}; rename it"
        return f"unknown setting '{shown(name)}'; {nearest(name, list(cls.declared()))}{LIST_ALL}"

    @classmethod
    def declared(cls) -> dict[str, FieldInfo]:
        """Return the declarations of the settings, by name."""
        fields: dict[str, FieldInfo] = cls.__pydantic_fields__  # type: ignore[attr-defined]
        return fields

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any], *, source: str = "settings") -> Self:
        """Return the settings of a mapping; settings that are missing there have their defaults.

        Parameters
        ----------
        settings : mapping
            Values by name.
        source : str
            Origin of the settings, for errors.

        Raises
        ------
        ConfigError
            If a setting is unknown, has a wrong type or lies out of range.
        """
        try:
            return cls(**settings)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name, as JSON and TOML hold them."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class MeasureConfig(Settings):
    """Settings of detection, shapes and shear maps.

    The scales of the shear maps grow by sqrt(2) from `smallest_scale`.

    Raises
    ------
    ConfigError
        If a setting is unknown, has a wrong type or lies out of range.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {"rim_fraction": "dilation_fraction", "blur": "psf_sigma"}

    threshold_fraction: Fraction = Field(
        default=0.1, description="detection threshold without noise, fraction of the bright level of the image"
    )
    dilation_fraction: Fraction = Field(
        default=0.02, description="threshold of the dilation without noise, fraction of the bright level of the image"
    )
    threshold_sigma: Number = Field(
        default=4.5, ge=0.5, le=100, description="detection threshold with noise, sigma of the smoothed noise"
    )
    background_box: int = Field(
        default=32, ge=8, le=4096, description="side of a box of the background estimate, pixels"
    )
    n_pixels: int = Field(default=8, ge=3, le=10_000, description="minimum area of a galaxy, pixels")
    split_colors: bool = Field(default=True, description="split overlapping galaxies by colour")
    color_separation: Fraction = Field(
        default=0.012, description="minimum distance of the colours (flux fractions) of overlapping galaxies"
    )
    split_contrast: Fraction = Field(
        default=0.35, description="minimum depth of the saddle between two peaks, fraction of the lower peak"
    )
    psf_sigma: Number = Field(
        default=0.92, ge=0, le=20, description="expected standard deviation of the Gaussian PSF, pixels"
    )
    measure_psf: bool = Field(
        default=True,
        description="measure the PSF: by stars, or without noise by the smallest galaxies about that expectation",
    )
    min_galaxies: int = Field(default=10, ge=1, le=10_000, description="minimum number of galaxies in a sky")
    grid_spacing: Number = Field(default=16.0, ge=1, le=1000, description="distance of candidate centres, pixels")
    smallest_scale: Number = Field(default=28.0, ge=1, le=1024, description="smallest scale of the shear maps, pixels")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Return the settings of the section ``[measure]`` of a TOML file; missing settings have their defaults.

        Raises
        ------
        ConfigError
            If the file is missing or no TOML file, or a setting is unknown or has a wrong value.
        """
        return cls.from_dict(read_sections(path).get("measure", {}), source=f"{path}, [measure]")

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that identify the settings and the version of the measurement."""
        text = json.dumps({"algorithm": ALGORITHM, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def release_series(version: object) -> str:
    """Return the series of a version, within which files are read by all releases: "0.1" for "0.1.3".

    Examples
    --------
    >>> release_series("0.1.3")
    '0.1'
    """
    return ".".join(str(version).split(".")[:N_SERIES_PARTS])


def read_sections(path: str | Path) -> dict[str, dict[str, Any]]:
    """Return the settings of a TOML file by section and name.

    Raises
    ------
    ConfigError
        If the file is missing or no TOML file, or a setting stands outside all sections.
    """
    try:
        sections = tomllib.loads(_text(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name an existing TOML file") from error
    except RecursionError:
        raise ConfigError(f"{path}: lists or tables nested too deep; write settings as `n_pixels = 8`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({shown(error)}); write settings as `n_pixels = 8`") from error
    except ValueError:  # Python's, for integers of more than 4,300 digits
        raise ConfigError(f"{path}: a whole number of thousands of digits; write settings as `n_pixels = 8`") from None
    for name, content in sections.items():
        if not isinstance(content, dict):
            found = f"{path}: setting '{shown(name)}' stands in no section"
            raise ConfigError(f"{found}; put its section, such as [measure], on a line above it")
    return sections


def _text(path: str | Path) -> str:
    """Return the text of a file of settings, if it is as short as one, and its names are not nested too deep."""
    with Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: longer than {MAX_BYTES} bytes; give a TOML file of settings")
    text = content.decode("utf-8")
    if max(line.count(".") for line in text.split("\n")) > MAX_DOTS:
        raise ConfigError(f"{path}: a line with more than {MAX_DOTS} dots; write settings as `n_pixels = 8`")
    return text


def nearest(name: str, names: list[str]) -> str:
    """Return a question for the most similar name; empty if no name is similar."""
    name = name[:MAX_NAME]  # the comparison takes quadratic time
    return "".join(f"did you mean {found!r}? " for found in get_close_matches(name, names, n=1))


def allowed(field: FieldInfo) -> str:
    """Return the type and the range of a setting in words, such as ``a whole number from 3 to 10000``."""
    kind = TYPES[field.annotation]  # type: ignore[index]
    bounds = {key: getattr(each, key) for each in field.metadata for key in ("gt", "ge", "le") if hasattr(each, key)}
    if not bounds:
        return kind
    lower = f"above {bounds['gt']:.12g} and up" if "gt" in bounds else f"from {bounds['ge']:.12g}"
    return f"{kind} {lower} to {bounds['le']:.12g}"


def _value(value: Any) -> str:
    """Return a wrong value for a message; text is in quotes."""
    return f"'{shown(value)}'" if isinstance(value, str) else shown(value)


def as_toml(value: Any) -> str:
    """Return a value, bool, int or float, in the notation of TOML."""
    return str(value).lower() if isinstance(value, bool) else repr(value)
