"""Data sets behind a URL: which of their files are needed, and a copy of these in the cache, by fsspec."""

import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from darkmatter_features.errors import DatasetError, install_command
from darkmatter_features.io.cache import cache_folder, locked
from darkmatter_features.io.download import N_CONNECTIONS, RemoteFile, download, failure, is_http
from darkmatter_features.io.formats import is_image_name
from darkmatter_features.io.layouts import LAYOUTS, choose_layout, known_folders
from darkmatter_features.io.table import written_whole
from darkmatter_features.io.url_options import options_of
from darkmatter_features.urls import without_password

_LISTING = "listing.json"
"""File with the names, sizes and versions of the files of a copy."""

_VERSIONS = (
    "ETag", "etag", "Content-MD5", "md5Hash", "crc32c", "generation", "Last-Modified", "LastModified", "mtime",
    "created",
)  # fmt: skip
"""Properties of a remote file that change with its content."""

_Entries = dict[str, dict[str, Any]]
"""Properties of the files and folders of a remote folder, by name."""


def fetch(url: str, *, cache: Path | None = None, progress: Callable[[int, int], None] | None = None) -> Path:
    """Return a local copy of the data set behind a URL: its images or zip files, labels and lens positions.

    Parameters
    ----------
    url : str
        Folder, as `gs://`, `s3://`, `https://` or any other URL of fsspec. It is read without credentials unless the
        configuration of fsspec has some. A web server that does not list its folders must have the label files and the
        zip files under their names.
    cache : Path, optional
        Folder of the copies; `datasets` in the folder of `DARKMATTER_CACHE`, or in the cache of the user.
    progress : callable, optional
        Function called with the megabytes downloaded and their total; not called if the copy is complete.

    Returns
    -------
    Path
        Folder of the copy. A complete copy is used without the network: remove the folder to download it again. A copy
        that is not complete is continued; files that have changed since then are downloaded again.

    Raises
    ------
    DatasetError
        If there is no data set, no permission or no network, or a package is missing.
    """
    home = (cache or cache_folder() / "datasets") / _folder_name(url)
    root, listed = home / "data", _read_listing(home)
    if listed and all(file.is_complete(root) for file in listed):
        return root
    with locked(home):
        source = _Source(url)
        files = source.files()
        known = {file.name: file for file in files}
        for old in listed:
            if known.get(old.name) != old:
                old.remove(root)
        content = json.dumps([file.as_list() for file in files], indent=0)
        with written_whole(home / _LISTING) as temporary:
            temporary.write_text(content, encoding="utf-8")
        download(source.filesystem, files, root, url=url, progress=progress)
    return root


def _folder_name(url: str) -> str:
    """Return a name for the copy: host and path without user or password, and a digest of the URL."""
    url = url.rstrip("/")
    parts = urlsplit(url)
    text = re.sub(r"[^\w.]+", "-", f"{parts.hostname or ''}{parts.path}").strip("-.")[-80:]
    return f"{text}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def _read_listing(home: Path) -> list[RemoteFile]:
    """Return the files of a copy; none if it has no listing, or a damaged one."""
    try:
        content = json.loads((home / _LISTING).read_text(encoding="utf-8"))
        return [RemoteFile(*values) for values in content]
    except (OSError, ValueError, TypeError):
        return []


