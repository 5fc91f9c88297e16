"""Which catalogues are surveys, and the candidates of a survey as files."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.known import KnownLenses
from darkmatter_features.errors import DarkmatterError, failure_reason, path_text
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.io.shape_tables.positions import directions_of
from darkmatter_features.io.table import make_folder
from darkmatter_features.surveys.files import write_survey
from darkmatter_features.surveys.find import find_survey_candidates
from darkmatter_features.surveys.result import SurveyCandidates
from darkmatter_features.surveys.rows import open_survey
from darkmatter_features.surveys.settings import SurveySearch
from darkmatter_features.surveys.supplement import as_settings

Array = NDArray[np.float64]

MIN_WIDTH = 1.0
"""Minimum width of a survey, degrees: in a smaller field with RA and Dec, one cluster is a large part of it."""


@dataclass(frozen=True)
class ListedSurvey:
    """Outcome for one survey.

    Attributes
    ----------
    catalog : str
        Path of the table.
    folder : str
        Folder of its files.
    found : SurveyCandidates or None
        Its candidates; None if it failed.
    error : str
        Reason of the failure; "" without one.
    """

    catalog: str
    folder: str
    found: SurveyCandidates | None
    error: str = ""


def _draw(folder: Path, found: SurveyCandidates, theme: str) -> None:
    """Draw the figure of a survey with maps."""
    from darkmatter_features.plots.page import save_figure
    from darkmatter_features.plots.theme import plot_theme
    from darkmatter_features.surveys.plot import draw_survey

    if any(each.maps.x.size for each in found.patches):
        with plot_theme(theme):
            figure = draw_survey(found)
        save_figure(folder / "candidates.png", figure)


def is_survey(path: str | Path, columns: Mapping[str, Any] | None = None) -> bool:
    """Return whether a catalogue is a survey: its positions are RA and Dec, wider than :data:`MIN_WIDTH`.

    A catalogue that cannot be read is none; the reason is given where it is read.

    Parameters
    ----------
    path : str or Path
        Table.
    columns : mapping, optional
        Options of :func:`~darkmatter_features.io.catalogs.read_catalog`.
    """
    options = CatalogOptions(**dict(columns or {}))
    try:
        table = open_survey(Path(path), options)
        if table.position != ("ra", "dec") or ("x" in table.chosen and not {"ra", "dec"} & options.named.keys()):
            return False
        return _is_wide(directions_of(chunk["ra"], chunk["dec"]) for chunk in table.chunks())
    except (DarkmatterError, OSError, ValueError):
        return False


def _is_wide(chunks: Iterator[Array]) -> bool:
    """Return whether directions cover more than :data:`MIN_WIDTH`, by the median distance from the middle.

    It is 0.4 sides of a square, and a few rows elsewhere do not matter.
    """
    middles: list[Array] = []
    for n in chunks:
        middles.append(np.median(n, axis=0))
        middles[-1] /= np.linalg.norm(middles[-1])
        median = float(np.median(np.linalg.norm(n - middles[-1], axis=1)))
        if 2.5 * median > np.deg2rad(MIN_WIDTH) or np.linalg.norm(middles[-1] - middles[0]) > np.deg2rad(MIN_WIDTH):
            return True
    return False


def list_survey(
    path: str | Path,
    folder: str | Path,
    search: SurveySearch,
    *,
    columns: Mapping[str, Any] | None = None,
    known: KnownLenses | None = None,
    theme: str = "dark",
    command: str = "",
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> ListedSurvey:
    """Write the candidates of a survey to a folder.

    Parameters
    ----------
    path, search, columns, n_jobs, dask, progress, reading
        As for :func:`~darkmatter_features.surveys.find.find_survey_candidates`.
    folder : str or Path
        Folder for the files, see :func:`~darkmatter_features.surveys.files.write_survey`, and ``candidates.png``.
    known : KnownLenses, optional
        List of known lenses: the nearest one of each candidate is in the table.
    theme : str
        Name of the colours of the figure.
    command : str
        Command that makes the folder, for its record.
    debug : bool
        Raise an unforeseen error instead of recording it as the reason of the failure.
    """
    try:
        shared = None if dask is None else make_folder(folder)
        found = find_survey_candidates(
            path,
            search,
            columns=columns,
            folder=shared,
            n_jobs=n_jobs,
            dask=dask,
            progress=progress,
            reading=reading,
        )
        settings = {
            key: value for key, value in {**as_settings(search), **(columns or {})}.items() if value is not None
        }
        found = write_survey(folder, found, known=known, record={"command": command, "settings": settings})
        _draw(Path(folder), found, theme)
        return ListedSurvey(path_text(Path(path)), Path(folder).as_posix(), found)
    except Exception as error:  # an unforeseen error costs one catalogue only
        return ListedSurvey(
            path_text(Path(path)), Path(folder).as_posix(), None, error=failure_reason(error, debug=debug)
        )
