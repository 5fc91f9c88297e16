"""The shear heatmap: a sky with its ellipses, the tangential map, and beside it the cross map as the null.

The maps are those of the matched filter where it is given, else of the Gaussian window with the highest peak. With the
evidence that a verdict was made from, a fourth panel shows where a lens would be. Figures are made of matplotlib's
objects alone; neither pyplot nor anybody's settings are touched.
"""

from typing import Any, Protocol

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import FixedLocator, MaxNLocator
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.maps.shear import ShearMaps
from darkmatter_features.plots.page import BIG, FAINT, LENS, NO_LENS, SMALL, THEME, blank_page, place, shortened, write
from darkmatter_features.plots.panels import ELLIPSE, crosshair, draw_marks, draw_sky, ring
from darkmatter_features.plots.posterior import DECADES, best_fit, draw_position, draw_posterior
from darkmatter_features.plots.snr import SnrMaps, contour_levels, draw_map, draw_snr

__all__ = ["Verdict", "draw_map", "draw_marks", "draw_posterior", "draw_sky", "heatmap"]

# The page, in pixels of a figure saved as it is: a picture of 512 x 512 fills a panel pixel by pixel.
PANEL, MAX_HEIGHT = 512, 800
# Less leaves no room for the colour bar and the titles; a title needs `TITLE` across.
MIN_WIDTH, MIN_HEIGHT, TITLE = 290, 140, 356
LEFT, RIGHT, TOP, BOTTOM = 110, 78, 146, 112
GAP, BAR_GAP, BAR = 34, 22, 16
# From the first colour bar to the fourth panel.
BAR_WIDE = 84
# From one line of the head to the next.
LINE = 34


class Verdict(Protocol):
    """What a classifier says of a sky."""

    @property
    def label(self) -> int:
        """1 for a lens, 0 for none."""

    @property
    def probability(self) -> float:
        """Probability of a lens."""

    @property
    def decided_by(self) -> str:
        """Which model decided."""


def heatmap(
    sky: Sky,
    catalog: GalaxyCatalog,
    maps: ShearMaps,
    *,
    matched: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    evidence: Evidence | None = None,
    null: Evidence | None = None,
    verdict: Verdict | None = None,
    lens: tuple[float, float] | None = None,
    p_value: float | None = None,
) -> Figure:
    """Draw the shear heatmap of a sky.

    Parameters
    ----------
    sky : Sky
        The picture.
    catalog : GalaxyCatalog
        Its galaxies.
    maps : ShearMaps
        Their maps; the scale with the highest peak is drawn.
    matched : (array, array), optional
        Maps of :func:`~darkmatter_features.maps.matched_filter.matched_filter`; drawn in the place of `maps`.
    evidence : Evidence, optional
        Their evidence for a lens: told, the best-fit position marked, and the posterior drawn in a fourth panel.
    null : Evidence, optional
        The same with ``cross=True``: what the shapes alone give when turned by 45 degrees; told beside it.
    verdict : object with `label`, `probability` and `decided_by`, optional
        What a classifier says of the sky.
    lens : (float, float), pixels, optional
        Row and column of the true lens.
    p_value : float, optional
        How probable so much evidence from shapes is by chance; told beside it.

    Returns
    -------
    matplotlib.figure.Figure
        Sky, tangential map and cross map in a row, the two maps in the same colours; then the posterior. Save it with
        ``figure.savefig(path)``; a square picture makes 1830 x 770 pixels, 2464 x 804 with evidence.

    Examples
    --------
    >>> sky = read_sky("sky.png")  # doctest: +SKIP
    >>> catalog = measure(sky)  # doctest: +SKIP
    >>> heatmap(sky, catalog, shear_maps(catalog)).savefig("heatmap.png")  # doctest: +SKIP
    """
    shown = SnrMaps.in_window(maps) if matched is None else SnrMaps.of_filter(maps, matched)
    with rc_context(THEME):
        figure, panels, bars = _page(sky.shape, n_panels=3 if evidence is None else 4)
        draw_sky(panels[0], sky, catalog).set_ylabel("row, px")
        draw_snr(panels[1], shown, which="tangential")
        draw_snr(panels[2], shown, which="cross")
        _draw_color_bar(figure, bars[0], panels[1])
        if evidence is not None:
            draw_posterior(panels[3], evidence, catalog)
            _draw_posterior_bar(figure, bars[1], panels[3])
        for k, axes in enumerate(panels):
            draw_marks(axes, peak=shown.peak if k < 3 else None, lens=lens).set(xlabel="column, px", anchor="W")
            axes.tick_params(left=k == 0, labelleft=k == 0)
            if evidence is not None:
                draw_position(axes, evidence, error=k < 3)
        _write_header(figure, sky.name, _findings(shown, evidence, null, p_value), verdict)
        _write_key(figure, _key(shown, evidence, has_lens=lens is not None))
    return figure


