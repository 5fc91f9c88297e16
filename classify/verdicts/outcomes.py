"""Outcomes of verdicts: which are right, wrong, withheld or uncertain. All lists and figures count by these."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classify.metrics import THRESHOLD
from classify.verdicts.verdict import WITHHELD

UNCERTAIN = (0.1, 0.9)
"""Bounds of the probability of an uncertain sky, inclusive."""

RIGHT, MISSED, FALSE_ALARM, NO_VERDICT, UNLABELLED = "right", "missed", "false", "withheld", ""
"""Outcomes: the right verdict; no lens at a lens; a lens at none; no verdict; a verdict on a sky of unknown label."""


def probabilities_of(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the probability of each verdict of a table, (n,); nan where it is withheld, whatever the table has."""
    p = table["probability"].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where((table["decided_by"] == WITHHELD).to_numpy(dtype=np.bool_), np.nan, p)


def outcomes_of(table: pd.DataFrame) -> NDArray[np.str_]:
    """Return the outcome of each verdict of a table of ``label, probability, decided_by``, (n,)."""
    p, label = probabilities_of(table), table["label"].to_numpy(dtype=np.float64, na_value=np.nan)
    is_lens = p >= THRESHOLD
    conditions = [np.isnan(p), np.isnan(label), is_lens == (label == 1), label == 1]
    return np.select(conditions, [NO_VERDICT, UNLABELLED, RIGHT, MISSED], FALSE_ALARM)


def is_uncertain(probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each probability, (n,), is that of an uncertain sky; a withheld verdict, nan, is none."""
    return (probabilities >= UNCERTAIN[0]) & (probabilities <= UNCERTAIN[1])
