"""Figure of a lens template: the effect of a lens on shapes and counts, and the shapes without a lens."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from darkmatter_features.lens.density import N_ELLIPTICITIES
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from darkmatter_features.numerics.kernels.shear import MAX_SHEAR
from darkmatter_features.plots.page import in_style, shortened, titled_page
from darkmatter_features.plots.panels import density_levels
from darkmatter_features.plots.theme import current_theme

Array = NDArray[np.float64]

SIZE = (12.83, 7.51)
"""Width and height of the page, inches."""

MOSAIC: list[Any] = [
    ["profile", [["least scatter", "most scatter"]]],
    ["counts", [["amplitudes", "whole", "partial"]]],
]
"""Panels of the page."""

COLUMN_WIDTHS = (1, 1.06)
"""Relative widths of the two columns of the page."""

FILLED = "#2a7db3"
"""Colour of the density of e1."""

BANDS = (0.95, 0.68)
"""Fractions of the lenses whose profiles lie in the two bands."""

MAX_RADIUS = 400.0
"""End of the axes of radius, pixels; the template ends before it."""

MAX_ELLIPTICITY = 0.85
"""End of the axes of ellipticity."""

MIN_COUNTS = 0.1
"""Lower end of the axis of relative counts."""

NODES = np.linspace(-1.0, 1.0, N_ELLIPTICITIES)
"""Nodes of the densities of ellipticities, in each component."""

RIDGE = 0.88
"""Height of the highest density of a shape bin, fraction of its row."""

LABEL_SIZE = 8.0
"""Maximum type size of the labels of a row, points."""

LABELS_HEIGHT = 120.0
"""Maximum sum of the type sizes of all rows, points."""

COMPLETENESS = ("whole", "split or cut")
"""Names of the galaxies of the first half of the shape bins and of the second half."""


@in_style("theme")
def draw_template(template: LensTemplate) -> Figure:
    """Draw a lens template.

    Parameters
    ----------
    template : LensTemplate
        Fitted or default template.

    Returns
    -------
    matplotlib.figure.Figure
        The shear about a lens with the prior of its amplitude, the counts about it, and the unlensed ellipticities: in
        two dimensions for the shape bins of least and most scatter, and by component for all shape bins, with their
        responses to shear. Save it with ``figure.savefig(path)``; 1924 x 1126 pixels.

    Examples
    --------
    >>> draw_template(LensTemplate.default()).savefig("template.png")  # doctest: +SKIP
    """
    subtitle = f"{shortened(template.source, 110)}; fingerprint {template.fingerprint()}"
    figure, body = titled_page(*SIZE, "Lens template", subtitle)
    axes = body.subplot_mosaic(MOSAIC, width_ratios=COLUMN_WIDTHS)
    draw_profile(axes["profile"], template)
    draw_counts(axes["counts"], template)
    for name, shape_bin in zip(("least scatter", "most scatter"), _extreme_bins(template), strict=True):
        draw_shapes(axes[name], template, shape_bin)
    draw_amplitudes(axes["amplitudes"], template)
    draw_shape_bins(axes["whole"], template)
    draw_shape_bins(axes["partial"], template, partial=True)
    return figure


def draw_profile(axes: Axes, template: LensTemplate) -> Axes:
    """Draw the shear about a lens, with bands for the prior of its amplitude, and the measured profile."""
    radius = template.nodes
    shears = np.minimum(template.shears(radius), MAX_SHEAR).reshape(-1, radius.size)
    top = float(np.max(template.bin_shear, initial=0.1))
    for fraction, alpha in zip(BANDS, (0.16, 0.22), strict=True):
        low, high = (_quantile(shears, template.weights.ravel(), 0.5 + sign * fraction / 2) for sign in (-1, 1))
        label = f"{100 * fraction:.0f} % of lenses"
        axes.fill_between(radius, low, high, color=current_theme().lens, alpha=alpha, linewidth=0, label=label)
        top = max(top, 1.08 * high.max())
    for k, profile in enumerate(template.shear_profile):
        label = "_" if k else "profile in use"
        axes.plot(
            [*radius, radius[-1], MAX_RADIUS], [*profile, 0, 0], color=current_theme().lens, linewidth=1.8, label=label
        )
    if template.bin_radii.size:
        axes.errorbar(
            template.bin_radii, template.bin_shear, template.bin_errors, fmt="o", markersize=3.6,
            color=current_theme().text, elinewidth=1.0, capsize=2.0, label="measured", zorder=4,
        )  # fmt: skip
    axes.axhline(0, color=current_theme().faint, linewidth=0.6, zorder=1)
    axes.set(xlim=(0, MAX_RADIUS), ylim=(-0.07 * top, top), xlabel="distance from the lens, px", ylabel="reduced shear")
    axes.set_title("Tangential shear about a lens")
    axes.legend(loc="upper right")
    return axes


def draw_counts(axes: Axes, template: LensTemplate) -> Axes:
    """Draw the density of galaxies about a lens relative to that without a lens, for each size bin."""
    radius = NODE_SPACING * np.arange(template.log_counts.shape[1])
    names = _ranges(template.size_edges, " px")
    end = max(MAX_RADIUS, radius[-1])
    for k, (color, log_counts, name) in enumerate(zip(_colors(len(names)), template.log_counts, names, strict=True)):
        style: dict[str, Any] = {"color": color, "linestyle": ("-", (0, (5, 1.5)))[k % 2]}  # neighbours differ
        axes.plot([*radius, end], np.exp([*log_counts, log_counts[-1]]), linewidth=1.5, label=name, **style)
    top = max(2.0, 1.25 * float(np.exp(template.log_counts.max())))
    axes.axhline(1, color=current_theme().faint, linewidth=0.6, zorder=1)
    axes.set(xlim=(0, MAX_RADIUS), yscale="log", ylim=(MIN_COUNTS, top))
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10) if tick <= top]
    axes.yaxis.set(major_locator=FixedLocator(ticks), minor_locator=NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(xlabel="distance from the lens, px", ylabel="relative density of galaxies")
    axes.set_title("Counts about a lens by size of the galaxies")
    axes.legend(loc="lower right", ncols=2)
    return axes


def draw_shapes(axes: Axes, template: LensTemplate, shape_bin: int) -> Axes:
    """Draw the density of the unlensed ellipticities of a shape bin, with contours that hold 50 and 90 % of it."""
    density = np.exp(template.log_p0[shape_bin]).T
    end = 1.0 + 0.5 * (NODES[1] - NODES[0])
    axes.imshow(
        np.sqrt(density), extent=(-end, end, -end, end), origin="lower", cmap=current_theme().density, vmin=0,
        interpolation="bicubic",
    )  # fmt: skip
    levels = density_levels(density)
    if levels[0] < levels[1] < density.max():
        axes.contour(
            NODES,
            NODES,
            density,
            levels,
            colors=current_theme().text,
            linewidths=0.8,
            alpha=0.7,
            linestyles=["--", "-"],
        )
    axes.axhline(0, color=current_theme().faint, linewidth=0.5, alpha=0.6)
    axes.axvline(0, color=current_theme().faint, linewidth=0.5, alpha=0.6)
    axes.plot(
        template.mean_e1[shape_bin],
        template.mean_e2[shape_bin],
        "+",
        color=current_theme().lens,
        markersize=9,
        markeredgewidth=1.4,
    )
    ends = (-MAX_ELLIPTICITY, MAX_ELLIPTICITY)
    axes.set(xlim=ends, ylim=ends, xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5), xlabel="e₁", anchor="N")
    axes.set_ylabel("e₂", labelpad=-4)
    axes.set_title(f"Unlensed shapes: {COMPLETENESS[shape_bin // _n_bins(template)]}")
    border = [withStroke(linewidth=2.5, foreground=current_theme().border, alpha=0.6)]
    for y, text, color in (
        (0.04, _description(template, shape_bin), current_theme().text),
        (0.92, "contours: 50 and 90 %", current_theme().faint),
    ):
        axes.text(
            0.04, y, text, transform=axes.transAxes, color=color, fontsize=8, linespacing=1.5, path_effects=border
        )
    return axes


def draw_amplitudes(axes: Axes, template: LensTemplate) -> Axes:
    """Draw the prior of the amplitude of a lens."""
    weights, amplitudes = template.weights.sum(axis=0), template.amplitudes
    edges = _edges(amplitudes)
    axes.bar(
        edges[:-1],
        weights,
        np.diff(edges),
        align="edge",
        color=current_theme().lens,
        alpha=0.85,
        edgecolor=current_theme().border,
        linewidth=1.2,
    )
    mean = float(amplitudes @ weights)
    axes.axvline(
        mean, ymax=0.85, color=current_theme().text, linewidth=1.0, linestyle=(0, (4, 3)), label=f"mean {mean:.2f}"
    )
    axes.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(0, 1.28 * weights.max()))
    axes.xaxis.set(major_locator=FixedLocator([0.25, 0.5, 0.7, 1, 1.4, 2, 4]), minor_locator=NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(xlabel="amplitude", ylabel="probability", title="Amplitude prior")
    axes.legend(loc="upper left")
    return axes


def draw_shape_bins(axes: Axes, template: LensTemplate, *, partial: bool = False) -> Axes:
    """Draw the densities of e1 and e2 of the whole or of the partial galaxies, a row for each bin, the first on top.

    Each density is scaled to the height of its row; the response of the bin to shear is at the right of the row.
    """
    n = _n_bins(template)
    shape_bins = np.arange(n) + n * partial
    rows = np.arange(n)[::-1]
    for shape_bin, foot in zip(shape_bins, rows, strict=True):
        _draw_row(axes, template, int(shape_bin), foot=int(foot))
    axes.set(xlim=(-MAX_ELLIPTICITY, MAX_ELLIPTICITY), ylim=(0, n), xticks=(-0.5, 0, 0.5), yticks=())
    axes.set(xlabel="unlensed e₁, e₂ (line)", title=COMPLETENESS[partial].capitalize())
    size = min(LABEL_SIZE, LABELS_HEIGHT / n)
    axes.tick_params(axis="y", length=0, labelsize=size)
    if n > 1 and not partial:
        axes.set_yticks(rows + 0.5, _ranges(template.fill_factor_edges))
        axes.set_ylabel("fill factor")
    _label_responses(axes, template.response[shape_bins], size)
    return axes


def _draw_row(axes: Axes, template: LensTemplate, shape_bin: int, *, foot: int) -> None:
    density = np.exp(template.log_p0[shape_bin])
    p_e1, p_e2 = density.sum(axis=1), density.sum(axis=0)
    scale = RIDGE / max(p_e1.max(), p_e2.max())
    axes.axhline(foot, color=current_theme().faint, linewidth=0.5, zorder=1)
    axes.fill_between(NODES, foot, foot + scale * p_e1, color=FILLED, linewidth=0, alpha=0.75)
    axes.plot(NODES, foot + scale * p_e2, color=current_theme().text, linewidth=0.9)
    axes.plot([template.mean_e1[shape_bin]] * 2, [foot, foot + 0.2], color=current_theme().lens, linewidth=1.6)


def _label_responses(axes: Axes, responses: Array, size: float) -> None:
    """Write the responses to shear at the right of the rows, the first on top."""
    right = axes.secondary_yaxis("right")
    right.set_yticks(np.arange(responses.size)[::-1] + 0.5, [f"{response:.2f}" for response in responses])
    right.tick_params(axis="y", length=0, labelsize=size)
    right.set_ylabel("response to shear")


def _quantile(values: Array, weights: Array, q: float) -> Array:
    """Return the weighted quantile (m,) along the first axis of (n, m), linear between the middles of the weights."""
    order = np.argsort(values, axis=0)
    value, weight = np.take_along_axis(values, order, axis=0), weights[order]
    middle = weight.cumsum(axis=0) - 0.5 * weight
    return np.array([np.interp(q, middle[:, k], value[:, k]) for k in range(values.shape[1])])


def _edges(amplitudes: Array) -> Array:
    """Return the borders of the bars, half way in the logarithm; a single bar spans a factor 1.25 either way."""
    if amplitudes.size == 1:
        return np.asarray(amplitudes[0] * np.array([0.8, 1.25]))
    log = np.log(amplitudes)
    inner = [0.5 * (low + high) for low, high in pairwise(log)]
    return np.exp([2 * log[0] - inner[0], *inner, 2 * log[-1] - inner[-1]])


def _colors(n: int) -> list[Any]:
    return [current_theme().sizes(k / max(n - 1, 1)) for k in range(n)] if n > 1 else [current_theme().lens]


def _ranges(edges: Array, unit: str = "") -> list[str]:
    """Return the names of the bins between edges."""
    inner = [f"{low:.2f} to {high:.2f}{unit}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:.2f}{unit}", *inner, f"above {edges[-1]:.2f}{unit}"] if edges.size else ["all sizes"]


def _extreme_bins(template: LensTemplate) -> tuple[int, int]:
    """Return the shape bins of least and most scatter, ascending; the first and the last if all scatter alike."""
    least, most = sorted((int(template.sigma_e.argmin()), int(template.sigma_e.argmax())))
    return (least, most) if least < most else (0, template.sigma_e.size - 1)


def _n_bins(template: LensTemplate) -> int:
    """Return the number of bins of fill factor; shape bins are those of whole galaxies, then of partial ones."""
    return template.response.size // 2


def _description(template: LensTemplate, shape_bin: int) -> str:
    n = _n_bins(template)
    moments = f"mean {template.mean_e1[shape_bin]:+.3f}, scatter {template.sigma_e[shape_bin]:.3f}".replace("-", "−")
    return moments if n == 1 else f"fill factor {_ranges(template.fill_factor_edges)[shape_bin % n]}\n{moments}"
