"""Which columns a verdict comes from: arithmetic only, drawn in `classify.plots`."""
