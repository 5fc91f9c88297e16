"""The configuration file: one TOML file, one section for each stage of the work."""

import inspect
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import Field
from pydantic.dataclasses import dataclass

from classify.cnn.config import CnnConfig
from classify.config import TrainConfig
from darkmatter_features.config import (
    LIST_ALL,
    MeasureConfig,
    Settings,
    allowed,
    as_toml,
    nearest,
    read_sections,
)
from darkmatter_features.errors import ConfigError, shown

HEAD = """\
# Settings of darkmatter; use this file by `darkmatter COMMAND --config FILE`.
# Settings that are missing have their defaults. Each section lists the commands that use it.
"""
SECTIONS: dict[str, type[Settings]] = {"measure": MeasureConfig, "train": TrainConfig, "cnn": CnnConfig}
USED_BY = {"measure": "features", "train": "train, tune", "cnn": "train --cnn"}
"""Commands that use a section."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings; a field is a section of the file.

    Raises
    ------
    ConfigError
        If a setting is unknown, has a wrong type or lies out of range.
    """

    measure: MeasureConfig = Field(default_factory=MeasureConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    cnn: CnnConfig = Field(default_factory=CnnConfig)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Return the settings of a TOML file; missing settings have their defaults.

        Raises
        ------
        ConfigError
            If the file is missing or no TOML file, or a section, a setting or a value is wrong.
        """
        sections = read_sections(path)
        for name, settings in sections.items():
            _check_names(path, name, list(settings))
        parts = {
            name: SECTIONS[name].from_dict(settings, source=f"{path}, [{name}]") for name, settings in sections.items()
        }
        return cls(**parts)  # type: ignore[arg-type]

    def to_toml(self) -> str:
        """Return the text of a file with these settings, each below its description."""
        return HEAD + "".join(f"\n{line}\n" for name in SECTIONS for line in self._section_lines(name))

    def _section_lines(self, name: str) -> Iterator[str]:
        settings: Settings = getattr(self, name)
        about = (inspect.getdoc(settings) or "").splitlines()[0]
        yield f"# {about} Used by: {USED_BY[name]}.\n[{name}]"
        for key, field in settings.declared().items():
            value = getattr(settings, key)
            note = "" if value == field.default else f"  # default: {as_toml(field.default)}"
            yield f"# {field.description}: {allowed(field)}\n{key} = {as_toml(value)}{note}"

    def changes(self) -> list[str]:
        """Return a line for each setting that differs from its default: ``[train] num_leaves = 5 (default 7)``."""
        return [
            f"[{name}] {key} = {as_toml(value)} (default {as_toml(field.default)})"
            for name, section in SECTIONS.items()
            for key, field in section.declared().items()
            if (value := getattr(getattr(self, name), key)) != field.default
        ]


def check_measured(path: str | Path, features: str | Path, measured: MeasureConfig) -> None:
    """Raise an error if the section ``[measure]`` of a file differs from the settings of measured features.

    Parameters
    ----------
    path : str or Path
        Configuration file.
    features : str or Path
        Folder of the features, for the error.
    measured : MeasureConfig
        Settings of the features.

    Raises
    ------
    ConfigError
        It names the setting, both values and the remedy.
    """
    for name, value in read_sections(path).get("measure", {}).items():
        if value != (found := getattr(measured, name)):
            raise ConfigError(
                f"{path}: [measure] {name} = {as_toml(value)}, but {features} was measured with {as_toml(found)}; "
                f"run `{shlex.join(['darkmatter', 'features', '--config', str(path)])}`, or remove that line"
            )


def _check_names(path: str | Path, name: str, settings: list[str]) -> None:
    """Raise an error for an unknown section, and for a setting of another section."""
    if name not in SECTIONS:
        raise ConfigError(f"{path}: unknown section [{shown(name)}]; {nearest(name, list(SECTIONS))}{LIST_ALL}")
    for setting in settings:
        others = [other for other, section in SECTIONS.items() if setting in section.declared()]
        if others and name not in others:
            home = " or ".join(f"[{other}]" for other in others)
            raise ConfigError(f"{path}, [{name}]: setting {setting!r} belongs to {home}; move it there")
