"""Parts of a file: ``FILE[SCI]``, ``FILE[SCI,2]`` and ``FILE[1]``, as in CFITSIO."""

import re
from pathlib import Path
from typing import NamedTuple

_PART = re.compile(r"^(?P<path>.+)\[(?P<name>[^\[\],]+)(?:,\s*(?P<version>\d{1,9}))?\]$", re.DOTALL)


class Part(NamedTuple):
    """Part of a file that a user chose.

    Attributes
    ----------
    name : str
        Name of the extension, or its number as digits: 0 for the first part of a file.
    version : int or None
        Version of the extension (EXTVER); None for any.
    """

    name: str
    version: int | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name},{self.version}"

    def matches(self, index: int, name: str, version: int) -> bool:
        """Return whether a part of a file, with its number, name and version, is the chosen one."""
        if self.version not in (None, version):
            return False
        same_name = name.strip().upper() == self.name.strip().upper()
        return same_name or (self.version is None and self.name.strip().isdecimal() and int(self.name) == index)


def split_part(path: str | Path) -> tuple[Path, Part | None]:
    """Return the file of a path such as ``FILE[SCI,2]``, and the part of it; None for the whole file.

    A file that has such a name itself is taken whole.

    Examples
    --------
    >>> split_part("sky.fits[SCI,2]")
    (PosixPath('sky.fits'), Part(name='SCI', version=2))
    """
    found = _PART.match(str(path))
    if found is None or Path(path).exists():
        return Path(path), None
    version = found["version"]
    return Path(found["path"]), Part(found["name"].strip(), None if version is None else int(version))


def with_part(path: str | Path, part: str | None) -> Path:
    """Return the path of a part of a file; a path that already names a part stays.

    Examples
    --------
    >>> with_part("sky.fits", "SCI,2")
    PosixPath('sky.fits[SCI,2]')
    """
    return Path(path) if part is None or split_part(path)[1] is not None else Path(f"{path}[{part}]")
