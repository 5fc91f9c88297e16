"""A picture of a lens template: what a lens does to the shapes and to the counts, and what they are without one."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from darkmatter_features.lens.density import N_ELLIPTICITIES
from darkmatter_features.lens.kernels.evidence import MAX_SHEAR
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate
from darkmatter_features.plots.page import BIG, FAINT, INK, LENS, SMALL, THEME, blank_page, place, shortened, write

Array = NDArray[np.float64]

# The page, in pixels.
LEFT, RIGHT, TOP, BOTTOM = 110, 40, 146, 92
WIDE, SIDE, GAP, WIDE_GAP, DOWN_GAP = 800, 380, 96, 118, 128
# The prior of the strength; a column of kinds, what is told to its left and to its right.
AMPLITUDES_PANEL, COLUMN, NAMES, ANSWERS = 230, 173, 158, 75
# From small galaxies to large ones.
SIZE_COLORS = LinearSegmentedColormap.from_list(
    "size", ["#4d7fd0", "#58c1d8", "#8fe0a8", "#f0dc7c", "#ffa24a", "#ff5f5f"]
)
DENSITY_COLORS = LinearSegmentedColormap.from_list("density", ["#000000", "#123c5a", "#2a7db3", "#7cc4ee", "#eaf8ff"])
# Shares of the lenses whose strengths the two bands hold.
BANDS = (0.95, 0.68)
# Shares of the galaxies inside the contours of their ellipticities.
INSIDE = (0.9, 0.5)
# Axes end at this radius (pixels), ellipticity and ratio of counts; beyond them nothing happens.
MAX_RADIUS, MAX_ELLIPTICITY, MIN_COUNTS = 400.0, 0.85, 0.1
# Of the densities of ellipticities, in each component.
NODES = np.linspace(-1.0, 1.0, N_ELLIPTICITIES)
NODE_STEP = 2.0 / (N_ELLIPTICITIES - 1)
# Of its row, the densities of a kind are so high; type is no larger than this, in points and in points of all rows.
RIDGE, KIND_TYPE, ALL_TYPE = 0.88, 8.0, 120.0
FILLED = "#2a7db3"
MEASURED = ("whole", "split or cut")


def draw_template(template: LensTemplate) -> Figure:
    """Draw a lens template.

    Parameters
    ----------
    template : LensTemplate
        Fitted or default.

    Returns
    -------
    matplotlib.figure.Figure
        The shear about a lens with the prior of its strength, the counts about it, and the unlensed ellipticities: of
        the kinds that scatter least and most, and component by component of all, with their answers to shear. Save it
        with ``figure.savefig(path)``; 1924 x 1126 pixels.

    Examples
    --------
    >>> draw_template(LensTemplate.default()).savefig("template.png")  # doctest: +SKIP
    """
    lefts = (LEFT, LEFT + WIDE + WIDE_GAP, LEFT + WIDE + WIDE_GAP + SIDE + GAP)
    low, high = BOTTOM, BOTTOM + SIDE + DOWN_GAP
    width = lefts[2] + SIDE + RIGHT
    with rc_context(THEME):
        figure = blank_page(width, high + SIDE + TOP)
        write(figure, LEFT, 40, "Lens template", **BIG)
        write(figure, LEFT, 78, shortened(template.source, 110), **SMALL)
        write(figure, -RIGHT, 78, template.fingerprint(), **SMALL, color=FAINT)
        draw_profile(place(figure, lefts[0], high, WIDE, SIDE), template)
        draw_counts(place(figure, lefts[0], low, WIDE, SIDE), template)
        for left, kind in zip(lefts[1:], _extremes(template), strict=True):
            draw_shapes(place(figure, left, high, SIDE, SIDE), template, kind)
        draw_amplitudes(place(figure, lefts[1], low, AMPLITUDES_PANEL, SIDE), template)
        for k in range(2):
            left = lefts[1] + AMPLITUDES_PANEL + NAMES + k * (COLUMN + ANSWERS)
            draw_kinds(place(figure, left, low, COLUMN, SIDE), template, partial=k == 1)
    return figure


def draw_profile(axes: Axes, template: LensTemplate) -> Axes:
    """Draw the shear about a lens, with bands for the prior of its strength, and what was measured."""
    radius = template.nodes
    amplitudes = np.minimum(template.shears(radius), MAX_SHEAR).reshape(-1, radius.size)
    top = float(np.max(template.bin_shear, initial=0.1))
    for share, alpha in zip(BANDS, (0.16, 0.22), strict=True):
        low, high = (_quantile(amplitudes, template.weights.ravel(), q) for q in (0.5 - share / 2, 0.5 + share / 2))
        axes.fill_between(
            radius, low, high, color=LENS, alpha=alpha, linewidth=0, label=f"{100 * share:.0f} % of lenses"
        )
        top = max(top, 1.08 * high.max())
    for k, profile in enumerate(template.shear_profile):
        label = "_" if k else "profile in use"
        axes.plot([*radius, radius[-1], MAX_RADIUS], [*profile, 0, 0], color=LENS, linewidth=1.8, label=label)
    if template.bin_radii.size:
        axes.errorbar(
            template.bin_radii, template.bin_shear, template.bin_errors, fmt="o", markersize=3.6, color=INK,
            elinewidth=1.0, capsize=2.0, label="measured", zorder=4,
        )  # fmt: skip
    axes.axhline(0, color=FAINT, linewidth=0.6, zorder=1)
    axes.set(xlim=(0, MAX_RADIUS), ylim=(-0.07 * top, top), xlabel="distance from the lens, px", ylabel="reduced shear")
    axes.set_title("Tangential shear about a lens")
    return _explained(axes, loc="upper right")


def draw_counts(axes: Axes, template: LensTemplate) -> Axes:
    """Draw the density of galaxies about a lens, over that without one, by their size."""
    radius = NODE_SPACING * np.arange(template.log_counts.shape[1])
    told = _ranges(template.size_edges, " px")
    for color, own, name in zip(_colors(len(told)), template.log_counts, told, strict=True):
        further = max(MAX_RADIUS, radius[-1])
        axes.plot([*radius, further], np.exp([*own, own[-1]]), color=color, linewidth=1.5, label=name)
    top = max(2.0, 1.25 * float(np.exp(template.log_counts.max())))
    axes.axhline(1, color=FAINT, linewidth=0.6, zorder=1)
    axes.set(xlim=(0, MAX_RADIUS), yscale="log", ylim=(MIN_COUNTS, top))
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10) if tick <= top]
    axes.yaxis.set(major_locator=FixedLocator(ticks), minor_locator=NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(xlabel="distance from the lens, px", ylabel="density of galaxies, relative")
    axes.set_title("Counts about a lens, by size of the galaxies")
    return _explained(axes, loc="lower right", ncols=2)


def draw_shapes(axes: Axes, template: LensTemplate, kind: int) -> Axes:
    """Draw the density of ellipticities of a kind of galaxy without a lens, with contours about 50 and 90 % of them."""
    density = np.exp(template.log_p0[kind]).T
    half = 0.5 * NODE_STEP
    extent = (-1 - half, 1 + half, -1 - half, 1 + half)
    axes.imshow(
        np.sqrt(density), extent=extent, origin="lower", cmap=DENSITY_COLORS, vmin=0, interpolation="bicubic",
        interpolation_stage="data",
    )  # fmt: skip
    levels = _enclosing(density)
    if levels[0] < levels[1] < density.max():
        axes.contour(NODES, NODES, density, levels, colors="white", linewidths=0.8, alpha=0.7, linestyles=["--", "-"])
    axes.axhline(0, color=FAINT, linewidth=0.5, alpha=0.6)
    axes.axvline(0, color=FAINT, linewidth=0.5, alpha=0.6)
    axes.plot(template.mean_e1[kind], template.mean_e2[kind], "+", color=LENS, markersize=9, markeredgewidth=1.4)
    ends = (-MAX_ELLIPTICITY, MAX_ELLIPTICITY)
    axes.set(xlim=ends, ylim=ends, xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5), xlabel="e₁")
    axes.set_ylabel("e₂", labelpad=-4)
    axes.set_title(f"Unlensed shapes: {MEASURED[kind // _n_bins(template)]}")
    axes.text(0.04, 0.04, _described(template, kind), transform=axes.transAxes, fontsize=8, linespacing=1.5)
    axes.text(0.04, 0.92, "contours hold 50 and 90 %", transform=axes.transAxes, fontsize=8, color=FAINT)
    return axes


def draw_amplitudes(axes: Axes, template: LensTemplate) -> Axes:
    """Draw the prior of the strength of a lens."""
    weights, amplitudes = template.weights.sum(axis=0), template.amplitudes
    edges = _edges(amplitudes)
    axes.bar(
        edges[:-1], weights, np.diff(edges), align="edge", color=LENS, alpha=0.85, edgecolor="black", linewidth=1.2
    )
    mean = float(amplitudes @ weights)
    axes.axvline(mean, ymax=0.85, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), label=f"mean {mean:.2f}")
    axes.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(0, 1.28 * weights.max()))
    axes.xaxis.set(major_locator=FixedLocator([0.25, 0.5, 0.7, 1, 1.4, 2, 4]), minor_locator=NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(xlabel="strength, over the profile's", title="Prior of the strength")
    axes.set_ylabel("probability")
    return _explained(axes, loc="upper left")


def draw_kinds(axes: Axes, template: LensTemplate, *, partial: bool = False) -> Axes:
    """Draw the densities of e1 and e2 of whole or of partial galaxies, a row for each bin, the first on top.

    Each is as high as its row; at its right is how the kind answers to shear.
    """
    n = _n_bins(template)
    shape_bins = np.arange(n) + n * partial
    rows = np.arange(n)[::-1]
    for kind, foot in zip(shape_bins, rows, strict=True):
        _draw_row(axes, template, int(kind), foot=int(foot))
    axes.set(xlim=(-MAX_ELLIPTICITY, MAX_ELLIPTICITY), ylim=(0, n), xticks=(-0.5, 0, 0.5), yticks=())
    axes.set(xlabel="unlensed e₁, e₂ (line)", title=MEASURED[partial].capitalize())
    size = min(KIND_TYPE, ALL_TYPE / n)
    axes.tick_params(axis="y", length=0, labelsize=size)
    if n > 1 and not partial:
        axes.set_yticks(rows + 0.5, _ranges(template.fill_factor_edges))
        axes.set_ylabel("fill_factor")
    _tell_answers(axes, template.response[shape_bins], size)
    return axes


def _draw_row(axes: Axes, template: LensTemplate, kind: int, *, foot: int) -> None:
    density = np.exp(template.log_p0[kind])
    along, across = density.sum(axis=1), density.sum(axis=0)
    scale = RIDGE / max(along.max(), across.max())
    axes.axhline(foot, color=FAINT, linewidth=0.5, zorder=1)
    axes.fill_between(NODES, foot, foot + scale * along, color=FILLED, linewidth=0, alpha=0.75)
    axes.plot(NODES, foot + scale * across, color=INK, linewidth=0.9)
    axes.plot([template.mean_e1[kind]] * 2, [foot, foot + 0.2], color=LENS, linewidth=1.6)


def _tell_answers(axes: Axes, answers: Array, size: float) -> None:
    """Write the answers to shear at the right of the rows, the first on top, under a word for them."""
    for row, answer in enumerate(answers[::-1]):
        at: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
        axes.text(1.03, row + 0.5, f"{answer:.2f}", fontsize=size, color=FAINT, **at)
    axes.text(1.26, 1.044, "response", transform=axes.transAxes, ha="right", fontsize=8, color=FAINT)


def _explained(axes: Axes, **where: Any) -> Axes:
    axes.legend(
        frameon=False, labelcolor=INK, fontsize=8, handlelength=1.8, labelspacing=0.45, columnspacing=1.6, **where
    )
    return axes


def _quantile(values: Array, weights: Array, q: float) -> Array:
    """Return the weighted quantile along the first axis of (n, m), linear between the middles of the weights."""
    order = np.argsort(values, axis=0)
    value, weight = np.take_along_axis(values, order, axis=0), weights[order]
    middle = weight.cumsum(axis=0) - 0.5 * weight
    return np.array([np.interp(q, middle[:, k], value[:, k]) for k in range(values.shape[1])])


def _enclosing(density: Array) -> list[float]:
    """Return the densities at the borders of the densest regions that hold the shares INSIDE, ascending."""
    ordered = np.sort(density.ravel())[::-1]
    held = ordered.cumsum() / ordered.sum()
    return [float(ordered[np.searchsorted(held, share)]) for share in INSIDE]


def _edges(amplitudes: Array) -> Array:
    """Return the borders of the bars, half way in the logarithm; a single one is a fifth wide."""
    if amplitudes.size == 1:
        return np.asarray(amplitudes[0] * np.array([0.8, 1.25]))
    log = np.log(amplitudes)
    inner = [0.5 * (low + high) for low, high in pairwise(log)]
    return np.exp([2 * log[0] - inner[0], *inner, 2 * log[-1] - inner[-1]])


def _colors(n: int) -> list[Any]:
    return [SIZE_COLORS(k / max(n - 1, 1)) for k in range(n)] if n > 1 else [LENS]


def _ranges(edges: Array, unit: str = "") -> list[str]:
    """Return the bins between edges in words."""
    inner = [f"{low:.2f} to {high:.2f}{unit}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:.2f}{unit}", *inner, f"above {edges[-1]:.2f}{unit}"] if edges.size else ["all sizes"]


def _extremes(template: LensTemplate) -> tuple[int, int]:
    """Return the kinds that scatter least and most, in their order; the first and the last if all are alike."""
    least, most = sorted((int(template.sigma_e.argmin()), int(template.sigma_e.argmax())))
    return (least, most) if least < most else (0, template.sigma_e.size - 1)


def _n_bins(template: LensTemplate) -> int:
    """Return the number of bins of fill factor: kinds are whole galaxies in each, then partial ones in each."""
    return template.response.size // 2


def _described(template: LensTemplate, kind: int) -> str:
    n = _n_bins(template)
    told = f"mean {template.mean_e1[kind]:+.3f}, scatter {template.sigma_e[kind]:.3f}".replace("-", "−")
    return told if n == 1 else f"fill_factor {_ranges(template.fill_factor_edges)[kind % n]}\n{told}"
