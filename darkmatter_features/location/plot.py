"""A picture of where the lens of a shape catalogue is: its galaxies over the posterior, the map, and the null."""

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
from darkmatter_features.plots.page import BIG, FAINT, SMALL, THEME, blank_page, place, shortened, write
from darkmatter_features.plots.panels import crosshair, ring
from darkmatter_features.plots.posterior import CREDIBLE, POSITION_COLOR, POSTERIOR_COLORS, best_fit
from darkmatter_features.plots.snr import FIRST_CONTOUR, SHEAR_COLORS, contour_levels

Array = NDArray[np.float64]

# The page, in pixels; a field of any form keeps its form within PANEL x MAX_HEIGHT.
PANEL, MAX_HEIGHT, MIN_SIDE, TITLE = 560, 800, 200, 360
LEFT, RIGHT, TOP, BOTTOM, GAP, BAR_GAP, BAR = 118, 78, 146, 112, 34, 22, 16
# Of shear along the tangent, and across it, of a galaxy about the lens.
STICK_COLORS = LinearSegmentedColormap.from_list("sticks", ["#3f8fc9", "#586577", "#ffb454"])
# A galaxy of this ellipticity has the longest stick, of this part of the field's side.
LONGEST, LENGTH = 0.6, 0.034
# Tangential shear at the ends of the colours of sticks: the scatter of a component.
COLOR_END = 0.3
# Of more galaxies, the means in so many cells a side are drawn, for sticks would cover each other.
MAX_STICKS, CELLS = 1500, 26
# Means are drawn longer than galaxies: shear is less than ellipticity.
MEAN_GAIN = 4.0
# Colours reach at least this S/N: noise stays dim.
MIN_LIMIT = 5.0
# Colours of the posterior end this many powers of ten below its peak.
DECADES = 3.0


def draw_location(catalog: ShapeCatalog, found: Location, *, lens: tuple[float, float] | None = None) -> Figure:
    """Draw where the lens of a catalogue is.

    Parameters
    ----------
    catalog : ShapeCatalog
        The galaxies.
    found : Location
        What :func:`~darkmatter_features.location.locate.locate` says of them.
    lens : (float, float), the catalogue's unit, optional
        x and y of the true lens.

    Returns
    -------
    matplotlib.figure.Figure
        The galaxies over the posterior, the S/N of tangential shear, and that of the cross shear in the same colours; y
        runs upwards. Save it with ``figure.savefig(path)``; a square field makes 1982 x 818 pixels.

    Examples
    --------
    >>> catalog = read_catalog("Training_Sky1.csv")  # doctest: +SKIP
    >>> draw_location(catalog, locate(catalog)).savefig("map.png")  # doctest: +SKIP
    """
    with rc_context(THEME):
        figure, panels, bar = _page(catalog.bounds)
        limit = _limit(found)
        draw_galaxies(panels[0], catalog, found)
        draw_snr(panels[1], found, found.snr_map, limit).set_title(f"Tangential shear: {found.profile}")
        draw_snr(panels[2], found, found.snr_cross_map, limit).set_title("Cross shear: the null")
        _label(panels, catalog)
        for k, axes in enumerate(panels):
            _draw_marks(axes, found, peak=k > 0, lens=lens)
        _draw_color_bar(figure, bar, panels[1])
        _write_header(figure, catalog, found)
        _write_key(figure, len(catalog), limit, has_lens=lens is not None)
    return figure


def draw_galaxies(axes: Axes, catalog: ShapeCatalog, found: Location) -> Axes:
    """Draw galaxies as sticks, coloured by how far they lie along the tangent about the lens, over the posterior."""
    _draw_posterior(axes, found)
    x, y, e, gain = _sticks(catalog)
    side = np.sqrt((catalog.bounds[1] - catalog.bounds[0]) * (catalog.bounds[3] - catalog.bounds[2]))
    along = np.exp(0.5j * np.angle(e)) * (LENGTH * side * np.minimum(gain * np.abs(e) / LONGEST, 1.5)) / 2
    gamma_t = -(e * np.exp(-2j * np.arctan2(y - found.y, x - found.x))).real * gain
    ends = np.stack([np.stack([x - along.real, y - along.imag], 1), np.stack([x + along.real, y + along.imag], 1)], 1)
    colors = STICK_COLORS(0.5 + 0.5 * np.clip(gamma_t / COLOR_END, -1, 1))
    axes.add_collection(LineCollection(list(ends), colors=colors, linewidths=1.15, capstyle="round", zorder=2))
    noun = "galaxies" if x.size == len(catalog) else "galaxies, their means in cells"
    axes.set_title(f"Where the lens is; {len(catalog):,} {noun}")
    return _framed(axes, found)


