"""Shape catalogues made here: measured images as tables with units, for `locate` and for others."""
