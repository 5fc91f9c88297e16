"""Templates that do not know the skies they judge: of all training skies, and of all but those of a part."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import CATALOG_COLUMNS, GalaxyCatalog
from darkmatter_features.io.table import read_table, write_table
from darkmatter_features.lens.fit import LabelledSkies, fit_template
from darkmatter_features.lens.template import LensTemplate

Array = NDArray[np.float64]
Workers = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterator[Any]]
# Parts of the training split for templates that do not know the skies they map.
N_FOLDS = 4


def read_catalogs(path: str | Path) -> pd.DataFrame:
    """Read the galaxies of a ``catalogs.parquet``, as :func:`catalogs_of` takes them.

    Raises
    ------
    TableError
        If the file is missing or damaged, or lacks a column that this version wants.
    """
    return read_table(path, kind="catalogs", columns=["sky", "n_rows", "n_columns", *CATALOG_COLUMNS])[0]


def catalogs_of(frame: pd.DataFrame) -> Iterator[GalaxyCatalog]:
    """Give back the catalogues of a table, in its order."""
    sky, names = pd.factorize(frame["sky"])
    order = np.argsort(sky, kind="stable")
    edges = np.searchsorted(sky[order], np.arange(len(names) + 1))
    columns = {column: frame[column].to_numpy() for column in frame.columns.drop("sky")}
    for name, (first, last) in zip(names, pairwise(edges), strict=True):
        own = {column: values[order[first:last]] for column, values in columns.items()}
        shape = int(own.pop("n_rows")[0]), int(own.pop("n_columns")[0])
        yield GalaxyCatalog(str(name), shape, **own)


@dataclass(frozen=True)
class Templates:
    """Where the templates are, by what they are for: small things to hand to workers.

    A template knows the very skies it was fitted to, and would flatter them. So the training split is cut into parts,
    and each sky is mapped with a template that was fitted to the other parts.
    """

    paths: tuple[Path, ...]
    fingerprints: tuple[str, ...]
    fold_of: dict[str, int]

    @classmethod
    def fit(
        cls,
        skies: LabelledSkies,
        galaxies: pd.DataFrame,
        folder: Path,
        workers: Workers,
        *,
        full: LensTemplate | None = None,
    ) -> "Templates":
        """Fit them, but the one of all skies where it is given, and write them to a folder.

        Parameters
        ----------
        skies : LabelledSkies
            Of the training split.
        galaxies : DataFrame
            The table of their catalogues, which workers are handed on disk.
        folder : Path
        workers : callable
        full : LensTemplate, optional
        """
        fold = np.arange(len(skies.catalogs)) % N_FOLDS
        chosen = [fold != k for k in range(N_FOLDS)]
        if full is None:
            chosen.insert(0, np.ones_like(fold, dtype=np.bool_))
        table = folder / "training.parquet"
        write_table(table, galaxies, kind="fold", metadata={"failures": []})
        known = skies.labels, skies.lens_rows, skies.lens_columns
        fitted = list(workers(_fit_fold, [(table, *known, which) for which in chosen]))
        templates = fitted if full is None else [full, *fitted]
        paths = tuple(folder / f"template-{k}.json" for k in range(len(templates)))
        for path, template in zip(paths, templates, strict=True):
            template.write(path)
        fold_of = {catalog.name: 1 + int(k) for catalog, k in zip(skies.catalogs, fold, strict=True)}
        return cls(paths, tuple(template.fingerprint() for template in templates), fold_of)

    @property
    def full(self) -> LensTemplate:
        """Return the template of all skies."""
        return _read_once(self.paths[0], self.fingerprints[0])

    def of(self, sky: str) -> LensTemplate:
        """Return the template for a sky: that of all skies, unless it was fitted to this one."""
        fold = self.fold_of.get(sky, 0)
        return _read_once(self.paths[fold], self.fingerprints[fold])


def _fit_fold(
    table: Path, labels: Array, lens_rows: Array, lens_columns: Array, which: NDArray[np.bool_]
) -> LensTemplate:
    """Fit a template to the skies where `which` (n,) is true, of a table of catalogues."""
    catalogs = list(catalogs_of(read_table(table, kind="fold")[0]))
    return fit_template(LabelledSkies(catalogs, labels, lens_rows, lens_columns).chosen(which))


@lru_cache(maxsize=2 * (N_FOLDS + 1))
def _read_once(path: Path, fingerprint: str) -> LensTemplate:
    """Read a template; a worker does so once for all its tasks. The fingerprint tells one run's file from another's."""
    return LensTemplate.read(path)
