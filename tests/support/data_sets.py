"""Data sets of the three layouts, in folders and in zip files."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

LAYOUTS = {
    1: {
        "training-labels.csv": "sky-id,n-lenses\n0,1\n1,0\n2,1\n",
        "training-lenses.csv": "sky-id,row,column\n2,300.5,0\n0,10,511\n",
        "validation-labels.csv": "sky-id,n-lenses\n1,1\n0,0\n",
    },
    2: {
        "train.csv": "image_id,label\na.png,1\nb.png,0\nc.png,1\n",
        "train-lenses.csv": "image_id,row,column\nc,300.5,0\na.png,10,511\n",
        "test.csv": "image_id,label\ne.png,1\nd.png,0\n",
    },
    3: {
        "train.csv": "image,labels\nc.png,1\na.png,1\nb.png,0\n",
        "train-lenses.csv": "image_id,row,column\n2,300.5,0\n0,10,511\n",
        "test.csv": "image,labels\nd.png,0\ne.png,1\n",
    },
}
"""Label and lens files by layout."""

FOLDERS = {1: ("training", "validation"), 2: ("train", "test"), 3: ("train_images", "test_images")}
"""Image folders by layout."""

IMAGES = ({"c.png": b"c" * 3000, "a.png": b"a" * 1000, "b.png": b"b" * 2000}, {"e.png": b"e", "d.png": b"dd"})
"""Bytes of the images of both splits."""


def write_zip(path: Path, members: Mapping[str | zipfile.ZipInfo, bytes], **options) -> Path:
    """Write a zip file with these members, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def zip_folder(folder: Path) -> Path:
    """Replace a folder of images by a zip file beside it, and return its path."""
    members = {f"{folder.name}/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return write_zip(folder.with_name(f"{folder.name}.zip"), members)


def write_data_set(
    root: Path, number: int = 1, *, zipped: tuple[bool, bool] = (False, False), top: bool = True
) -> Path:
    """Write a data set, each split in a folder or a zip file, with a top folder or not; return its root."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in LAYOUTS[number].items():
        (root / name).write_text(text)
    for folder, images, is_zipped in zip(FOLDERS[number], IMAGES, zipped):
        if is_zipped:
            write_zip(
                root / f"{folder}.zip", {f"{folder}/{name}" if top else name: each for name, each in images.items()}
            )
        else:
            (root / folder).mkdir()
            for name, content in images.items():
                (root / folder / name).write_bytes(content)
    return root


def contents(dataset) -> dict[str, bytes]:
    """Return the bytes of the images of a data set by the names of the skies."""
    return {dataset.relative(file): file.read_bytes() for split in dataset.splits for file in split.files}
