"""Panels of a heatmap besides its maps: a sky with ellipses, and marks; all draw on given Axes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy.ndimage import zoom

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.maps.shear import Peak
from darkmatter_features.plots.theme import current_theme

Array = NDArray[np.float64]

OUTLINE = 2.4
"""Half-axes of an outline over the rms half-axes; a uniform ellipse ends at 2."""

MAX_DRAWN = 0.6
"""Maximum ellipticity of the outlines of galaxies in images with noise: half-axes 4 : 1, of a disc seen edge-on."""

FEW_GALAXIES = 400
"""Number of galaxies above which the outlines are drawn finer."""

MAX_SIDE = 2048
"""Longest side of a drawn image, pixels; larger images are averaged in blocks."""

WHITE_PERCENTILE = 99.5
"""Percentile of the light above the noise that is drawn white."""

SOFTENING = 3.0
"""End of the linear part of the asinh stretch, standard deviations of the noise."""

CREDIBLE = (0.9, 0.5)
"""Fractions of a density inside its contours, the outer one first."""

CONTOUR_POINTS = 256
"""Number of points along the longer side of a map that contours are drawn through; the grid is coarser."""

_CROSSHAIR = Outline(
    [(-1, 0), (-0.5, 0), (0.5, 0), (1, 0), (0, -1), (0, -0.5), (0, 0.5), (0, 1)],
    [Outline.MOVETO, Outline.LINETO] * 4,
)


def draw_sky(axes: Axes, sky: Sky, catalog: GalaxyCatalog | None = None) -> Axes:
    """Draw a sky and the ellipses of its catalogue.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes to draw on, or WCSAxes with the sky's WCS; row 0 is on top.
    sky : Sky
        Sky to draw: 8 bit images as they are, others linearly, or with an asinh stretch if they have noise; as a
        grey negative in the light theme.
    catalog : GalaxyCatalog, optional
        Catalogue of the sky: outlines at 2.4 times the rms half-axes (a uniform ellipse ends at 2).

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were given.
    """
    image, step = displayed(sky)
    extent = (-0.5, image.shape[1] * step - 0.5, -0.5, image.shape[0] * step - 0.5)
    axes.imshow(image, extent=extent, origin="lower", interpolation="auto", zorder=0)  # WCSAxes has no other origin
    axes.set_title("Sky")
    if catalog is not None:
        axes.add_collection(outlines(axes, catalog), autolim=False)
        axes.set_title(f"Sky: {len(catalog)} galaxies")
    return framed(axes, sky.shape)


def draw_marks(axes: Axes, *, peak: Peak | None = None, lens: tuple[float, float] | None = None) -> Axes:
    """Mark a peak by crosshairs and a true lens (row, column; pixels) by a ring; return the axes."""
    if peak is not None:
        axes.add_line(crosshair(peak.column, peak.row)).set(clip_on=False, zorder=6, in_layout=False)
    if lens is not None:
        axes.add_line(ring(lens[1], lens[0]))
    return axes


def crosshair(x: float, y: float) -> Line2D:
    """Return the mark of a peak."""
    return _mark(x, y, MarkerStyle(_CROSSHAIR), size=14, gid="peak")


def ring(x: float, y: float) -> Line2D:
    """Return the mark of a true lens, wide enough to hold the crosshairs of a peak."""
    return _mark(x, y, MarkerStyle("o", fillstyle="none"), size=16, gid="lens")


def framed(axes: Axes, shape: tuple[int, int]) -> Axes:
    """Set the limits of axes to an image of a shape, row 0 on top and pixels square; return the axes."""
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5), aspect="equal")
    return axes


def outlines(axes: Axes, catalog: GalaxyCatalog) -> EllipseCollection:
    """Return outlines of half-axes size / sqrt(q) and size sqrt(q), where |e| = (1 - q) / (1 + q)."""
    modulus = np.hypot(catalog.e1, catalog.e2)
    root_q = np.sqrt((1 - modulus) / (1 + modulus))
    return EllipseCollection(
        2 * OUTLINE * catalog.size / root_q,
        2 * OUTLINE * catalog.size * root_q,
        np.degrees(catalog.theta),
        units="xy",
        offsets=np.column_stack([catalog.x, catalog.y]),
        offset_transform=axes.transData,
        facecolors="none",
        edgecolors=current_theme().ellipse,
        linewidths=0.65 * min(1.0, (FEW_GALAXIES / max(len(catalog), 1)) ** 0.25),
        zorder=2,
    )


def without_noise(catalog: GalaxyCatalog) -> GalaxyCatalog:
    """Return the catalogue of an image with noise with the shapes as they most probably are, for drawing.

    Ellipticities are multiplied by the fill factor, which is the ratio of the variance of galaxies' shapes to that with
    their noise, and are at most 0.6: an ellipticity by noise alone would be drawn as a long needle.
    """
    e = (catalog.e1 + 1j * catalog.e2) * catalog.fill_factor
    e *= np.minimum(1.0, MAX_DRAWN / np.maximum(np.abs(e), MAX_DRAWN))
    return replace(catalog, e1=e.real.copy(), e2=e.imag.copy())


def draw_cells(axes: Axes, values: Array, columns: Array, rows: Array, **style: Any) -> None:
    """Draw an image whose cells are centred on a grid, and set the limits to its borders, with the first row below."""
    left, right, low, high = _borders(columns, rows)
    axes.imshow(values, extent=(left, right, low, high), origin="lower", zorder=0, **style)
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")


def draw_contours(
    axes: Axes, values: Array, columns: Array, rows: Array, levels: Sequence[float], **style: Any
) -> None:
    """Draw smooth contours at ascending levels that the values reach; a field one cell across has none."""
    reached = [level for level in levels if values.min() < level < values.max()]
    if not reached or min(values.shape) == 1:
        return
    fine = zoom(values, max(CONTOUR_POINTS // max(values.shape), 1), order=3, mode="nearest", grid_mode=True)
    style = {"alpha": 0.55, "linewidths": 0.6, "zorder": 1} | style
    axes.contour(fine, reached, extent=_borders(columns, rows), origin="lower", colors=current_theme().contour, **style)


def density_levels(density: Array, fractions: Sequence[float] = CREDIBLE) -> list[float]:
    """Return the density at the border of the smallest region that holds each fraction of the total."""
    descending = np.sort(density.ravel())[::-1]
    enclosed = descending.cumsum()
    return [float(descending[np.searchsorted(enclosed, fraction * enclosed[-1])]) for fraction in fractions]


def _borders(columns: Array, rows: Array) -> tuple[float, float, float, float]:
    """Return the borders of the outer cells; a single cell across is about as wide as it is high."""
    steps = [np.diff(grid[:2]).sum() for grid in (columns, rows)]
    half_x, half_y = (0.5 * (step or max(steps)) for step in steps)
    return columns[0] - half_x, columns[-1] + half_x, rows[0] - half_y, rows[-1] + half_y


def displayed(sky: Sky, max_side: int = MAX_SIDE) -> tuple[NDArray[Any], int]:
    """Return the RGB image to draw, values 0 to 1, and the side of its pixels in pixels of the sky."""
    step = -(-max(sky.shape) // max_side)
    image = _stretched(_averaged(sky.pixels, step), sky.pixels.dtype)
    if current_theme().is_negative:
        image = 1.0 - image.mean(axis=2, keepdims=True)
    image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    if sky.mask is not None:
        image[_averaged(sky.mask[:, :, None], step)[:, :, 0] > 0.5] = current_theme().masked
    return image, step


def _averaged(pixels: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Return the means of blocks of `step` x `step` pixels, without incomplete blocks at the end."""
    if step == 1:
        return pixels.astype(np.float32)
    from astropy.nddata import block_reduce

    return np.asarray(block_reduce(pixels, (step, step, 1), np.mean), dtype=np.float32)


