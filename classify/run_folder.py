"""The folder of a run, which changes as a whole: a training writes beside what is there and then takes its place."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from classify.model import BUNDLE

UNFINISHED, REPLACED = ".unfinished", ".replaced"
"""Folders inside a run: of a training under way or stopped, and of what a new one is just taking the place of."""


@contextmanager
def changed_whole(run: Path, *, may_lack: Collection[str], resumable: str, resume: bool) -> Iterator[Path]:
    """Give a folder to write a run to, and put what it holds in the place of an earlier run when all went well.

    Parameters
    ----------
    run : Path
        Folder of the run; made when missing. What is no part of a run stays in it.
    may_lack : collection of str
        Names that not every run has: those of an earlier one go.
    resumable : str
        Name of a folder in it that stays when the block raises, to be gone on with.
    resume : bool
        Begin with that folder, as a stopped training left it or else as it is in the run.

    Yields
    ------
    Path
        ``run/.unfinished``. While it is written to, and if that is stopped, the earlier run stays as it is.
    """
    is_new, fresh = not run.exists(), run / UNFINISHED
    run.mkdir(parents=True, exist_ok=True)
    fresh.mkdir(exist_ok=True)
    _empty(fresh, but=resumable if resume else None)
    if resume and (run / resumable).is_dir() and not (fresh / resumable).exists():
        shutil.copytree(run / resumable, fresh / resumable)
    try:
        yield fresh
    except BaseException:
        _empty(fresh, but=resumable)
        with suppress(OSError):  # there is something to go on with, or there was before
            fresh.rmdir()
            if is_new:
                run.rmdir()
        raise
    _take_place(run, fresh, may_lack)


def _take_place(run: Path, fresh: Path, may_lack: Collection[str]) -> None:
    """Rename what is new into the run; the model goes first and comes last: it never stands beside others' figures."""
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
