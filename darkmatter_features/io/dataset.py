"""Data sets of skies: their images, labels and lens positions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.labels import LENS_FRAME as LENS_FRAME
from darkmatter_features.io.labels import read_labels, read_lenses, write_records
from darkmatter_features.io.layouts import Layout, image_folder, layout_of, list_images, sky_name
from darkmatter_features.io.remote import fetch
from darkmatter_features.urls import is_url

SPLITS = ("training", "validation")
"""Names of the splits."""


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
        1, 2 or 3, see :data:`darkmatter_features.io.layouts.LAYOUTS`.
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
        return sky_name(file)

    @classmethod
    def open(cls, path: str | Path, *, check_lenses: bool = True) -> "Dataset":
        """Find the images of a data set, and read its labels and lens positions.

        Parameters
        ----------
        path : str or Path
            Folder with subfolders `training` and `validation`, `train` and `test`, or `train_images` and
            `test_images`, or zip files of these names. One of the two may be missing. Or the URL of such a folder, as
            text: `gs://`, `s3://`, `https://`, or any other that fsspec knows.
        check_lenses : bool
            Raise an error for a lens in a sky with label 0.

        Returns
        -------
        Dataset
            Data set with its files listed. No image is read. Zip files are extracted into a cache, and a URL is
            downloaded into one.

        Raises
        ------
        DatasetError
            If there is no such folder or no image in it, labels or lenses are inconsistent with the images, or a zip
            file or a URL cannot be read.

        Notes
        -----
        Ids in a label or lens file are file names of images, with or without suffix, or indices of the sorted images,
        from 0. Integers that are both are indices in layout 1, and names in the others.
        """
        root = fetch(str(path)) if is_url(path) else Path(path)
        layout = layout_of(root)
        images = [list_images(image_folder(root, folder)) for folder in layout.folders]
        splits = (
            _open_split(root, layout, name, folder, files, check_lenses) if files is not None else None
            for name, folder, files in zip(SPLITS, layout.folders, images, strict=True)
        )
        return cls(root, layout.number, *splits)


def _open_split(
    root: Path, layout: Layout, name: str, folder: str, files: list[Path], check_lenses: bool
) -> Split | None:
    """Return the images of a folder with the labels and lenses beside it; None if there is no image."""
    names, by_index = [file.name for file in files], layout.number == 1
    labels = read_labels(root / layout.label_file(folder), names, by_index=by_index)
    consistent_with = labels if check_lenses else None
    rows, columns = read_lenses(root / layout.lens_file(folder), names, consistent_with, by_index=by_index)
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
