"""What a heatmap is made of: a sky under its ellipses, shear maps, marks; all drawn on given Axes."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from darkmatter_features.shapes import GalaxyCatalog
from darkmatter_features.shear import Peak, ShearMaps
from darkmatter_features.sky import Sky

# A green that no galaxy has.
ELLIPSE = "#5df2b4"
# Diverging about near black: a map without signal is dark, and both arms rise alike in lightness.
SHEAR_COLORS = LinearSegmentedColormap.from_list(
    "shear",
    ["#d6f1ff", "#7cc4ee", "#2a7db3", "#123c5a", "#0d131d", "#571f16", "#bb491c", "#f59a32", "#fff0c2"],
)
# An evenly bright ellipse ends at twice its rms half-axes: outlines are drawn a little outside.
OUTLINE = 2.4
# Up to this many outlines are drawn at full width; more of them are drawn finer.
FEW_GALAXIES = 400
# Colours reach at least this S/N: noise stays dim, and most skies have the same colours.
MIN_LIMIT = 8.0
# Contours start at this S/N, and there are at most this many.
FIRST_CONTOUR, MAX_CONTOURS = 3.0, 7
# Contours are drawn through this many points a side, so that they do not show the grid.
CONTOUR_POINTS = 256
# Larger pictures are averaged down to at most this many pixels a side before they are drawn.
MAX_SIDE = 2048
# Percentile of the light above the noise that is drawn white.
WHITE_PERCENTILE = 99.5
# The stretch is linear up to this many standard deviations of the noise, and logarithmic beyond.
SOFTENING = 3.0
# Median absolute deviation to standard deviation, for a Gaussian.
MAD_TO_SIGMA = 1.4826
# Grey of pixels that hold no measurement.
MASKED = 0.14

_CROSSHAIR = Outline(
    [(-1, 0), (-0.42, 0), (0.42, 0), (1, 0), (0, -1), (0, -0.42), (0, 0.42), (0, 1)],
    [Outline.MOVETO, Outline.LINETO] * 4,
)


def draw_sky(axes: Axes, sky: Sky, catalog: GalaxyCatalog | None = None) -> Axes:
    """Draw a sky and, over it, the ellipses of its catalogue.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; row 0 will be on top.
    sky : Sky
        The picture. Without noise it is drawn as it is, noisy ones of 16 bit or float with an asinh stretch.
    catalog : GalaxyCatalog, optional
        Its galaxies: outlines at 2.4 times the rms half-axes (an evenly bright ellipse ends at 2).

    Returns
    -------
    matplotlib.axes.Axes
        The same.
    """
    image, step = _displayed(sky)
    extent = (-0.5, image.shape[1] * step - 0.5, image.shape[0] * step - 0.5, -0.5)
    axes.imshow(image, extent=extent, interpolation="auto", zorder=0)
    axes.set_title("Sky")
    if catalog is not None:
        axes.add_collection(outlines(axes, catalog), autolim=False)
        axes.set_title(f"Sky: {len(catalog)} galaxies")
    return _framed(axes, sky.shape)


def draw_map(
    axes: Axes,
    maps: ShearMaps,
    *,
    which: Literal["tangential", "cross"] = "tangential",
    scale: int | None = None,
) -> Axes:
    """Draw the S/N of tangential or cross shear, with contours from S/N 3 on.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; row 0 will be on top.
    maps : ShearMaps
        The maps.
    which : {"tangential", "cross"}
        Both come in the same colours: those that the larger of the two needs, or S/N 8.
    scale : int, optional
        Index of the scale; the one with the highest peak when not given.

    Returns
    -------
    matplotlib.axes.Axes
        The same; ``axes.images[0]`` is what a colour bar wants.
    """
    scale = maps.best_scale if scale is None else scale
    snr = (maps.snr if which == "tangential" else maps.snr_cross)[scale]
    limit = color_limit(maps, scale)
    axes.imshow(
        snr, extent=_extent(maps), cmap=SHEAR_COLORS, vmin=-limit, vmax=limit,
        interpolation="bicubic", interpolation_stage="data", zorder=0,
    )  # fmt: skip
    _draw_contours(axes, maps, snr, contour_levels(limit))
    says = f"scale {maps.scales[scale]:.0f} px" if which == "tangential" else "the null"
    axes.set_title(f"{which.capitalize()} shear: {says}")
    return _framed(axes, maps.shape)


def draw_marks(axes: Axes, *, peak: Peak | None = None, lens: tuple[float, float] | None = None) -> Axes:
    """Mark a peak by crosshairs and a true lens (row, column; pixels) by a ring; return the same Axes."""
    if peak is not None:
        axes.add_line(crosshair(peak.column, peak.row)).set(clip_on=False, zorder=6)
    if lens is not None:
        axes.add_line(ring(lens[1], lens[0]))
    return axes


def crosshair(x: float, y: float) -> Line2D:
    """Return the mark of a peak."""
    return _mark(x, y, MarkerStyle(_CROSSHAIR), size=13, gid="peak")


def ring(x: float, y: float) -> Line2D:
    """Return the mark of a true lens, wide enough to hold the crosshairs of a peak."""
    return _mark(x, y, MarkerStyle("o", fillstyle="none"), size=16, gid="lens")


def color_limit(maps: ShearMaps, scale: int) -> float:
    """Return the S/N at the ends of the colours, for both maps of a scale."""
    largest = max(float(np.abs(snr[scale]).max()) for snr in (maps.snr, maps.snr_cross))
    return float(np.ceil(max(largest, MIN_LIMIT)))


def contour_levels(limit: float) -> NDArray[np.float64]:
    """Return the S/N of contours, positive side, for colours that reach `limit`."""
    step = np.ceil((limit - FIRST_CONTOUR) / MAX_CONTOURS)
    return np.arange(FIRST_CONTOUR, max(limit, FIRST_CONTOUR + 1), step)


def _displayed(sky: Sky) -> tuple[NDArray[Any], int]:
    """Return the picture as RGB, and how many of its pixels a side make one of those."""
    step = -(-max(sky.shape) // MAX_SIDE)
    image = _stretched(_averaged(sky.pixels, step), sky.pixels.dtype)
    image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    if sky.mask is not None:
        image[_averaged(sky.mask[:, :, None], step)[:, :, 0] > 0.5] = MASKED
    return image, step


def _averaged(pixels: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Average blocks of `step` x `step` pixels; rows and columns that fill no block are left out."""
    n_rows, n_columns = pixels.shape[0] // step, pixels.shape[1] // step
    whole = pixels[: n_rows * step, : n_columns * step]
    blocks = whole.reshape(n_rows, step, n_columns, step, -1)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def _stretched(pixels: NDArray[np.float32], kind: np.dtype[Any]) -> NDArray[np.float32]:
    """Bring light to 0 .. 1: 8 bit as it is, without noise linearly, with noise by asinh.

    The asinh is taken of the mean over bands, which keeps the colours (Lupton et al. 2004).
    """
    if kind == np.uint8:
        return pixels / np.float32(255)
    light = pixels - np.median(pixels[::4, ::4], axis=(0, 1))
    total = light.mean(axis=2, keepdims=True)
    noise = MAD_TO_SIGMA * np.median(np.abs(total[::4, ::4]))
    if noise > 0:
        light *= _asinh_gain(total, SOFTENING * noise)
    else:
        light /= max(light.max(), np.finfo(np.float32).tiny)
    return np.asarray(light.clip(0, 1), dtype=np.float32)


