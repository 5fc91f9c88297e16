"""Maps of the tangential and cross shear of a catalogue about every candidate centre."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import MeasureConfig
from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.prepared import PreparedCatalog, prepare
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.kernels import shear_sums
from darkmatter_features.numerics.kernels.mesh import narrow_sums, near_shear
from darkmatter_features.numerics.kernels.records import Galaxies
from darkmatter_features.numerics.mesh import MIN_SPEEDUP, POINT_NS, Mesh, mesh_over

N_SCALES = 6
"""Gaussian scales. Each is sqrt(2) times the one before, so that one window is the square of the next."""

WINDOW_RADIUS = 7.0
"""Radius beyond which a window is neglected, in scales: it is 2e-11 there."""

MIN_MESH_SCALE = 2.5
"""Windows narrower than this many mesh steps are summed galaxy by galaxy."""

NEGLIGIBLE_WINDOW = 3.4e-4
"""Value of a window at 4 scales: with a mesh, a sum of weights below that of one mean galaxy there counts as empty."""

PAIR_NS = 4.0
"""Time of a galaxy at a centre in the direct sums, ns on one core."""

NEAR_NS = 6.0
"""Time of a galaxy at a centre near it beside a mesh, ns on one core.

On the default grid a mesh never pays for a sky of 512 px; it does from some 12,600 galaxies on for one of 1024 px, and
from 2,300 for one of 2048 px.
"""

N_KERNELS = 2 * N_SCALES + 1
"""Kernels on a mesh: one for the shear at each scale, and one for each window."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Peak:
    """A maximum of a map.

    Attributes
    ----------
    row, column : float, pixels
        Position, interpolated between the centres of the grid.
    snr : float
        Signal to noise at the centre of the grid.
    scale : float, pixels
        Gaussian scale of the map; nan if it has none.
    """

    row: float
    column: float
    snr: float
    scale: float

    @classmethod
    def of(cls, snr: Array, rows: Array, columns: Array, *, scale: float = np.nan) -> Self:
        """Return the highest peak of a map (n_rows, n_columns), interpolated by a parabola along each axis."""
        i, j = (int(k) for k in np.unravel_index(snr.argmax(), snr.shape))
        row = rows[i] + _vertex(snr[:, j], i) * (rows[1] - rows[0])
        column = columns[j] + _vertex(snr[i, :], j) * (columns[1] - columns[0])
        return cls(row=float(row), column=float(column), snr=float(snr[i, j]), scale=scale)


