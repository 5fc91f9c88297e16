"""The origin of a run: versions, fingerprints, settings, and the commands that make it again."""

import shlex
from pathlib import Path
from typing import Any

from classify.config_file import SECTIONS
from classify.report.run_data import RunData
from darkmatter_features import __version__
from darkmatter_features.config import as_toml

FILE = "settings.toml"
"""Name of the settings file in the commands that make a run again."""
NOT_RECORDED = "not recorded"
IN_FILE = ("measure", "cnn")
"""Sections that are in that file; settings of the section ``train`` are flags of its command."""


def provenance(run: RunData) -> list[tuple[str, str]]:
    """Return the origin of the run: versions, fingerprints and folders."""
    model = run.model
    return [
        ("trained with", ", ".join(f"{name} {number}" for name, number in run.versions.items()) or NOT_RECORDED),
        ("report by", f"darkmatter {__version__}"),
        ("model", run.digest[:16]),
        ("settings of the measurement", model.config.fingerprint()),
        ("lens template", f"{model.template.fingerprint()} ({model.template.source})"),
        ("data set", str(run.dataset)),
        ("features", str(run.features)),
        ("galaxies of the maps", run.measured.origin),
        ("training skies", f"{run.metrics.get('n_training', 'unknown')}"),
        ("members", f"{len(model.members)} ensembles of trees, {model.training.get('best_round', 0)} rounds"),
        ("CNN stage", "yes" if run.has_cnn_stage else "none" if run.cnn in (None, "off") else f"none ({run.cnn})"),
    ]


def settings(run: RunData) -> list[dict[str, Any]]:
    """Return all settings by section, with their values, and whether they are the defaults."""
    values = {"measure": run.model.config.to_dict(), "train": run.model.training}
    values |= {} if run.cnn_config is None else {"cnn": run.cnn_config.to_dict()}
    return [
        {"group": group, "name": name, "value": own[name], "text": field.description,
         "is_default": own[name] == field.default}
        for group, own in values.items() for name, field in SECTIONS[group].declared().items() if name in own
    ]  # fmt: skip


def settings_file(run: RunData) -> str:
    """Return the content of the settings file that the commands name; empty where they need none."""
    changed = [each for each in settings(run) if not each["is_default"]]
    sections = {name: [each for each in changed if each["group"] == name] for name in IN_FILE}
    return "\n".join(
        "\n".join([f"[{name}]", *(f"{each['name']} = {as_toml(each['value'])}" for each in own), ""])
        for name, own in sections.items() if own
    )  # fmt: skip


def commands(run: RunData) -> list[str]:
    """Return the commands that make the run again, with the file of :func:`settings_file`."""
    trees = [each for each in settings(run) if each["group"] == "train" and not each["is_default"]]
    flags = [word for each in trees for word in (f"--{each['name'].replace('_', '-')}", str(each["value"]))]
    cnn = [] if run.cnn in (None, "off") else ["--cnn", run.cnn]
    config = ["--config", FILE] if settings_file(run) else []
    data, features, out = map(_word, (run.dataset, run.features, run.path))
    return [
        shlex.join(["darkmatter", *words]) for words in (
            ["features", data, "--out", features, *config],
            ["train", features, "--out", out, *config, *flags, *cnn],
            ["report", out],
        )
    ]  # fmt: skip


def _word(path: Path) -> str:
    """Return a path that is no flag, whatever its first letter."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text
