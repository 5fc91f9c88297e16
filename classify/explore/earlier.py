"""Galaxies that `darkmatter features` measured earlier, if its tables are those of the same images and settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ConfigError, DatasetError, TableError, shown
from darkmatter_features.features.batch import tables_key
from darkmatter_features.features.cross_fitting import catalogs_of, read_catalogs
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.table import read_table


@dataclass(frozen=True, eq=False)
class Earlier:
    """Galaxies that were measured earlier.

    Attributes
    ----------
    catalogs : dict of str to GalaxyCatalog
        Galaxies by the names of their skies.
    config : MeasureConfig
        Settings by which they were measured.
    """

    catalogs: dict[str, GalaxyCatalog]
    config: MeasureConfig


def read_earlier(features: str | Path, dataset: Dataset, config: MeasureConfig | None = None) -> Earlier:
    """Return the galaxies in a folder of `darkmatter features`, if they are those of a data set as it is now.

    Parameters
    ----------
    features : str or Path
        The folder.
    dataset : Dataset
        The data set. It may have moved.
    config : MeasureConfig, optional
        Settings that are required. Default: those of the folder.

    Returns
    -------
    Earlier

    Raises
    ------
    TableError
        If a table is missing or damaged, or was made by another version.
    ConfigError
        If the galaxies were measured with other settings.
    DatasetError
        If the tables are those of another data set, or images, labels or lens positions have changed since.
    """
    path = Path(features) / "features.parquet"
    frame, metadata = read_table(path, kind="features", columns=["sky"])
    found = _config_of(path, metadata)
    if config is not None and config.fingerprint() != found.fingerprint():
        raise ConfigError(
            f"{path}: measured with {_difference(found, config)}; leave out --config, or run `darkmatter features` "
            "with it again"
        )
    _check_images(path, dataset, found, metadata, frame["sky"].tolist())
    catalogs = catalogs_of(read_catalogs(Path(features) / "catalogs.parquet"))
    return Earlier({catalog.name: catalog for catalog in catalogs}, found)


def _config_of(path: Path, metadata: dict[str, Any]) -> MeasureConfig:
    """Return the settings of a table of this version."""
    version = metadata.get("version")
    if version != __version__:
        raise TableError(f"{path}: made by version {shown(version)}, not {__version__}; {_AGAIN}")
    try:
        config = MeasureConfig.from_dict(metadata.get("config", {}), source=str(path))
    except ConfigError as error:
        raise TableError(f"{path} has damaged metadata ({error}); {_AGAIN}") from None
    if metadata.get("config_fingerprint") != config.fingerprint():
        raise TableError(f"{path}: made by another version of the measurement; {_AGAIN}")
    return config


def _difference(found: MeasureConfig, required: MeasureConfig) -> str:
    """Return the first settings that differ in words: ``n_pixels 8, not 5``."""
    one, other = found.to_dict(), required.to_dict()
    return ", ".join(f"{name} {one[name]}, not {other[name]}" for name in one if one[name] != other[name])


def _check_images(
    path: Path, dataset: Dataset, config: MeasureConfig, metadata: dict[str, Any], skies: list[str]
) -> None:
    """Check that a table has the skies of a data set, whose files have not changed since."""
    files = [file for split in dataset.splits for file in split.files]
    if {dataset.relative(file) for file in files}.isdisjoint(skies):
        first = shown(next(iter(skies), "none"))
        raise DatasetError(f"{path} has no sky of this data set (its first is {first}); give the features made of it")
    made_of = str(metadata.get("dataset", ""))
    if metadata.get("key") != tables_key(dataset, config, root=made_of):
        raise DatasetError(
            f"{path}: not made of {dataset.root} as it is now, but of {shown(made_of)}: images, their times of change, "
            f"labels or lens positions differ; {_AGAIN}, or leave out --features"
        )


_AGAIN = "run `darkmatter features` again"
