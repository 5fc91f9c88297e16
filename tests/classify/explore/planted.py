"""Data sets and measured skies with a planted fault, or without one."""

import numpy as np
from PIL import Image

from classify.explore.look import THUMBNAIL, Look, Looks, _table, thumbnail_of
from darkmatter_features.galaxies.shapes import ImageProperties
from darkmatter_features.io.dataset import Dataset, Split, write_labels
from darkmatter_features.io.labels import LENS_FRAME
from tests.plots.figures import catalog_of

SHAPE = (512, 512)


def split_of(name, labels, rows, columns):
    """Return a split of images that need not exist."""
    from pathlib import Path

    folder = Path("data") / name
    files = tuple(folder / f"{name}-{k:05d}.png" for k in range(len(rows)))
    known = None if labels is None else np.array(labels, dtype=np.int8)
    return Split(name, files, known, np.array(rows, float), np.array(columns, float))


def measured(rng, *, n=(40, 20), galaxies=150, bias=0j, gamma=0.2, labelled=True, change=None):
    """Return the looks at a clean data set: half of its skies have a lens; `change(looks, splits)` plants a fault.

    Shapes have a scatter of 0.2 per component, and a tangential shear within 130 px of the lens.
    """
    splits, looks = [], []
    for name, count in zip(("training", "validation"), n, strict=True):
        labels = np.arange(count) % 2
        rows, columns = rng.uniform(150, 360, (2, count))
        for row, column, label in zip(rows, columns, labels, strict=True):
            looks.append(look_of(rng, row, column, gamma * label, galaxies, bias))
        rows[labels == 0] = columns[labels == 0] = np.nan
        splits.append(split_of(name, labels if labelled else None, rows, columns))
    if change is not None:
        splits = change(looks, splits) or splits
    return assembled(looks, splits)


def assembled(looks, splits):
    """Return the looks of splits as one object."""
    dataset = Dataset(splits[0].files[0].parents[1], 1, *splits)
    files = [file for split in splits for file in split.files]
    names, catalogs = [dataset.relative(file) for file in files], tuple(look.catalog for look in looks)
    thumbnails = np.stack([look.thumbnail for look in looks])
    return Looks(_table(dataset, names, looks, catalogs), tuple(files), thumbnails, catalogs, ())


def look_of(rng, row, column, gamma, n, bias=0j, *, digest=None):
    """Return the look at a sky with a lens of shear `gamma`."""
    n = rng.poisson(n)
    x, y = rng.uniform(0, 512, (2, n))
    offset = (x - column) + 1j * (y - row)
    shear = -gamma * (offset / abs(offset)) ** 2 * (abs(offset) < 130)
    e = rng.normal(0, 0.2, n) + 1j * rng.normal(0, 0.2, n) + shear + bias
    catalog = catalog_of(x, y, e, SHAPE)
    object.__setattr__(catalog, "image", ImageProperties(0.5, 1.0, 3))
    thumbnail = thumbnail_of(rng.integers(0, 255, (THUMBNAIL, THUMBNAIL, 1)))
    return Look(digest or rng.bytes(16).hex(), thumbnail, SHAPE, 3, 10.0 + rng.normal(), catalog)


def write_drawings(root, rng, *, n=(8, 4), side=96):
    """Write a small data set in layout 1 whose lenses have no shear, and return its folder."""
    for split, count in zip(("training", "validation"), n, strict=True):
        folder = root / split
        folder.mkdir(parents=True)
        for k in range(count):
            Image.fromarray(drawing(rng, side)).save(folder / f"{split}-{k:05d}.png")
        labels = np.arange(count) % 2
        write_labels(root, split, labels, *rng.uniform(0.4, 0.6, (2, count)) * LENS_FRAME)
    return root


def drawing(rng, side=96, n=40):
    """Return the pixels of ellipses on black, without a preferred direction."""
    y, x = np.mgrid[:side, :side]
    pixels = np.zeros((side, side, 3), np.uint8)
    for _ in range(n):
        row, column, angle = *rng.uniform(4, side - 4, 2), rng.uniform(0, np.pi)
        along = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
        across = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
        pixels[(along / 4.5) ** 2 + (across / 2.5) ** 2 <= 1] = rng.integers(120, 255, 3)
    return pixels
