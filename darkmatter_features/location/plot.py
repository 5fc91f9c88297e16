"""Figure of the lens of a shape catalogue: galaxies over the posterior, the S/N map, and that of the cross shear."""

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.coordinates import sky_position
from darkmatter_features.location.locate import Location
from darkmatter_features.plots.page import BIG, DPI, FAINT, NIGHT, THEME, shortened
from darkmatter_features.plots.panels import crosshair, ring
from darkmatter_features.plots.posterior import CREDIBLE, POSITION_COLOR, POSTERIOR_COLORS, best_fit
from darkmatter_features.plots.snr import FIRST_CONTOUR, SHEAR_COLORS, contour_levels

Array = NDArray[np.float64]

PANEL = 3.7
"""Maximum width of a panel, inches."""

MAX_HEIGHT = 5.4
"""Maximum height of a panel, inches."""

MIN_HEIGHT = 1.3
"""Minimum height of the space for a panel, inches."""

MIN_WIDTH = 3.2
"""Minimum width of the space for a panel, inches: titles fit in it."""

MARGINS = (1.6, 1.8)
"""Space beside and above the panels for labels, titles, colour bar, heading and key, inches."""

LAYOUT_PASSES = 4
"""Number of draws until the layout of astropy's axes converges: each uses the labels' positions of the one before."""

STICK_COLORS = LinearSegmentedColormap.from_list("sticks", ["#3f8fc9", "#586577", "#ffb454"])
"""Colours of galaxies from radial to tangential alignment about the lens."""

MAX_ELLIPTICITY = 0.6
"""Ellipticity of the longest stick, dimensionless."""

MAX_STICK = 0.034
"""Length of the longest stick, sides of the field."""

MAX_GAMMA_T = 0.3
"""Tangential shear at the ends of the colours of sticks: the dispersion of an ellipticity component."""

MAX_STICKS = 1500
"""Maximum number of galaxies drawn one by one; for more, sticks would cover each other and are means in cells."""

CELLS = 26
"""Number of cells along each side for means of ellipticities."""

MEAN_GAIN = 4.0
"""Factor by which means are drawn longer than galaxies: shear is smaller than ellipticity."""

MIN_LIMIT = 5.0
"""Minimum S/N at the ends of the colours: noise stays dark."""

DECADES = 3.0
"""Range of the colours of the posterior, powers of ten below its peak."""


def draw_location(catalog: ShapeCatalog, found: Location, *, lens: tuple[float, float] | None = None) -> Figure:
    """Draw the lens of a catalogue.

    Parameters
    ----------
    catalog : ShapeCatalog
        Galaxies of one field.
    found : Location
        Result of :func:`~darkmatter_features.location.locate.locate` for the catalogue.
    lens : (float, float), the catalogue's unit, optional
        x and y of the true lens.

    Returns
    -------
    matplotlib.figure.Figure
        The galaxies over the posterior, the S/N of tangential shear, and that of cross shear in the same colours; y
        runs upwards. Axes are RA and Dec where the catalogue has a projection.

    Examples
    --------
    >>> catalog = read_catalog("Training_Sky1.csv")  # doctest: +SKIP
    >>> draw_location(catalog, locate(catalog)).savefig("map.png")  # doctest: +SKIP
    """
    with rc_context(THEME):
        figure, panels = _page(catalog)
        limit = float(np.ceil(max(np.abs([found.snr_map, found.snr_cross_map]).max(), MIN_LIMIT)))
        draw_galaxies(panels[0], catalog, found)
        draw_snr(panels[1], found, found.snr_map, limit)
        draw_snr(panels[2], found, found.snr_cross_map, limit)
        for axes, title in zip(panels, _titles(catalog, found), strict=True):
            axes.set_title(title, parse_math=False, linespacing=1.5)
            _draw_marks(axes, found, peak=axes is not panels[0], lens=lens)
        _label(panels, catalog)
        _draw_color_bar(figure, panels)
        figure.suptitle(shortened(catalog.name, 60), x=0.01, ha="left", parse_math=False, **{**BIG, "va": "top"})
        _draw_key(figure, len(catalog), limit, has_lens=lens is not None)
        for _ in range(0 if catalog.wcs is None else LAYOUT_PASSES):
            figure.draw_without_rendering()
    return figure


