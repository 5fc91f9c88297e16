"""From a catalogue to maps of tangential shear about every candidate centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.kernels.maps import shear_sums
from darkmatter_features.shapes import GalaxyCatalog
from darkmatter_features.template import LensTemplate

# Each is sqrt(2) times the one before, so that one window is the square of the next and none needs an exponential.
N_SCALES = 6


@dataclass(frozen=True)
class Peak:
    """A maximum of a map: where (pixels, refined below the grid), how high, and the Gaussian scale (pixels)."""

    row: float
    column: float
    snr: float
    scale: float


@dataclass(frozen=True)
class ShearMaps:
    """Tangential shear about every candidate centre, in Gaussian windows of several scales.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the picture.
    rows, columns : (n_rows,) and (n_columns,) float64 arrays, pixels
        The grid of candidate centres.
    scales : (n_scales,) float64 array, pixels
        Standard deviations of the windows, ascending.
    gamma_t, gamma_x : (n_scales, n_rows, n_columns) float64 arrays
        Weighted mean tangential and cross shear; nan where no galaxy is in reach.
    snr, snr_cross : (n_scales, n_rows, n_columns) float64 arrays
        The same over their standard deviations.
    """

    shape: tuple[int, int]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    scales: NDArray[np.float64]
    gamma_t: NDArray[np.float64]
    gamma_x: NDArray[np.float64]
    snr: NDArray[np.float64]
    snr_cross: NDArray[np.float64]

    def __post_init__(self) -> None:
        for array in (
            self.rows,
            self.columns,
            self.scales,
            self.gamma_t,
            self.gamma_x,
            self.snr,
            self.snr_cross,
        ):
            array.flags.writeable = False

    @property
    def best_scale(self) -> int:
        """Index of the scale with the highest peak."""
        return int(self.snr.max(axis=(1, 2)).argmax())

    @property
    def peak(self) -> Peak:
        """The highest peak of all scales."""
        return self.peak_of(self.best_scale)

    def peak_of(self, scale: int) -> Peak:
        """Return the highest peak of one scale (an index), refined by a parabola along each axis."""
        snr = self.snr[scale]
        i, j = (int(k) for k in np.unravel_index(snr.argmax(), snr.shape))
        row = self.rows[i] + _vertex(snr[:, j], i) * (self.rows[1] - self.rows[0])
        column = self.columns[j] + _vertex(snr[i, :], j) * (self.columns[1] - self.columns[0])
        return Peak(row=float(row), column=float(column), snr=float(snr[i, j]), scale=float(self.scales[scale]))


def _vertex(values: NDArray[np.float64], i: int) -> float:
    """Return how far, in steps, the vertex of the parabola through values[i-1:i+2] is from i; 0 at the ends."""
    if i in (0, values.size - 1):
        return 0.0
    below, here, above = values[i - 1 : i + 2]
    curvature = below - 2.0 * here + above
    return float(0.5 * (below - above) / curvature) if curvature < 0 else 0.0


def shear_maps(
    catalog: GalaxyCatalog, template: LensTemplate | None = None, config: MeasureConfig | None = None
) -> ShearMaps:
    """Map the tangential and cross shear of a catalogue.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate, optional
        Bias and scatter of unlensed ellipticities; those of the sky itself when not given.
    config : MeasureConfig, optional
        Settings; the defaults when not given.

    Returns
    -------
    ShearMaps
        On a grid that covers the picture from its first row and column to its last.

    Notes
    -----
    With inverse variances v and a window w, ``gamma_t = sum(w v gamma_t_i) / sum(w v)`` and
    ``snr = sum(w v gamma_t_i) / sqrt(sum(w^2 v))``: the matched filter of Schneider (1996) for a Gaussian profile.
    """
    template = template or LensTemplate.of_sky(catalog)
    config = config or MeasureConfig()
    rows, columns = (_grid(side, config.grid_spacing) for side in catalog.shape)
    scales = config.smallest_scale * np.sqrt(2.0) ** np.arange(N_SCALES)
    mean_e1, mean_e2, weight = template.unlensed(catalog)
    sums = np.zeros((4, N_SCALES, rows.size, columns.size))
    shear_sums(
        catalog.x, catalog.y, catalog.e1 - mean_e1, catalog.e2 - mean_e2, weight, columns, rows,
        _window(catalog.y, rows, scales[-1]), _window(catalog.x, columns, scales[-1]), sums,
    )  # fmt: skip
    with np.errstate(invalid="ignore"):
        gamma_t, gamma_x = sums[0] / sums[2], sums[1] / sums[2]
    sigma = np.sqrt(np.maximum(sums[3], np.finfo(np.float64).tiny))
    return ShearMaps(catalog.shape, rows, columns, scales, gamma_t, gamma_x, sums[0] / sigma, sums[1] / sigma)


def _grid(side: int, spacing: float) -> NDArray[np.float64]:
    return np.linspace(0.0, side - 1.0, max(round((side - 1) / spacing), 1) + 1)


def _window(positions: NDArray[np.float64], centres: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return the Gaussian window (n_positions, n_centres) along one axis."""
    return np.asarray(np.exp(-0.5 * ((positions[:, None] - centres[None, :]) / scale) ** 2))
