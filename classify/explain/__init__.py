"""Explanations of verdicts: arithmetic only; the figures are in `classify.plots`."""