class _Source:
    """Remote folder of a data set.

    Parameters
    ----------
    url : str
        URL of the folder.

    Raises
    ------
    DatasetError
        If the kind of URL is unknown, or its package is missing.
    """

    def __init__(self, url: str) -> None:
        self.filesystem, path = open_url(url)
        self.url, self._path = url, path.rstrip("/")
        self._errors: list[Exception] = []

    def files(self) -> list[RemoteFile]:
        """Return the files of the data set.

        Raises
        ------
        DatasetError
            If there is no data set, no permission or no network.
        """
        chosen = self._chosen(self._children(""))
        if not chosen and (self._errors or is_http(self.filesystem)):
            chosen = self._chosen(self._probed())
        if not chosen:
            self._raise_not_found()
        with ThreadPoolExecutor(N_CONNECTIONS) as pool:
            return list(pool.map(self._with_size, chosen.items()))

    def _chosen(self, entries: _Entries) -> _Entries:
        """Return the files that belong to the data set, out of those of its folder, by name."""
        folders = {folder for layout in LAYOUTS for folder in layout.folders if folder in entries}
        folders = {name for name in folders if entries[name].get("type") == "directory"}
        images = {name: self._images(name) for name in sorted(folders)}
        layout = choose_layout(lambda name: bool(images.get(name)), lambda name: f"{name}.zip" in entries)
        if layout is None:
            return {}
        chosen: _Entries = {}
        for folder in layout.folders:
            chosen |= images.get(folder) or {}
            names = [layout.label_file(folder), layout.lens_file(folder)]
            names += [] if images.get(folder) else [f"{folder}.zip"]
            chosen |= {name: entries[name] for name in names if name in entries}
        return chosen

    def _images(self, folder: str) -> _Entries:
        entries = self._children(folder)
        return {f"{folder}/{name}": entry for name, entry in entries.items() if is_image_name(name)}

    def _children(self, folder: str) -> _Entries:
        """Return what a folder contains, by name; nothing if it cannot be listed, for a reason that is kept."""
        try:
            listed = self.filesystem.ls(f"{self._path}/{folder}".rstrip("/"), detail=True)
        except Exception as error:
            self._keep(error)
            return {}
        entries = {entry["name"].rstrip("/").rpartition("/")[2]: entry for entry in listed}
        return {
            name: entry for name, entry in entries.items() if name not in ("", ".", "..") and not set("\\:") & set(name)
        }

    def _probed(self) -> _Entries:
        """Return the files with the known names, by name."""
        names = [
            name for layout in LAYOUTS for folder in layout.folders
            for name in (f"{folder}.zip", layout.label_file(folder), layout.lens_file(folder))
        ]  # fmt: skip
        with ThreadPoolExecutor(N_CONNECTIONS) as pool:
            found = dict(zip(names, pool.map(self._info, names)))
        return {name: entry for name, entry in found.items() if entry is not None}

    def _info(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self.filesystem.info(f"{self._path}/{name}"))
        except Exception as error:
            self._keep(error)
            return None

    def _keep(self, error: Exception) -> None:
        """Keep an error; raise it if there is no network."""
        if failure(self.url, error).is_network:
            raise failure(self.url, error) from None
        self._errors.append(error)

    def _with_size(self, item: tuple[str, dict[str, Any]]) -> RemoteFile:
        name, entry = item
        if entry.get("size") is None and "ETag" not in entry:
            entry = self._info(name) or entry
        return RemoteFile(name, f"{self._path}/{name}", version_of(entry), entry.get("size"))

    def _raise_not_found(self) -> None:
        failures = [failure(self.url, error) for error in self._errors]
        refused = [each for each in failures if each.is_permission]
        if refused or (failures and not is_http(self.filesystem)):
            raise (refused or failures)[0] from None
        found = f"is not a data set: no images in {known_folders()}, and no zip file of these names"
        raise DatasetError(f"{without_password(self.url)} {found}; check the URL") from None


def version_of(entry: dict[str, Any]) -> str:
    """Return a digest of what a server gives for the version of a file; "" if nothing."""
    version = json.dumps([[key, str(entry[key])] for key in _VERSIONS if entry.get(key)])
    return hashlib.sha256(version.encode()).hexdigest()[:16] if version != "[]" else ""


def open_url(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, without what it knows of folders, and the path in it.

    Raises
    ------
    DatasetError
        If the kind of URL is unknown, or its package is missing.
    """
    try:
        filesystem, path = _opened(url)
        filesystem.invalidate_cache()  # instances are kept in the process
    except ImportError as error:
        found = f"{without_password(url)} needs a package that is missing ({error})"
        raise DatasetError(f"{found}; install it: {install_command('remote')}") from None
    except ValueError as error:
        raise DatasetError(
            f"{without_password(url)} cannot be opened: {error}; give a URL as gs://, s3:// or https://"
        ) from None
    except Exception as error:
        raise failure(url, error) from None
    return filesystem, str(path)


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it.

    For Google's, the plain class: that of the registry asks for the type of a bucket first, by another protocol, which
    needs a permission that anonymous users lack, and waits for a minute where there is no network.
    """
    from fsspec.core import url_to_fs

    protocol, _, path = url.partition("://")
    if protocol in ("gs", "gcs"):
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem(**options_of(url)), path
    filesystem, path = url_to_fs(url, **options_of(url))
    return filesystem, path
