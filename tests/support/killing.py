"""Work on a data set that kills its process at one image; it imports nothing else, so that such a process is cheap."""

import os
import signal
from importlib import import_module

FATAL = "00004"
"""Part of the name of the image that kills."""

ORIGINALS = {3: ("measured_parts", "_measure_part"), 4: ("extract", "_rows_of_chunk")}
"""Module and name of the true work, by the number of its arguments but the first."""

_kept = {}


def original(n):
    """Return the true work; the first call must come before it is replaced by `kill_at_4`."""
    if n not in _kept:
        module, name = ORIGINALS[n]
        _kept[n] = getattr(import_module(f"darkmatter_features.features.{module}"), name)
    return _kept[n]


def kill_at_4(paths, *others):
    """Do the work of a part, but for an image that kills the process."""
    if any(FATAL in path.name for path in paths):
        os.kill(os.getpid(), signal.SIGKILL)
    return original(len(others))(paths, *others)
