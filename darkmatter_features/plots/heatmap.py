"""The shear heatmap: a sky with its ellipses, the map of tangential shear and, as the null, the map of cross shear.

The maps are those of the matched filter if given, else of the Gaussian window with the highest peak. With the
evidence, a fourth panel shows the posterior of the lens position. Figures are made without pyplot and
without the user's matplotlib settings.
"""

from typing import Any, Protocol

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.catalog import SourceCatalog
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.maps.shear import Peak, ShearMaps
from darkmatter_features.plots.defects import draw_defects, draw_stars
from darkmatter_features.plots.page import (
    MARGIN,
    draw_color_bar,
    in_style,
    label_world_axes,
    shortened,
    small_type,
    titled_page,
    write_legend,
)
from darkmatter_features.plots.panels import crosshair, draw_marks, draw_sky, ring, without_noise
from darkmatter_features.plots.posterior import best_fit, credible_regions, draw_position, draw_posterior
from darkmatter_features.plots.snr import SnrMaps, contour_label, draw_map, draw_snr
from darkmatter_features.plots.theme import current_theme

__all__ = ["Verdict", "draw_map", "draw_marks", "draw_posterior", "draw_sky", "heatmap"]

PANELS = ["sky", "tangential", "cross", "posterior"]
"""Panels of a heatmap; the last one with the evidence."""

MIN_PANEL = (0.73, 2.6)
"""Minimum height and width of the space for a panel, inches: a colour bar's label and a title fit in it."""

MARGINS = (1.46, 0.7)
"""Height of a page beyond its panels and lines of text, and width beyond its columns, inches."""

LINE = 0.2267
"""Height of a line of text, inches."""

LEGEND_LINE, LEGEND_COLUMNS = 0.205, 4
"""Height of a row of the legend beyond the first, inches, and maximum number of its marks."""

NARROW_LINE, NARROW_COLUMNS = 0.21, 3
"""The same on a narrow page."""

COLUMN_MARGINS = (0.1334, 0.8)
"""Width beside a panel, and that of a colour bar and its labels, inches."""

ROW_MARGIN = 0.65
"""Height between two rows of panels, inches: labels of columns and a title fit in it."""

WORLD_MARGINS = (1.61, 1.2)
"""The same for a page with labels of right ascension and declination, inches."""


class Verdict(Protocol):
    """The verdict of a classifier on a sky."""

    @property
    def label(self) -> int | None:
        """1 for a lens, 0 for none, None where it is withheld."""

    @property
    def probability(self) -> float:
        """Probability of a lens; nan where it is withheld."""

    @property
    def unlike(self) -> bool:
        """Whether the sky is unlike the training skies."""

    @property
    def decided_by(self) -> str:
        """Name of the model that decided."""


@in_style("theme")
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
    sources: SourceCatalog | None = None,
) -> Figure:
    """Draw the shear heatmap of a sky.

    Parameters
    ----------
    sky : Sky
        Sky to draw; with a WCS, all panels have axes of RA and Dec.
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
    verdict : object with `label`, `probability`, `unlike` and `decided_by`, optional
        Verdict of a classifier.
    lens : (float, float), pixels, optional
        Row and column of the true lens.
    p_value : float, optional
        p-value of the log Bayes factor of the shapes: printed in the header.
    sources : SourceCatalog, optional
        Sources of an image with noise: its defects are tinted, and its stars marked.

    Returns
    -------
    matplotlib.figure.Figure
        Sky, tangential map and cross map in a row, the two maps in the same colours; then the posterior. Save it with
        ``figure.savefig(path)``; a square image makes 1821 x 765 pixels, 2473 x 799 with the evidence. In the light
        theme of :func:`~darkmatter_features.plots.theme.plot_theme`, panels are in rows of two, of the width of a page.

    Examples
    --------
    >>> sky = read_sky("sky.png")  # doctest: +SKIP
    >>> catalog = measure(sky)  # doctest: +SKIP
    >>> heatmap(sky, catalog, shear_maps(catalog)).savefig("heatmap.png")  # doctest: +SKIP
    """
    shown = SnrMaps.in_window(maps, pixel=sky.pixel_side) if matched is None else SnrMaps.of_filter(maps, matched)
    lines = _findings(sky, shown, evidence, null, p_value)
    figure, panels = _page(sky, _with_verdict(lines, verdict), has_posterior=evidence is not None)
    catalog = catalog if sources is None else without_noise(catalog)
    draw_sky(panels[0], sky, catalog)
    others = {} if sources is None else _draw_others(panels[0], sources)
    draw_snr(panels[1], shown, which="tangential")
    draw_snr(panels[2], shown, which="cross")
    last_map, prune = (2, None) if _is_wide() else (1, "both")  # at the end of a row, beside a title that may be long
    draw_color_bar(panels[last_map], "S/N", ticks=MaxNLocator("auto", integer=True, prune=prune))
    if evidence is not None:
        draw_posterior(panels[3], evidence, catalog)
        draw_color_bar(panels[3], "probability / peak", ticks=MaxNLocator("auto", integer=True), format=_power_of_ten)
    for k, axes in enumerate(panels):
        draw_marks(axes, peak=shown.peak if k < 3 else None, lens=lens).set(anchor="NW")
        if evidence is not None:
            draw_position(axes, evidence.column, evidence.row, evidence.position_error if k < 3 else None)
    _label_axes(panels, sky)
    if verdict is not None:
        _write_verdict(figure, verdict)
    _write_legend(figure, _legend(shown, evidence, has_lens=lens is not None), others)
    return figure


