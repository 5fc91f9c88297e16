"""The machine and the package versions that a benchmark ran with."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from darkmatter_features.errors import DISTRIBUTION

PACKAGES = (DISTRIBUTION, "numpy", "numba", "lightgbm", "photutils", "galsim", "scikit-image", "sep", "treecorr")
"""Packages whose versions are recorded with each result."""


def environment() -> dict[str, str]:
    """Return the machine, the Python version and the versions of the packages."""
    return {
        "machine": f"{platform.machine()}, {cpu_name()}",
        "python": platform.python_version(),
        **{name: package_version(name) for name in PACKAGES},
    }


def package_version(package: str) -> str:
    """Return the installed version of a package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def cpu_name() -> str:
    """Return the model name of the processor where the system gives it, its architecture elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def pin_to_one_core() -> None:
    """Keep this process and its children on one core where the system can, so that no library uses more threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
