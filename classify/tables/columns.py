"""Columns of a feature row by their use in the classifier."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.features.statistics import FEATURES

Array = NDArray[np.float64]

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)

FEATURE_INDICES = tuple(i for i, feature in enumerate(FEATURES) if feature.role == "input")
"""Indices of the input columns of the classifier; the other columns give the position of the lens."""

LOG_EVIDENCE = FEATURE_INDICES.index(FEATURE_NAMES.index("evidence"))
"""Index of the log evidence among the input columns; the trees start from it."""

VERDICT_COLUMNS = ("row", "column", "peak_snr")
"""Columns that are copied into a verdict."""


def select_features(rows: ArrayLike) -> Array:
    """Return the input columns ``(n, n_inputs)`` of feature rows ``(n, n_features)``.

    Raises
    ------
    ValueError
        If the rows have another shape.
    """
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(FEATURE_NAMES):
        raise ValueError(f"rows must be of shape (n, {len(FEATURE_NAMES)}), got {values.shape}")
    return np.ascontiguousarray(values[:, FEATURE_INDICES])
