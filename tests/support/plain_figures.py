"""Figures of a training that are not drawn, for the tests of all else: they take nine tenths of a small training."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from classify import train
from classify.plots import explain_run

FIGURES = {
    train: ("draw_template", "performance", "sample_grid"),
    explain_run: ("importance", "beeswarm", "draw_dependence"),
}
"""Functions that draw, by the module that calls them."""
if find_spec("optuna"):
    FIGURES[import_module("classify.commands.tune")] = ("draw_search",)


class PlainFigures:
    """Replaces the figures by an image of one pixel while `is_plain`."""

    def __init__(self) -> None:
        self.is_plain = False

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw the figures in the block."""
        before, self.is_plain = self.is_plain, False
        yield
        self.is_plain = before

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for module, names in FIGURES.items():
            for name in names:
                patch.setattr(module, name, self._or_none(getattr(module, name)))
            patch.setattr(module, "save_figure", self._or_pixel(module.save_figure))

    def _or_none(self, drawn):
        return lambda *args, **options: None if self.is_plain else drawn(*args, **options)

    def _or_pixel(self, save_figure):
        def save(path, figure, *args, **options):
            if figure is not None:
                return save_figure(path, figure, *args, **options)
            return Image.new("RGB", (1, 1)).save(Path(path))

        return save


PLAIN_FIGURES = PlainFigures()
"""Of this process."""
