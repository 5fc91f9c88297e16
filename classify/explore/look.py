"""Measurements of each sky of a data set, before training."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from classify.explore.earlier import Earlier, read_earlier
from classify.explore.names import printable
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import DatasetError, failure_reason
from darkmatter_features.features.compilation import preparation
from darkmatter_features.features.extract import Progress, report
from darkmatter_features.galaxies.measure import measure
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.dataset import Dataset, Split
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.workers import parallel

THUMBNAIL = 32
"""Side of the thumbnails by which images are compared, pixels."""

SMOOTH = 7
"""Side of the square whose mean is subtracted from a thumbnail, pixels of it: backgrounds and gradients go with it."""

BRIGHT = 0.999
"""Quantile of a thumbnail at which it is clipped, so that one bright object is not all of it."""


@dataclass(frozen=True, eq=False)
class Look:
    """Measurements of one sky.

    Attributes
    ----------
    digest : str
        Hash of the pixels, whatever the format of the file; "" if the image cannot be read.
    thumbnail : (32, 32) float32 array
        Brightness less its local mean, of mean 0 and norm 1; zeros if the image is constant or cannot be read.
    shape : (int, int)
        Rows and columns; (0, 0) if the image cannot be read.
    n_bands : int
        Number of bands.
    brightness : float
        Mean of the pixels.
    catalog : GalaxyCatalog or None
        Galaxies; None if they cannot be measured.
    error : str
        Reason of a failure; "" without one.
    notes : tuple of str
        Choices that were made in reading the image.
    """

    digest: str
    thumbnail: NDArray[np.float32]
    shape: tuple[int, int] = (0, 0)
    n_bands: int = 0
    brightness: float = np.nan
    catalog: GalaxyCatalog | None = None
    error: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Looks:
    """All skies of a data set.

    Attributes
    ----------
    skies : DataFrame
        A row for each image: `sky` (its name, escaped if it is not UTF-8 or cannot be printed), `split`, `label` (nan
        where unknown), `lens_row` and `lens_column` in pixels of the image (nan where unknown), `digest`, `n_rows`,
        `n_columns`, `n_bands`, `brightness`, `error`, and of its galaxies `n_galaxies`, the means `mean_e1` and
        `mean_e2` of ellipticities, the scatter of a component `sigma_e`, the median `size` in pixels and the `noise`.
    files : tuple of Path
        The images.
    thumbnails : (n, 32, 32) float32 array
        Thumbnails.
    catalogs : tuple of GalaxyCatalog or None
        Galaxies.
    notes : tuple of (str, str)
        Skies with choices that were made in reading their images, and these choices.
    """

    skies: pd.DataFrame
    files: tuple[Path, ...]
    thumbnails: NDArray[np.float32]
    catalogs: tuple[GalaxyCatalog | None, ...]
    notes: tuple[tuple[str, str], ...]

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """Skies that failed, with the reasons."""
        failed = self.skies[self.skies["error"] != ""]
        return tuple(zip(failed["sky"], failed["error"], strict=True))


def look_at(
    dataset: Dataset,
    *,
    features: str | Path | None = None,
    config: MeasureConfig | None = None,
    n_jobs: int = -1,
    progress: Progress | None = None,
    debug: bool = False,
) -> Looks:
    """Read and measure all skies of a data set.

    Parameters
    ----------
    dataset : Dataset
        Data set, with labels or without.
    features : str or Path, optional
        Folder of `darkmatter features` of this data set: galaxies in it are not measured again.
    config : MeasureConfig, optional
        Settings. Default: those of `features`, or all defaults without them.
    n_jobs : int
        Number of processes; -1 for one a core.
    progress : callable, optional
        Called with the number of skies done and in all.
    debug : bool
        Raise an unforeseen error of a sky instead of recording it as the reason of its failure.

    Returns
    -------
    Looks

    Raises
    ------
    DatasetError
        If no image can be read, or `features` are those of another data set, or it has changed since.
    ConfigError
        If `features` were made with other settings than `config`.
    TableError
        If a table of `features` is missing, damaged or of another version.
    """
    files = [file for split in dataset.splits for file in split.files]
    names = [dataset.relative(file) for file in files]
    earlier = Earlier({}, config or MeasureConfig()) if features is None else read_earlier(features, dataset, config)
    known = earlier.catalogs
    tasks = [(file, name in known, earlier.config, debug) for file, name in zip(files, names, strict=True)]
    looks: list[Look] = []
    report(progress, 0, len(files))
    for look in parallel(look_at_sky, tasks, n_jobs=n_jobs, **preparation(files)):
        looks.append(look)
        report(progress, len(looks), len(files))
    if not any(look.digest for look in looks):
        raise DatasetError(f"{dataset.root}: none of {len(files)} images can be read; the first: {looks[0].error}")
    catalogs = tuple(known.get(name, look.catalog) for name, look in zip(names, looks, strict=True))
    shown = [printable(name) for name in names]
    notes = tuple((name, "; ".join(look.notes)) for name, look in zip(shown, looks, strict=True) if look.notes)
    thumbnails = np.stack([look.thumbnail for look in looks])
    return Looks(_table(dataset, shown, looks, catalogs), tuple(files), thumbnails, catalogs, notes)


def look_at_sky(file: Path, is_measured: bool, config: MeasureConfig, debug: bool) -> Look:
    """Return the measurements of a sky; its galaxies are left out if they are measured already."""
    look = Look("", np.zeros((THUMBNAIL, THUMBNAIL), np.float32))
    try:
        sky = read_sky(file)
        look = _of_pixels(sky)
        catalog = None if is_measured else measure(sky, config)
        return Look(**{**vars(look), "catalog": catalog})
    except Exception as error:  # it costs this sky only
        return Look(**{**vars(look), "error": printable(failure_reason(error, debug=debug))})


def _of_pixels(sky: Sky) -> Look:
    pixels = sky.pixels
    digest = hashlib.sha256(f"{pixels.shape}{pixels.dtype}".encode() + pixels.tobytes()).hexdigest()[:32]
    return Look(
        digest,
        thumbnail_of(pixels),
        sky.shape,
        pixels.shape[2],
        float(pixels.mean(dtype=np.float64)),
        notes=tuple(map(printable, sky.notes)),
    )


def thumbnail_of(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the thumbnail (32, 32) of an image (n_rows, n_columns, n_bands), of mean 0 and norm 1, or zeros."""
    light = np.asarray(pixels).mean(axis=2, dtype=np.float64)
    rows, columns = (np.linspace(0, n, THUMBNAIL + 1).astype(int)[:-1] for n in light.shape)
    if min(light.shape) < THUMBNAIL:
        return np.zeros((THUMBNAIL, THUMBNAIL), np.float32)
    sums = np.add.reduceat(np.add.reduceat(light, rows, axis=0), columns, axis=1)
    small = sums / np.outer(np.diff(rows, append=light.shape[0]), np.diff(columns, append=light.shape[1]))
    small -= uniform_filter(small, SMOOTH, mode="reflect")
    small = np.clip(small, None, np.quantile(small, BRIGHT))
    small -= small.mean()
    norm = float(np.linalg.norm(small))
    return np.asarray(small / norm if norm > 0 else np.zeros_like(small), dtype=np.float32)


