"""Label files and lens files: CSV with a header, whose first column says which picture a line is about."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.table import written_whole

LENS_FRAME = 512
"""Side of the picture, in pixels, that lens positions in files refer to, whatever the pictures' own size."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".fits", ".fit", ".fits.gz")

_Records = list[tuple[int, list[str]]]
"""Line number and fields of lines of a CSV file."""

_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}


def read_labels(path: Path, names: Sequence[str], *, by_place: bool) -> NDArray[np.int8] | None:
    """Read a label file: its second column, in the order of the pictures.

    Parameters
    ----------
    path : Path
        A header, then an id and a label, 0 or 1, for every picture, in any order.
    names : (n,) sequence of str
        File names of the pictures.
    by_place : bool
        Whether integers are places in `names` even where a picture has such a name.

    Returns
    -------
    (n,) int8 array or None
        None where there is no such file, or no label in it.

    Raises
    ------
    DatasetError
        Where ids are unknown, missing or repeated, or a label is neither 0 nor 1.
    """
    if not path.exists():
        return None
    _, *records = read_records(path)
    places = _places(path, records, names, by_place)
    _check_complete(path, places, names)
    if not any(any(fields[1:2]) for _, fields in records):
        return None
    labels = np.zeros(len(names), dtype=np.int8)
    labels[places] = [_label(path, line, fields) for line, fields in records]
    return labels


def _check_complete(path: Path, places: list[int], names: Sequence[str]) -> None:
    missing = [names[place] for place in sorted(set(range(len(names))) - set(places))]
    if missing:
        found = f"{path} has no label for {len(missing)} of {len(names)} pictures: {_few(missing)}"
        raise DatasetError(f"{found}; add their lines, or take the pictures out")


def _label(path: Path, line: int, fields: list[str]) -> int:
    value = fields[1] if len(fields) > 1 else ""
    if value not in _LABELS:
        raise DatasetError(f"{path}, line {line}: the label {value!r} is neither 0 nor 1; mend it")
    return _LABELS[value]


def read_lenses(
    path: Path, names: Sequence[str], labels: NDArray[np.int8] | None, *, by_place: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read a lens file, in the order of the pictures.

    Parameters
    ----------
    path : Path
        A header, then id, row and column of lenses.
    names : (n,) sequence of str
        File names of the pictures.
    labels : (n,) int8 array or None
        What is known of the pictures, to check against.
    by_place : bool
        Whether integers are places in `names` even where a picture has such a name.

    Returns
    -------
    rows, columns : (n,) float64 arrays, pixels of a 512 px picture
        nan where the file, if there is one, says nothing.

    Raises
    ------
    DatasetError
        Where ids are unknown or repeated, or a lens is outside the picture or in a sky labelled 0.
    """
    positions = np.full((2, len(names)), np.nan)
    if path.exists():
        (_, header), *records = read_records(path)
        if header[1:3] != ["row", "column"]:
            raise DatasetError(f"{path} has the columns {','.join(header)!r}; an id, then row,column are wanted")
        for place, (line, fields) in zip(_places(path, records, names, by_place), records):
            positions[:, place] = _position(path, line, fields)
            if labels is not None and labels[place] == 0:
                found = f"{path}, line {line}: a lens in {names[place]}, whose label is 0"
                raise DatasetError(f"{found}; mend the label or take the lens out")
    return positions[0], positions[1]


def _position(path: Path, line: int, fields: list[str]) -> tuple[float, float]:
    """Check that a lens lies in the frame, its edges included."""
    try:
        row, column = map(float, fields[1:3])
        if 0 <= row <= LENS_FRAME and 0 <= column <= LENS_FRAME:
            return row, column
    except ValueError:
        pass
    found = f"{path}, line {line}: the lens at {','.join(fields[1:3])!r} is outside the picture"
    raise DatasetError(f"{found}; give row,column from 0 to {LENS_FRAME}, in pixels of a {LENS_FRAME} px picture")


def _places(path: Path, records: _Records, names: Sequence[str], by_place: bool) -> list[int]:
    """Find the place among the pictures of every record's id, its first field."""
    ids = [fields[0] for _, fields in records]
    known = _known(names)
    if all(map(str.isdecimal, ids)) and (by_place or known.keys().isdisjoint(ids)):
        known = {id_: int(id_) for id_ in ids if int(id_) < len(names)}
    unknown = [id_ for id_ in ids if id_ not in known]
    if unknown:
        found = f"{path} names skies that are not among the {len(names)} pictures, {len(unknown)} in all"
        raise DatasetError(f"{found}: {_few(unknown)}; take their lines out, or add the pictures")
    places = [known[id_] for id_ in ids]
    repeated = [names[place] for place, count in Counter(places).items() if count > 1]
    if repeated:
        found = f"{path} names skies more than once, {len(repeated)} in all"
        raise DatasetError(f"{found}: {_few(repeated)}; keep one line for each")
    return places


def _known(names: Sequence[str]) -> dict[str, int]:
    """Give the place of each picture by its file name, and by its stem where only one has it."""
    stems = [stem_of(name) for name in names]
    times = Counter(stems)
    places = {stem: place for place, stem in enumerate(stems) if times[stem] == 1}
    return places | {name: place for place, name in enumerate(names)}


def _few(names: Sequence[str]) -> str:
    return ", ".join(" ".join(name.split()) for name in names[:3]) + (", ..." if len(names) > 3 else "")


def stem_of(name: str) -> str:
    """Cut the ending off a picture's file name.

    Examples
    --------
    >>> stem_of("training-00007.fits.gz")
    'training-00007'
    """
    ending = next((ending for ending in IMAGE_SUFFIXES if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


def write_records(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file, whole or not at all."""
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_records(path: Path) -> _Records:
    """Read the lines that are not blank; there is at least one, the header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            records = [(reader.line_num, [field.strip() for field in row]) for row in reader if any(row)]
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not text in UTF-8; save it again as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{path} cannot be read as CSV: {reason}; look at it and its permissions") from None
    if not records:
        raise DatasetError(f"{path} is empty; a header is wanted, then a line for every sky")
    return records
