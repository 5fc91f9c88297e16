"""Pictures of verdicts: skies with what was said of them, and what is true."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from darkmatter_features.io.sky import Sky, read_sky
from darkmatter_features.io.table import written_whole
from darkmatter_features.plots.heatmap import draw_sky

RIGHT, WRONG, UNKNOWN = "#1a7f37", "#c62828", "#555555"
TRUE_LENS: dict[str, Any] = {
    "marker": "o",
    "markersize": 15,
    "markerfacecolor": "none",
    "markeredgecolor": "#37e6ff",
    "markeredgewidth": 1.4,
}
FOUND_LENS: dict[str, Any] = {
    "marker": "x",
    "markersize": 7,
    "markeredgecolor": "#ff5ad0",
    "markeredgewidth": 1.6,
}
INK = "#222222"

DPI = 200
PANEL, GAP, TITLE, MARGIN, HEAD, FOOT = 1.9, 0.067, 0.215, 0.1, 0.34, 0.3
"""Of the sample grid, inches: side of a sky, space between two, room for its title, the page's borders."""


@dataclass(frozen=True)
class Sample:
    """A sky with its verdict and, where known, the truth.

    Attributes
    ----------
    sky : Sky
        The picture.
    called : int
        1 for a lens, 0 for none.
    probability : float
        Of a lens.
    label : float
        1, 0, or nan where unknown.
    found, lens : (row, column), pixels
        The found and the true centre; nan where unknown.
    """

    sky: Sky
    called: int
    probability: float
    label: float
    found: tuple[float, float]
    lens: tuple[float, float]

    @property
    def color(self) -> str:
        """Green when called rightly, red when wrongly, grey when nobody knows."""
        if np.isnan(self.label):
            return UNKNOWN
        return RIGHT if self.called == self.label else WRONG

    @property
    def title(self) -> str:
        """The verdict, how sure it is, and the truth."""
        sure = self.probability if self.called else 1 - self.probability
        label = "?" if np.isnan(self.label) else f"{self.label:.0f}"
        return f"pred: {self.called}, {100 * sure:.1f} % (label: {label})"


def samples(judged: pd.DataFrame, root: Path, *, rng: np.random.Generator, n: int = 16) -> list[Sample]:
    """Draw skies at random, half of them with a lens where there are enough, and read their pictures.

    Parameters
    ----------
    judged : pandas.DataFrame
        Verdicts beside the truth.
    root : Path
        Folder that their names start from.
    rng : numpy.random.Generator
        Draws them.
    n : int
        How many; fewer when there are fewer.

    Raises
    ------
    SkyError
        If a picture cannot be read.
    """
    order = rng.permutation(len(judged))
    lensed = judged["label"].to_numpy(dtype=np.float64)[order] == 1
    place_in_kind = np.where(lensed, np.cumsum(lensed), np.cumsum(~lensed))
    chosen = order[np.argsort(place_in_kind, kind="stable")][:n]
    return [_sample(judged.iloc[i], root) for i in rng.permutation(chosen)]


def sample_grid(chosen: Sequence[Sample], *, columns: int = 4) -> Figure:
    """Draw skies in a grid, each under its verdict: green when right, red when wrong.

    Parameters
    ----------
    chosen : sequence of Sample
        Row by row.
    columns : int
        Skies in a row.

    Returns
    -------
    matplotlib.figure.Figure
        1600 pixels wide for four columns, when saved by `save_figure`.
    """
    n_rows = -(-len(chosen) // columns)
    width = 2 * MARGIN + columns * PANEL + (columns - 1) * GAP
    height = HEAD + n_rows * (TITLE + PANEL) + FOOT
    figure = blank_figure(width, height)
    axes = figure.subplots(n_rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=MARGIN / width,
        right=1 - MARGIN / width,
        bottom=FOOT / height,
        top=1 - (HEAD + TITLE) / height,
        wspace=GAP / PANEL,
        hspace=TITLE / PANEL,
    )
    for panel in axes.flat:
        panel.set_axis_off()
    for panel, sample in zip(axes.flat, chosen):
        _draw_sample(panel, sample)
    at = MARGIN / width, 1 - 0.6 * HEAD / height
    figure.text(*at, _headline(chosen), fontsize=10.5, color=INK, weight="bold", va="center")
    _sample_legend(figure)
    return figure


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG that appears whole or not at all."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)


def blank_figure(width: float, height: float) -> Figure:
    """Return a white figure of that many inches, of no window or global state."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def wrapped(words: str, width: int = 48) -> str:
    """Break words into lines of at most so many letters."""
    return "\n".join(textwrap.wrap(words, width))


def _sample(row: Any, root: Path) -> Sample:
    probability = float(row["probability"])
    return Sample(
        read_sky(root / row["sky"]),
        int(probability >= 0.5),
        probability,
        float(row["label"]),
        (float(row["row"]), float(row["column"])),
        (float(row["lens_row"]), float(row["lens_column"])),
    )


def _draw_sample(axes: Axes, sample: Sample) -> None:
    axes.set_axis_on()
    draw_sky(axes, sample.sky)
    axes.set_title(sample.title, fontsize=8, color=sample.color, pad=3.5, weight="bold")
    axes.set(xticks=[], yticks=[], autoscale_on=False)
    for spine in axes.spines.values():
        spine.set(color=sample.color, linewidth=1.6)
    axes.plot(sample.lens[1], sample.lens[0], linestyle="none", **TRUE_LENS)
    if sample.called:
        axes.plot(sample.found[1], sample.found[0], linestyle="none", **FOUND_LENS)


def _headline(chosen: Sequence[Sample]) -> str:
    known = [sample for sample in chosen if not np.isnan(sample.label)]
    right = sum(sample.called == sample.label for sample in known)
    return f"Validation skies, drawn at random: {right} of {len(known)} called rightly"


def _sample_legend(figure: Figure) -> None:
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            label="true lens",
            **{**TRUE_LENS, "markersize": 9, "markeredgecolor": "#12a5bd"},
        ),
        Line2D([], [], linestyle="none", label="centre found", **FOUND_LENS),
        Line2D([], [], linestyle="none", marker="s", color=RIGHT, label="called rightly"),
        Line2D([], [], linestyle="none", marker="s", color=WRONG, label="called wrongly"),
        Line2D([], [], linestyle="none", label="per cent: how sure the call is"),
    ]
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=8.5,
        handletextpad=0.3, columnspacing=2.2, borderaxespad=0.2, labelcolor=INK,
    )  # fmt: skip
