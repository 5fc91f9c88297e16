"""What a heatmap is made of beside its maps: a sky under its ellipses, and marks; all drawn on given Axes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.io.sky import Sky
from darkmatter_features.maps.shear import Peak

# A green that no galaxy has.
ELLIPSE = "#5df2b4"
# An evenly bright ellipse ends at twice its rms half-axes: outlines are drawn a little outside.
OUTLINE = 2.4
# Up to this many outlines are drawn at full width; more of them are drawn finer.
FEW_GALAXIES = 400
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
    return framed(axes, sky.shape)


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


def framed(axes: Axes, shape: tuple[int, int]) -> Axes:
    """Show a picture of a shape, row 0 on top, each pixel a square; return the same Axes."""
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5), aspect="equal")
    return axes


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


def _mark(x: float, y: float, marker: MarkerStyle, *, size: float, gid: str) -> Line2D:
    """Return a hollow white mark with a dark rim, which reads on any colour."""
    rim = [withStroke(linewidth=2.8, foreground="#05070a")]  # an alpha here would fill the hollow
    return Line2D(
        [x], [y], linestyle="none", marker=marker, markersize=size, markerfacecolor="none",
        markeredgecolor="white", markeredgewidth=1.3, path_effects=rim, zorder=5, gid=gid,
    )  # fmt: skip
