"""The CNN stage, by a convolutional network, at the skies that the boosted trees are unsure of.

Modules that import torch are imported where they are used: without it all else works.
"""

from importlib.util import find_spec

from darkmatter_features.errors import ConfigError

NEEDED = ("torch", "safetensors")

MODES = ("off", "auto", "on")
"""Of the CNN stage. Training: never; where it helps, out of fold; in any case. Judging: never; where the run has one;
only with a run that has one."""

DECIDES = "cnn"
"""What `decided_by` says of the skies that were looked at again."""


def missing() -> str | None:
    """Say, in one line, which package is missing and how to install it; None if none is."""
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if not lacking:
        return None
    return f"{lacking[0]}, which the CNN stage needs, is missing; install it: pip install 'darkmatter[cnn]'"


def need_torch() -> None:
    """Refuse to go on without PyTorch.

    Raises
    ------
    ConfigError
        It names the command that installs it.
    """
    if (said := missing()) is not None:
        raise ConfigError(said)
