"""Files that a glob pattern stands for."""

import glob
from pathlib import Path

from darkmatter_features.io.parts import split_pattern


def matching(pattern: str | Path) -> list[Path]:
    """Return the files and folders that match a glob pattern, sorted.

    Parameters
    ----------
    pattern : str or Path
        Pattern with ``*``, ``?``, ``[...]`` or ``**``. Leading folders that exist under their literal name are no
        pattern: brackets in them stand for themselves.
    """
    parts, known = Path(pattern).parts, Path()
    n_known = 0
    for part in parts[:-1]:
        if not (known / part).is_dir():
            break
        known, n_known = known / part, n_known + 1
    rest = Path(*parts[n_known:])
    return sorted(known / found for found in glob.glob(str(rest), root_dir=known, recursive=True))


def is_pattern(place: str | Path) -> bool:
    """Return whether a path is a glob pattern, and no file or folder of that name.

    Brackets at the end alone, as in ``missing.fits[1]``, are a part of a file unless files match them.
    """
    if not glob.has_magic(str(place)) or Path(place).exists():
        return False
    return glob.has_magic(split_pattern(str(place))[0]) or bool(matching(place))


def matching_parts(pattern: str | Path) -> list[Path]:
    """Return the files that match a glob pattern, sorted, or their parts, as for ``fields/*.fits[CAT]``."""
    found = [path for path in matching(pattern) if path.is_file()]
    if found:
        return found
    files, part = split_pattern(str(pattern))
    return [Path(f"{path}{part}") for path in (matching(files) if glob.has_magic(files) else []) if path.is_file()]
