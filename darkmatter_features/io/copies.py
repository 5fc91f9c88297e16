"""Images, tables and other files behind URLs as files on disk: copies in the cache, by fsspec."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any
from urllib.request import url2pathname

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.cache import cache_folder, locked
from darkmatter_features.io.download import N_CONNECTIONS, RemoteFile, download, failure
from darkmatter_features.io.parts import split_pattern
from darkmatter_features.io.remote import open_url
from darkmatter_features.io.table import written_whole
from darkmatter_features.io.url_places import TABLES, Content, Found, find_places, of_file
from darkmatter_features.urls import LOCAL, is_url, kind_of, url_of_path, without_password

_LISTING = ".listing.json"
"""File with the versions and sizes of the copies in its folder; the name of a copy begins with no dot."""

Place = str | Path


def fetch_places(
    places: Sequence[Place],
    content: Content,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Place]:
    """Return places with paths instead of URLs, after a download of what these stand for.

    Parameters
    ----------
    places : sequence of str or Path
        Paths and glob patterns, which stay as they are, and URLs: of a file, with a part in brackets behind it or not;
        of a folder, as far as its server lists it; or with a glob pattern. A URL of a file on this machine
        (``file://``) becomes its path.
    content : Content
        What is wanted of folders.
    cache : Path, optional
        Folder of the copies; `files` in the folder of `DARKMATTER_CACHE`, or in the cache of the user.
    progress : callable, optional
        Function called with the megabytes downloaded and their total; not called if all copies are there.

    Returns
    -------
    list of str or Path
        Paths in the order of the places. That of a file that does not exist, or may not be read, is the path of a copy
        that is missing: reading it gives the reason, see :func:`present`.

    Raises
    ------
    DatasetError
        If there is no network and no copy, a folder or a pattern has no file, or a package is missing. What was
        downloaded is kept, and the next call goes on there.
    """
    urls = [_local(place) for place in places]
    root = cache or cache_folder() / "files"
    remote = [place for place in urls if isinstance(place, str) and is_url(place)]
    if not remote:
        return urls
    with ThreadPoolExecutor(N_CONNECTIONS) as pool:
        found = dict(zip(remote, pool.map(lambda url: find_places(url, content, root), remote)))
    _download(found, root, progress)
    return [
        path for place in urls
        for path in ([root / own for own in found[place].places] if place in found else [place])
    ]  # fmt: skip


def present(place: Place, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Return the path of a file: of one given by its URL, or whose copy is missing here, after its download.

    Parameters
    ----------
    place : str or Path
        Path or URL of a file. The workers of a cluster may get the path of a copy that they do not see: each then makes
        one in its own cache.
    progress : callable, optional
        As for :func:`fetch_places`.

    Raises
    ------
    DatasetError
        If a URL stands for no or several files, may not be read, or there is no network and no copy.
    """
    if isinstance(place, str) and is_url(place):
        found = fetch_places([place], TABLES, progress=progress)
        if len(found) != 1:
            raise DatasetError(f"{without_password(place)} stands for {len(found)} files; give the URL of one")
        place = found[0]
    path = Path(place)
    url = url_of_path(path)
    if url is None or path.exists():
        return path
    file, part = split_pattern(str(path))
    if part and Path(file).exists():
        return path
    url, _ = split_pattern(url)
    filesystem, remote = open_url(url)
    root = cache_folder() / "files"
    try:
        own = of_file(filesystem, url, remote, dict(filesystem.info(remote)))
    except Exception as error:
        raise failure(url, error) from None
    _download({url: own}, root, progress)
    copy = root / own.places[0]
    if not copy.exists():  # refused, though it is listed
        download(filesystem, own.files, root, url=url)
    return Path(f"{copy}{part}")


def _local(place: Place) -> Place:
    """Return a place; the path of one on this machine that is given as a URL."""
    if isinstance(place, str) and is_url(place) and kind_of(place) in LOCAL:
        return Path(url2pathname(place.partition("://")[2].removeprefix("localhost")))
    return place


def _download(found: dict[str, Found], root: Path, progress: Callable[[int, int], None] | None) -> None:
    """Download the files that have no copy, or have changed."""
    groups: dict[int, list[str]] = defaultdict(list)
    for url, own in found.items():
        groups[id(own.filesystem)].append(url)
    for urls in groups.values():
        files = {file.name: file for url in urls for file in found[url].files}
        lacking = _lacking(list(files.values()), root)
        if lacking:
            _download_from(found[urls[0]].filesystem, lacking, root, _title(urls), progress)


def _title(urls: Sequence[str]) -> str:
    return urls[0] if len(urls) == 1 else f"{urls[0]} and {len(urls) - 1} more"


def _by_folder(files: Sequence[RemoteFile], root: Path) -> dict[Path, list[RemoteFile]]:
    folders: dict[Path, list[RemoteFile]] = defaultdict(list)
    for file in files:
        folders[(root / file.name).parent].append(file)
    return dict(sorted(folders.items()))


def _lacking(files: Sequence[RemoteFile], root: Path) -> list[RemoteFile]:
    """Return the files that have no complete copy of this version."""
    lacking = []
    for folder, own in _by_folder(files, root).items():
        known = _read_listing(folder)
        lacking += [file for file in own if not (_is_known(file, known) and file.is_complete(root))]
    return lacking


def _is_known(file: RemoteFile, known: dict[str, Any]) -> bool:
    return bool(known.get(PurePath(file.name).name) == [file.version, file.size])


def _download_from(
    filesystem: Any, files: Sequence[RemoteFile], root: Path, url: str, progress: Callable[[int, int], None] | None
) -> None:
    """Download files while no other process downloads into their folders."""
    with ExitStack() as locks:
        for folder, own in _by_folder(files, root).items():
            locks.enter_context(locked(folder))
            known = _read_listing(folder)
            for file in own:
                if not _is_known(file, known):
                    file.remove(root)
            known |= {PurePath(file.name).name: [file.version, file.size] for file in own}
            with written_whole(folder / _LISTING) as temporary:
                temporary.write_text(json.dumps(known, indent=0), encoding="utf-8")
        download(filesystem, files, root, url=url, progress=progress, skips_refused=True)


def _read_listing(folder: Path) -> dict[str, Any]:
    """Return versions and sizes of the copies in a folder; none if its list is missing or damaged."""
    try:
        content = json.loads((folder / _LISTING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