def _draw_others(axes: Axes, sources: SourceCatalog) -> dict[str, Any]:
    """Draw stars and what was left out of an image with noise; return the marks of the legend by their labels."""
    left_out = float(sources.exposure.mask.mean())
    if left_out:
        axes.set_title(f"{axes.get_title('left')}, {100.0 * left_out:.1f} % left out")
    return {**draw_stars(axes, sources), **draw_defects(axes, sources.exposure.defects)}


def _write_legend(figure: Figure, marks: dict[str, Any], others: dict[str, Any]) -> None:
    """Write the legend, with a row for the marks of every heatmap, or in columns on a narrow page; make room for it."""
    items = list(others.items())
    rows = [dict(items[k : k + LEGEND_COLUMNS]) for k in range(0, len(items), LEGEND_COLUMNS)]
    if _is_wide():
        figure.set_figheight(figure.get_figheight() + LEGEND_LINE * len(rows))
        write_legend(figure, marks, *rows)
    else:
        marks |= others
        figure.set_figheight(figure.get_figheight() + NARROW_LINE * (-(-len(marks) // NARROW_COLUMNS) - 1))
        write_legend(figure, marks, n_columns=NARROW_COLUMNS)


def _page(sky: Sky, lines: list[str], *, has_posterior: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure with lines of text and rows of panels about as large as the sky, each with its WCS."""
    theme, names = current_theme(), PANELS[: 3 + has_posterior]
    n_columns = min(theme.n_columns, len(names))
    mosaic = [[*names[k : k + n_columns], *"."][:n_columns] for k in range(0, len(names), n_columns)]
    margins = MARGINS if sky.wcs is None else WORLD_MARGINS
    height, width = np.maximum(np.min(np.array(theme.panel) / sky.shape) * np.array(sky.shape), MIN_PANEL)
    n_bars = len(names) - 2 if len(mosaic) == 1 else 1
    width = n_columns * (width + COLUMN_MARGINS[0]) + n_bars * COLUMN_MARGINS[1] + margins[1]
    height = len(mosaic) * (height + ROW_MARGIN) - ROW_MARGIN + LINE * len(lines) + margins[0]
    figure, body = titled_page(width, height, shortened(sky.name, int(4 * width)), "\n".join(lines))
    panels = body.subplot_mosaic(mosaic, subplot_kw={"projection": sky.wcs})
    return figure, [panels[name] for name in names]


def _write_verdict(figure: Figure, verdict: Verdict) -> None:
    """Write the verdict and, on a wide page, its probability at the upper right, beside the title."""
    width, height = figure.get_size_inches()
    theme = current_theme()
    title, color = {None: ("No verdict", theme.unlike), 1: ("Lens", theme.lens), 0: ("No lens", theme.no_lens)}[
        verdict.label
    ]
    big = {"fontsize": rcParams["figure.titlesize"], "weight": "bold", "color": color}
    small = small_type() | ({"color": theme.unlike} if verdict.unlike else {})
    confidence = _confidence(verdict) if _is_wide() else ""
    for y, text, style in ((rcParams["figure.constrained_layout.h_pad"], title, big), (0.42, confidence, small)):
        figure.text(1 - MARGIN / width, 1 - y / height, text, ha="right", va="top", **style)


def _is_wide() -> bool:
    """Return whether the panels are in one row."""
    return current_theme().n_columns >= len(PANELS)


def _with_verdict(lines: list[str], verdict: Verdict | None) -> list[str]:
    """Return the lines of the header, the first one with the probability where it does not fit beside the title."""
    return lines if verdict is None or _is_wide() else [_confidence(verdict).capitalize(), *lines]


def _label_axes(panels: list[Axes], sky: Sky) -> None:
    """Label panels in RA and Dec with a WCS, or else in pixels, with rows at the first one of a row."""
    for k, panel in enumerate(panels):
        is_first = k % current_theme().n_columns == 0
        if sky.wcs is not None:
            label_world_axes(panel, ("RA", "Dec"), at_left=is_first)
        else:
            panel.set_xlabel("column, px")
            panel.set_ylabel("row, px" if is_first else "")
            panel.tick_params(left=is_first, labelleft=is_first)


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
    if verdict.label is None:
        return "unlike the training skies"
    rounded = f"{verdict.probability:.2f}"
    bounded = {"1.00": "above 0.99", "0.00": "below 0.01"}.get(rounded, rounded)
    mark = "; unlike the training skies" if verdict.unlike else ""
    return f"probability {bounded}, by {verdict.decided_by}{mark}"


def _legend(maps: SnrMaps, evidence: Evidence | None, *, has_lens: bool) -> dict[str, Any]:
    """Return the marks by their labels."""
    oval = MarkerStyle("o", fillstyle="none").scaled(1, 0.5).rotated(deg=25)
    galaxy = Line2D([], [], linestyle="none", marker=oval, markersize=13, markerfacecolor="none")
    galaxy.set_markeredgecolor(current_theme().ellipse)
    marks: dict[str, Any] = {"measured galaxy": galaxy, "peak": crosshair(0, 0)}
    marks |= {"true lens": ring(0, 0)} if has_lens else {}
    marks |= contour_label(maps.limit)
    if evidence is not None:
        marks |= {"best-fit position and its error": best_fit()} | credible_regions()
    return marks
