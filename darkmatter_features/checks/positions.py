"""Positions: repeated galaxies, detectors that overlap, and pixels that contradict RA and Dec."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.io.shape_tables.positions import N_FITS, projected
from darkmatter_features.io.shape_tables.rows import Rows, is_sentinel

Array = NDArray[np.float64]
Columns = Mapping[str, Array]

MAX_RESIDUAL = 0.05
"""Maximum distance of a galaxy on the sky from where its pixels put it, in rms radii of the field: the distortion of a
camera leaves 0.01."""

MAX_MEDIAN_RESIDUAL = 0.2
"""Median of that distance above which pixels and sky do not belong together at all."""

MAX_ANISOTROPY = 1.03
"""Maximum ratio of the scales along two directions: pixels are square, and RA without cos Dec has 1 / cos Dec."""

MIN_GALAXIES = 24
"""Minimum number of galaxies with both positions."""


def repeat_findings(rows: Rows, raw: Columns, position: tuple[str, str], options: CatalogOptions) -> Iterator[str]:
    """Yield lines on repeated rows, and on repeated positions with different shapes."""
    place, e = raw[position[0]] + 1j * raw[position[1]], raw["e1"] + 1j * raw["e2"]
    known = np.all(
        [np.isfinite(part) & ~is_sentinel(part) for part in (place.real, place.imag, e.real, e.imag)], axis=0
    )
    place, e = place[known], e[known]
    order = np.lexsort((e.imag, e.real, place.imag, place.real))
    same = place[order][1:] == place[order][:-1]
    n_same = int(same.sum())
    if options.merge is False:
        if n_same:
            yield f"{n_same} rows repeat a position and count twice: omit --no-merge"
        return
    n_identical = min(int((same & (e[order][1:] == e[order][:-1])).sum()), rows.n_merged)
    if n_identical:
        yield f"{n_identical} rows are duplicates: merged here; remove them for other programs"
    n_others = rows.n_merged - n_identical
    if n_others:
        yield (
            f"{n_others} rows repeat the position of another with another shape, as where detectors or exposures "
            "overlap: merged to their mean here; --no-merge if they are different galaxies"
        )


def detector_findings(catalog: ShapeCatalog) -> Iterator[str]:
    """Yield a line if pixels start anew on each detector."""
    for note in catalog.notes:
        if note.startswith("x and y start anew"):
            yield f"{note} are used; --x and --y would put detectors on each other"


def frame_findings(catalog: ShapeCatalog, *, mirrored: bool) -> Iterator[str]:
    """Yield lines on the contradictions between x, y and RA, Dec.

    Parameters
    ----------
    catalog : ShapeCatalog
        Catalogue.
    mirrored : bool
        Report pixels that are mirrored on the sky.
    """
    both = _both(catalog)
    if both is None:
        return
    pixels, sky = both
    matrix, residual = _affine(pixels, sky)
    scales = np.linalg.svd(matrix, compute_uv=False)
    far = residual > MAX_RESIDUAL
    if np.median(residual) > MAX_MEDIAN_RESIDUAL:
        yield (
            "x and y contradict RA and Dec: no scale and rotation takes one to the other; choose the right ones with "
            "--ra and --dec, or with --x and --y"
        )
        return
    if far.any():
        yield (
            f"x and y contradict RA and Dec in {far.sum()} of {far.size} rows: leave these out, or choose the right "
            "ones with --ra and --dec, or with --x and --y"
        )
    if scales[0] > MAX_ANISOTROPY * scales[1]:
        yield (
            f"scales of x and y on the sky differ by a factor {scales[0] / scales[1]:.2f}, as RA and Dec without "
            "cos Dec: use positions by --ra and --dec"
        )
    if mirrored and np.linalg.det(matrix) < 0.0:
        yield (
            "x and y are mirrored on the sky (with north along y, x points to the east): shapes in the frame of the "
            "sky need --ra and --dec, or --flip-e2"
        )


def _both(catalog: ShapeCatalog) -> tuple[Array, Array] | None:
    """Return pixels and tangent plane (n, 2), x to the west, each in rms radii; None if there are not both."""
    if catalog.wcs is not None or catalog.ra is None or catalog.dec is None:
        return None
    good = np.isfinite(catalog.ra) & (np.abs(catalog.ra) <= 360.0) & (np.abs(catalog.dec) <= 90.0)
    if good.sum() < MIN_GALAXIES:
        return None
    try:
        plane, _ = projected(Path(catalog.name), {"ra": catalog.ra[good], "dec": catalog.dec[good]})
    except TableError:  # too wide for a plane
        return None
    pairs = (catalog.x[good], catalog.y[good]), (plane["x"], plane["y"])
    pixels, sky = (np.stack(pair, axis=1) for pair in pairs)
    if not np.isfinite(sky).all():
        return None
    return _scaled(pixels), _scaled(sky)


def _scaled(positions: Array) -> Array:
    centred = positions - np.median(positions, axis=0)
    radius = float(np.median(np.hypot(*centred.T)))
    return np.asarray(centred / (radius or 1.0))


def _affine(pixels: Array, sky: Array) -> tuple[Array, Array]:
    """Return the matrix (2, 2) of the affine transformation from pixels to the sky, and the residual of each galaxy."""
    design = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)
    near, residual = np.ones(len(pixels), dtype=bool), np.zeros(len(pixels))
    for _ in range(N_FITS):
        solution = np.linalg.lstsq(design[near], sky[near])[0]
        residual = np.hypot(*(sky - design @ solution).T)
        near = residual <= max(MAX_RESIDUAL, 3.0 * float(np.median(residual)))
    return solution[:2], residual
