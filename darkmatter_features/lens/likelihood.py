"""Log likelihood ratios of a catalogue for a lens at given centres, over none: of its shapes and of its counts."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.lens.compiled import COUNT_SPACING, RADIAL_SPACING, CompiledTemplate
from darkmatter_features.lens.kernels.evidence import count_likelihood, lens_likelihood, read_lattice
from darkmatter_features.lens.prepared import N_DIRECTIONS, PreparedCatalog

Array = NDArray[np.float64]

MAX_PAIRS = 2_000_000
"""Maximum number of pairs of galaxies and centres that are all visited; a sky of 512 px has a tenth of it. With more,
the cost is that of the pairs which a lens can connect, and grows as the area of the image."""

TILE = 128.0
"""Side of the squares of centres that have their nearby galaxies in common, pixels."""


def likelihoods(prepared: PreparedCatalog, rows: Array, columns: Array, *, cross: bool = False) -> tuple[Array, Array]:
    """Return the log likelihood ratios for a lens at given centres.

    Parameters
    ----------
    prepared : PreparedCatalog
        n galaxies of one sky.
    rows, columns : (m,) float64 arrays, pixels
        Centres.
    cross : bool
        Rotate the shear by 45 degrees, so that it is cross instead of tangential: a null test.

    Returns
    -------
    log_shear : (m, n_profiles, n_amplitudes) float64 array
        Log likelihood ratio of the shapes.
    log_counts : (m, n_amplitudes) float64 array
        Log likelihood ratio of the counts.

    Notes
    -----
    For a lens of reduced shear g, a shape has the ratio ``p0(e_s) |de_s/de|^2 / p0(e)`` with ``e_s = (e - g) / (1 - g*
    e)`` [1]_; the positions have ``prod n(r_i)^A / <n^A>^N``, with <> the mean over the image.

    References
    ----------
    .. [1] Seitz & Schneider 1997, A&A 318, 687, arXiv:astro-ph/9601079.
    """
    return _shape_likelihood(prepared, rows, columns, cross=cross), _count_likelihood(prepared, rows, columns)


def _shape_likelihood(prepared: PreparedCatalog, rows: Array, columns: Array, *, cross: bool) -> Array:
    catalog, compiled = prepared.catalog, prepared.compiled
    ratios = _cross(prepared.log_ratios) if cross else prepared.log_ratios
    shears = compiled.shear_node, compiled.shear_part
    log_shear = np.empty((rows.size, *prepared.template.weights.shape))
    if rows.size * len(catalog) <= MAX_PAIRS:
        lens_likelihood(catalog.x, catalog.y, ratios, *shears, RADIAL_SPACING, columns, rows, log_shear)
        return log_shear
    for centres, near in neighbourhoods(prepared, rows, columns, reach=RADIAL_SPACING * compiled.shear_part.shape[1]):
        own = np.empty((centres.size, *log_shear.shape[1:]))
        lens_likelihood(
            catalog.x[near], catalog.y[near], ratios[near], *shears, RADIAL_SPACING, columns[centres],
            rows[centres], own,
        )  # fmt: skip
        log_shear[centres] = own
    return log_shear


def _count_likelihood(prepared: PreparedCatalog, rows: Array, columns: Array) -> Array:
    catalog, compiled = prepared.catalog, prepared.compiled
    if not compiled.template.log_counts.any():  # that of the default template
        return np.zeros((rows.size, compiled.template.amplitudes.size))
    log_counts, size_bin, sums = compiled.log_counts, prepared.size_bin, np.empty(rows.size)
    if rows.size * len(catalog) <= MAX_PAIRS:
        count_likelihood(catalog.x, catalog.y, size_bin, log_counts, COUNT_SPACING, columns, rows, sums)
    else:
        beyond = log_counts[size_bin, -1]
        for centres, near in neighbourhoods(prepared, rows, columns, reach=COUNT_SPACING * log_counts.shape[1]):
            own = np.empty(centres.size)
            count_likelihood(
                catalog.x[near], catalog.y[near], size_bin[near], log_counts, COUNT_SPACING, columns[centres],
                rows[centres], own,
            )  # fmt: skip
            sums[centres] = own + beyond.sum() - beyond[near].sum()
    log_mean = _log_mean_counts(compiled, catalog.shape, rows, columns)
    return prepared.template.amplitudes * sums[:, None] - len(catalog) * log_mean


def neighbourhoods(
    prepared: PreparedCatalog, rows: Array, columns: Array, *, reach: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the indices of the centres in each tile, and of all galaxies within `reach` pixels of one of them.

    Both ascend, so that sums over galaxies have the same order as those over all.
    """
    catalog = prepared.catalog
    tiles = np.floor(rows / TILE) * (np.floor(np.max(columns, initial=0.0) / TILE) + 2.0) + np.floor(columns / TILE)
    order = np.argsort(tiles, kind="stable")
    for centres in np.split(order, np.flatnonzero(np.diff(tiles[order])) + 1):
        is_near = np.ones(len(catalog), dtype=np.bool_)
        for positions, own in ((catalog.y, rows[centres]), (catalog.x, columns[centres])):
            is_near &= (positions > own.min() - reach) & (positions < own.max() + reach)
        yield centres, np.flatnonzero(is_near)


def _cross(ratios: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log ratios (n, N_DIRECTIONS + 1, n_shears) for the shear turned by 45 degrees on the sky.

    A shear -g exp(2i phi) becomes -i g exp(2i phi), with gamma_x = g: a quarter turn among the directions.
    """
    turned = np.roll(ratios[:, :-1], -N_DIRECTIONS // 4, axis=1)
    return np.concatenate([turned, turned[:, :1]], axis=1)


def _log_mean_counts(compiled: CompiledTemplate, shape: tuple[int, int], rows: Array, columns: Array) -> Array:
    """Return log <n^A> (m, n_amplitudes), the mean over the image of the counts about each centre."""
    template = compiled.template
    lattice, means = compiled.mean_counts(shape), np.empty((rows.size, template.amplitudes.size))
    per_pixel = [(n - 1) / max(side - 1, 1) for n, side in zip(lattice.shape, shape, strict=False)]
    read_lattice(lattice, rows * per_pixel[0], columns * per_pixel[1], means)
    return means
