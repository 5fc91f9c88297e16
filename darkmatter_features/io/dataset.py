"""Data sets of skies on disk: names of their folders and files; :mod:`~darkmatter_features.io.truth` has the truth."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.labels import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from darkmatter_features.io.labels import LENS_FRAME as LENS_FRAME
from darkmatter_features.io.labels import read_labels, read_lenses, write_records

SPLITS = ("training", "validation")
"""Names of the splits."""


@dataclass(frozen=True)
class _Layout:
    """Names of the image folders, training first, and of the label files beside them."""

    number: int
    folders: tuple[str, str]
    labels: str


LAYOUTS = (
    _Layout(1, ("training", "validation"), "{}-labels.csv"),
    _Layout(2, ("train", "test"), "{}.csv"),
    _Layout(3, ("train_images", "test_images"), "{}.csv"),
)
"""Known layouts of a data set."""


@dataclass(frozen=True, eq=False)
class Split:
    """Skies with which a model is trained, or with which it is evaluated.

    Attributes
    ----------
    name : str
        "training" or "validation".
    files : (n,) tuple of Path
        Images, sorted by file name.
    labels : (n,) int8 array or None, read-only
        1 where the sky has a lens, 0 where not; None if unknown.
    lens_rows, lens_columns : (n,) float64 arrays, pixels of the 512 px frame, read-only
        Positions of the lenses, as in the files; nan where there is none or its position is unknown.
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
        """Return a lens position in the pixels of an image: row = (row_512 + 0.5) n_rows / 512 - 0.5.

        Parameters
        ----------
        index : int
            Index of the sky in the split.
        shape : (int, int), pixels
            Rows and columns of the image.

        Returns
        -------
        row, column : float, pixels
            Position, zero-based, with centres of pixels at integers; nan where unknown.
        """
        position = np.array([self.lens_rows[index], self.lens_columns[index]])
        row, column = (position + 0.5) * shape / LENS_FRAME - 0.5
        return float(row), float(column)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data set of skies; :meth:`Dataset.open` determines its layout.

    Attributes
    ----------
    root : Path
        Folder of the data set.
    layout : int
        1, 2 or 3, see :data:`LAYOUTS`.
    training, validation : Split or None
        Splits; None where the data set has no images.
    """

    root: Path
    layout: int
    training: Split | None
    validation: Split | None

    @property
    def splits(self) -> tuple[Split, ...]:
        """Splits with images, training first."""
        return tuple(split for split in (self.training, self.validation) if split is not None)

    def relative(self, file: Path) -> str:
        """Return the path of an image relative to the folder of the data set, with forward slashes."""
        return file.relative_to(self.root).as_posix()

    @classmethod
    def open(cls, path: str | Path) -> "Dataset":
        """Find the images of a data set, and read its labels and lens positions.

        Parameters
        ----------
        path : str or Path
            Folder with subfolders `training` and `validation`, `train` and `test`, or `train_images` and
            `test_images`. One of the two may be missing.

        Returns
        -------
        Dataset
            Data set with its files listed. No image is read.

        Raises
        ------
        DatasetError
            If there is no such folder or no image in it, or labels or lenses are inconsistent with the images.

        Notes
        -----
        Ids in a label or lens file are file names of images, with or without suffix, or indices of the sorted images,
        from 0. Integers that are both are indices in layout 1, and names in the others.
        """
        root = Path(path)
        layout, images = _find_images(root)
        splits = (
            _open_split(root, layout, name, folder, files) if files is not None else None
            for name, folder, files in zip(SPLITS, layout.folders, images, strict=True)
        )
        return cls(root, layout.number, *splits)


def _find_images(root: Path) -> tuple[_Layout, tuple[list[Path] | None, ...]]:
    """Return the first layout that has images, and lists of these; None where a split has no folder."""
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; check the path, or simulate a data set there")
    for layout in LAYOUTS:
        images = tuple(list_images(root / folder) for folder in layout.folders)
        if any(images):
            return layout, images
    folders = ", ".join(f"{folder}/" for layout in LAYOUTS for folder in layout.folders)
    found = f"{root} is not a data set: there are no images in {folders}"
    raise DatasetError(f"{found}; give the folder that contains one of them, or simulate a data set there")


def list_images(folder: Path) -> list[Path] | None:
    """Return the images of a folder, sorted; None if there is no such folder."""
    if not folder.is_dir():
        return None
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    return [folder / name for name in sorted(names) if name.lower().endswith(IMAGE_SUFFIXES)]


def _open_split(root: Path, layout: _Layout, name: str, folder: str, files: list[Path]) -> Split | None:
    """Return the images of a folder with the labels and lenses beside it; None if there is no image."""
    stem, names = folder.removesuffix("_images"), [file.name for file in files]
    by_index = layout.number == 1
    labels = read_labels(root / layout.labels.format(stem), names, by_index=by_index)
    rows, columns = read_lenses(root / f"{stem}-lenses.csv", names, labels, by_index=by_index)
    return Split(name, tuple(files), labels, rows, columns) if files else None


def image_path(root: str | Path, split: str, index: int, *, suffix: str = ".png") -> Path:
    """Return the path of an image in a written data set.

    Examples
    --------
    >>> image_path("data", "training", 7).as_posix()
    'data/training/training-00007.png'
    """
    if not 0 <= index < 100_000:
        raise DatasetError(
            f"no file name for image {index}: a split has at most 100000 images, so that names sort by number"
        )
    return Path(root) / split / f"{split}-{index:05d}{suffix}"


def write_labels(
    root: str | Path, split: str, labels: ArrayLike, lens_rows: ArrayLike, lens_columns: ArrayLike
) -> None:
    """Write the labels of a split, and the lens positions of its lensed skies.

    Parameters
    ----------
    root : str or Path
        Folder of the data set.
    split : str
        "training" or "validation".
    labels : (n,) array-like of int
        1 where the sky has a lens, 0 where not, in the sorted order of the images; column n-lenses.
    lens_rows, lens_columns : (n,) array-like, pixels of the 512 px frame
        Positions of the lenses, ignored where the label is 0; columns row and column.
    """
    labels = np.asarray(labels, dtype=np.int8)
    lenses = zip(np.asarray(lens_rows)[labels == 1], np.asarray(lens_columns)[labels == 1], strict=True)
    positions = ([index, f"{row:.3f}", f"{column:.3f}"] for index, (row, column) in zip(np.flatnonzero(labels), lenses))
    write_records(Path(root) / f"{split}-labels.csv", ("sky-id", "n-lenses"), enumerate(labels))
    write_records(Path(root) / f"{split}-lenses.csv", ("sky-id", "row", "column"), positions)