def draw_snr(axes: Axes, found: Location, snr: Array, limit: float) -> Axes:
    """Draw a map of S/N in colours that reach `limit`, with contours."""
    axes.imshow(
        snr, extent=_extent(found), origin="lower", cmap=SHEAR_COLORS, vmin=-limit, vmax=limit,
        interpolation="bicubic", interpolation_stage="data", zorder=0,
    )  # fmt: skip
    above = contour_levels(limit)
    levels = [level for level in (*-above[::-1], *above) if snr.min() < level < snr.max()]
    if levels and _has_contours(snr):
        styles = ["dashed" if level < 0 else "solid" for level in levels]
        axes.contour(found.columns, found.rows, snr, levels, colors="white", alpha=0.55, linewidths=0.6,
                     linestyles=styles, zorder=1)  # fmt: skip
    return _framed(axes, found)


def _draw_posterior(axes: Axes, found: Location) -> None:
    """Draw the posterior, with contours that hold 50 and 90 % of it."""
    log = np.log10(np.maximum(found.posterior / found.posterior.max(), 1e-30))
    axes.imshow(
        log, extent=_extent(found), origin="lower", cmap=POSTERIOR_COLORS, vmin=-DECADES, vmax=0.6,
        interpolation="bilinear", interpolation_stage="data", zorder=0,
    )  # fmt: skip
    ordered = np.sort(log.ravel())[::-1]
    held = (10.0**ordered).cumsum()
    levels = [float(ordered[np.searchsorted(held, share * held[-1])]) for share in CREDIBLE]
    if log.min() < levels[0] < levels[1] < log.max() and _has_contours(log):
        axes.contour(found.columns, found.rows, log, levels, colors="white", alpha=0.9, linewidths=0.9,
                     linestyles=["--", "-"], zorder=3)  # fmt: skip


def _has_contours(cells: Array) -> bool:
    """Tell whether contours can run among cells: a field so narrow that it is one cell across has none."""
    return bool(min(cells.shape) > 1)


def _sticks(catalog: ShapeCatalog) -> tuple[Array, Array, NDArray[np.complex128], float]:
    """Return positions and ellipticities to draw, and how much longer than galaxies; of many, means in cells."""
    e = catalog.e1 + 1j * catalog.e2
    if len(catalog) <= MAX_STICKS:
        return catalog.x, catalog.y, e, 1.0
    left, right, low, high = catalog.bounds
    i = np.minimum((CELLS * (catalog.x - left) / (right - left)).astype(int), CELLS - 1)
    j = np.minimum((CELLS * (catalog.y - low) / (high - low)).astype(int), CELLS - 1)
    weight = np.ones(len(catalog)) if catalog.weight is None else catalog.weight
    total = _summed(i, j, weight)
    full = total > 0

    def mean(values: Array) -> Array:
        return np.asarray(_summed(i, j, weight * values)[full] / total[full])

    return mean(catalog.x), mean(catalog.y), mean(catalog.e1) + 1j * mean(catalog.e2), MEAN_GAIN


def _summed(i: NDArray[np.int64], j: NDArray[np.int64], values: Array) -> Array:
    return np.asarray(np.bincount(j * CELLS + i, weights=values, minlength=CELLS**2), dtype=np.float64)


def _limit(found: Location) -> float:
    largest = max(float(np.abs(snr).max()) for snr in (found.snr_map, found.snr_cross_map))
    return float(np.ceil(max(largest, MIN_LIMIT)))


def _page(bounds: tuple[float, float, float, float]) -> tuple[Figure, list[Axes], Axes]:
    """Lay out three panels of the field's form and a colour bar."""
    width, height = bounds[1] - bounds[0], bounds[3] - bounds[2]
    zoom = min(PANEL / width, MAX_HEIGHT / height)
    across, tall = max(round(zoom * width), MIN_SIDE), max(round(zoom * height), MIN_SIDE)
    lefts = [LEFT + k * (max(across, TITLE) + GAP) for k in range(3)]
    bar = lefts[2] + across + BAR_GAP
    figure = blank_page(bar + BAR + RIGHT, BOTTOM + tall + TOP)
    panels = [place(figure, left, BOTTOM, across, tall) for left in lefts]
    return figure, panels, place(figure, bar, BOTTOM, BAR, tall)


