"""Figure of the lens of a shape catalogue: galaxies over the posterior, the S/N map, and that of the cross shear."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.coordinates import sky_position
from darkmatter_features.location.locate import Location
from darkmatter_features.plots.page import (
    draw_color_bar,
    in_style,
    label_world_axes,
    shortened,
    titled_page,
    write_legend,
)
from darkmatter_features.plots.panels import crosshair, ring
from darkmatter_features.plots.posterior import best_fit, draw_density, draw_position
from darkmatter_features.plots.snr import SnrMaps, contour_label, draw_snr

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


@in_style("dark")
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
    figure, panels = field_page(catalog, 3)
    titles = _titles(catalog, found)
    maps = SnrMaps(None, found.rows, found.columns, found.snr_map, found.snr_cross_map, titles[1], titles[2], MIN_LIMIT)
    draw_galaxies(panels[0], catalog, found).set_title(titles[0], parse_math=False, linespacing=1.5)
    draw_snr(panels[1], maps, which="tangential")
    draw_snr(panels[2], maps, which="cross")
    row, column = np.unravel_index(found.snr_map.argmax(), found.snr_map.shape)
    for k, axes in enumerate(panels):
        draw_position(axes, found.x, found.y, found.position_error)
        if k:
            axes.add_line(crosshair(found.columns[column], found.rows[row])).set(clip_on=False, zorder=6)
        if lens is not None:
            axes.add_line(ring(*lens))
    label_panels(panels, catalog)
    draw_color_bar(panels[2], "S/N", ticks=MaxNLocator("auto", integer=True))
    write_legend(figure, _legend(catalog, maps.limit, has_lens=lens is not None), n_columns=4)
    return figure


def draw_galaxies(axes: Axes, catalog: ShapeCatalog, found: Location) -> Axes:
    """Draw galaxies over the posterior as sticks, coloured by their tangential ellipticity about the lens."""
    log = np.log10(np.maximum(found.posterior, 1e-30 * found.posterior.max()))
    draw_density(axes, log, found.columns, found.rows, vmin=-DECADES, vmax=0.6)  # sticks stay visible on the peak
    x, y, e, gain = _sticks(catalog)
    side = np.sqrt((catalog.bounds[1] - catalog.bounds[0]) * (catalog.bounds[3] - catalog.bounds[2]))
    length = MAX_STICK * side * np.minimum(gain * np.abs(e) / MAX_ELLIPTICITY, 1.5)
    half = 0.5 * length * np.exp(0.5j * np.angle(e))
    gamma_t = -(e * np.exp(-2j * np.arctan2(y - found.y, x - found.x))).real * gain
    ends = np.stack([np.stack([x - half.real, y - half.imag], 1), np.stack([x + half.real, y + half.imag], 1)], 1)
    colors = STICK_COLORS(0.5 + 0.5 * np.clip(gamma_t / MAX_GAMMA_T, -1, 1))
    axes.add_collection(LineCollection(list(ends), colors=colors, linewidths=1.15, capstyle="round", zorder=2))
    return axes


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


def field_page(catalog: ShapeCatalog, n_panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure and panels in a row, 2 or more, whose size follows the aspect ratio of the field."""
    left, right, low, high = catalog.bounds
    scale = min(PANEL / (right - left), MAX_HEIGHT / (high - low))
    width, height = max(scale * (right - left), MIN_WIDTH), max(scale * (high - low), MIN_HEIGHT)
    figure, body = titled_page(n_panels * width + MARGINS[0], height + MARGINS[1], shortened(catalog.name, 60))
    panels = body.subplots(1, n_panels, sharex=True, sharey=True, subplot_kw={"projection": catalog.wcs, "anchor": "W"})
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


def label_panels(panels: list[Any], catalog: ShapeCatalog) -> None:
    """Label the axes, in RA and Dec where the catalogue has a projection; the panels share those of y."""
    for k, axes in enumerate(panels):
        if catalog.wcs is None:
            axes.set(xlabel="x", ylabel="" if k else "y")
        else:
            label_world_axes(axes, ("RA", "" if k else "Dec"))
            axes.coords[1].set_ticklabel_visible(k == 0)


def _legend(catalog: ShapeCatalog, limit: float, *, has_lens: bool) -> dict[str, Any]:
    """Return the marks by their labels."""
    tangential, radial = (Line2D([], [], color=STICK_COLORS(end), linewidth=1.8) for end in (1.0, 0.0))
    drawn = "galaxy" if len(catalog) <= MAX_STICKS else "mean"
    marks: dict[str, Any] = {f"tangential {drawn}": tangential, f"radial {drawn}": radial}
    marks |= {"best-fit position and error": best_fit(), "highest S/N": crosshair(0, 0)}
    marks |= {"true lens": ring(0, 0)} if has_lens else {}
    marks["50 and 90 % of the posterior"] = Line2D([], [], color="white", alpha=0.9, linewidth=0.9)
    return marks | contour_label(limit)