def draw_galaxies(axes: Axes, catalog: ShapeCatalog, found: Location) -> Axes:
    """Draw galaxies over the posterior as sticks, coloured by their tangential ellipticity about the lens."""
    _draw_posterior(axes, found)
    x, y, e, gain = _sticks(catalog)
    side = np.sqrt((catalog.bounds[1] - catalog.bounds[0]) * (catalog.bounds[3] - catalog.bounds[2]))
    length = MAX_STICK * side * np.minimum(gain * np.abs(e) / MAX_ELLIPTICITY, 1.5)
    half = 0.5 * length * np.exp(0.5j * np.angle(e))
    gamma_t = -(e * np.exp(-2j * np.arctan2(y - found.y, x - found.x))).real * gain
    ends = np.stack([np.stack([x - half.real, y - half.imag], 1), np.stack([x + half.real, y + half.imag], 1)], 1)
    colors = STICK_COLORS(0.5 + 0.5 * np.clip(gamma_t / MAX_GAMMA_T, -1, 1))
    axes.add_collection(LineCollection(list(ends), colors=colors, linewidths=1.15, capstyle="round", zorder=2))
    return axes


def draw_snr(axes: Axes, found: Location, snr: Array, limit: float) -> Axes:
    """Draw a map of S/N in colours that reach `limit`, with contours."""
    _draw_cells(axes, found, snr, cmap=SHEAR_COLORS, vmin=-limit, vmax=limit, interpolation="bicubic")
    above = contour_levels(limit)
    levels = [level for level in (*-above[::-1], *above) if snr.min() < level < snr.max()]
    styles = ["dashed" if level < 0 else "solid" for level in levels]
    _draw_contours(axes, found, snr, levels, alpha=0.55, linewidths=0.6, linestyles=styles, zorder=1)
    return axes


def _draw_posterior(axes: Axes, found: Location) -> None:
    """Draw the posterior, with contours that enclose 50 and 90 % of it."""
    log = np.log10(np.maximum(found.posterior / found.posterior.max(), 1e-30))
    _draw_cells(axes, found, log, cmap=POSTERIOR_COLORS, vmin=-DECADES, vmax=0.6, interpolation="bilinear")
    ordered = np.sort(log.ravel())[::-1]
    enclosed = (10.0**ordered).cumsum()
    levels = [float(ordered[np.searchsorted(enclosed, fraction * enclosed[-1])]) for fraction in CREDIBLE]
    if log.min() < levels[0] < levels[1] < log.max():
        _draw_contours(axes, found, log, levels, alpha=0.9, linewidths=0.9, linestyles=["--", "-"], zorder=3)


def _draw_cells(axes: Axes, found: Location, values: Array, **style: Any) -> None:
    extent = _extent(found)
    axes.imshow(values, extent=extent, origin="lower", interpolation_stage="data", zorder=0, **style)
    axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")


def _draw_contours(axes: Axes, found: Location, values: Array, levels: list[float], **style: Any) -> None:
    """Draw white contours; a field one cell across has none."""
    if levels and min(values.shape) > 1:
        axes.contour(found.columns, found.rows, values, levels, colors="white", **style)


def _sticks(catalog: ShapeCatalog) -> tuple[Array, Array, NDArray[np.complex128], float]:
    """Return positions, ellipticities and the factor of their length: of galaxies, or of means in cells for many."""
    e = catalog.e1 + 1j * catalog.e2
    if len(catalog) <= MAX_STICKS:
        return catalog.x, catalog.y, e, 1.0
    left, right, low, high = catalog.bounds
    i = np.minimum((CELLS * (catalog.x - left) / (right - left)).astype(int), CELLS - 1)
    j = np.minimum((CELLS * (catalog.y - low) / (high - low)).astype(int), CELLS - 1)
    weight = np.ones(len(catalog)) if catalog.weight is None else catalog.weight

    def summed(values: Array) -> Array:
        return np.asarray(np.bincount(j * CELLS + i, weights=values, minlength=CELLS**2), dtype=np.float64)

    total = summed(weight)
    filled = total > 0
    x, y, e1, e2 = (
        summed(weight * values)[filled] / total[filled] for values in (catalog.x, catalog.y, catalog.e1, catalog.e2)
    )
    return x, y, e1 + 1j * e2, MEAN_GAIN


def _page(catalog: ShapeCatalog) -> tuple[Figure, list[Axes]]:
    """Return a figure and three panels in a row, whose size follows the aspect ratio of the field."""
    left, right, low, high = catalog.bounds
    scale = min(PANEL / (right - left), MAX_HEIGHT / (high - low))
    width, height = max(scale * (right - left), MIN_WIDTH), max(scale * (high - low), MIN_HEIGHT)
    figure = Figure((3 * width + MARGINS[0], height + MARGINS[1]), DPI, facecolor=NIGHT, layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True, subplot_kw={"projection": catalog.wcs, "anchor": "W"})
    return figure, list(panels)


