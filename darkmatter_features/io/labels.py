"""Label files and lens files: CSV with a header; the first column identifies an image."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import DatasetError, shown
from darkmatter_features.io.formats import IMAGE_SUFFIXES
from darkmatter_features.io.table import written_whole

LENS_FRAME = 512
"""Side of the frame to which lens positions in files refer, pixels, whatever the size of the images."""

MAX_DIGITS = 18
"""Maximum number of digits of an id that is an index; Python converts no more than 4,300."""

_Records = list[tuple[int, list[str]]]
"""Line number and fields of each line of a CSV file."""

_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
"""Labels by their text in a file."""


def read_labels(path: Path, names: Sequence[str], *, by_index: bool) -> NDArray[np.int8] | None:
    """Read the labels of a split, in the order of its images.

    Parameters
    ----------
    path : Path
        CSV file with a header and, for every image in any order, columns id and label (0 or 1).
    names : (n,) sequence of str
        File names of the images.
    by_index : bool
        Whether integer ids are indices into `names` even where an image has such a name.

    Returns
    -------
    (n,) int8 array or None
        1 where the sky has a lens, 0 where not; None if there is no such file, or no label in it.

    Raises
    ------
    DatasetError
        If ids are unknown, missing or repeated, or a label is neither 0 nor 1.
    """
    if not path.exists():
        return None
    _, *records = read_records(path)
    indices = _indices(path, records, names, by_index)
    _check_complete(path, indices, names)
    if not any(any(fields[1:2]) for _, fields in records):
        return None
    labels = np.zeros(len(names), dtype=np.int8)
    labels[indices] = [_label(path, line, fields) for line, fields in records]
    return labels


def _check_complete(path: Path, indices: list[int], names: Sequence[str]) -> None:
    """Raise an error if an image has no label."""
    missing = [names[index] for index in sorted(set(range(len(names))) - set(indices))]
    if missing:
        found = f"{path} has no label for {len(missing)} of {len(names)} images: {_few(missing)}"
        raise DatasetError(f"{found}; add their lines, or remove the images")


def _label(path: Path, line: int, fields: list[str]) -> int:
    """Return the label in the second field of a line."""
    value = fields[1] if len(fields) > 1 else ""
    if value not in _LABELS:
        raise DatasetError(f"{path}, line {line}: the label '{shown(value)}' is neither 0 nor 1; correct it")
    return _LABELS[value]


def read_lenses(
    path: Path, names: Sequence[str], labels: NDArray[np.int8] | None, *, by_index: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the lens positions of a split, in the order of its images.

    Parameters
    ----------
    path : Path
        CSV file with a header and columns id, row and column; row and column are pixels of the 512 px frame. It may be
        missing.
    names : (n,) sequence of str
        File names of the images.
    labels : (n,) int8 array or None
        Labels of the images, with which the lenses must be consistent.
    by_index : bool
        Whether integer ids are indices into `names` even where an image has such a name.

    Returns
    -------
    rows, columns : (n,) float64 arrays, pixels of the 512 px frame
        Positions of the lenses; nan where the file has none.

    Raises
    ------
    DatasetError
        If ids are unknown or repeated, or a lens is outside the frame or in a sky with label 0.
    """
    positions = np.full((2, len(names)), np.nan)
    if path.exists():
        (_, header), *records = read_records(path)
        if header[1:3] != ["row", "column"]:
            raise DatasetError(
                f"{path} has the columns '{shown(','.join(header))}'; give an id, row and column, in this order"
            )
        for index, (line, fields) in zip(_indices(path, records, names, by_index), records):
            positions[:, index] = _position(path, line, fields)
            if labels is not None and labels[index] == 0:
                found = f"{path}, line {line}: a lens in {names[index]}, whose label is 0"
                raise DatasetError(f"{found}; correct the label or remove the lens")
    return positions[0], positions[1]


def _position(path: Path, line: int, fields: list[str]) -> tuple[float, float]:
    """Return the position of a lens; raise an error if it is outside the frame, whose edges are allowed."""
    try:
        row, column = map(float, fields[1:3])
        if 0 <= row <= LENS_FRAME and 0 <= column <= LENS_FRAME:
            return row, column
    except ValueError:
        pass
    found = f"{path}, line {line}: the lens at '{shown(','.join(fields[1:3]))}' is outside the frame"
    raise DatasetError(f"{found}; give row,column from 0 to {LENS_FRAME}, in pixels of a {LENS_FRAME} px image")


def _indices(path: Path, records: _Records, names: Sequence[str], by_index: bool) -> list[int]:
    """Return the index into `names` of every record's id, its first field."""
    ids = [fields[0] for _, fields in records]
    known = _known(names)
    if all(map(str.isdecimal, ids)) and (by_index or known.keys().isdisjoint(ids)):
        known = {id_: int(id_) for id_ in ids if len(id_) <= MAX_DIGITS and int(id_) < len(names)}
    unknown = [id_ for id_ in ids if id_ not in known]
    if unknown:
        found = f"{path} has ids without an image ({len(unknown)} of {len(ids)})"
        raise DatasetError(f"{found}: {_few(unknown)}; remove their lines, or add the images")
    indices = [known[id_] for id_ in ids]
    repeated = [names[index] for index, count in Counter(indices).items() if count > 1]
    if repeated:
        found = f"{path} has more than one line for some images ({len(repeated)})"
        raise DatasetError(f"{found}: {_few(repeated)}; keep one line for each")
    return indices


def _known(names: Sequence[str]) -> dict[str, int]:
    """Return the index of each image by its file name, and by its stem where no other image has the same."""
    stems = [stem_of(name) for name in names]
    counts = Counter(stems)
    indices = {stem: index for index, stem in enumerate(stems) if counts[stem] == 1}
    return indices | {name: index for index, name in enumerate(names)}


def _few(names: Sequence[str]) -> str:
    """Return the first three names for a message."""
    return ", ".join(map(shown, names[:3])) + (", ..." if len(names) > 3 else "")


def stem_of(name: str) -> str:
    """Return the file name of an image without its suffix.

    Examples
    --------
    >>> stem_of("training-00007.fits.gz")
    'training-00007'
    """
    suffix = next((suffix for suffix in IMAGE_SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def write_records(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file, atomically."""
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _delimiter(file: TextIO) -> str:
    """Return the character that separates the fields of the first line, and go back to the start."""
    head = file.readline()
    file.seek(0)
    return next((mark for mark in ",;\t" if mark in head), ",")


def read_records(path: Path) -> _Records:
    """Return the lines of a CSV file that are not blank, a header at least, with fields separated as in its header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, delimiter=_delimiter(file))
            records = [(reader.line_num, [field.strip() for field in row]) for row in reader if any(row)]
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{path} cannot be read as CSV: {reason}; check its content and permissions") from None
    if not records:
        raise DatasetError(f"{path} is empty; give a header, and a line for every sky")
    return records
