"""The tables of the measurement behind a run, as far as they still belong to its model and to its images."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from classify.model import LensModel
from darkmatter_features.errors import DarkmatterError
from darkmatter_features.features.batch import tables_key
from darkmatter_features.features.cross_fitting import catalogs_of, read_catalogs
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.table import read_table

SHOWN_FEATURES = ("evidence", "evidence_shear", "evidence_counts", "amplitude", "position_error")
"""Columns of the features that the page has for each sky."""
AGAIN = "measured again for this page"


@dataclass(frozen=True)
class MeasuredTables:
    """What the features of a run still give.

    Attributes
    ----------
    evidence : pandas.DataFrame
        Columns :data:`SHOWN_FEATURES` by the names of skies; empty where the features do not belong to the model.
    catalogs : dict of str to GalaxyCatalog
        Galaxies by the names of skies; empty where they do not belong to model and images.
    origin : str
        Where the galaxies of the maps come from, with the reason where they are measured again.
    """

    evidence: pd.DataFrame
    catalogs: dict[str, GalaxyCatalog]
    origin: str


def read_measured(features: Path, model: LensModel, dataset: Path, names: Collection[str]) -> MeasuredTables:
    """Return what the features of a run give for skies.

    Parameters
    ----------
    features : Path
        Folder of the features.
    model : LensModel
        Model of the run.
    dataset : Path
        Folder of the data set, which may have moved since.
    names : collection of str
        Names of the skies.
    """
    none = pd.DataFrame(columns=list(SHOWN_FEATURES), dtype="float64")
    try:
        table, origin = read_table(features / "features.parquet", kind="features", columns=["sky", *SHOWN_FEATURES])
    except DarkmatterError:
        return MeasuredTables(none, {}, f"{AGAIN}: there are no features in {features}")
    made_with = (origin.get("config_fingerprint"), origin.get("template_fingerprint"))
    if made_with != (model.config.fingerprint(), model.template.fingerprint()):
        return MeasuredTables(none, {}, f"{AGAIN}: {features} has other settings or another template than the run")
    evidence = table.drop_duplicates("sky").set_index("sky")
    if not _is_of(origin, dataset, model):
        reason = f"the images or labels in {dataset} are not those of {features} (names, sizes, times)"
        return MeasuredTables(evidence, {}, f"{AGAIN}: {reason}; the verdicts may be on other images")
    try:
        galaxies = read_catalogs(features / "catalogs.parquet")
    except DarkmatterError:
        return MeasuredTables(evidence, {}, f"{AGAIN}: there are no catalogues in {features}")
    own = galaxies[galaxies["sky"].isin(names)]
    return MeasuredTables(evidence, {each.name: each for each in catalogs_of(own)}, f"those of {features}")


def _is_of(origin: dict[str, object], dataset: Path, model: LensModel) -> bool:
    """Return whether a data set has the images from which tables were made, here or where it was then."""
    try:
        opened = Dataset.open(dataset)
        return origin.get("key") == tables_key(opened, model.config, root=str(origin.get("dataset")))
    except (DarkmatterError, OSError):
        return False
