"""Maps of S/N, drawn on given Axes: of tangential shear and, in the same colours, of cross shear, the null."""

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

# Diverging about near black: a map without signal is dark, and both arms rise alike in lightness.
SHEAR_COLORS = LinearSegmentedColormap.from_list(
    "shear",
    ["#d6f1ff", "#7cc4ee", "#2a7db3", "#123c5a", "#0d131d", "#571f16", "#bb491c", "#f59a32", "#fff0c2"],
)
# Colours reach at least this S/N: noise stays dim, and most skies have the same colours.
MIN_LIMIT = 8.0
# Contours start at this S/N, and there are at most this many.
FIRST_CONTOUR, MAX_CONTOURS = 3.0, 7
# Contours are drawn through this many points a side, so that they do not show the grid.
CONTOUR_POINTS = 256


@dataclass(frozen=True)
class SnrMaps:
    """Two maps of S/N that belong together, and what is to be said of them.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the picture.
    rows, columns : (n_rows,) and (n_columns,) float64 arrays, pixels
        The grid.
    snr, snr_cross : (n_rows, n_columns) float64 arrays
        Of tangential shear, and of cross shear.
    title, title_cross : str
        What they show.
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
        """Return the maps of one Gaussian window (an index), of the one with the highest peak when not given."""
        k = maps.best_scale if scale is None else scale
        titles = f"Tangential shear: scale {maps.scales[k]:.0f} px", "Cross shear: the null"
        return cls(maps.shape, maps.rows, maps.columns, maps.snr[k], maps.snr_cross[k], *titles)

    @classmethod
    def of_filter(cls, maps: ShearMaps, matched: tuple[Array, Array]) -> Self:
        """Return what :func:`~darkmatter_features.maps.matched_filter.matched_filter` made on the grid of `maps`.

        Raises
        ------
        ValueError
            If it is of another grid.
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
        """The highest S/N of tangential shear."""
        return Peak.of(self.snr, self.rows, self.columns)

    @property
    def limit(self) -> float:
        """The S/N at the ends of the colours of both: what the larger one needs, or 8."""
        largest = max(float(np.abs(snr).max()) for snr in (self.snr, self.snr_cross))
        return float(np.ceil(max(largest, MIN_LIMIT)))


def draw_map(axes: Axes, maps: ShearMaps, *, which: Which = "tangential", scale: int | None = None) -> Axes:
    """Draw the S/N of tangential or cross shear in a Gaussian window, with contours from S/N 3 on.

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
    return draw_snr(axes, SnrMaps.in_window(maps, scale), which=which)


def draw_snr(axes: Axes, maps: SnrMaps, *, which: Which = "tangential") -> Axes:
    """Draw one of two maps that belong together, as :func:`draw_map` does."""
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
    """Return the S/N of contours, positive side, for colours that reach `limit`."""
    step = np.ceil((limit - FIRST_CONTOUR) / MAX_CONTOURS)
    return np.arange(FIRST_CONTOUR, max(limit, FIRST_CONTOUR + 1), step)


def _extent(maps: SnrMaps) -> tuple[float, float, float, float]:
    """Return the borders of the grid's cells, whose centres are the candidate centres."""
    half_x, half_y = (0.5 * (grid[1] - grid[0]) for grid in (maps.columns, maps.rows))
    left, right = maps.columns[0] - half_x, maps.columns[-1] + half_x
    return left, right, maps.rows[-1] + half_y, maps.rows[0] - half_y


def _draw_contours(axes: Axes, maps: SnrMaps, snr: Array, above: Array) -> None:
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
