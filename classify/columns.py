"""The columns of a feature row, by what the deciding layer does with them."""

from darkmatter_features.statistics import FEATURES

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)

EVIDENCE = tuple(i for i, feature in enumerate(FEATURES) if feature.role == "evidence")
"""Columns that the classifier learns from; the others tell where the lens is."""

LOG_EVIDENCE = EVIDENCE.index(FEATURE_NAMES.index("evidence"))
"""Place, among those, of the log evidence: the classifier starts from it."""

TOLD = ("row", "column", "peak_snr")
"""Columns that a verdict repeats."""
