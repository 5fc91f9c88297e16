"""The shear heatmap: a sky with its ellipses, the map of tangential shear and, as the null, the map of cross shear.

The maps are those of the matched filter if given, else of the Gaussian window with the highest peak. With the
evidence, a fourth panel shows the posterior of the lens position. Figures are made without pyplot and
without the user's matplotlib settings.
"""

from typing import Any, Protocol

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.maps.shear import Peak, ShearMaps
from darkmatter_features.plots.page import (
    LEGEND_ROW,
    LENS,
    NO_LENS,
    THEME,
    blank_page,
    draw_color_bar,
    header_height,
    label_world_axes,
    lay_out,
    shortened,
    write_header,
    write_legend,
)
from darkmatter_features.plots.panels import ELLIPSE, crosshair, draw_marks, draw_sky, ring
from darkmatter_features.plots.posterior import best_fit, draw_position, draw_posterior
from darkmatter_features.plots.snr import SnrMaps, contour_levels, draw_map, draw_snr

__all__ = ["Verdict", "draw_map", "draw_marks", "draw_posterior", "draw_sky", "heatmap"]

PANEL_WIDTH = 512
"""Maximum width of a panel, pixels."""

PANEL_HEIGHT = 800
"""Maximum height of a panel, pixels."""

MIN_COLUMN = 390
"""Minimum width of the column of a panel, pixels: titles are up to 356 pixels wide."""

MIN_ROW = 110
"""Minimum height of the row of panels, pixels: the height of a colour bar's label."""

COLUMN_MARGIN = 20
"""Space beside a panel, pixels."""

ROW_MARGIN = 90
"""Space for the titles and the labels of the panels, pixels."""

LABELS_MARGIN = 90
"""Space for the labels of the rows, pixels."""

WCS_WIDTH = 120
"""Additional width of a page for the labels of declination, pixels."""

WCS_HEIGHT = 22
"""Additional height of a page for the labels of right ascension, pixels."""

BAR_MARGIN = 120
"""Space for a colour bar and its labels, pixels."""


