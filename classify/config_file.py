"""The configuration file: one TOML for all that can be set, a section for each part of the work."""

import inspect
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from classify.cnn.config import CnnConfig
from classify.config import TrainConfig
from darkmatter_features.config import LIST_ALL, MeasureConfig, from_settings, nearest, read_sections, told, wanted
from darkmatter_features.errors import ConfigError

HEAD = """\
# Settings of darkmatter: give this file to `darkmatter COMMAND --config FILE`.
# What a file leaves out keeps its default; a section is for the commands named over it.
"""


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings; a field is a section of the file, and the class of its value declares what may stand there.

    Raises
    ------
    ConfigError
        If a value has the wrong type or lies out of range.
    """

    measure: MeasureConfig = field(default_factory=MeasureConfig, metadata={"used_by": "features"})
    train: TrainConfig = field(default_factory=TrainConfig, metadata={"used_by": "train, tune"})
    cnn: CnnConfig = field(default_factory=CnnConfig, metadata={"used_by": "train --cnn"})

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a TOML file; what it does not name keeps its default.

        Raises
        ------
        ConfigError
            If the file is missing or not TOML, or a section, a setting or a value is not one there may be.
        """
        kinds = {each.name: type(getattr(cls(), each.name)) for each in fields(cls)}
        sections = read_sections(path)
        _check_names(path, sections, kinds)
        parts = {
            name: from_settings(kinds[name], settings, source=f"{path}, [{name}]")
            for name, settings in sections.items()
        }
        return cls(**parts)

    def to_toml(self) -> str:
        """Return the file that holds these settings, each below its meaning; reading it gives them back."""
        return HEAD + "".join(f"\n{line}\n" for each in fields(self) for line in self._section_lines(each))

    def _section_lines(self, each: Any) -> Iterator[str]:
        settings = getattr(self, each.name)
        about = (inspect.getdoc(settings) or "").splitlines()[0]
        yield f"# {about} Used by: {each.metadata['used_by']}.\n[{each.name}]"
        for declared in fields(settings):
            value = getattr(settings, declared.name)
            note = "" if value == declared.default else f"  # default: {told(declared.default)}"
            yield (f"# {declared.metadata['meaning']}: {wanted(declared)}\n{declared.name} = {told(value)}{note}")

    def changes(self) -> list[str]:
        """Return a line for each setting that is not the default: ``[train] num_leaves = 5 (default 7)``."""
        return [
            f"[{each.name}] {declared.name} = {told(value)} (default {told(declared.default)})"
            for each in fields(self)
            for declared in fields(getattr(self, each.name))
            if (value := getattr(getattr(self, each.name), declared.name)) != declared.default
        ]


def check_measured(path: str | Path, features: str | Path, measured: MeasureConfig) -> None:
    """Refuse a file whose section ``[measure]`` says other than what features were measured with.

    Parameters
    ----------
    path : str or Path
        The file.
    features : str or Path
        Folder of the features, for the error.
    measured : MeasureConfig
        What they were measured with.

    Raises
    ------
    ConfigError
        It names the setting, both values and the remedy.
    """
    for name, value in read_sections(path).get("measure", {}).items():
        if value != (found := getattr(measured, name)):
            raise ConfigError(
                f"{path}: [measure] {name} = {told(value)}, but {features} was measured with {told(found)}; "
                f"run `{shlex.join(['darkmatter', 'features', '--config', str(path)])}`, or take that line out"
            )


def _check_names(path: str | Path, sections: dict[str, dict[str, Any]], kinds: dict[str, type]) -> None:
    """Refuse sections there are not, and settings that belong to another section."""
    for name, settings in sections.items():
        if name not in kinds:
            raise ConfigError(f"{path}: unknown section [{name}]; {nearest(name, list(kinds))}{LIST_ALL}")
        for setting in settings:
            homes = [other for other, kind in kinds.items() if setting in _names(kind)]
            if homes and name not in homes:
                home = " or ".join(f"[{other}]" for other in homes)
                raise ConfigError(f"{path}, [{name}]: setting {setting!r} belongs to {home}; move it there")


def _names(kind: type) -> list[str]:
    return [declared.name for declared in fields(kind)]
