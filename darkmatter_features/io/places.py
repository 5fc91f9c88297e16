"""Files that a glob pattern stands for."""

import glob
from pathlib import Path


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
    """Return whether a path is a glob pattern, and no file or folder of that name."""
    return glob.has_magic(str(place)) and not Path(place).exists()
