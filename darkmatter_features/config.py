"""Every setting of the measuring, with its default and its meaning, in one place."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from darkmatter_features.errors import ConfigError

# Part of the fingerprint: raised whenever the same settings come to give other numbers.
ALGORITHM = 2


def setting(default: Any, meaning: str, *, at_least: float, at_most: float = float("inf")) -> Any:
    """Declare a field of a configuration: its default, what it means and where it may lie."""
    return field(default=default, metadata={"meaning": meaning, "range": (at_least, at_most)})


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
    rim_fraction: float = setting(
        0.02,
        "how faint the rim of a galaxy is followed over a noiseless background, as a fraction of the bright level",
        at_least=0,
        at_most=1,
    )
    threshold_sigma: float = setting(
        3.0, "threshold over a noisy background, in standard deviations of the smoothed noise", at_least=0.5
    )
    background_box: int = setting(32, "box in which a noisy background is estimated", at_least=8)
    n_pixels: int = setting(8, "fewest pixels of a galaxy", at_least=3)
    split_colors: bool = setting(True, "split overlapping galaxies by their colours", at_least=0)
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
    blur: float = setting(
        0.92,
        "blur of the pictures, standard deviation of a Gaussian: its second moment is taken off every galaxy's",
        at_least=0,
    )
    min_galaxies: int = setting(10, "fewest galaxies from which a sky is judged", at_least=1)
    grid_spacing: float = setting(10.0, "distance between candidate centres", at_least=1)
    smallest_scale: float = setting(
        28.0,
        "smallest Gaussian scale of the shear maps; each further one is sqrt(2) times as large",
        at_least=1,
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read settings from a TOML file; what it does not name keeps its default.

        Raises
        ------
        ConfigError
            If the file is missing or not TOML, or names an unknown setting (the nearest right name is told).
        """
        try:
            settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}); name an existing TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not a TOML file ({error}); write settings as `n_pixels = 8`") from error
        return cls._from_settings(settings, source=str(path))

    @classmethod
    def _from_settings(cls, settings: dict[str, Any], *, source: str) -> Self:
        names = [setting.name for setting in fields(cls)]
        for name in settings:
            if name not in names:
                nearest = get_close_matches(name, names, n=1) or names
                raise ConfigError(f"{source}: unknown setting {name!r}; did you mean {nearest[0]!r}?")
        try:
            return cls(**settings)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name, as JSON and TOML can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any], *, source: str = "settings") -> Self:
        """Rebuild from :meth:`to_dict`; raises ConfigError on an unknown or ill-typed setting."""
        return cls._from_settings(settings, source=source)

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change whenever measurements made with these settings would."""
        text = json.dumps({"algorithm": ALGORITHM, **self.to_dict()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_settings(config: Any) -> None:
    """Refuse a configuration whose fields, declared by :func:`setting`, have a wrong type or lie out of range.

    Raises
    ------
    ConfigError
        It names the field, what is wanted and what was found.
    """
    for declared in fields(config):
        value = getattr(config, declared.name)
        _check(declared.name, value, declared.type, *declared.metadata["range"])


def _check(name: str, value: Any, kind: Any, low: float, high: float) -> None:
    wrong_type = isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float))
    if wrong_type or (kind is int and not isinstance(value, int)):
        raise ConfigError(f"{name} must be of type {kind.__name__}, got {value!r}")
    if not low <= value <= high:
        raise ConfigError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")