def _table(
    dataset: Dataset, names: Sequence[str], looks: Sequence[Look], catalogs: Sequence[GalaxyCatalog | None]
) -> pd.DataFrame:
    shapes = [look.shape for look in looks]
    splits = [(split, k) for split in dataset.splits for k in range(len(split))]
    lenses = [split.lens_position(k, shape) for (split, k), shape in zip(splits, shapes, strict=True)]
    table = pd.DataFrame({
        "sky": list(names),
        "split": [split.name for split, _ in splits],
        "label": [_label(split, k) for split, k in splits],
        "lens_row": [row for row, _ in lenses],
        "lens_column": [column for _, column in lenses],
        "digest": [look.digest for look in looks],
        "n_rows": [shape[0] for shape in shapes],
        "n_columns": [shape[1] for shape in shapes],
        "n_bands": [look.n_bands for look in looks],
        "brightness": [look.brightness for look in looks],
        "error": [look.error for look in looks],
    })  # fmt: skip
    return pd.concat([table, pd.DataFrame([_of_galaxies(catalog) for catalog in catalogs])], axis=1)


def _label(split: Split, k: int) -> float:
    return np.nan if split.labels is None else float(split.labels[k])


def _of_galaxies(catalog: GalaxyCatalog | None) -> dict[str, float]:
    """Return the statistics of the galaxies of a sky; nan where there are too few."""
    n = 0 if catalog is None else len(catalog)
    unknown = dict.fromkeys(("mean_e1", "mean_e2", "sigma_e", "size", "noise"), np.nan)
    if catalog is None or n == 0:
        return {"n_galaxies": np.nan if catalog is None else 0.0, **unknown}
    scatter = np.sqrt(0.5 * (catalog.e1.var() + catalog.e2.var()))
    return {
        "n_galaxies": float(n),
        "mean_e1": float(catalog.e1.mean()),
        "mean_e2": float(catalog.e2.mean()),
        "sigma_e": float(scatter),
        "size": float(np.median(catalog.size)),
        "noise": float(catalog.image.noise),
    }
