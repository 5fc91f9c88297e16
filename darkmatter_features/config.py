"""Every setting of the measuring, with its default and its meaning, in one place."""

import hashlib
import json
import sys
import tomllib
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, TypeVar

from darkmatter_features.errors import ConfigError

# Part of the fingerprint: raised whenever the same settings come to give other numbers.
ALGORITHM = 4

LIST_ALL = "`darkmatter config --show` lists all"
# Bounds of what is not bounded: neither infinities nor whole numbers beyond all floats lie between them.
LOWEST, HIGHEST = -sys.float_info.max, sys.float_info.max
KINDS = {bool: "true or false", int: "a whole number", float: "a number"}

Settings = TypeVar("Settings")


def setting(
    default: Any, meaning: str, *, at_least: float = LOWEST, at_most: float = HIGHEST, above: float | None = None
) -> Any:
    """Declare a field of a configuration: its default, what it means and where it may lie.

    Parameters
    ----------
    default : bool, int or float
        Its type is that of the setting.
    meaning : str
        For the help of commands and the comments of files.
    at_least, at_most : float
        Bounds that are allowed themselves.
    above : float, optional
        In the place of `at_least`, a bound that is not allowed itself.
    """
    return field(default=default, metadata={"meaning": meaning, "range": (at_least, at_most), "above": above})


@dataclass(frozen=True, kw_only=True)
class MeasureConfig:
    """How skies are segmented, measured and mapped. Lengths are pixels.

    Raises
    ------
    ConfigError
        If a value has the wrong type or lies out of range.
    """

    threshold_fraction: float = setting(
        0.1,
        "threshold over a noiseless background, as a fraction of the picture's bright level",
        at_least=0,
        at_most=1,
    )
    dilation_fraction: float = setting(
        0.02,
        "how faint the rim of a galaxy is followed over a noiseless background, as a fraction of the bright level",
        at_least=0,
        at_most=1,
    )
    threshold_sigma: float = setting(
        3.0,
        "threshold over a noisy background, in standard deviations of the smoothed noise",
        at_least=0.5,
        at_most=100,
    )
    background_box: int = setting(32, "box in which a noisy background is estimated", at_least=8, at_most=4096)
    n_pixels: int = setting(8, "fewest pixels of a galaxy", at_least=3, at_most=10_000)
    split_colors: bool = setting(True, "split overlapping galaxies by their colours")
    color_separation: float = setting(
        0.012,
        "least distance between the colours (fractions of the light) of two overlapping galaxies",
        at_least=0,
        at_most=1,
    )
    split_contrast: float = setting(
        0.35,
        "where colour cannot tell: least depth of the saddle between two peaks, as a fraction of the lower one",
        at_least=0,
        at_most=1,
    )
    psf_sigma: float = setting(
        0.92,
        "blur of the pictures, standard deviation of a Gaussian: its second moment is taken off every galaxy's",
        at_least=0,
        at_most=20,
    )
    min_galaxies: int = setting(10, "fewest galaxies from which a sky is judged", at_least=1, at_most=10_000)
    grid_spacing: float = setting(16.0, "distance between candidate centres", at_least=1, at_most=1000)
    smallest_scale: float = setting(
        28.0,
        "smallest Gaussian scale of the shear maps; each further one is sqrt(2) times as large",
        at_least=1,
        at_most=1024,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read the section ``[measure]`` of a TOML file; what it does not name keeps its default.

        Raises
        ------
        ConfigError
            If the file is missing or not TOML, or names an unknown setting (the nearest right name is told).
        """
        return from_settings(cls, read_sections(path).get("measure", {}), source=f"{path}, [measure]")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name, as JSON and TOML can hold them; a number set as 16 is 16.0."""
        kinds: dict[str, Any] = {declared.name: declared.type for declared in fields(self)}
        return {name: kind(getattr(self, name)) for name, kind in kinds.items()}

    @classmethod
    def from_dict(cls, settings: dict[str, Any], *, source: str = "settings") -> Self:
        """Rebuild from :meth:`to_dict`; raises ConfigError on an unknown or ill-typed setting."""
        return from_settings(cls, settings, source=source)

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change whenever measurements made with these settings would."""
        text = json.dumps({"algorithm": ALGORITHM, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_sections(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read a TOML file all of whose settings stand in sections: of each section, its settings by name.

    Raises
    ------
    ConfigError
        If the file is missing or not TOML, or has a setting outside of all sections.
    """
    try:
        sections = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name an existing TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error}); write settings as `n_pixels = 8`") from error
    for name, content in sections.items():
        if not isinstance(content, dict):
            raise ConfigError(
                f"{path}: setting {name!r} stands in no section; put its section, such as [measure], on a line above it"
            )
    return sections


def from_settings(cls: type[Settings], settings: dict[str, Any], *, source: str) -> Settings:
    """Make a configuration of settings by name; those that are not named keep their defaults.

    Parameters
    ----------
    cls : type
        A dataclass whose fields are declared by :func:`setting`.
    settings : dict
        Values by name.
    source : str
        Where they come from, for errors.

    Raises
    ------
    ConfigError
        If a setting is unknown (the nearest right name is told), has a wrong type or lies out of range.
    """
    names = [declared.name for declared in fields(cls)]  # type: ignore[arg-type]
    for name in settings:
        if name not in names:
            raise ConfigError(f"{source}: unknown setting {name!r}; {nearest(name, names)}{LIST_ALL}")
    try:
        return cls(**settings)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def nearest(name: str, names: list[str]) -> str:
    """Return the question whether the most similar of the names was meant; nothing if none is similar."""
    return "".join(f"did you mean {found!r}? " for found in get_close_matches(name, names, n=1))


def check_settings(config: Any) -> None:
    """Refuse a configuration whose fields, declared by :func:`setting`, have a wrong type or lie out of range.

    Whole numbers given for others are made what they stand for, so that 16 and 16.0 are one setting with one
    fingerprint.

    Raises
    ------
    ConfigError
        It names the field, what is wanted, what was found and the default.
    """
    for declared in fields(config):
        value = getattr(config, declared.name)
        if not (_is_of_type(value, declared.type) and _lies_in_range(value, declared)):
            raise ConfigError(
                f"{declared.name} must be {wanted(declared)}, got {value!r}; the default is {told(declared.default)}"
            )
        if declared.type is float:
            object.__setattr__(config, declared.name, value + 0.0)  # -0.0 becomes 0.0, too


def wanted(declared: "Field[Any]") -> str:
    """Return in words what a setting may be, such as ``a whole number of 3 or more``."""
    (low, high), above = declared.metadata["range"], declared.metadata["above"]
    kind = KINDS[declared.type]  # type: ignore[index]
    if declared.type is bool or (low, high, above) == (LOWEST, HIGHEST, None):
        return kind
    if above is not None:
        return f"{kind} above {above:.12g}" + (f" and up to {high:.12g}" if high < HIGHEST else "")
    return f"{kind} from {low:.12g} to {high:.12g}" if high < HIGHEST else f"{kind} of {low:.12g} or more"


def told(value: Any) -> str:
    """Return a value, bool, int or float, as TOML writes it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _is_of_type(value: Any, kind: Any) -> bool:
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, int) or (kind is float and isinstance(value, float))


def _lies_in_range(value: float, declared: "Field[Any]") -> bool:
    (low, high), above = declared.metadata["range"], declared.metadata["above"]
    return low <= value <= high and (above is None or value > above)
