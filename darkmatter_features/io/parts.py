"""Part of a file that is named behind its path, as CFITSIO has it: ``shapes.fits[2]``, ``shapes.fits[CAT,2]``."""

import re
from dataclasses import dataclass
from pathlib import Path

_BEHIND_A_PATH = re.compile(r"(?P<path>.+)\[(?P<part>[^\[\]]+)\]", re.DOTALL)
_NAME_AND_VERSION = re.compile(r"(?P<name>.+?)\s*,\s*(?P<version>\d+)")


@dataclass(frozen=True)
class Part:
    """Extension of a FITS file, table of a VOTable or group of an HDF5 file; give either its number or its name.

    Attributes
    ----------
    index : int or None
        Number of the extension; 0 is the primary one.
    name : str or None
        Name (EXTNAME); case has no effect.
    version : int or None
        Version (EXTVER); None for any.
    """

    index: int | None = None
    name: str | None = None
    version: int | None = None

    def __str__(self) -> str:
        if self.index is not None:
            return str(self.index)
        return f"{self.name}" if self.version is None else f"{self.name},{self.version}"


def parse_part(text: str) -> Part:
    """Return the part that ``2``, ``CAT`` or ``CAT,2`` names.

    Examples
    --------
    >>> parse_part("CAT,2")
    Part(index=None, name='CAT', version=2)
    """
    text = text.strip()
    if text.isdecimal():
        return Part(index=int(text))
    found = _NAME_AND_VERSION.fullmatch(text)
    return Part(name=found["name"], version=int(found["version"])) if found else Part(name=text)


def split_part(path: str | Path) -> tuple[Path, Part | None]:
    """Return the file and the part that a path names.

    A file that exists under the whole name, brackets and all, is that file. Without a file before the brackets, the
    path is returned as it is.

    Examples
    --------
    >>> split_part("no-such-file.fits[2]")[1] is None
    True
    """
    path = Path(path)
    has_part = path.name.endswith("]") and not path.exists()
    found = _BEHIND_A_PATH.fullmatch(str(path)) if has_part else None
    if found is None or not Path(found["path"]).is_file():
        return path, None
    return Path(found["path"]), parse_part(found["part"])


def split_pattern(pattern: str) -> tuple[str, str]:
    """Return a glob pattern without the part behind it, and the part with its brackets; "" if there is none.

    Examples
    --------
    >>> split_pattern("fields/*.fits[CAT]")
    ('fields/*.fits', '[CAT]')
    """
    found = _BEHIND_A_PATH.fullmatch(pattern)
    return (found["path"], f"[{found['part']}]") if found else (pattern, "")


def matches(part: Part, index: int, name: str, version: int = 1) -> bool:
    """Return whether a part is the one of this number, name and version.

    Examples
    --------
    >>> matches(Part(name="cat"), 3, "CAT"), matches(Part(name="cat", version=2), 3, "CAT")
    (True, False)
    """
    if part.index is not None:
        return part.index == index
    same_name = part.name is not None and part.name.strip().lower() == name.strip().lower()
    return same_name and part.version in (None, version)


def with_part(path: str | Path, part: str | None) -> Path:
    """Return the path of a part of a file; a path that already names a part stays.

    Examples
    --------
    >>> with_part("sky.fits", "SCI,2")
    PosixPath('sky.fits[SCI,2]')
    """
    return Path(path) if part is None or split_part(path)[1] is not None else Path(f"{path}[{part}]")
