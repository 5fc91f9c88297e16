"""Data by URL: their copies in the cache, with progress, and lines on what a command waits for."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from classify.commands.progress import Progress
from darkmatter_features.io.copies import fetch_places, present
from darkmatter_features.io.layouts import zips_of
from darkmatter_features.io.remote import fetch
from darkmatter_features.io.url_places import IMAGES, TABLES
from darkmatter_features.io.zips import extracted
from darkmatter_features.urls import is_url, without_password

IMAGES_HELP = "images, folders of images, glob patterns, or URLs of these"
"""Help of the arguments that :func:`local_images` takes."""

PATIENCE = 2.0
"""Time after which a command says what it waits for, seconds."""

Found = TypeVar("Found")
Report = Callable[[int, int], None]


def local_data(data: str | Path) -> Path:
    """Download a data set and extract its zip files, as far as necessary, with progress; return its folder.

    Raises
    ------
    DatasetError
        If it is no data set, cannot be downloaded, or a zip file is damaged or unsafe.
    """
    root = _downloaded([data], lambda report: fetch(str(data), progress=report)) if is_url(data) else Path(data)
    for archive in zips_of(root):
        extracted(archive, progress=Progress(f"extract {archive.name}", unit="images"))
    return root


def local_images(places: Sequence[str | Path]) -> list[str | Path]:
    """Return images, folders and patterns with paths instead of URLs, after a download with progress.

    Raises
    ------
    DatasetError
        If a folder or a pattern has no image, or there is no network and no copy.
    """
    return _downloaded(places, lambda report: fetch_places(places, IMAGES, progress=report))


def local_tables(places: Sequence[str | Path]) -> list[str | Path]:
    """Return tables and patterns with paths instead of URLs, after a download with progress.

    Raises
    ------
    DatasetError
        If a pattern has no table, or there is no network and no copy.
    """
    return _downloaded(places, lambda report: fetch_places(places, TABLES, progress=report))


def local_file(place: str) -> str:
    """Return the path of a file, after a download if it is given by its URL.

    Raises
    ------
    DatasetError
        If it cannot be downloaded.
    """
    if not is_url(place):
        return place
    return str(_downloaded([place], lambda report: present(place, progress=report)))


def local_option(place: str | None) -> str | None:
    """Return the path of a file that an option names, see :func:`local_file`; None for None."""
    return None if place is None else local_file(place)


def _downloaded(places: Sequence[str | Path], work: Callable[[Report], Found]) -> Found:
    """Return the result of a download: its start is announced, its progress shown, and a wait before it explained."""
    urls = [without_password(str(place)) for place in places if is_url(place)]
    logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # its errors are raised, and printed in one line
    what = "" if not urls else urls[0] if len(urls) == 1 else f"{urls[0]} and {len(urls) - 1} more"
    progress = Progress("download", unit="MB", notice=lambda: f"downloading {what}")
    with _explained(f"waiting for the server of {what}") as end:

        def report(done: int, total: int) -> None:
            end()
            progress(done, total)

        return work(report)


@contextmanager
def _explained(line: str) -> Iterator[Callable[[], None]]:
    """Write a line to standard error if the block takes longer than :data:`PATIENCE`; yield a function to leave it."""
    timer = threading.Timer(PATIENCE, lambda: sys.stderr.write(line + "\n"))
    timer.daemon = True
    timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()
