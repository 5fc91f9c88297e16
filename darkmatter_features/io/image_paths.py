"""Image files that a file name, a folder or a glob pattern stands for."""

from collections.abc import Sequence
from pathlib import Path

from darkmatter_features.errors import SkyError
from darkmatter_features.io.copies import fetch_places
from darkmatter_features.io.formats import IMAGE_SUFFIXES, format_of, is_image_name
from darkmatter_features.io.parts import split_part, with_part
from darkmatter_features.io.places import is_pattern, matching_parts
from darkmatter_features.io.url_places import IMAGES

ALL_PARTS = "*"
"""Part of a FITS file that stands for all its images of the sky."""


def find_skies(places: Sequence[str | Path], *, part: str | None = None) -> list[Path]:
    """Return the images of files, folders and glob patterns, in their order, without repetitions.

    Parameters
    ----------
    places : sequence of str or Path
        A folder stands for the images directly in it, sorted. A missing file is kept, for an error of its own. What is
        given by a URL is copied first, see :func:`~darkmatter_features.io.copies.fetch_places`.
        ``FILE[SCI,2]`` is a part of a file, and ``FILE[*]`` stands for all images of the sky in a FITS file.
    part : str, optional
        Part of all FITS files that name none themselves, such as "SCI,2", "1" or "*".

    Raises
    ------
    SkyError
        If a folder or a pattern contains no image.
    """
    files = (path for place in fetch_places(places, IMAGES) for path in _images(Path(place)))
    return list(dict.fromkeys(own for path in files for own in _parts(path, part)))


def _images(place: Path) -> list[Path]:
    if split_part(place)[1] is not None:
        return [place]
    if place.is_dir():
        found = sorted(path for path in place.iterdir() if _is_image(path))
    elif is_pattern(place):
        found = [path for path in matching_parts(place) if is_image_name(split_part(path)[0].name)]
    else:
        return [place]
    if not found:
        raise SkyError(f"{place}: no images there (suffixes {', '.join(IMAGE_SUFFIXES)}); name files or a folder")
    return found


def _parts(path: Path, part: str | None) -> list[Path]:
    """Return the parts of a file that were asked for, or the file."""
    path = with_part(path, part) if part is not None and _is_fits(path) else path
    file, chosen = split_part(path)
    if chosen is None or chosen.name != ALL_PARTS:
        return [path]
    from darkmatter_features.io.images.fits import science_parts

    try:
        names = science_parts(file)
    except Exception:  # reading the image will give the reason
        return [file]
    return [with_part(file, name) for name in names] or [file]


def _is_fits(path: Path) -> bool:
    try:
        with split_part(path)[0].open("rb") as file:
            found = format_of(file.read(16))
    except OSError:
        return False
    return found is not None and found.name == "FITS"


def _is_image(path: Path) -> bool:
    return is_image_name(path.name) and path.is_file()
