"""What a URL stands for: one file, the files of a folder, or those that match a pattern, and where their copies are."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.download import N_CONNECTIONS, FetchError, RemoteFile, failure, is_http
from darkmatter_features.io.formats import TABLE_SUFFIXES, is_image_name
from darkmatter_features.io.parts import split_pattern
from darkmatter_features.io.remote import open_url, version_of
from darkmatter_features.urls import is_url, path_of_url, without_password


class Content(NamedTuple):
    """Which files are wanted of a folder, and of those that match a pattern.

    Attributes
    ----------
    name : str
        What they are, for messages.
    of_folder, of_pattern : callable
        Function of a file name.
    is_deep : bool
        Whether the folders in a folder belong to it, which is then a place itself: one table in many files.
    """

    name: str
    of_folder: Callable[[str], bool]
    of_pattern: Callable[[str], bool]
    is_deep: bool = False


def _is_table_name(name: str) -> bool:
    suffixes = tuple(suffix for own in TABLE_SUFFIXES for suffix in own)
    return name.lower().endswith(suffixes) and not name.startswith((".", "_"))


IMAGES = Content("images", is_image_name, is_image_name)
"""Images: those directly in a folder."""

TABLES = Content("tables", _is_table_name, lambda name: not name.startswith("."), is_deep=True)
"""Tables: a folder is one table in many files, and a pattern stands for any files."""

MAX_DEPTH = 5
"""Maximum number of folders in one another that are searched for the tables of a survey."""


class Found(NamedTuple):
    """Files that a URL stands for, and the places that they make here, relative to the cache of files."""

    filesystem: Any
    files: tuple[RemoteFile, ...]
    places: tuple[str, ...]


def find_places(url: str, content: Content, root: Path) -> Found:
    """Return what a URL stands for.

    Parameters
    ----------
    url : str
        URL, with a part in brackets behind it or not.
    content : Content
        What is wanted of folders and patterns.
    root : Path
        Folder of the copies.

    Raises
    ------
    DatasetError
        If a folder or a pattern has no file, there is no network and no copy, or a package is missing.
    """
    whole, part = split_pattern(url)
    filesystem, path = open_url(whole)
    if whole.partition("?")[0].endswith("/"):
        return _in_folder(filesystem, url, path, content, root)
    copy = path_of_url(whole)
    try:
        entry = dict(filesystem.info(path))
    except Exception as error:
        return _without_info(filesystem, url, path, content, root, failure(whole, error))
    is_page = is_http(filesystem) and "html" in str(entry.get("mimetype")) and not content.of_folder(copy.name)
    if entry.get("type") == "directory" or is_page:
        return _in_folder(filesystem, url, path, content, root)
    found = of_file(filesystem, whole, path, entry)
    return found._replace(places=(f"{found.places[0]}{part}",))


def of_file(filesystem: Any, url: str, path: str, entry: dict[str, Any]) -> Found:
    """Return the one file of a URL; `entry` has its properties."""
    copy = path_of_url(url).as_posix()
    return Found(filesystem, (RemoteFile(copy, path, version_of(entry), entry.get("size")),), (copy,))


def _without_info(filesystem: Any, url: str, path: str, content: Content, root: Path, reason: FetchError) -> Found:
    """Return what a URL stands for that is that of no file, or cannot be reached."""
    whole, part = split_pattern(url)
    if not reason.is_network and _magic(filesystem, path) >= 0:
        return _of_pattern(filesystem, whole, path, content, part)
    copy = path_of_url(whole).as_posix()
    if reason.is_network and not (root / copy).is_file():
        raise reason
    if not reason.is_network and not reason.is_permission:
        (root / copy).unlink(missing_ok=True)
    return Found(filesystem, (), (f"{copy}{part}",))


def _magic(filesystem: Any, path: str) -> int:
    """Return the index of the first character of a glob pattern in a path; -1 without one."""
    found = re.search(r"[*\[]" if is_http(filesystem) else r"[*?\[]", path)
    return -1 if found is None else found.start()


def _of_pattern(filesystem: Any, url: str, path: str, content: Content, part: str) -> Found:
    try:
        entries = dict(filesystem.glob(path, detail=True))
    except Exception as error:
        raise failure(url, error) from None
    files = {name: entry for name, entry in entries.items() if _is_file(name, entry, content.of_pattern)}
    if not files:
        raise DatasetError(
            f"{without_password(url)}: no {content.name} match; check the URL, and that it can be listed"
        )
    n_known = len(path) - _magic(filesystem, path)
    found = _listed(filesystem, (url[: len(url) - n_known], path[: len(path) - n_known]), files)
    return found._replace(places=tuple(f"{file.name}{part}" for file in found.files))


def _in_folder(filesystem: Any, url: str, path: str, content: Content, root: Path) -> Found:
    try:
        entries = _entries(filesystem, path, is_deep=content.is_deep)
    except Exception as error:
        raise failure(url, error) from None
    files = {name: entry for name, entry in entries.items() if _is_file(name, entry, content.of_folder)}
    if not files:
        raise DatasetError(
            f"{without_password(url)}: no {content.name} there; check the URL, and that it can be listed"
        )
    base = url.partition("?")[0].rstrip("/")
    found = _listed(filesystem, (base, path.rstrip("/")), files)
    if not content.is_deep:
        return found
    folder = path_of_url(f"{base}/x").parent.as_posix()
    _remove_others(root / folder, {root / file.name for file in found.files}, content)
    return found._replace(places=(folder,))


def _entries(filesystem: Any, path: str, *, is_deep: bool) -> dict[str, dict[str, Any]]:
    """Return the properties of the files in a folder, by their paths."""
    if is_deep:
        return dict(filesystem.find(path, maxdepth=MAX_DEPTH, detail=True))
    return {entry["name"]: entry for entry in filesystem.ls(path, detail=True)}


def _is_file(path: str, entry: dict[str, Any], is_wanted: Callable[[str], bool]) -> bool:
    return entry.get("type") != "directory" and is_wanted(path.rstrip("/").rpartition("/")[2])


def _remove_others(folder: Path, copies: set[Path], content: Content) -> None:
    """Remove the copies in a folder that would be read with those given, but whose files are gone."""
    for path in folder.rglob("*"):
        if path.is_file() and content.of_folder(path.name) and path not in copies:
            path.unlink(missing_ok=True)


def _listed(filesystem: Any, base: tuple[str, str], entries: dict[str, dict[str, Any]]) -> Found:
    """Return files that were listed, with their sizes, sorted; `base` is a URL and the same place as a path."""

    def described(path: str) -> RemoteFile:
        entry, url = entries[path], _url_of(path, *base)
        if entry.get("size") is None and "ETag" not in entry:
            entry = _info(filesystem, url, path) or entry
        return RemoteFile(path_of_url(url).as_posix(), path, version_of(entry), entry.get("size"))

    with ThreadPoolExecutor(N_CONNECTIONS) as pool:
        files = tuple(pool.map(described, sorted(entries)))
    return Found(filesystem, files, tuple(file.name for file in files))


def _info(filesystem: Any, url: str, path: str) -> dict[str, Any] | None:
    try:
        return dict(filesystem.info(path))
    except Exception as error:
        if (found := failure(url, error)).is_network:
            raise found from None
        return None


def _url_of(path: str, base: str, base_path: str) -> str:
    """Return the URL of a file that was listed: web servers list URLs, others paths."""
    return path if is_url(path) else base + path.lstrip("/").removeprefix(base_path.lstrip("/"))
