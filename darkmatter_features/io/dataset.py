"""Data sets of skies on disk: this module alone knows the names of their folders, files and columns."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.labels import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from darkmatter_features.io.labels import LENS_FRAME as LENS_FRAME
from darkmatter_features.io.labels import read_labels, read_lenses, read_records, stem_of, write_records

SPLITS = ("training", "validation")

TRUTH_COLUMNS = ("x", "y", "e1", "e2")


@dataclass(frozen=True)
class _Layout:
    """Names of folders, the training split's first, and of the label files beside them."""

    number: int
    folders: tuple[str, str]
    labels: str


LAYOUTS = (
    _Layout(1, ("training", "validation"), "{}-labels.csv"),
    _Layout(2, ("train", "test"), "{}.csv"),
    _Layout(3, ("train_images", "test_images"), "{}.csv"),
)


@dataclass(frozen=True, eq=False)
class Split:
    """The skies that a model learns from, or those it is judged by.

    Attributes
    ----------
    name : str
        "training" or "validation".
    files : (n,) tuple of Path
        The pictures, sorted by file name.
    labels : (n,) int8 array or None, read-only
        1 where the sky has a lens, 0 where not; None where nobody says.
    lens_rows, lens_columns : (n,) float64 arrays, pixels of a 512 px picture, read-only
        Where the lens is, as in the files; nan where there is none or its place is unknown.
    """

    name: str
    files: tuple[Path, ...]
    labels: NDArray[np.int8] | None
    lens_rows: NDArray[np.float64]
    lens_columns: NDArray[np.float64]

    def __post_init__(self) -> None:
        for array in (self.labels, self.lens_rows, self.lens_columns):
            if array is not None:
                array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.files)

    def lens_position(self, index: int, shape: tuple[int, int]) -> tuple[float, float]:
        """Scale a lens position from the 512 px frame to a picture's own pixels.

        Parameters
        ----------
        index : int
            Place of the sky in the split.
        shape : (n_rows, n_columns)
            Of the picture, in pixels.

        Returns
        -------
        row, column : float, pixels
            Zero-based, centres of pixels at integers; nan where unknown.
        """
        position = np.array([self.lens_rows[index], self.lens_columns[index]])
        row, column = (position + 0.5) * shape / LENS_FRAME - 0.5
        return float(row), float(column)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set of skies; `Dataset.open` finds out its layout.

    Attributes
    ----------
    root : Path
        Its folder.
    layout : int
        1, 2 or 3.
    training, validation : Split or None
        None where the data set has no such pictures.
    """

    root: Path
    layout: int
    training: Split | None
    validation: Split | None

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that are there, training first."""
        return tuple(split for split in (self.training, self.validation) if split is not None)

    def relative(self, file: Path) -> str:
        """Name a picture from the data set's folder on, with forward slashes."""
        return file.relative_to(self.root).as_posix()

    @classmethod
    def open(cls, path: str | Path) -> "Dataset":
        """Find a data set's pictures, labels and lens positions.

        Parameters
        ----------
        path : str or Path
            Folder with `training` and `validation`, `train` and `test`, or `train_images` and `test_images`;
            one of the two is enough.

        Returns
        -------
        Dataset
            Its files are listed, none of its pictures is read.

        Raises
        ------
        DatasetError
            Where there is no such folder, no picture in it, or labels or lenses that do not fit the pictures.

        Notes
        -----
        A label or lens file names skies by their file names, with or without ending, or by their places in
        the sorted order, from 0. Integers that could be both are places in layout 1, and names elsewhere.
        """
        root = Path(path)
        layout, pictures = _find_images(root)
        splits = (
            _open_split(root, layout, name, folder, files) if files is not None else None
            for name, folder, files in zip(SPLITS, layout.folders, pictures, strict=True)
        )
        return cls(root, layout.number, *splits)


def _find_images(root: Path) -> tuple[_Layout, tuple[list[Path] | None, ...]]:
    """Find the first layout that has pictures, and list them; None where a split has no folder."""
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder; look at the spelling, or simulate a data set there")
    for layout in LAYOUTS:
        pictures = tuple(list_images(root / folder) for folder in layout.folders)
        if any(pictures):
            return layout, pictures
    folders = ", ".join(f"{folder}/" for layout in LAYOUTS for folder in layout.folders)
    found = f"{root} holds no data set: there are no pictures in {folders}"
    raise DatasetError(f"{found}; give the folder that holds one of them, or simulate a data set there")


def list_images(folder: Path) -> list[Path] | None:
    """Return the pictures of a folder, sorted; None where there is no such folder."""
    if not folder.is_dir():
        return None
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    return [folder / name for name in sorted(names) if name.lower().endswith(IMAGE_SUFFIXES)]


def _open_split(root: Path, layout: _Layout, name: str, folder: str, files: list[Path]) -> Split | None:
    """Read the label file and the lens file beside a folder of pictures; None where there is nothing."""
    stem, names = folder.removesuffix("_images"), [file.name for file in files]
    by_place = layout.number == 1
    labels = read_labels(root / layout.labels.format(stem), names, by_place=by_place)
    rows, columns = read_lenses(root / f"{stem}-lenses.csv", names, labels, by_place=by_place)
    return Split(name, tuple(files), labels, rows, columns) if files else None


def image_path(root: str | Path, split: str, index: int, *, suffix: str = ".png") -> Path:
    """Where a written data set keeps a picture.

    Examples
    --------
    >>> image_path("data", "training", 7).as_posix()
    'data/training/training-00007.png'
    """
    if not 0 <= index < 100_000:
        raise DatasetError(f"no file name for picture {index}: a split has at most 100000, so that they sort by number")
    return Path(root) / split / f"{split}-{index:05d}{suffix}"


def truth_path(root: str | Path, picture: str | Path) -> Path:
    """Where a simulated data set keeps the true galaxies of a picture: a CSV file of the same stem."""
    return Path(root) / "truth" / f"{stem_of(Path(picture).name)}.csv"


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
    write_records(truth_path(root, picture), TRUTH_COLUMNS, rows)


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
    (_, header), *records = read_records(path)
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
    positions = ([place, f"{row:.3f}", f"{column:.3f}"] for place, (row, column) in zip(np.flatnonzero(labels), lenses))
    write_records(Path(root) / f"{split}-labels.csv", ("sky-id", "n-lenses"), enumerate(labels))
    write_records(Path(root) / f"{split}-lenses.csv", ("sky-id", "row", "column"), positions)


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
    write_records(Path(root) / "truth" / "skies.csv", ("file", "row", "column", "strength"), rows)


def _number(value: float) -> str:
    """Write a number to four places, and nothing where it is unknown."""
    return "" if np.isnan(value) else f"{value:.4f}"