def _titles(catalog: ShapeCatalog, found: Location) -> list[str]:
    """Return the titles of the panels, each with the numbers of its panel, all of the same number of lines."""
    drawn = "galaxies" if len(catalog) <= MAX_STICKS else "galaxies, means in cells"
    unit = " arcmin" if catalog.wcs is not None else ""
    position = f"x {found.x:.5g}, y {found.y:.5g}, error {float(f'{found.position_error:.2g}'):g}{unit}"
    p = "" if found.p_value is None else f", p = {found.p_value:.2g}"
    on_sky = sky_position(catalog, found.x, found.y)
    end = "," if on_sky is None else "\n"
    titles = [
        f"Posterior and {len(catalog):,} {drawn}\n{position}",
        f"Tangential shear: {found.profile}\nS/N {found.snr:.1f}{end} log Bayes factor {found.log_bayes_factor:.1f}{p}",
        f"Cross shear: the null test\nS/N {found.snr_cross:.1f}{end} at the same position",
    ]
    if on_sky is not None:
        titles[0] += "\nRA {:.4f}°, Dec {:.4f}°".format(*on_sky)
    return [title.replace("\n ", "\n").replace("-", "−") for title in titles]


def _label(panels: list[Any], catalog: ShapeCatalog) -> None:
    """Label the axes; the panels share those of y."""
    labels = ("x", "y") if catalog.wcs is None else ("RA", "Dec")
    for axes in panels:
        axes.set_xlabel(labels[0])
        if catalog.wcs is not None:  # astropy's axes do not follow all of matplotlib's settings
            axes.patch.set_edgecolor("none")
            for axis, sides in zip(axes.coords, ("b", "l" if axes is panels[0] else ""), strict=True):
                axis.set_ticks_position(sides)
                axis.set_ticklabel_position(sides)
                axis.set_ticklabel(color=FAINT)
    panels[0].set_ylabel(labels[1])


def _draw_marks(axes: Axes, found: Location, *, peak: bool, lens: tuple[float, float] | None) -> None:
    dot, _ = best_fit()
    dot.set_data([found.x], [found.y])
    axes.add_line(dot)
    axes.add_patch(Circle(
        (found.x, found.y), found.position_error, fill=False, edgecolor=POSITION_COLOR, linewidth=0.9, zorder=5.5,
        linestyle=(0, (4, 3)), path_effects=[withStroke(linewidth=1.8, foreground="#05070a")], gid="error",
    ))  # fmt: skip
    if peak:
        row, column = np.unravel_index(found.snr_map.argmax(), found.snr_map.shape)
        axes.add_line(crosshair(found.columns[column], found.rows[row])).set(clip_on=False, zorder=6)
    if lens is not None:
        axes.add_line(ring(*lens))


def _draw_color_bar(figure: Figure, panels: list[Axes]) -> None:
    """Draw the scale of S/N to the right of the panels."""
    ticks = MaxNLocator("auto", integer=True)
    bar = figure.colorbar(panels[1].images[0], ax=panels, ticks=ticks, pad=0.01, aspect=30, panchor=False)
    bar.ax.set_title("S/N", loc="center", fontsize=8.5, color=FAINT)
    bar.outline.set_visible(False)


def _draw_key(figure: Figure, n_galaxies: int, limit: float, *, has_lens: bool) -> None:
    """Draw the key of the marks at the foot of the page."""
    dot, _ = best_fit()
    tangential, radial = (Line2D([], [], color=STICK_COLORS(end), linewidth=1.8) for end in (1.0, 0.0))
    drawn = "galaxy" if n_galaxies <= MAX_STICKS else "mean"
    key: dict[str, Any] = {f"tangential {drawn}": tangential, f"radial {drawn}": radial}
    key |= {"best-fit position and error": dot, "highest S/N": crosshair(0, 0)}
    key |= {"true lens": ring(0, 0)} if has_lens else {}
    key["50 and 90 % of the posterior"] = Line2D([], [], color="white", alpha=0.9, linewidth=0.9)
    levels = ", ".join(f"{level:g}" for level in contour_levels(max(limit, FIRST_CONTOUR + 3))[:3])
    key[f"|S/N| = {levels}, … (dashed: negative)"] = Line2D([], [], color="white", alpha=0.55, linewidth=0.6)
    figure.legend(
        key.values(), key.keys(), loc="outside lower left", ncols=4, frameon=False, labelcolor=FAINT, handlelength=1.6,
        columnspacing=2.0, handletextpad=0.8,
    )  # fmt: skip


def _extent(found: Location) -> tuple[float, float, float, float]:
    """Return the borders of the outer cells; a single cell across is about as wide as it is high."""
    steps = [np.diff(grid[:2]).sum() for grid in (found.columns, found.rows)]
    half_x, half_y = (0.5 * (step or max(steps)) for step in steps)
    (left, right), (low, high) = found.columns[[0, -1]], found.rows[[0, -1]]
    return left - half_x, right + half_x, low - half_y, high + half_y
