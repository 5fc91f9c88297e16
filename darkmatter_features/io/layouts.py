"""Layouts of a data set: names of the folders, zip files and label files, and which of them a data set has."""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from darkmatter_features.errors import DatasetError, escaped
from darkmatter_features.io.formats import is_image_name
from darkmatter_features.io.zips import extracted

_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")
"""A byte of a file name that is no UTF-8, as tables have it."""


@dataclass(frozen=True)
class Layout:
    """Names of a data set.

    Attributes
    ----------
    number : int
        1, 2 or 3.
    folders : (str, str)
        Folders of the images, training first. A zip file of the same name may stand for a folder.
    labels : str
        Name of a label file, with braces for the name of the folder.
    """

    number: int
    folders: tuple[str, str]
    labels: str

    def label_file(self, folder: str) -> str:
        """Return the name of the label file of an image folder."""
        return self.labels.format(folder.removesuffix("_images"))

    def lens_file(self, folder: str) -> str:
        """Return the name of the file of lens positions of an image folder."""
        return f"{folder.removesuffix('_images')}-lenses.csv"


LAYOUTS = (
    Layout(1, ("training", "validation"), "{}-labels.csv"),
    Layout(2, ("train", "test"), "{}.csv"),
    Layout(3, ("train_images", "test_images"), "{}.csv"),
)
"""Known layouts of a data set."""


def choose_layout(has_images: Callable[[str], bool], has_zip: Callable[[str], bool]) -> Layout | None:
    """Return the first layout with a folder of images, or else with a zip file; None if there is none.

    Parameters
    ----------
    has_images : callable
        Function that returns whether a folder of the given name contains images.
    has_zip : callable
        Function that returns whether a folder of the given name exists as a zip file.
    """
    by_folder = (layout for layout in LAYOUTS if any(map(has_images, layout.folders)))
    by_zip = (layout for layout in LAYOUTS if any(map(has_zip, layout.folders)))
    return next(chain(by_folder, by_zip), None)


def layout_of(root: Path) -> Layout:
    """Return the layout of a data set.

    Raises
    ------
    DatasetError
        If there is no such folder, or no images in it.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; check the path, or simulate a data set there")
    layout = choose_layout(lambda name: bool(list_images(root / name)), lambda name: zip_of(root, name).is_file())
    if layout is None:
        found = f"{root} is not a data set: there are no images in {known_folders()}, and no zip file of these names"
        raise DatasetError(f"{found}; give the folder that contains one of them, or simulate a data set there")
    return layout


def known_folders() -> str:
    """Return the names of the image folders of all layouts, for a message."""
    return ", ".join(f"{folder}/" for layout in LAYOUTS for folder in layout.folders)


def list_images(folder: Path) -> list[Path] | None:
    """Return the images of a folder, sorted; None if there is no such folder."""
    if not folder.is_dir():
        return None
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_file()]
    return [folder / name for name in sorted(names) if is_image_name(name)]


def zip_of(root: Path, folder: str) -> Path:
    """Return the path of the zip file that may stand for an image folder."""
    return root / f"{folder}.zip"


def zips_of(root: Path) -> list[Path]:
    """Return the zip files from which the images of a data set are read.

    Raises
    ------
    DatasetError
        If `root` is no data set.
    """
    return [zip_of(root, folder) for folder in layout_of(root).folders if _is_zipped(root, folder)]


def image_folder(root: Path, folder: str) -> Path:
    """Return the folder of the images: in the data set, or the one into which its zip file is extracted.

    Parameters
    ----------
    root : Path
        Folder of the data set.
    folder : str
        Name of the image folder. If it contains images, a zip file of the same name is not used.

    Raises
    ------
    DatasetError
        If the zip file is damaged or unsafe, or cannot be extracted.
    """
    return extracted(zip_of(root, folder)) if _is_zipped(root, folder) else root / folder


def _is_zipped(root: Path, folder: str) -> bool:
    return zip_of(root, folder).is_file() and not list_images(root / folder)


def sky_name(file: Path) -> str:
    """Return the name of a sky in tables: the names of its folder and of its file.

    Examples
    --------
    >>> sky_name(Path("data/training/training-00007.png"))
    'training/training-00007.png'
    """
    return escaped(f"{file.parent.name}/{file.name}")


def image_files(root: Path, skies: Iterable[str]) -> list[Path]:
    """Return the images of skies.

    Parameters
    ----------
    root : Path
        Folder of the data set.
    skies : (n,) iterable of str
        Names of skies, as of :func:`sky_name`.

    Returns
    -------
    (n,) list of Path
        Images in the data set, or extracted from its zip files; they may be missing.

    Raises
    ------
    DatasetError
        If a zip file is damaged or unsafe, or cannot be extracted.
    """
    parts = [sky.rpartition("/") for sky in skies]
    folders = {folder: image_folder(root, folder) for folder in {folder for folder, _, _ in parts}}
    return [named_file(folders[folder], name) for folder, _, name in parts]


def named_file(folder: Path, name: str) -> Path:
    """Return the file of a folder that has a name in a table, see :func:`~darkmatter_features.errors.escaped`."""
    path = folder / name
    if "\\" not in name or path.exists():
        return path
    return folder / _ESCAPED.sub(lambda found: os.fsdecode(bytes([int(found[1], 16)])), name)
