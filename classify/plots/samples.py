"""Figure of skies with their verdicts and labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from darkmatter_features.io.layouts import image_files
from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.plots.page import in_style, titled_page, write_legend
from darkmatter_features.plots.panels import draw_sky

RIGHT = "#1a7f37"
"""Colour of a correct verdict."""
WRONG = "#c62828"
"""Colour of a wrong verdict."""
UNKNOWN = "#555555"
"""Colour of a verdict on a sky without a label."""
TRUE_LENS: dict[str, Any] = {
    "marker": "o",
    "markersize": 15,
    "markerfacecolor": "none",
    "markeredgecolor": "#37e6ff",
    "markeredgewidth": 1.4,
}
"""Marker of the true lens."""
FOUND_LENS: dict[str, Any] = {
    "marker": "x",
    "markersize": 7,
    "markeredgecolor": "#ff5ad0",
    "markeredgewidth": 1.6,
}
"""Marker of the best-fit position."""

PANEL = 2.0
"""Width of a sky in the figure, inches."""


@dataclass(frozen=True)
class Sample:
    """A sky with its verdict and, if known, the truth.

    Attributes
    ----------
    sky : Sky
        Image of the sky.
    called : int
        Predicted label: 1 for a lens, 0 for none.
    probability : float
        Predicted probability of a lens.
    label : float
        True label: 1, 0, or nan for unknown.
    found, lens : (row, column), pixels
        Best-fit and true position of the lens; nan for unknown.
    """

    sky: Sky
    called: int
    probability: float
    label: float
    found: tuple[float, float]
    lens: tuple[float, float]

    @property
    def color(self) -> str:
        """Colour of the verdict: green if correct, red if wrong, grey without a label."""
        if np.isnan(self.label):
            return UNKNOWN
        return RIGHT if self.called == self.label else WRONG

    @property
    def title(self) -> str:
        """Predicted label, its probability, and the true label."""
        probability = self.probability if self.called else 1 - self.probability
        label = "?" if np.isnan(self.label) else f"{self.label:.0f}"
        return f"pred: {self.called}, {100 * probability:.1f} % (label: {label})"


def samples(judged: pd.DataFrame, root: Path, *, rng: np.random.Generator, n: int = 16) -> list[Sample]:
    """Return a random sample of skies, half of them with a lens if there are enough.

    Parameters
    ----------
    judged : pandas.DataFrame
        Verdicts with the truth, one row a sky.
    root : Path
        Folder of the data set, to which the names of the skies are relative.
    rng : numpy.random.Generator
        Source of the sample.
    n : int
        Maximum number of skies.

    Raises
    ------
    SkyError
        If an image cannot be read.
    """
    order = rng.permutation(len(judged))
    lensed = judged["label"].to_numpy(dtype=np.float64)[order] == 1
    rank_in_class = np.where(lensed, np.cumsum(lensed), np.cumsum(~lensed))
    chosen = order[np.argsort(rank_in_class, kind="stable")][:n]
    drawn = judged.iloc[rng.permutation(chosen)]
    files = image_files(root, drawn["sky"])
    return [_sample(drawn.iloc[i], file) for i, file in enumerate(files)]


@in_style("light")
def sample_grid(chosen: Sequence[Sample], *, columns: int = 4) -> Figure:
    """Return a figure of skies in a grid, each under its verdict: green if correct, red if wrong.

    Parameters
    ----------
    chosen : sequence of Sample
        Skies, row by row.
    columns : int
        Number of skies in a row.

    Returns
    -------
    matplotlib.figure.Figure
        Figure of 400 pixels a column.
    """
    n_rows = -(-len(chosen) // columns)
    figure, body = titled_page(PANEL * columns, 1.06 * PANEL * n_rows + 0.75, _headline(chosen))
    panels = body.subplots(n_rows, columns, squeeze=False)
    for panel in panels.flat[len(chosen) :]:
        panel.set_axis_off()
    for panel, sample in zip(panels.flat, chosen):
        _draw_sample(panel, sample)
    _draw_legend(figure)
    return figure


def _sample(row: Any, file: Path) -> Sample:
    probability = float(row["probability"])
    return Sample(
        read_sky(file),
        int(probability >= 0.5),
        probability,
        float(row["label"]),
        (float(row["row"]), float(row["column"])),
        (float(row["lens_row"]), float(row["lens_column"])),
    )


def _draw_sample(axes: Axes, sample: Sample) -> None:
    draw_sky(axes, sample.sky)
    axes.set_title(sample.title, fontsize=8, color=sample.color, pad=3.5)
    axes.set(xticks=[], yticks=[], autoscale_on=False)
    for spine in axes.spines.values():
        spine.set(color=sample.color, linewidth=1.6, visible=True)
    axes.plot(sample.lens[1], sample.lens[0], linestyle="none", **TRUE_LENS)
    if sample.called:
        axes.plot(sample.found[1], sample.found[0], linestyle="none", **FOUND_LENS)


def _headline(chosen: Sequence[Sample]) -> str:
    labelled = [sample for sample in chosen if not np.isnan(sample.label)]
    n_correct = sum(sample.called == sample.label for sample in labelled)
    return f"Random validation skies: {n_correct} of {len(labelled)} verdicts correct"


def _draw_legend(figure: Figure) -> None:
    markers: dict[str, dict[str, Any]] = {
        "true lens": {**TRUE_LENS, "markersize": 9, "markeredgecolor": "#12a5bd"},
        "best-fit position": FOUND_LENS,
        "correct": {"marker": "s", "color": RIGHT},
        "wrong": {"marker": "s", "color": WRONG},
        "%: probability of the predicted label": {},
    }
    handles = {label: Line2D([], [], linestyle="none", **style) for label, style in markers.items()}
    write_legend(figure, handles)
