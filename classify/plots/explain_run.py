"""Explanation of the verdicts of a run: contributions sky by sky, importance, and partial dependence."""

from pathlib import Path

import pandas as pd

from classify.explain.contributions import contributions, explained_table, write_explained
from classify.explain.dependence import partial_dependence, some_skies, top_features
from classify.model import LensModel
from classify.plots.beeswarm import beeswarm
from classify.plots.dependence import draw_dependence
from classify.plots.importance import importance
from classify.tables.columns import FEATURE_NAMES
from darkmatter_features.plots.page import save_figure

TABLE = "validation-contributions.csv"
"""Table of the contributions to the log-odds of the validation skies."""
IMPORTANCE = "importance.png"
"""Figure of the mean absolute contributions of the columns."""
BEESWARM = "contributions.png"
"""Figure of the contributions sky by sky."""
DEPENDENCE = "partial-dependence.png"
"""Figure of the partial dependence on the most important columns."""
OF_VALIDATION = (TABLE, IMPORTANCE, BEESWARM)
"""Files that need validation skies."""


def explain_run(
    run: Path, model: LensModel, validation: pd.DataFrame, training: pd.DataFrame, *, verdicts: pd.DataFrame
) -> None:
    """Write the table and the figures; without validation skies, the partial dependence alone.

    Parameters
    ----------
    run : Path
        Folder of the run.
    model : LensModel
        Model of the run.
    validation : pandas.DataFrame
        Feature rows of the validation skies; may be empty.
    training : pandas.DataFrame
        Feature rows that the model is trained on; partial dependence is averaged over them.
    verdicts : pandas.DataFrame
        ``probability, decided_by`` of the validation skies.
    """
    if len(validation):
        _explain_skies(run, model, validation, verdicts)
    rows = some_skies(training[list(FEATURE_NAMES)])
    top = top_features(contributions(model, rows))
    dependences = [partial_dependence(model, rows, name) for name in top]
    save_figure(run / DEPENDENCE, draw_dependence(dependences, n_skies=len(rows)))


def _explain_skies(run: Path, model: LensModel, frame: pd.DataFrame, verdicts: pd.DataFrame) -> None:
    rows = frame[list(FEATURE_NAMES)]
    parts = contributions(model, rows)
    write_explained(run / TABLE, explained_table(frame["sky"].tolist(), parts, verdicts))
    save_figure(run / IMPORTANCE, importance(parts))
    save_figure(run / BEESWARM, beeswarm(parts, rows))