class Verdict(Protocol):
    """The verdict of a classifier on a sky."""

    @property
    def label(self) -> int:
        """1 for a lens, 0 for none."""

    @property
    def probability(self) -> float:
        """Probability of a lens."""

    @property
    def decided_by(self) -> str:
        """Name of the model that decided."""


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
        Sky to draw; with a WCS, its panel has axes of RA and Dec.
    catalog : GalaxyCatalog
        Catalogue of the sky.
    maps : ShearMaps
        Shear maps of the catalogue; the scale with the highest peak is drawn.
    matched : (array, array), optional
        Maps of :func:`~darkmatter_features.maps.matched_filter.matched_filter`, drawn instead of `maps`.
    evidence : Evidence, optional
        Evidence for a lens: printed in the header, its best-fit position marked, its posterior drawn in a fourth panel.
    null : Evidence, optional
        Evidence with ``cross=True``, in which the shear is rotated by 45 degrees: printed in the header.
    verdict : object with `label`, `probability` and `decided_by`, optional
        Verdict of a classifier.
    lens : (float, float), pixels, optional
        Row and column of the true lens.
    p_value : float, optional
        p-value of the log Bayes factor of the shapes: printed in the header.

    Returns
    -------
    matplotlib.figure.Figure
        Sky, tangential map and cross map in a row, the two maps in the same colours; then the posterior. Save it with
        ``figure.savefig(path)``; a square image makes 1806 x 753 pixels, 2458 x 787 with the evidence.

    Examples
    --------
    >>> sky = read_sky("sky.png")  # doctest: +SKIP
    >>> catalog = measure(sky)  # doctest: +SKIP
    >>> heatmap(sky, catalog, shear_maps(catalog)).savefig("heatmap.png")  # doctest: +SKIP
    """
    shown = SnrMaps.in_window(maps) if matched is None else SnrMaps.of_filter(maps, matched)
    findings = _findings(sky, shown, evidence, null, p_value)
    with rc_context(THEME):
        figure = _page(sky, n_lines=len(findings), has_posterior=evidence is not None)
        panels = figure.axes
        draw_sky(panels[0], sky, catalog)
        draw_snr(panels[1], shown, which="tangential")
        draw_snr(panels[2], shown, which="cross")
        draw_color_bar(panels[2], "S/N", ticks=MaxNLocator("auto", integer=True))
        if evidence is not None:
            draw_posterior(panels[3], evidence, catalog)
            ticks = MaxNLocator("auto", integer=True)
            draw_color_bar(panels[3], "probability / peak", ticks=ticks, format=_power_of_ten)
        for k, axes in enumerate(panels):
            draw_marks(axes, peak=shown.peak if k < 3 else None, lens=lens).set(anchor="NW")
            if evidence is not None:
                draw_position(axes, evidence, error=k < 3)
        _label_axes(panels, sky)
        lay_out(figure, n_lines=len(findings), legend=True)
        write_header(panels[0], shortened(sky.name, int(figure.bbox.width) // 36), findings)
        if verdict is not None:
            title, color = ("Lens", LENS) if verdict.label else ("No lens", NO_LENS)
            write_header(panels[-1], title, [_confidence(verdict)], right=True, color=color)
        write_legend(panels[0], _legend(shown, evidence, has_lens=lens is not None))
    return figure


def _page(sky: Sky, *, n_lines: int, has_posterior: bool) -> Figure:
    """Return a figure with a row of panels about as large as the sky, the first one with its WCS."""
    names: list[Any] = ["sky", "tangential", "cross", "posterior"][: 3 + has_posterior]
    n_rows, n_columns = sky.shape
    zoom, has_wcs = min(PANEL_WIDTH / n_columns, PANEL_HEIGHT / n_rows), sky.wcs is not None
    width = len(names) * (max(zoom * n_columns, MIN_COLUMN) + COLUMN_MARGIN) + (len(names) - 2) * BAR_MARGIN
    height = header_height(n_lines) + max(zoom * n_rows, MIN_ROW) + ROW_MARGIN + LEGEND_ROW
    figure = blank_page(width + LABELS_MARGIN + has_wcs * WCS_WIDTH, height + has_wcs * WCS_HEIGHT)
    figure.subplot_mosaic([names], per_subplot_kw={"sky": {"projection": sky.wcs}})
    return figure


def _label_axes(panels: list[Axes], sky: Sky) -> None:
    """Label the sky in RA and Dec if it has a WCS, and the other panels in pixels, with rows at the first of them."""
    in_pixels = panels
    if sky.wcs is not None:
        label_world_axes(panels[0], ("RA", "Dec"))
        in_pixels = panels[1:]
    for panel in in_pixels:
        panel.set_xlabel("column, px")
        panel.tick_params(left=panel is in_pixels[0], labelleft=panel is in_pixels[0])
    in_pixels[0].set_ylabel("row, px")


def _power_of_ten(exponent: float, _: int) -> str:
    return f"$10^{{{exponent:.0f}}}$" if exponent else "1"


def _findings(
    sky: Sky, maps: SnrMaps, evidence: Evidence | None, null: Evidence | None, p_value: float | None
) -> list[str]:
    """Return the lines of the header: the peak of the map, the log Bayes factors, and RA and Dec with a WCS."""
    peak, largest = maps.peak, float(np.abs(maps.snr_cross).max())
    position = f"row {peak.row:.0f}, column {peak.column:.0f}"
    lines = [f"Peak S/N {peak.snr:.1f} at {position}; |S/N| ≤ {largest:.1f} in the null"]
    if evidence is not None:
        lines.append(_bayes_factors(evidence, null, p_value))
    if sky.wcs is not None:
        best = "" if evidence is None else f"; best-fit position at {_ra_dec(sky, evidence)}"
        lines.append(f"Peak at {_ra_dec(sky, peak)}{best}")
    return lines


def _bayes_factors(evidence: Evidence, null: Evidence | None, p_value: float | None) -> str:
    significance = "" if p_value is None else f" (p = {p_value:.2g})"
    rotated = "" if null is None else f", rotated by 45° (null) {null.log_bayes_factor_shear:+.1f}"
    shapes = f"shapes {evidence.log_bayes_factor_shear:+.1f}{significance}{rotated}"
    counts = f"counts {evidence.log_bayes_factor_counts:+.1f}"
    return f"Log Bayes factor {evidence.log_bayes_factor:+.1f}: {shapes}, {counts}".replace("-", "−")


def _ra_dec(sky: Sky, position: Peak | Evidence) -> str:
    ra, dec = sky.wcs.wcs_pix2world(position.column, position.row, 0)
    return f"RA {ra:.4f}°, Dec {dec:+.4f}°".replace("-", "−")


def _confidence(verdict: Verdict) -> str:
    rounded = f"{verdict.probability:.2f}"
    bounded = {"1.00": "above 0.99", "0.00": "below 0.01"}.get(rounded, rounded)
    return f"probability {bounded}, by {verdict.decided_by}"


def _legend(maps: SnrMaps, evidence: Evidence | None, *, has_lens: bool) -> dict[str, Any]:
    """Return the marks by their labels."""
    oval = MarkerStyle("o", fillstyle="none").scaled(1, 0.5).rotated(deg=25)
    galaxy = Line2D([], [], linestyle="none", marker=oval, markersize=13, markeredgecolor=ELLIPSE)
    contour = Line2D([], [], color="white", alpha=0.55, linewidth=0.8)
    marks: dict[str, Any] = {"measured galaxy": galaxy, "peak": crosshair(0, 0)}
    marks |= {"true lens": ring(0, 0)} if has_lens else {}
    levels = contour_levels(maps.limit)
    marks["|S/N| = " + ", ".join(f"{level:g}" for level in levels[:3]) + ", … (dashed: negative)"] = contour
    if evidence is not None:
        marks["best-fit position and its error; posterior: 50, 90 %"] = best_fit()
    return marks
