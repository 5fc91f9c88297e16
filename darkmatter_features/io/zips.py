"""Images in zip files: checked, and extracted once into a cache, whole or not at all."""

import hashlib
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path

from darkmatter_features.errors import DatasetError, OutputError
from darkmatter_features.io.cache import (
    CACHE_VARIABLE,
    cache_folder,
    check_space,
    given_cache_folder,
    is_writable,
    locked,
)
from darkmatter_features.io.formats import IMAGE_SUFFIXES
from darkmatter_features.io.images.decoded import COPY_AGAIN
from darkmatter_features.io.table import written_whole

BESIDE = ".darkmatter-cache"
"""Folder of the extracted images, beside the zip file."""

MAX_MEMBERS = 1_000_000
"""Maximum number of members of a zip file."""

MAX_BYTES = 2**40
"""Maximum size of all members, bytes: 1 TiB."""

MAX_EXPANSION = 200
"""Maximum ratio of the size of all members to that of the zip file: dark FITS images reach about 100."""

SMALL_BYTES = 2**30
"""Size of all members, bytes, up to which any expansion is allowed: 1 GiB harms no disk."""

_COPY_BYTES = 2**20
"""Bytes that are copied at once."""

_DAMAGE = (
    zipfile.BadZipFile, zlib.error, LZMAError, struct.error, EOFError, ValueError, OverflowError, RuntimeError,
)  # fmt: skip
"""Errors that damaged bytes cause."""

_Members = dict[str, zipfile.ZipInfo]
"""Members that are images, by file name."""

_MAKE_AGAIN = "make the zip file again from a folder of plain images"
"""Remedy for an unsafe zip file."""


