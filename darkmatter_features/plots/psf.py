"""Figure of the PSF of an image: ellipticities of stars, model and residuals over the field, widths, and rho."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.psf.result import PsfFit, StarTable
from darkmatter_features.galaxies.noisy.psf.rho import RhoStatistics, rho_statistics
from darkmatter_features.plots.page import FAINT, LENS, UNLIKE, in_style, titled_page, write_legend
from darkmatter_features.plots.panels import framed

Array = NDArray[np.float64]

SIZE = (11.6, 7.6)
"""Width and height of the page, inches."""

MOSAIC: list[Any] = [["stars"] * 2 + ["model"] * 2 + ["residual"] * 2, ["widths"] * 3 + ["rho"] * 3]
"""Panels of the page."""

USED = "#7cc4ee"
"""Colour of fitted stars."""

KINDS = {"fitted stars": USED, "reserved stars": LENS, "outliers": UNLIKE}
"""Colours of stars."""

WHISKER = 0.06
"""Length of the whisker of a typical ellipticity, sides of the field."""

TYPICAL_PERCENTILE = 90.0
"""Percentile of the ellipticities of the stars that is the typical one."""

MIN_TYPICAL = 0.01
"""Minimum of the typical ellipticity."""

RESIDUAL_GAIN = 4.0
"""Factor by which whiskers of residuals are longer."""

GRID = 15
"""Number of whiskers of the model along the longer side of the field."""

RHO_COLORS = ("#7cc4ee", "#ffb454", "#5df2b4", "#d98cff", "#ff7b72")
"""Colours of rho_1 to rho_5."""


@in_style("dark")
def draw_psf(fit: PsfFit, rho: RhoStatistics | None = None) -> Figure:
    """Draw the PSF of an image and the stars that test it.

    Parameters
    ----------
    fit : PsfFit
        Result of :func:`~darkmatter_features.galaxies.noisy.psf.fit.psf_from_stars`.
    rho : RhoStatistics, optional
        Rho statistics, of several images for example; by default those of the reserved stars.

    Returns
    -------
    matplotlib.figure.Figure
        Above, the ellipticities of the stars and of the model, and their differences, as whiskers over the field, row 0
        on top; below, the relative residuals of the widths, and the rho statistics. Save it with
        ``figure.savefig(path)``.

    Examples
    --------
    >>> fit = psf_from_stars(light, noise, None, x, y, flux)  # doctest: +SKIP
    >>> draw_psf(fit).savefig("psf.png")  # doctest: +SKIP
    """
    figure, body = titled_page(*SIZE, "PSF", fit.summary)
    axes = body.subplot_mosaic(MOSAIC, height_ratios=(1.25, 1.0))
    draw_whiskers(axes, fit)
    draw_widths(axes["widths"], fit.stars)
    draw_rho(axes["rho"], rho_statistics(fit.stars) if rho is None else rho)
    present = _kinds(fit.stars)
    write_legend(figure, {name: Line2D([], [], color=KINDS[name], linewidth=1.8) for name in present})
    return figure


def draw_whiskers(axes: dict[str, Axes], fit: PsfFit) -> None:
    """Draw the ellipticities of stars, model and residuals on the axes of these names; outliers have no residual."""
    stars = fit.stars
    measured, modelled = stars.e1 + 1j * stars.e2, stars.model_e1 + 1j * stars.model_e2
    known, good = np.isfinite(measured), np.isfinite(measured) & ~stars.is_outlier
    typical = max(float(np.percentile(np.abs(modelled), TYPICAL_PERCENTILE)), MIN_TYPICAL)
    unit = WHISKER * max(_shape(fit)) / typical
    colors = np.array([KINDS[kind] for kind in np.array(list(KINDS))[_kind(stars)]])
    x, y, e = _grid(fit)
    drawn = {
        "stars": (stars.x[known], stars.y[known], measured[known], unit, colors[known]),
        "model": (x, y, e, unit, FAINT),
        "residual": (stars.x[good], stars.y[good], (measured - modelled)[good], RESIDUAL_GAIN * unit, colors[good]),
    }
    titles = {"stars": "Stars", "model": "Model", "residual": f"Stars less model, {RESIDUAL_GAIN:g} times longer"}
    for name, (column, row, ellipticity, scale, color) in drawn.items():
        axes[name].add_collection(whiskers(column, row, ellipticity, scale, color))
        axes[name].set_title(titles[name])
        framed(axes[name], _shape(fit)).set(xticks=[], yticks=[])
    _draw_key(axes["model"], _shape(fit), unit, typical)


def whiskers(x: Array, y: Array, e: NDArray[np.complex128], unit: float, colors: Any) -> LineCollection:
    """Return lines along the major axes, centred on positions, of length `unit` times |e|."""
    half = 0.5 * unit * np.abs(e) * np.exp(0.5j * np.angle(e))
    ends = np.stack([np.stack([x - half.real, y - half.imag], 1), np.stack([x + half.real, y + half.imag], 1)], 1)
    return LineCollection(list(ends), colors=colors, linewidths=1.5, capstyle="round")


def draw_widths(axes: Axes, stars: StarTable) -> Axes:
    """Draw the relative residuals of the widths of stars by their S/N."""
    residual = 100.0 * stars.residual[2]
    shown = ~stars.is_outlier & np.isfinite(residual) & (stars.snr > 0.0)
    for own, color in ((stars.is_used & shown, USED), (stars.is_reserved & shown, LENS)):
        axes.plot(stars.snr[own], residual[own], "o", color=color, markersize=4.0, markeredgewidth=0)
    axes.axhline(0.0, color=FAINT, linewidth=0.7)
    if shown.any():
        limit = 1.15 * max(float(np.abs(residual[shown]).max()), 0.2)
        axes.set(ylim=(-limit, limit))
        _logarithmic(axes)
    axes.set(title="Widths", xlabel="S/N of the star", ylabel="star over model, less 1 (%)")
    return axes


def draw_rho(axes: Axes, rho: RhoStatistics) -> Axes:
    """Draw the moduli of the rho statistics by distance; hollow marks are negative values."""
    axes.set_title("Correlations of residuals of reserved stars")
    filled = rho.n_pairs > 0
    if not filled.any():
        at_middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "fewer than two reserved stars", color=FAINT, **at_middle)
        axes.set(xticks=[], yticks=[])
        return axes
    axes.set(yscale="log", xlabel="distance (px)", ylabel="|ρ|")
    _logarithmic(axes)
    for k, (values, color) in enumerate(zip(rho.rho, RHO_COLORS), start=1):
        distance, value = rho.distance[filled], values[filled]
        axes.plot(distance, np.abs(value), color=color, linewidth=1.2, label=f"ρ{k}")
        for own, face in ((value >= 0.0, color), (value < 0.0, axes.get_facecolor())):
            axes.plot(
                distance[own], np.abs(value)[own], "o", color=color, markerfacecolor=face, markersize=4.5, label="_"
            )
    axes.legend(ncols=5, loc="upper right")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.15)  # room for the key
    return axes


def _logarithmic(axes: Axes) -> None:
    """Make the x axis logarithmic, with plain numbers at 1, 2 and 5."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _shape(fit: PsfFit) -> tuple[int, int]:
    """Return rows and columns of the image."""
    x, y = fit.model.origin
    return round(2.0 * y) + 1, round(2.0 * x) + 1


