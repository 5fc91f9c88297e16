"""What a run tells of where its verdicts come from: contributions sky by sky, importance, partial dependence."""

from pathlib import Path

import pandas as pd

from classify.columns import FEATURE_NAMES
from classify.explain.contributions import contributions, explained_table, write_explained
from classify.explain.dependence import partial_dependence, some_skies, top_features
from classify.model import LensModel
from classify.plots.beeswarm import beeswarm
from classify.plots.dependence import draw_dependence
from classify.plots.importance import importance
from classify.plots.samples import save_figure

TABLE = "validation-contributions.csv"
IMPORTANCE, BEESWARM, DEPENDENCE = "importance.png", "contributions.png", "partial-dependence.png"
OF_VALIDATION = (TABLE, IMPORTANCE, BEESWARM)
"""Those that tell of the validation skies."""


def explain_run(
    run: Path, model: LensModel, validation: pd.DataFrame, training: pd.DataFrame, *, verdicts: pd.DataFrame
) -> None:
    """Write the table and the pictures; without validation skies, the dependence alone.

    Parameters
    ----------
    run : Path
        Folder of the run.
    model : LensModel
        Its model.
    validation : pandas.DataFrame
        Feature rows whose verdicts are parted by what they come from; there may be none.
    training : pandas.DataFrame
        Feature rows that the model learnt from: over these, partial dependence is averaged.
    verdicts : pandas.DataFrame
        On the validation skies: ``probability, decided_by``.
    """
    if len(validation):
        _explain_skies(run, model, validation, verdicts)
    rows = some_skies(training[list(FEATURE_NAMES)])
    told = top_features(contributions(model, rows))
    dependences = [partial_dependence(model, rows, name) for name in told]
    save_figure(run / DEPENDENCE, draw_dependence(dependences, n_skies=len(rows)))


def _explain_skies(run: Path, model: LensModel, frame: pd.DataFrame, verdicts: pd.DataFrame) -> None:
    rows = frame[list(FEATURE_NAMES)]
    parts = contributions(model, rows)
    write_explained(run / TABLE, explained_table(frame["sky"].tolist(), parts, verdicts))
    save_figure(run / IMPORTANCE, importance(parts))
    save_figure(run / BEESWARM, beeswarm(parts, rows))
