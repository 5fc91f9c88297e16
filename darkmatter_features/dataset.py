"""Data sets of skies on disk: this module alone knows the names of their folders, files and columns."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.errors import DatasetError
from darkmatter_features.table import written_whole

SPLITS = ("training", "validation")

LENS_FRAME = 512
"""Side of the picture, in pixels, that lens positions in files refer to, whatever the pictures' own size."""

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".fits", ".fit", ".fits.gz")

TRUTH_COLUMNS = ("x", "y", "e1", "e2")


def picture_path(root: str | Path, split: str, index: int, *, suffix: str = ".png") -> Path:
    """Where a written data set keeps a picture.

    Examples
    --------
    >>> picture_path("data", "training", 7).as_posix()
    'data/training/training-00007.png'
    """
    return Path(root) / split / f"{split}-{index:05d}{suffix}"


def truth_path(root: str | Path, picture: str | Path) -> Path:
    """Where a simulated data set keeps the true galaxies of a picture.

    Examples
    --------
    >>> truth_path("data", "data/training/training-00007.png").as_posix()
    'data/truth/training-00007.csv'
    """
    return Path(root) / "truth" / f"{_stem(Path(picture).name)}.csv"


def write_galaxy_truth(
    root: str | Path, picture: str | Path, x: ArrayLike, y: ArrayLike, e1: ArrayLike, e2: ArrayLike
) -> None:
    """Write the true galaxies of a simulated picture.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.
    picture : str or Path
        The picture; its stem names the file.
    x, y : (n,) array-like, pixels
        Centres of the galaxies: column and row, zero-based.
    e1, e2 : (n,) array-like
        Ellipticities after lensing.
    """
    columns = (np.asarray(values, dtype=np.float64) for values in (x, y, e1, e2))
    rows = ([f"{x:.4f}", f"{y:.4f}", f"{e1:.5f}", f"{e2:.5f}"] for x, y, e1, e2 in zip(*columns, strict=True))
    _write_csv(truth_path(root, picture), TRUTH_COLUMNS, rows)


def read_galaxy_truth(root: str | Path, picture: str | Path) -> dict[str, NDArray[np.float64]]:
    """Read what `write_galaxy_truth` wrote.

    Returns
    -------
    dict of (n,) float64 arrays
        `x` and `y` in pixels, `e1` and `e2` without unit.

    Raises
    ------
    DatasetError
        Where there is no such file, or it holds something else.
    """
    path = truth_path(root, picture)
    (_, header), *records = _read_csv(path)
    try:
        if tuple(header) != TRUTH_COLUMNS:
            raise ValueError
        values = np.array([fields for _, fields in records], dtype=np.float64).reshape(-1, len(header))
    except ValueError:
        raise DatasetError(f"{path} is no table of numbers x,y,e1,e2; simulate the data set again") from None
    return dict(zip(TRUTH_COLUMNS, values.T, strict=True))


def write_labels(
    root: str | Path, split: str, labels: ArrayLike, lens_rows: ArrayLike, lens_columns: ArrayLike
) -> None:
    """Write the labels of a split, and where the lenses of its lensed skies are.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.
    split : str
        "training" or "validation".
    labels : (n,) array-like of int
        1 where the sky has a lens, 0 where not, in the sorted order of the pictures.
    lens_rows, lens_columns : (n,) array-like, pixels of a 512 px picture
        Where the lens is; not looked at where the label is 0.
    """
    labels = np.asarray(labels, dtype=np.int8)
    lenses = zip(np.asarray(lens_rows)[labels == 1], np.asarray(lens_columns)[labels == 1], strict=True)
    positions = (
        [place, f"{row:.3f}", f"{column:.3f}"] for place, (row, column) in zip(np.flatnonzero(labels), lenses)
    )
    _write_csv(Path(root) / f"{split}-labels.csv", ("sky-id", "n-lenses"), enumerate(labels))
    _write_csv(Path(root) / f"{split}-lenses.csv", ("sky-id", "row", "column"), positions)


def write_sky_truth(
    root: str | Path,
    files: Sequence[str | Path],
    lens_rows: ArrayLike,
    lens_columns: ArrayLike,
    strengths: ArrayLike,
) -> None:
    """Write the true lens of every simulated sky to `truth/skies.csv`.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.
    files : (n,) sequence of str or Path
        The pictures, inside `root`.
    lens_rows, lens_columns : (n,) array-like, pixels of a 512 px picture
        Where the lens is; nan where there is none.
    strengths : (n,) array-like
        How strong the lens is, in the simulator's own measure; nan where there is none.
    """
    names = [Path(file).relative_to(root).as_posix() for file in files]
    lenses = zip(np.asarray(lens_rows), np.asarray(lens_columns), np.asarray(strengths), strict=True)
    rows = ([name, *map(_number, lens)] for name, lens in zip(names, lenses, strict=True))
    _write_csv(Path(root) / "truth" / "skies.csv", ("file", "row", "column", "strength"), rows)


def _number(value: float) -> str:
    """Write a number to four places, and nothing where it is unknown."""
    return "" if np.isnan(value) else f"{value:.4f}"


def _stem(name: str) -> str:
    """Cut the ending off a picture's file name."""
    ending = max((s for s in PICTURE_SUFFIXES if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(ending)]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _read_csv(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and fields of every line that is not blank; there is at least one, the header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            records = [(reader.line_num, [field.strip() for field in row]) for row in reader if any(row)]
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not text in UTF-8; save it again as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(
            f"{path} cannot be read as CSV: {reason}; look at the file and its permissions"
        ) from None
    if not records:
        raise DatasetError(f"{path} is empty; a header is wanted, then a line for every sky")
    return records
