"""Maps of the S/N of tangential shear and, in the same colours, of cross shear, the null; all draw on given Axes."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from darkmatter_features.maps.shear import Peak, ShearMaps
from darkmatter_features.plots.page import SMALL
from darkmatter_features.plots.panels import draw_cells, draw_contours, framed
from darkmatter_features.plots.theme import current_theme

Array = NDArray[np.float64]
Which = Literal["tangential", "cross"]

MIN_LIMIT = 8.0
"""Minimum S/N at the ends of the colours: noise stays dim, and most skies have the same colours."""

MAX_LIMIT = 12.0
"""Maximum S/N at the ends of the colours of candidates: beside a strong lens, weak ones stay visible."""

FIRST_CONTOUR = 3.0
"""S/N of the lowest contour."""

MAX_CONTOURS = 7
"""Maximum number of contours of either sign."""


@dataclass(frozen=True)
class SnrMaps:
    """The maps of tangential and cross shear of one filter, with their titles.

    Attributes
    ----------
    shape : (int, int) or None
        Rows and columns of the image; None for a catalogue without an image.
    rows, columns : (n_rows,) and (n_columns,) float64 arrays, pixels or the catalogue's unit
        Rows and columns of the grid.
    snr, snr_cross : (n_rows, n_columns) float64 arrays
        S/N of tangential shear and of cross shear.
    title, title_cross : str
        Titles of the two maps.
    min_limit, max_limit : float
        Minimum and maximum S/N at the ends of the colours.
    """

    shape: tuple[int, int] | None
    rows: Array
    columns: Array
    snr: Array
    snr_cross: Array
    title: str
    title_cross: str
    min_limit: float = MIN_LIMIT
    max_limit: float = np.inf

    @classmethod
    def in_window(cls, maps: ShearMaps, scale: int | None = None, *, pixel: float = np.nan) -> Self:
        """Return the maps of one Gaussian window, by its index; of the window with the highest peak by default.

        With the side of a pixel in arcmin, the title has the scale in arcmin, too.
        """
        k = maps.best_scale if scale is None else scale
        on_sky = f" ({maps.scales[k] * pixel:.2g}′)" if np.isfinite(pixel) else ""
        titles = f"Tangential shear: scale {maps.scales[k]:.0f} px{on_sky}", "Cross shear: the null"
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
        """S/N at the ends of the colours of both maps, see :func:`color_limit`."""
        return color_limit(self.snr, self.snr_cross, least=self.min_limit, most=self.max_limit)


def color_limit(*maps: NDArray[np.floating], least: float = MIN_LIMIT, most: float = np.inf) -> float:
    """Return the S/N at the ends of the colours of maps: the largest |S/N|, rounded up, within two limits."""
    largest = max((float(np.abs(snr[np.isfinite(snr)]).max(initial=0.0)) for snr in maps), default=0.0)
    return float(max(min(np.ceil(largest), most), least))


def ends(limit: float, *maps: NDArray[np.floating]) -> Literal["both", "neither"]:
    """Return which ends of a colour bar are arrows, since maps have values beyond the colours (`extend`)."""
    return "both" if color_limit(*maps, least=limit) > limit else "neither"


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
    """Draw the map of one component, as :func:`draw_map` does; without an image, the first row is below."""
    snr, title = (maps.snr, maps.title) if which == "tangential" else (maps.snr_cross, maps.title_cross)
    grid, limit = (maps.columns, maps.rows), maps.limit
    draw_cells(axes, snr, *grid, cmap=current_theme().shear, vmin=-limit, vmax=limit, interpolation="bicubic")
    positive = contour_levels(limit)
    draw_contours(axes, snr, *grid, [*-positive[::-1], *positive])
    axes.set_title(title, parse_math=False, linespacing=SMALL["linespacing"])
    return framed(axes, maps.shape) if maps.shape else axes


def contour_label(limit: float) -> dict[str, Line2D]:
    """Return the contours by their label, for the legend of maps with colours that end at `limit`."""
    levels = ", ".join(f"{level:g}" for level in contour_levels(limit)[:3])
    return {
        f"|S/N| = {levels}, … (dashed: negative)": Line2D(
            [], [], color=current_theme().contour, alpha=0.55, linewidth=0.8
        )
    }


def contour_levels(limit: float) -> Array:
    """Return the positive S/N of the contours, for colours that end at `limit`."""
    step = np.ceil((limit - FIRST_CONTOUR) / MAX_CONTOURS)
    return np.arange(FIRST_CONTOUR, max(limit, FIRST_CONTOUR + 1), step)
