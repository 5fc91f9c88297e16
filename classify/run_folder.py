"""The folder of a run: a training writes a new run beside the earlier one and replaces it as a whole at the end."""

import platform
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from classify.cnn.config import CnnConfig
from classify.model.bundle import BUNDLE
from darkmatter_features import __version__
from darkmatter_features.io.table import check_made, make_folder, refusals_of

RECORD = "run.json"
"""File of a run that records its origin, see :func:`run_record`."""
LIBRARIES = ("numpy", "scipy", "numba", "lightgbm", "scikit-learn")
"""Distributions on which the numbers of a run depend."""
NETWORK_LIBRARY = "torch"
"""Distribution of the networks."""

UNFINISHED = ".unfinished"
"""Folder, in a run, of a training that is running or was stopped."""
REPLACED = ".replaced"
"""Folder, in a run, of the earlier run while it is replaced."""


@contextmanager
def changed_whole(run: Path, *, may_lack: Collection[str], resumable: str, resume: bool) -> Iterator[Path]:
    """Give a folder for a new run, whose files replace those of the earlier run if the block succeeds.

    Parameters
    ----------
    run : Path
        Folder of the run, made when missing. Its other files stay.
    may_lack : collection of str
        Names of optional files of a run; those of the earlier run are removed.
    resumable : str
        Name of a folder that is kept if the block fails, to resume from.
    resume : bool
        Whether to start with that folder: from a stopped training, or else from the run.

    Yields
    ------
    Path
        ``run/.unfinished``. The earlier run is unchanged until the block ends, and if it fails.
    """
    is_new, fresh = not run.exists(), run / UNFINISHED
    make_folder(fresh)
    _empty(fresh, but=resumable if resume else None)
    if resume and (run / resumable).is_dir() and not (fresh / resumable).exists():
        shutil.copytree(run / resumable, fresh / resumable)
    try:
        with refusals_of(run):
            yield fresh
            check_made(fresh)
    except BaseException:
        with suppress(OSError):  # removed; or not empty: a folder to resume from, or files of the user
            _empty(fresh, but=resumable)
            fresh.rmdir()
            if is_new:
                run.rmdir()
        raise
    with refusals_of(run):
        _take_place(run, fresh, may_lack)


def run_record(dataset: Path, features: Path, *, cnn: str, cnn_config: CnnConfig | None) -> dict[str, Any]:
    """Return the origin of a run, for `RECORD`, beside the settings that are in its model.

    Parameters
    ----------
    dataset, features : Path
        Folders of the data set and of the features.
    cnn : str
        Use of the CNN stage: "off", "auto" or "on".
    cnn_config : CnnConfig or None
        Settings of the networks, recorded unless these are off; the defaults if None.

    Returns
    -------
    dict
        ``dataset, features``, paths; ``cnn, cnn_config``, the use and the settings of the networks; ``versions`` of
        Python and of the libraries, by name.
    """
    settings = None if cnn == "off" else (cnn_config or CnnConfig()).to_dict()
    return {
        "dataset": str(dataset), "features": str(features.resolve()), "cnn": cnn, "cnn_config": settings,
        "versions": library_versions(with_networks=cnn != "off"),
    }  # fmt: skip


def library_versions(*, with_networks: bool) -> dict[str, str]:
    """Return the versions of darkmatter, Python and `LIBRARIES`, by name, and of PyTorch where it is used."""
    libraries = {name: _version(name) for name in (*LIBRARIES, *([NETWORK_LIBRARY] if with_networks else []))}
    known = {"darkmatter": __version__, "python": platform.python_version(), **libraries}
    return {name: number for name, number in known.items() if number is not None}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _take_place(run: Path, fresh: Path, may_lack: Collection[str]) -> None:
    """Move the new files into the run; the old model leaves first and the new one comes last, so files never mix."""
    aside = run / REPLACED
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    made = sorted((path.name for path in fresh.iterdir()), key=lambda name: name == BUNDLE)
    for name in reversed([*(set(may_lack) - set(made)), *made]):
        if (run / name).exists():
            (run / name).rename(aside / name)
    for name in made:
        (fresh / name).rename(run / name)
    fresh.rmdir()
    shutil.rmtree(aside)


def _empty(folder: Path, *, but: str | None) -> None:
    for path in folder.iterdir():
        if path.name != but:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
