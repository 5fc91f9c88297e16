"""The CNN stage: a convolutional network for the skies on which the boosted trees are uncertain.

Modules that import torch are imported where they are used, so that everything else works without it.
"""

from importlib.util import find_spec

from darkmatter_features.errors import ConfigError

REQUIRED_PACKAGES = ("torch", "safetensors")
"""Packages that the optional extra ``cnn`` installs."""

MODES = ("off", "auto", "on")
"""Modes of the CNN stage.

In training: never; if it lowers the out-of-fold loss; always. In prediction: never; if the run has one; always, which
fails for a run without one.
"""

DECIDES = "cnn"
"""Value of `decided_by` for skies that the CNN stage settles."""


def missing() -> str | None:
    """Return one line that names a missing package and the command that installs it; None if there is none."""
    lacking = [name for name in REQUIRED_PACKAGES if find_spec(name) is None]
    if not lacking:
        return None
    return f"{lacking[0]}, which the CNN stage needs, is missing; install it: pip install 'darkmatter[cnn]'"


def need_torch() -> None:
    """Check that PyTorch and safetensors are installed.

    Raises
    ------
    ConfigError
        If one of them is missing; the message names the command that installs it.
    """
    if (problem := missing()) is not None:
        raise ConfigError(problem)