def _stretched(pixels: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """Return brightness from 0 to 1: 8 bit scaled, others linear without noise, asinh with noise.

    Notes
    -----
    All bands have the stretch of their mean, which keeps the colours [1]_.

    References
    ----------
    .. [1] Lupton et al. 2004, PASP 116, 133, doi:10.1086/382245.
    """
    if dtype == np.uint8:
        return pixels / np.float32(255)
    from astropy.stats import mad_std
    from astropy.visualization import AsinhStretch, ManualInterval

    light = pixels - np.median(pixels[::4, ::4], axis=(0, 1))
    mean = light.mean(axis=2, keepdims=True)
    softening = SOFTENING * mad_std(mean[::4, ::4])
    if softening == 0:
        return np.asarray(ManualInterval(0, max(light.max(), np.finfo(np.float32).tiny))(light))
    foreground = mean[mean > softening]
    white = np.percentile(foreground, WHITE_PERCENTILE) if foreground.size else softening
    stretch = AsinhStretch(softening / white) + ManualInterval(0, white)
    positive = np.maximum(mean, 1e-3 * softening)
    return np.asarray((light * stretch(positive, clip=False) / positive).clip(0, 1), dtype=np.float32)


def _mark(x: float, y: float, marker: MarkerStyle, *, size: float, gid: str) -> Line2D:
    """Return a hollow mark with a border, visible on any colour."""
    theme = current_theme()
    border = [withStroke(linewidth=2.8, foreground=theme.border)]  # an alpha here would fill the hollow
    return Line2D(
        [x], [y], linestyle="none", marker=marker, markersize=size, markerfacecolor="none",
        markeredgecolor=theme.mark, markeredgewidth=1.3, path_effects=border, zorder=5, gid=gid,
    )  # fmt: skip
