"""Feature rows rebuilt from measured catalogues, with other settings of the maps: without the images."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.features.batch import map_parts
from darkmatter_features.features.cross_fitting import Templates, catalogs_of, read_catalogs
from darkmatter_features.features.extract import CHUNK
from darkmatter_features.io.table import read_table, write_table
from darkmatter_features.lens.lensed_galaxies import LabelledSkies
from darkmatter_features.workers import parallel


class TrainingSkies:
    """The training skies of a features folder, ready to be mapped with other settings.

    Parameters
    ----------
    folder : str or Path
        Folder that `darkmatter features` wrote.
    scratch : str or Path
        Folder for tables; it must stay while skies are mapped.
    n_jobs : int
        Worker processes; -1 for one per core.

    Notes
    -----
    Each sky is mapped with the template of its fold, as when the features were made: with the settings of that time,
    the rows are those of ``features.parquet``.
    """

    def __init__(self, folder: str | Path, scratch: str | Path, *, n_jobs: int = -1) -> None:
        table, galaxies = _training_tables(Path(folder))
        self._names = table.index.tolist()
        self._workers = partial(parallel, n_jobs=n_jobs)
        self._templates = Templates.read(folder)
        self._parts = _write_parts(galaxies, Path(scratch))

    def rows(self, config: MeasureConfig) -> NDArray[np.float64]:
        """Return their feature rows (n, len(FEATURES)), in the order of the feature table.

        Parameters
        ----------
        config : MeasureConfig
            Settings `grid_spacing` and `smallest_scale`; the others are those of the measurement, which stays.
        """
        mapped = map_parts(self._parts, self._templates, config, self._workers)
        return np.array([mapped[name][1] for name in self._names])


def training_skies(folder: str | Path) -> LabelledSkies:
    """Return the measured training skies of a features folder, for :func:`~darkmatter_features.lens.fit.fit_template`.

    Parameters
    ----------
    folder : str or Path
        Folder that `darkmatter features` wrote.
    """
    table, galaxies = _training_tables(Path(folder))
    catalogs = list(catalogs_of(galaxies))
    known = table.loc[[catalog.name for catalog in catalogs]]
    labels = known["label"].to_numpy(dtype=np.float64, na_value=np.nan)
    return LabelledSkies(catalogs, labels, known["lens_row"].to_numpy(), known["lens_column"].to_numpy())


def _training_tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of the training split, by sky, and its galaxies."""
    table, _ = read_table(folder / "features.parquet", kind="features")
    table = table[table["split"] == "training"].set_index("sky")
    galaxies = read_catalogs(folder / "catalogs.parquet")
    return table, galaxies[galaxies["sky"].isin(table.index)]


def _write_parts(galaxies: pd.DataFrame, scratch: Path) -> list[Path]:
    """Divide a table of galaxies into the tasks of workers."""
    names = galaxies["sky"].unique()
    paths = [scratch / f"part-{start}.parquet" for start in range(0, len(names), CHUNK)]
    for k, path in enumerate(paths):
        own = galaxies[galaxies["sky"].isin(names[k * CHUNK : (k + 1) * CHUNK])]
        write_table(path, own, kind="part", metadata={"failures": []})
    return paths