def _label(panels: list[Axes], catalog: ShapeCatalog) -> None:
    on_sky = catalog.wcs is not None
    for axes in panels:
        axes.set(xlabel="arcmin to the west" if on_sky else "x", anchor="W")
    panels[0].set_ylabel("arcmin to the north" if on_sky else "y")
    for axes in panels[1:]:
        axes.tick_params(left=False, labelleft=False)


def _draw_marks(axes: Axes, found: Location, *, peak: bool, lens: tuple[float, float] | None) -> None:
    dot, _ = best_fit()
    dot.set_data([found.x], [found.y])
    axes.add_line(dot)
    rim = [withStroke(linewidth=1.8, foreground="#05070a")]
    axes.add_patch(Circle(
        (found.x, found.y), found.position_error, fill=False, edgecolor=POSITION_COLOR, linewidth=0.9, zorder=5.5,
        linestyle=(0, (4, 3)), path_effects=rim, gid="error",
    ))  # fmt: skip
    if peak:
        row, column = np.unravel_index(found.snr_map.argmax(), found.snr_map.shape)
        axes.add_line(crosshair(found.columns[column], found.rows[row])).set(clip_on=False, zorder=6)
    if lens is not None:
        axes.add_line(ring(*lens))


def _draw_color_bar(figure: Figure, bar: Axes, axes: Axes) -> None:
    colors = figure.colorbar(axes.images[0], cax=bar, ticks=MaxNLocator("auto", integer=True))
    colors.outline.set_visible(False)
    bar.set_title("S/N", loc="center", fontsize=8.5, color=FAINT)


def _write_header(figure: Figure, catalog: ShapeCatalog, found: Location) -> None:
    write(figure, LEFT, 40, shortened(catalog.name, 60), **BIG)
    unit = " arcmin" if catalog.wcs is not None else ""
    told = f"x {found.x:.5g}, y {found.y:.5g}{unit}, error {float(f'{found.position_error:.2g}'):g}"
    if (on_sky := sky_position(catalog, found.x, found.y)) is not None:
        told += "; RA {:.4f}°, Dec {:.4f}°".format(*on_sky)
    write(figure, LEFT, 78, told.replace("-", "−"), **SMALL)
    log_bayes_factor = (
        f"S/N {found.snr:.1f} (cross {found.snr_cross:.1f}), log Bayes factor {found.log_bayes_factor:.1f}"
    )
    p = "" if found.p_value is None else f", p = {found.p_value:.2g}"
    right = -(RIGHT + BAR + BAR_GAP)
    write(figure, right, 78, (log_bayes_factor + p).replace("-", "−"), **SMALL)


def _write_key(figure: Figure, n_galaxies: int, limit: float, *, has_lens: bool) -> None:
    """Explain the marks in a row at the foot of the page."""
    dot, _ = best_fit()
    along, across = (Line2D([], [], color=STICK_COLORS(end), linewidth=1.8) for end in (1.0, 0.0))
    what = "galaxy" if n_galaxies <= MAX_STICKS else "mean"
    key: dict[str, Any] = {f"{what} along the tangent": along, "across it": across}
    key |= {"lens, with its error": dot, "highest S/N": crosshair(0, 0)}
    key |= {"true lens": ring(0, 0)} if has_lens else {}
    key["50 and 90 % of the posterior"] = Line2D([], [], color="white", alpha=0.9, linewidth=0.9)
    levels = ", ".join(f"{level:g}" for level in contour_levels(max(limit, FIRST_CONTOUR + 3))[:3])
    key[f"|S/N| = {levels}, … (dashed: negative)"] = Line2D([], [], color="white", alpha=0.55, linewidth=0.6)
    width, height = figure.get_size_inches() * figure.dpi
    figure.legend(
        key.values(), key.keys(), loc="center left", bbox_to_anchor=(LEFT / width, 28 / height), ncols=len(key),
        frameon=False, labelcolor=FAINT, borderpad=0, borderaxespad=0, handlelength=1.6, columnspacing=2.0,
        handletextpad=0.8,
    )  # fmt: skip


def _extent(found: Location) -> tuple[float, float, float, float]:
    steps = [np.diff(grid[:2]).sum() for grid in (found.columns, found.rows)]
    half_x, half_y = (0.5 * (step or max(steps)) for step in steps)  # a single cell is about as wide as it is high
    return (
        found.columns[0] - half_x, found.columns[-1] + half_x, found.rows[0] - half_y, found.rows[-1] + half_y
    )  # fmt: skip


def _framed(axes: Axes, found: Location) -> Axes:
    left, right, low, high = _extent(found)
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    return axes
