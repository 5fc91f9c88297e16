"""Maps of the S/N of tangential shear and, in the same colours, of cross shear, the null; all draw on given Axes."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from darkmatter_features.maps.shear import Peak, ShearMaps
from darkmatter_features.plots.panels import framed

Array = NDArray[np.float64]
Which = Literal["tangential", "cross"]

SHEAR_COLORS = LinearSegmentedColormap.from_list(
    "shear",
    ["#d6f1ff", "#7cc4ee", "#2a7db3", "#123c5a", "#0d131d", "#571f16", "#bb491c", "#f59a32", "#fff0c2"],
)
"""Colours diverging about near black: a map without signal is dark, and both signs brighten alike."""

MIN_LIMIT = 8.0
"""Minimum S/N at the ends of the colours: noise stays dim, and most skies have the same colours."""

FIRST_CONTOUR = 3.0
"""S/N of the lowest contour."""

MAX_CONTOURS = 7
"""Maximum number of contours of either sign."""

CONTOUR_POINTS = 256
"""Number of points along the longer side of the map that contours are drawn through; the grid is coarser."""


@dataclass(frozen=True)
class SnrMaps:
    """The maps of tangential and cross shear of one filter, with their titles.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the image.
    rows, columns : (n_rows,) and (n_columns,) float64 arrays, pixels
        Rows and columns of the grid.
    snr, snr_cross : (n_rows, n_columns) float64 arrays
        S/N of tangential shear and of cross shear.
    title, title_cross : str
        Titles of the two maps.
    """

    shape: tuple[int, int]
    rows: Array
    columns: Array
    snr: Array
    snr_cross: Array
    title: str
    title_cross: str

    @classmethod
    def in_window(cls, maps: ShearMaps, scale: int | None = None) -> Self:
        """Return the maps of one Gaussian window, by its index; of the window with the highest peak by default."""
        k = maps.best_scale if scale is None else scale
        titles = f"Tangential shear: scale {maps.scales[k]:.0f} px", "Cross shear: the null"
        return cls(maps.shape, maps.rows, maps.columns, maps.snr[k], maps.snr_cross[k], *titles)

    @classmethod
    def of_filter(cls, maps: ShearMaps, matched: tuple[Array, Array]) -> Self:
        """Return the maps of :func:`~darkmatter_features.maps.matched_filter.matched_filter` on the grid of `maps`.

        Raises
        ------
        ValueError
            If the two grids differ.
        """
        grid = maps.rows.size, maps.columns.size
        if any(snr.shape != grid for snr in matched):
            raise ValueError(
                f"matched must have the grid of maps, {grid}, got {matched[0].shape}; make both with the same config"
            )
        titles = "Tangential shear: matched filter", "Cross shear: the filter's null"
        return cls(maps.shape, maps.rows, maps.columns, *matched, *titles)

    @property
    def peak(self) -> Peak:
        """The highest peak of tangential shear."""
        return Peak.of(self.snr, self.rows, self.columns)

    @property
    def limit(self) -> float:
        """S/N at the ends of the colours of both maps: the largest |S/N| of the two, rounded up, at least 8."""
        largest = max(float(np.abs(snr).max()) for snr in (self.snr, self.snr_cross))
        return float(np.ceil(max(largest, MIN_LIMIT)))


def draw_map(axes: Axes, maps: ShearMaps, *, which: Which = "tangential", scale: int | None = None) -> Axes:
    """Draw the S/N of tangential or cross shear in a Gaussian window, with contours from S/N 3 on.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes to draw on; row 0 is on top.
    maps : ShearMaps
        Maps of one sky.
    which : {"tangential", "cross"}
        Component of the shear; both components have the same colours, up to the larger |S/N| and at least 8.
    scale : int, optional
        Index of the window; the window with the highest peak by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were given; ``axes.images[0]`` is the image for a colour bar.
    """
    return draw_snr(axes, SnrMaps.in_window(maps, scale), which=which)


def draw_snr(axes: Axes, maps: SnrMaps, *, which: Which = "tangential") -> Axes:
    """Draw the map of one component, as :func:`draw_map` does."""
    snr, title = (maps.snr, maps.title) if which == "tangential" else (maps.snr_cross, maps.title_cross)
    limit = maps.limit
    axes.imshow(
        snr, extent=_extent(maps), cmap=SHEAR_COLORS, vmin=-limit, vmax=limit,
        interpolation="bicubic", interpolation_stage="data", zorder=0,
    )  # fmt: skip
    _draw_contours(axes, maps, snr, contour_levels(limit))
    axes.set_title(title)
    return framed(axes, maps.shape)


def contour_levels(limit: float) -> Array:
    """Return the positive S/N of the contours, for colours that end at `limit`."""
    step = np.ceil((limit - FIRST_CONTOUR) / MAX_CONTOURS)
    return np.arange(FIRST_CONTOUR, max(limit, FIRST_CONTOUR + 1), step)


def _extent(maps: SnrMaps) -> tuple[float, float, float, float]:
    """Return the borders of the cells that are centred on the grid: left, right, bottom, top."""
    half_x, half_y = (0.5 * (grid[1] - grid[0]) for grid in (maps.columns, maps.rows))
    left, right = maps.columns[0] - half_x, maps.columns[-1] + half_x
    return left, right, maps.rows[-1] + half_y, maps.rows[0] - half_y


def _draw_contours(axes: Axes, maps: SnrMaps, snr: Array, positive: Array) -> None:
    """Draw contours at the positive levels and, dashed, at the negative ones, where the map reaches them."""
    from scipy.ndimage import zoom

    levels = [level for level in (*-positive[::-1], *positive) if snr.min() < level < snr.max()]
    if not levels:
        return
    fine = zoom(snr, max(CONTOUR_POINTS // max(snr.shape), 1), order=3, mode="nearest", grid_mode=True)
    styles = ["dashed" if level < 0 else "solid" for level in levels]
    axes.contour(
        fine, levels, extent=_extent(maps), origin="upper", colors="white", alpha=0.55, linewidths=0.6,
        linestyles=styles, zorder=1,
    )  # fmt: skip