@dataclass(frozen=True)
class ShearMaps:
    """Tangential shear about every candidate centre, in Gaussian windows of several scales.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the image.
    rows, columns : (n_rows,) and (n_columns,) float64 arrays, pixels
        The grid of candidate centres.
    scales : (n_scales,) float64 array, pixels
        Standard deviations of the windows, ascending.
    gamma_t, gamma_x : (n_scales, n_rows, n_columns) float64 arrays
        Weighted mean tangential and cross shear; nan where no galaxy is within the window.
    snr, snr_cross : (n_scales, n_rows, n_columns) float64 arrays
        These means over their standard deviations.
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
        """Return the highest peak of one scale (an index)."""
        return Peak.of(self.snr[scale], self.rows, self.columns, scale=float(self.scales[scale]))


def _vertex(values: NDArray[np.float64], i: int) -> float:
    """Return the offset from i, in steps, of the vertex of the parabola through values[i-1:i+2]; 0 at the ends."""
    if i in (0, values.size - 1):
        return 0.0
    below, here, above = values[i - 1 : i + 2]
    curvature = below - 2.0 * here + above
    return float(0.5 * (below - above) / curvature) if curvature < 0 else 0.0


def shear_maps(
    galaxies: GalaxyCatalog | PreparedCatalog,
    template: LensTemplate | CompiledTemplate | None = None,
    config: MeasureConfig | None = None,
) -> ShearMaps:
    """Return maps of the tangential and cross shear of a catalogue.

    Parameters
    ----------
    galaxies : GalaxyCatalog or PreparedCatalog
        Galaxies of one sky.
    template : LensTemplate or CompiledTemplate, optional
        Bias and scatter of unlensed ellipticities, for a catalogue that is not prepared; those of the default template
        with the sky's own mean ellipticity when not given.
    config : MeasureConfig, optional
        Settings `grid_spacing` and `smallest_scale`; the defaults when not given.

    Returns
    -------
    ShearMaps
        On a grid from the first row and column of the image to the last.

    Notes
    -----
    With inverse variances v and a Gaussian window w about the centre, ``gamma_t = sum(w v gamma_t_i) / sum(w v)`` and
    ``snr = sum(w v gamma_t_i) / sqrt(sum(w^2 v))``, the matched filter [1]_ for a Gaussian profile.

    Large fields are summed by Fourier transforms where that is much cheaper, see
    :mod:`~darkmatter_features.numerics.mesh`. No S/N then differs by more than 0.01, except that it is 0, and the shear
    nan, where no galaxy is within 4 scales. 100,000 galaxies about 1,024 x 1,024 centres take some 2 s, and 610 MB.

    References
    ----------
    .. [1] Schneider 1996, MNRAS 283, 837, arXiv:astro-ph/9601039.
    """
    prepared = prepare(galaxies, template)
    config = config or MeasureConfig()
    catalog = prepared.catalog
    scales = config.smallest_scale * np.sqrt(2.0) ** np.arange(N_SCALES)
    sample = Galaxies(catalog.x, catalog.y, prepared.e1, prepared.e2, prepared.weight)
    return maps_about(sample, catalog.shape, centres(catalog.shape, config), scales)


def maps_about(galaxies: Galaxies, shape: tuple[int, int], centres: tuple[Array, Array], scales: Array) -> ShearMaps:
    """Return maps about rows and columns in windows that grow by sqrt(2); the galaxies have inverse variances."""
    rows, columns = centres
    sums = _sums(galaxies, columns, rows, scales)
    with np.errstate(invalid="ignore"):
        gamma_t, gamma_x = sums[0] / sums[2], sums[1] / sums[2]
    sigma = np.sqrt(np.maximum(sums[3], np.finfo(np.float64).tiny))
    return ShearMaps(shape, rows, columns, scales, gamma_t, gamma_x, sums[0] / sigma, sums[1] / sigma)


def centres(shape: tuple[int, int], config: MeasureConfig) -> tuple[Array, Array]:
    """Return rows and columns (pixels) of the candidate centres, evenly spaced over the image."""
    rows, columns = (_grid(side, config.grid_spacing) for side in shape)
    return rows, columns


def _grid(side: int, spacing: float) -> NDArray[np.float64]:
    return np.linspace(0.0, side - 1.0, max(round((side - 1) / spacing), 1) + 1)


def _sums(galaxies: Galaxies, columns: Array, rows: Array, scales: Array) -> Array:
    """Return sum(w v gamma_t), sum(w v gamma_x), sum(w v) and sum(w^2 v), (4, n_scales, n_rows, n_columns)."""
    n, n_centres = galaxies[0].size, rows.size * columns.size
    if PAIR_NS * n < MIN_SPEEDUP * POINT_NS * N_KERNELS:  # too few, also on a mesh of no more points than centres
        return _direct_sums(galaxies, columns, rows, scales)
    mesh = mesh_over(columns, rows, galaxies[0], galaxies[1], reach=WINDOW_RADIUS * scales[-1])
    if mesh is None or MIN_SPEEDUP * mesh.cost(n, n_kernels=N_KERNELS, near_ns=NEAR_NS) > PAIR_NS * n * n_centres:
        return _direct_sums(galaxies, columns, rows, scales)
    return _mesh_sums(galaxies, mesh, scales)


def _direct_sums(galaxies: Galaxies, columns: Array, rows: Array, scales: Array) -> Array:
    x, y, _, _, _ = galaxies
    sums = np.zeros((4, scales.size, rows.size, columns.size))
    shear_sums(*galaxies, columns, rows, _window(y, rows, scales[-1]), _window(x, columns, scales[-1]), sums)
    return sums


def _mesh_sums(galaxies: Galaxies, mesh: Mesh, scales: Array) -> Array:
    """Return the same sums: in wide windows by Fourier transforms, in narrow ones and near galaxies directly."""
    sums = np.zeros((4, scales.size, mesh.rows.size, mesh.columns.size))
    windows = np.append(scales[0] / np.sqrt(2.0), scales)  # that of sum(w^2 v) of the smallest scale, and of sum(w v)
    n_narrow = int((windows < MIN_MESH_SCALE * max(mesh.steps)).sum())
    if n_narrow:
        narrow = windows[:n_narrow]
        narrow_sums(galaxies, mesh.grid, narrow, WINDOW_RADIUS * narrow[-1], sums)
    first = max(n_narrow - 1, 0)
    for s, shear in enumerate(_wide_shear(galaxies, mesh, scales[first:]), start=first):
        sums[:2, s] = shear
    for k, total in enumerate(_wide_weight(galaxies, mesh, windows[n_narrow:]), start=n_narrow):
        sums[2, k - 1 : k] = total
        sums[3, k : k + 1] = total
    sums[:, sums[3] < NEGLIGIBLE_WINDOW**2 * galaxies[4].mean()] = 0.0
    return sums


def _wide_shear(galaxies: Galaxies, mesh: Mesh, scales: Array) -> Iterator[tuple[Array, Array]]:
    """Yield the sums of tangential and cross shear of each scale; the near part is common, for windows are 1 there."""
    x, y, e1, e2, weight = galaxies
    near = np.zeros((2, mesh.rows.size, mesh.columns.size))
    near_shear(galaxies, mesh.grid, mesh.near, near)
    shear = mesh.transform(x, y, weight * e1, weight * e2)
    for scale in scales:
        far = mesh.sums(shear, mesh.kernel(mesh.nearness - _gauss(mesh.squares, scale), spin=2))
        yield near[0] + far.real, near[1] + far.imag


def _wide_weight(galaxies: Galaxies, mesh: Mesh, windows: Array) -> Iterator[Array]:
    """Yield the sum of the weights in each window."""
    x, y, _, _, weight = galaxies
    total = mesh.transform(x, y, weight, np.zeros_like(weight))
    for window in windows:
        yield mesh.sums(total, mesh.kernel(_gauss(mesh.squares, window))).real


def _gauss(square: Array, scale: float) -> Array:
    return np.asarray(np.exp(-0.5 * square / scale**2))


def _window(positions: NDArray[np.float64], centres: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return the Gaussian window (n_positions, n_centres) along one axis."""
    return np.asarray(np.exp(-0.5 * ((positions[:, None] - centres[None, :]) / scale) ** 2))
