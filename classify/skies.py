"""Image files that a file name, a folder or a glob pattern stands for."""

import glob
from collections.abc import Sequence
from pathlib import Path

from darkmatter_features.errors import SkyError
from darkmatter_features.io.dataset import IMAGE_SUFFIXES


def find_skies(places: Sequence[str | Path]) -> list[Path]:
    """Return the images of files, folders and glob patterns, in their order, without repetitions.

    Parameters
    ----------
    places : sequence of str or Path
        A folder stands for the images directly in it, sorted. A missing file is kept, for an error of its own.

    Raises
    ------
    SkyError
        If a folder or a pattern contains no image.
    """
    return list(dict.fromkeys(path for place in places for path in _images(Path(place))))


def _images(place: Path) -> list[Path]:
    if place.is_dir():
        found = sorted(path for path in place.iterdir() if _is_image(path))
    elif glob.has_magic(str(place)) and not place.is_file():
        found = sorted(path for path in map(Path, glob.glob(str(place), recursive=True)) if _is_image(path))
    else:
        return [place]
    if not found:
        raise SkyError(f"{place}: no images there (suffixes {', '.join(IMAGE_SUFFIXES)}); name files or a folder")
    return found


def _is_image(path: Path) -> bool:
    return path.name.lower().endswith(IMAGE_SUFFIXES) and not path.name.startswith(".") and path.is_file()