def extracted(archive: Path, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Return a folder with the images of a zip file, extracted where that is not yet done.

    Parameters
    ----------
    archive : Path
        Zip file with images in its root or in one folder. Files whose names start with a dot, ``__MACOSX``, and files
        that are no images are left out.
    progress : callable, optional
        Function called with the number of images extracted and their total; not called if all were extracted before.

    Returns
    -------
    Path
        Folder of the name of the zip file, without its suffix: in `.darkmatter-cache` beside it, or in the cache of the
        user if that cannot be written or `DARKMATTER_CACHE` is set. The images have the modification time of the
        zip file.

    Raises
    ------
    DatasetError
        If the zip file is damaged, encrypted or unsafe, has no images, or the disk is full.

    Notes
    -----
    An extraction that was killed is resumed. A changed zip file is extracted again, and then the images of the earlier
    one are removed from the cache.
    """
    members = _image_members(archive)
    homes, key = _homes(archive), _key(archive)
    for home in homes:
        if not _lacking(home / key / archive.stem, members):
            return home / key / archive.stem
    home = next(filter(is_writable, homes), homes[-1])
    with locked(home), _errors_named(archive):
        _extract(archive, members, home / key, progress)
        for old in home.iterdir():
            if re.fullmatch(r"[0-9a-f]{16}(\.part)?", old.name) and old.name != key:
                shutil.rmtree(old, ignore_errors=True)
    return home / key / archive.stem


def _homes(archive: Path) -> list[Path]:
    """Return the folders that may hold the extracted images, best first."""
    digest = hashlib.sha256(str(archive.resolve()).encode()).hexdigest()[:16]
    own = cache_folder() / "zips" / f"{archive.stem}-{digest}"
    return [own] if given_cache_folder() else [archive.parent / BESIDE / archive.name, own]


def _key(archive: Path) -> str:
    """Return a key that changes when the zip file does."""
    status = archive.stat()
    return hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]


def _lacking(folder: Path, members: _Members) -> list[str]:
    """Return the names of the images that a folder lacks, or has in another size."""
    try:
        with os.scandir(folder) as entries:
            sizes = {entry.name: entry.stat().st_size for entry in entries}
    except OSError:
        return list(members)
    return [name for name, member in members.items() if sizes.get(name) != member.file_size]


def _extract(archive: Path, members: _Members, whole: Path, progress: Callable[[int, int], None] | None) -> None:
    """Extract what is lacking; the folder `whole` appears when all is there."""
    top = whole if whole.exists() else whole.with_name(f"{whole.name}.part")
    folder = top / archive.stem
    folder.mkdir(parents=True, exist_ok=True)
    for remains in folder.glob(".*.tmp"):
        remains.unlink()
    lacking = _lacking(folder, members)
    check_space(folder, sum(members[name].file_size for name in lacking), str(archive))
    time = archive.stat().st_mtime_ns
    with zipfile.ZipFile(archive) as file:
        for number, name in enumerate(lacking, start=len(members) - len(lacking)):
            if progress is not None:
                progress(number, len(members))
            _extract_member(file, members[name], folder / name, time)
    if top != whole:
        top.rename(whole)
    if progress is not None:
        progress(len(members), len(members))


def _extract_member(file: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, time: int) -> None:
    """Write a member to a path. `zipfile` returns at most the declared number of bytes, and checks their sum."""
    with written_whole(path) as temporary:
        with temporary.open("wb") as target:
            for part in _parts(file, member):
                target.write(part)
        if temporary.stat().st_size != member.file_size:
            raise zipfile.BadZipFile(f"{member.filename} ends early")
        os.utime(temporary, ns=(time, time))


def _parts(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the bytes of a member; an error of the system is damage, such as a place before the start of the file."""
    try:
        with file.open(member) as source:
            while part := source.read(_COPY_BYTES):
                yield part
    except OSError as error:
        raise zipfile.BadZipFile(error.strerror or str(error)) from error


@contextmanager
def _errors_named(archive: Path) -> Iterator[None]:
    """Raise a DatasetError in place of the errors of the libraries."""
    try:
        yield
    except NotImplementedError as error:
        raise DatasetError(f"{archive} cannot be extracted: {_line(error)}; {_MAKE_AGAIN}") from None
    except OutputError as error:
        raise DatasetError(f"{archive} cannot be extracted: {error}, or set {CACHE_VARIABLE}") from None
    except OSError as error:
        if error.errno is None:  # of bz2, for damaged bytes
            raise _damaged(archive, error) from None
        found = f"{archive} cannot be extracted: {error.strerror}: {error.filename or ''}"
        raise DatasetError(f"{found}; check permissions and disk space, or set {CACHE_VARIABLE}") from None
    except _DAMAGE as error:
        raise _damaged(archive, error) from None


def _damaged(archive: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{archive} is damaged or not complete: {_line(error)}; {COPY_AGAIN}")


def _line(error: object) -> str:
    """Return a text in one line of at most 100 characters."""
    return " ".join(str(error).split())[:100] or type(error).__name__


def _image_members(archive: Path) -> _Members:
    """Return the images of a zip file, after checks of all members."""
    with _errors_named(archive), zipfile.ZipFile(archive) as file:
        members = file.infolist()
    _check_sizes(archive, members)
    for member in members:
        if defect := _defect(member):
            raise DatasetError(f"{archive} is unsafe: the member {_line(ascii(member.orig_filename))} {defect}")
    by_path = {member: _visible_parts(member.filename) for member in members if not member.is_dir()}
    images = {member: path for member, path in by_path.items() if path and path[-1].lower().endswith(IMAGE_SUFFIXES)}
    return _in_one_folder(archive, images)


def _check_sizes(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Raise an error if a zip file has too many members, or would expand too much."""
    if len(members) > MAX_MEMBERS:
        raise DatasetError(f"{archive} has {len(members)} members, more than {MAX_MEMBERS}; {_MAKE_AGAIN}")
    total, stored = sum(member.file_size for member in members), archive.stat().st_size
    if total > MAX_BYTES or total > max(SMALL_BYTES, MAX_EXPANSION * stored):
        limit = f"{MAX_BYTES} bytes" if total > MAX_BYTES else f"{MAX_EXPANSION} times its size"
        found = f"{archive} is unsafe: {stored} bytes would expand to {total}, more than {limit}"
        raise DatasetError(f"{found}; check its origin, or extract it yourself")


def _defect(member: zipfile.ZipInfo) -> str | None:
    """Return what is unsafe in a member, with the remedy; None if nothing is."""
    name, kind = member.orig_filename, stat.S_IFMT(member.external_attr >> 16)
    defects = {
        "has an absolute path": name.startswith("/") or re.match("[A-Za-z]:", name),
        "has a colon in its path": ":" in name,
        "has '..' in its path": ".." in re.split(r"[/\\]", name),
        "has a backslash in its path": "\\" in name,
        "has a zero byte in its name": "\0" in name,
        "is a symbolic link": kind == stat.S_IFLNK,
        "is no plain file": kind not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK),
    }
    found = next((defect for defect, is_found in defects.items() if is_found), None)
    if found is None and member.flag_bits & 1:
        return "is encrypted; extract it yourself with the password"
    return f"{found}; {_MAKE_AGAIN}" if found else None


def _visible_parts(path: str) -> tuple[str, ...]:
    """Return the folders and the name of a member; none if one of them is hidden."""
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    return () if any(part.startswith(".") or part == "__MACOSX" for part in parts) else parts


def _in_one_folder(archive: Path, images: dict[zipfile.ZipInfo, tuple[str, ...]]) -> _Members:
    """Return the images of the one folder that has them; those in its subfolders are left out, as on disk."""
    if not images:
        suffixes = ", ".join(IMAGE_SUFFIXES)
        raise DatasetError(f"{archive} has no images (suffixes {suffixes}); put the images of the split into it")
    folders = sorted({path[:-1] for path in images.values()})
    top = min(folders, key=len)
    if any(folder[: len(top)] != top for folder in folders):
        found = f"{archive} has images in several folders: {_line(', '.join(map('/'.join, folders)))}"
        raise DatasetError(f"{found}; put the images of the split into one")
    chosen: _Members = {}
    seen: set[str] = set()
    for member, (*folder, name) in images.items():
        if len(folder) > len(top):
            continue
        if name.casefold() in seen:  # whatever its case: many disks do not distinguish it
            raise DatasetError(f"{archive} has the image {_line(ascii(name))} more than once; keep one of each name")
        seen.add(name.casefold())
        chosen[name] = member
    return chosen
