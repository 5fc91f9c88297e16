"""The columns of a feature row, by what the deciding layer does with them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darkmatter_features.features.statistics import FEATURES

Array = NDArray[np.float64]

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)

FEATURE_INDICES = tuple(i for i, feature in enumerate(FEATURES) if feature.role == "input")
"""Columns that the classifier learns from; the others give the position of the lens."""

LOG_EVIDENCE = FEATURE_INDICES.index(FEATURE_NAMES.index("evidence"))
"""Index, among those, of the log evidence: the classifier starts from it."""

VERDICT_COLUMNS = ("row", "column", "peak_snr")
"""Columns that a verdict repeats."""


def select_features(rows: ArrayLike) -> Array:
    """Return the columns that the classifier learns from, of feature rows ``(n, n_features)``."""
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(FEATURE_NAMES):
        raise ValueError(f"rows must be of shape (n, {len(FEATURE_NAMES)}), got {values.shape}")
    return np.ascontiguousarray(values[:, FEATURE_INDICES])
