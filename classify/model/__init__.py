"""The model: trees, CNN stage, template and likeness, and the files that hold them."""

from classify.model.lens_model import LensModel, mean_log_odds

__all__ = ["LensModel", "mean_log_odds"]