def _asinh_gain(total: NDArray[np.float32], softening: float) -> NDArray[np.float32]:
    """Return asinh(total) / total, scaled so that the brightest light becomes 1."""
    lit = total[total > softening]
    white = np.percentile(lit, WHITE_PERCENTILE) if lit.size else softening
    positive = np.maximum(total, 1e-3 * softening)
    return np.asarray(np.arcsinh(positive / softening) / (positive * np.arcsinh(white / softening)))


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
        edgecolors=ELLIPSE,
        linewidths=0.65 * min(1.0, (FEW_GALAXIES / max(len(catalog), 1)) ** 0.25),
        zorder=2,
    )


def _extent(maps: ShearMaps) -> tuple[float, float, float, float]:
    """Return the borders of the grid's cells, whose centres are the candidate centres."""
    half_x, half_y = (0.5 * (grid[1] - grid[0]) for grid in (maps.columns, maps.rows))
    left, right = maps.columns[0] - half_x, maps.columns[-1] + half_x
    return left, right, maps.rows[-1] + half_y, maps.rows[0] - half_y


def _draw_contours(axes: Axes, maps: ShearMaps, snr: NDArray[np.float64], above: NDArray[np.float64]) -> None:
    """Draw contours at both signs, negative ones dashed; none where the map stays below the first."""
    from scipy.ndimage import zoom

    levels = [level for level in (*-above[::-1], *above) if snr.min() < level < snr.max()]
    if not levels:
        return
    fine = zoom(snr, max(CONTOUR_POINTS // max(snr.shape), 1), order=3)
    rows = np.linspace(maps.rows[0], maps.rows[-1], fine.shape[0])
    columns = np.linspace(maps.columns[0], maps.columns[-1], fine.shape[1])
    styles = ["dashed" if level < 0 else "solid" for level in levels]
    axes.contour(columns, rows, fine, levels, colors="white", alpha=0.55, linewidths=0.6, linestyles=styles, zorder=1)


def _framed(axes: Axes, shape: tuple[int, int]) -> Axes:
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5), aspect="equal")
    return axes


def _mark(x: float, y: float, marker: MarkerStyle, *, size: float, gid: str) -> Line2D:
    """Return a hollow white mark with a dark rim, which reads on any colour."""
    rim = [withStroke(linewidth=2.8, foreground="#05070a")]  # an alpha here would fill the hollow
    return Line2D(
        [x], [y], linestyle="none", marker=marker, markersize=size, markerfacecolor="none",
        markeredgecolor="white", markeredgewidth=1.3, path_effects=rim, zorder=5, gid=gid,
    )  # fmt: skip
