"""Outcomes of verdicts: each labelled sky has one, and they agree with the metrics."""

import numpy as np
import pandas as pd

from classify.evaluate import score_judged
from classify.verdicts.outcomes import FALSE_ALARM, MISSED, NO_VERDICT, RIGHT, UNLABELLED, is_uncertain, outcomes_of


def table():
    return pd.DataFrame({
        "label": [1, 0, 1, 0, 1, 0, np.nan, 0.0], "probability": [0.5, 0.49, 0.4, 0.9, 0.5, 0.5, 0.7, 0.1],
        "decided_by": ["lightgbm"] * 4 + ["withheld"] * 2 + ["cnn"] * 2, "offset_px": np.nan,
    })  # fmt: skip


def test_each_verdict_has_one_outcome():
    assert outcomes_of(table()).tolist() == [
        RIGHT, RIGHT, MISSED, FALSE_ALARM, NO_VERDICT, NO_VERDICT, UNLABELLED, RIGHT,
    ]  # fmt: skip


def test_the_accuracy_is_the_fraction_of_right_outcomes():
    outcomes = outcomes_of(table())
    labelled = outcomes != UNLABELLED
    assert score_judged(table())["accuracy"] == np.mean(outcomes[labelled] == RIGHT)


def test_the_bounds_of_uncertain_probabilities_are_inclusive():
    p = np.array([0.0999, 0.1, 0.5, 0.9, 0.9001, np.nan])
    assert is_uncertain(p).tolist() == [False, True, True, True, False, False]
