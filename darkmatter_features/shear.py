"""From a catalogue to maps of tangential shear about every candidate centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.kernels.maps import shear_sums
from darkmatter_features.kernels.mesh import narrow_sums, near_shear
from darkmatter_features.mesh import Mesh, mesh_over
from darkmatter_features.shapes import GalaxyCatalog
from darkmatter_features.template import LensTemplate

# Each is sqrt(2) times the one before, so that one window is the square of the next and none needs an exponential.
N_SCALES = 6
# Of a window, in scales: it is 2e-11 there.
WINDOW_REACH = 7.0
# Windows narrower than so many mesh steps are summed galaxy by galaxy.
NARROW = 2.5
# Where a mesh is used, sum(w v) below this many galaxies is taken for nothing: the nearest is 4 scales away.
FAINT = 3.4e-4
# What a galaxy costs at a centre, ns, and how many kernels a mesh wants: for shear at each scale, for each window.
PAIR_NS, N_KERNELS = 4.0, 2 * N_SCALES + 1

Array = NDArray[np.float64]


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
    galaxies = catalog.x, catalog.y, catalog.e1 - mean_e1, catalog.e2 - mean_e2, weight
    sums = _sums(galaxies, columns, rows, scales)
    with np.errstate(invalid="ignore"):
        gamma_t, gamma_x = sums[0] / sums[2], sums[1] / sums[2]
    sigma = np.sqrt(np.maximum(sums[3], np.finfo(np.float64).tiny))
    return ShearMaps(catalog.shape, rows, columns, scales, gamma_t, gamma_x, sums[0] / sigma, sums[1] / sigma)


def _grid(side: int, spacing: float) -> NDArray[np.float64]:
    return np.linspace(0.0, side - 1.0, max(round((side - 1) / spacing), 1) + 1)


def _sums(galaxies: tuple[Array, ...], columns: Array, rows: Array, scales: Array) -> Array:
    """Return sum(w v gamma_t), sum(w v gamma_x), sum(w v) and sum(w^2 v), (4, n_scales, n_rows, n_columns)."""
    mesh = mesh_over(columns, rows, *galaxies[:2], reach=WINDOW_REACH * scales[-1])
    if mesh is None or not mesh.pays(galaxies[0].size, rows.size * columns.size, n_kernels=N_KERNELS, pair_ns=PAIR_NS):
        return _direct_sums(galaxies, columns, rows, scales)
    return _mesh_sums(galaxies, mesh, scales)


def _direct_sums(galaxies: tuple[Array, ...], columns: Array, rows: Array, scales: Array) -> Array:
    sums = np.zeros((4, scales.size, rows.size, columns.size))
    x, y = galaxies[:2]
    shear_sums(*galaxies, columns, rows, _window(y, rows, scales[-1]), _window(x, columns, scales[-1]), sums)
    return sums


def _mesh_sums(galaxies: tuple[Array, ...], mesh: Mesh, scales: Array) -> Array:
    """Return the same: far from each galaxy by Fourier transforms, near it one by one; nothing where none is in reach."""
    x, y, e1, e2, weight = galaxies
    sums = np.zeros((4, scales.size, mesh.rows.size, mesh.columns.size))
    windows = np.append(scales[0] / np.sqrt(2.0), scales)  # of sum(w^2 v) from the first to the last but one
    n_narrow = int((windows < NARROW * max(mesh.steps)).sum())
    if n_narrow:
        narrow = windows[:n_narrow]
        narrow_sums(*galaxies, mesh.columns, mesh.rows, narrow, WINDOW_REACH * narrow[-1], sums)
    near = np.zeros((2, mesh.rows.size, mesh.columns.size))
    near_shear(*galaxies, mesh.columns, mesh.rows, mesh.width, mesh.reach, near)
    shears = mesh.transform(x, y, weight * e1, weight * e2)
    for s in range(max(n_narrow - 1, 0), scales.size):
        far = mesh.sums(shears, mesh.kernel(lambda square, s=s: mesh.nearness - _gauss(square, scales[s]), spin=2))
        sums[0, s], sums[1, s] = near[0] + far.real, near[1] + far.imag
    weights = mesh.transform(x, y, weight, np.zeros_like(weight))
    for k in range(n_narrow, windows.size):
        total = mesh.sums(weights, mesh.kernel(lambda square, k=k: _gauss(square, windows[k]))).real
        sums[2, k - 1 : k] = total
        sums[3, k : k + 1] = total
    sums[:, sums[3] < FAINT**2 * weight.mean()] = 0.0
    return sums


def _gauss(square: Array, scale: float) -> Array:
    return np.asarray(np.exp(-0.5 * square / scale**2))


def _window(positions: NDArray[np.float64], centres: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return the Gaussian window (n_positions, n_centres) along one axis."""
    return np.asarray(np.exp(-0.5 * ((positions[:, None] - centres[None, :]) / scale) ** 2))