def _kind(stars: StarTable) -> NDArray[np.int64]:
    """Return the index of the kind of each star, (n,)."""
    return np.where(stars.is_outlier, 2, np.where(stars.is_reserved, 1, 0))


def _kinds(stars: StarTable) -> list[str]:
    """Return the kinds that the stars are of."""
    return [name for k, name in enumerate(KINDS) if (_kind(stars) == k).any()]


def _grid(fit: PsfFit) -> tuple[Array, Array, NDArray[np.complex128]]:
    """Return positions in the field and the model's ellipticities there, flat."""
    n_rows, n_columns = _shape(fit)
    spacing = max(n_rows, n_columns) / GRID
    x, y = np.meshgrid(np.arange(spacing / 2, n_columns, spacing), np.arange(spacing / 2, n_rows, spacing))
    e1, e2 = fit.model.ellipticity(x.ravel(), y.ravel())
    return x.ravel(), y.ravel(), e1 + 1j * e2


def _draw_key(axes: Axes, shape: tuple[int, int], unit: float, typical: float) -> None:
    """Draw a whisker of a round ellipticity below the axes, with its value."""
    value = float(f"{typical:.0e}")
    width = unit * value / shape[1]
    axes.plot([0.0, width], [-0.06, -0.06], color=FAINT, linewidth=1.5, transform=axes.transAxes, clip_on=False)
    axes.text(width + 0.03, -0.06, f"|e| = {value:g}", color=FAINT, va="center", transform=axes.transAxes)