def _page(shape: tuple[int, int], *, n_panels: int) -> tuple[Figure, list[Axes], list[Axes]]:
    """Lay out panels of the picture's proportions, with a colour bar after the third and one after the fourth."""
    zoom = min(PANEL / shape[1], MAX_HEIGHT / shape[0])
    across, tall = max(round(zoom * shape[1]), MIN_WIDTH), max(round(zoom * shape[0]), MIN_HEIGHT)
    lefts = [LEFT + k * (max(across, TITLE) + GAP) for k in range(3)]
    bars = [lefts[2] + across + BAR_GAP]
    if n_panels > 3:
        lefts.append(bars[0] + BAR + max(BAR_WIDE, TITLE + GAP - across - BAR_GAP - BAR))
        bars.append(lefts[3] + max(across, TITLE) + BAR_GAP)
    figure = blank_page(bars[-1] + BAR + RIGHT, BOTTOM + tall + (TOP if n_panels == 3 else TOP + LINE))

    def at(left: int, width: int) -> Axes:
        return place(figure, left, BOTTOM, width, tall)

    return figure, [at(left, across) for left in lefts], [at(left, BAR) for left in bars]


def _draw_color_bar(figure: Figure, bar: Axes, axes: Axes) -> None:
    colors = figure.colorbar(axes.images[0], cax=bar, ticks=MaxNLocator("auto", integer=True))
    colors.outline.set_visible(False)
    bar.set_title("S/N", loc="center", fontsize=8.5, color=FAINT)


def _draw_posterior_bar(figure: Figure, bar: Axes, axes: Axes) -> None:
    ticks = range(0, -DECADES - 1, -2)
    colors = figure.colorbar(axes.images[0], cax=bar, ticks=FixedLocator(ticks))
    bar.set_yticklabels([f"$10^{{{tick}}}$" if tick else "1" for tick in ticks])
    colors.outline.set_visible(False)
    bar.set_title("of peak", loc="center", fontsize=8.5, color=FAINT)


def _findings(maps: SnrMaps, evidence: Evidence | None, null: Evidence | None, p_value: float | None) -> list[str]:
    """Return what was found, in one line for the maps and another for the evidence."""
    peak, largest = maps.peak, float(np.abs(maps.snr_cross).max())
    told = [
        f"Peak S/N {peak.snr:.1f} at row {peak.row:.0f}, column {peak.column:.0f}; |S/N| ≤ {largest:.1f} in the null"
    ]
    return told if evidence is None else [*told, _weighed(evidence, null, p_value)]


def _weighed(evidence: Evidence, null: Evidence | None, p_value: float | None) -> str:
    by_chance = "" if p_value is None else f" with p = {p_value:.2g} by chance"
    turned = "" if null is None else f", turned by 45° (the null) {null.log_bayes_factor_shear:+.1f}"
    alone = f"shapes alone {evidence.log_bayes_factor_shear:+.1f}{by_chance}{turned}"
    told = (
        f"Log evidence {evidence.log_bayes_factor:+.1f}: {alone}, counts alone {evidence.log_bayes_factor_counts:+.1f}"
    )
    return told.replace("-", "−")


def _write_header(figure: Figure, name: str, findings: list[str], verdict: Verdict | None) -> None:
    right, first, second = -(RIGHT + BAR + BAR_GAP), 40, 78
    write(figure, LEFT, first, shortened(name, int(figure.bbox.width) // 36), **BIG)
    for k, line in enumerate(findings):
        write(figure, LEFT, second + k * LINE, line, **SMALL)
    if verdict is not None:
        says, color = ("Lens", LENS) if verdict.label else ("No lens", NO_LENS)
        write(figure, right, first, says, color=color, **BIG)
        write(figure, right, second, _confidence(verdict), **SMALL)


def _confidence(verdict: Verdict) -> str:
    rounded = f"{verdict.probability:.2f}"
    told = {"1.00": "above 0.99", "0.00": "below 0.01"}.get(rounded, rounded)
    return f"probability {told}, by {verdict.decided_by}"


def _key(maps: SnrMaps, evidence: Evidence | None, *, has_lens: bool) -> dict[str, Any]:
    """Return the marks by what they mean."""
    oval = MarkerStyle("o", fillstyle="none").scaled(1, 0.5).rotated(deg=25)
    galaxy = Line2D([], [], linestyle="none", marker=oval, markersize=13, markeredgecolor=ELLIPSE)
    contour = Line2D([], [], color="white", alpha=0.55, linewidth=0.8)
    key: dict[str, Any] = {"measured galaxy": galaxy, "peak": crosshair(0, 0)}
    key |= {"true lens": ring(0, 0)} if has_lens else {}
    levels = contour_levels(maps.limit)
    key["|S/N| = " + ", ".join(f"{level:g}" for level in levels[:3]) + ", … (dashed: negative)"] = contour
    if evidence is not None:
        key["best-fit position and its error; posterior: 50, 90 %"] = best_fit()
    return key


def _write_key(figure: Figure, key: dict[str, Any]) -> None:
    """Explain the marks in a row at the foot of the page."""
    width, height = figure.bbox.size
    figure.legend(
        key.values(), key.keys(), loc="center left", bbox_to_anchor=(LEFT / width, 28 / height), ncols=len(key),
        frameon=False, labelcolor=FAINT, borderpad=0, borderaxespad=0, handlelength=1.6, columnspacing=2.4,
        handletextpad=0.8,
    )  # fmt: skip
