"""Shape catalogues made elsewhere: positions and ellipticities from a table in any common format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.io.catalog_files import listed, read_columns

MIN_GALAXIES = 10
"""Minimum number of galaxies: for a scatter of 0.25, the error of their mean ellipticity is 0.08 per component."""

MAX_FIELD_RADIUS = 10.0
"""Maximum distance of a galaxy from the centre of its field, degrees: the tangent plane shears it by 0.008."""

_SHORT_SHAPE = ("e{}", "e_{}", "g{}", "g_{}", "gamma{}", "gamma_{}", "ell{}", "ell_{}", "ellip{}", "ellipticity{}")
_LONG_SHAPE = ("ellipticity_{}", "eps{}", "epsilon{}", "epsilon_{}", "shear{}", "shear_{}")
_POSITION = ("{}", "{}_image", "{}win_image", "{}_pix", "{}pix", "{}_pixel", "{}c", "{}_c", "{}cen", "{}_cen", "{}pos")
_CENTRE = ("{}_center", "{}_centre", "{}centroid", "{}_centroid", "{}_pos")
_WEIGHT = ("weight", "weights", "w", "wt", "shape_weight", "shapeweight", "lensfit_weight", "w_iv", "lens_weight")
COMMON_NAMES: dict[str, tuple[str, ...]] = {
    **{axis: tuple(name.format(axis) for name in _POSITION + _CENTRE) for axis in "xy"},
    **{f"e{k}": tuple(name.format(k) for name in _SHORT_SHAPE + _LONG_SHAPE) for k in (1, 2)},
    "weight": _WEIGHT,
    "size": ("size", "flux_radius", "r_half", "half_light_radius", "scalelength"),
    "ra": ("ra", "raj2000", "ra_j2000", "alpha_j2000", "alphawin_j2000", "alpha", "ra_deg"),
    "dec": ("dec", "dej2000", "dec_j2000", "decj2000", "delta_j2000", "deltawin_j2000", "delta", "dec_deg", "decl"),
}
"""Common names of columns, in lower case, by quantity."""


@dataclass(frozen=True)
class ShapeCatalog:
    """Positions and ellipticities of galaxies; each array has one element for each galaxy.

    Attributes
    ----------
    name : str
        File name, for messages and tables.
    x, y : (n,) float64 arrays
        Positions in the unit of the catalogue; if computed from RA and Dec, offsets to the west and to the north of the
        centre of the field in arcmin, as in an image with north up and east left.
    e1, e2 : (n,) float64 arrays
        Ellipticity ``(a - b) / (a + b) exp(2i phi)``, phi from +x towards +y.
    weight : (n,) float64 array or None
        Positive weights; None if the table has none.
    size : (n,) float64 array or None
        Sizes in the unit of the table; None if it has none.
    ra, dec : (n,) float64 arrays or None, degrees
        Celestial coordinates; None if the table has none.
    bounds : (float, float, float, float)
        Minimum and maximum of x, then of y: the field in which a lens is searched.
    wcs : astropy.wcs.WCS or None
        Transformation from x and y (origin 0) to RA and Dec if x and y were computed from them.
    n_dropped : int
        Number of rows without a position, an ellipticity or a weight, with ``|e| >= 1``, or with a weight of 0 or less.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    e1: NDArray[np.float64]
    e2: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    size: NDArray[np.float64] | None
    ra: NDArray[np.float64] | None
    dec: NDArray[np.float64] | None
    bounds: tuple[float, float, float, float]
    wcs: Any = None
    n_dropped: int = 0

    def __post_init__(self) -> None:
        for column in (self.x, self.y, self.e1, self.e2, self.weight, self.size, self.ra, self.dec):
            if column is not None:
                column.flags.writeable = False

    def __len__(self) -> int:
        return self.x.size


def read_catalog(
    path: str | Path,
    *,
    x: str | None = None,
    y: str | None = None,
    e1: str | None = None,
    e2: str | None = None,
    weight: str | None = None,
    size: str | None = None,
    ra: str | None = None,
    dec: str | None = None,
    flip_e2: bool = False,
) -> ShapeCatalog:
    """Read a catalogue of galaxy shapes.

    Parameters
    ----------
    path : str or Path
        CSV, ECSV, FITS or Parquet table; see :func:`~darkmatter_features.io.catalog_files.read_columns`.
    x, y, e1, e2, weight, size, ra, dec : str, optional
        Names of the columns; case matters only where it distinguishes two columns. Names that are not given are
        searched in :data:`COMMON_NAMES`. Weight, size, and either x and y or RA and Dec (degrees) may be missing. x and
        y have priority over RA and Dec unless only the latter are given by name.
    flip_e2 : bool
        Change the sign of e2. Use it if, for example, shapes were measured with x to the east and positions with x to
        the west.

    Returns
    -------
    ShapeCatalog
        Catalogue of the usable rows, and the number of the others.

    Raises
    ------
    TableError
        If the table cannot be read, lacks a column, has several columns with common names of one quantity, or has fewer
        than 10 usable galaxies, or if the galaxies do not cover a field.

    Notes
    -----
    Ellipticities refer to the axes of x and y. For positions from RA and Dec, x points to the west and y to the north:
    a galaxy with e1 > 0 is elongated east-west, one with e2 > 0 south-east to north-west. Positions are projected
    gnomonically about their mean direction (TAN in [1]_). The convergence of meridians is neglected: it rotates shapes
    by less than a degree if ``width tan(dec) < 2 degrees``. Distortions ``(a^2 - b^2) / (a^2 + b^2)`` are about twice
    this ellipticity.

    References
    ----------
    .. [1] Calabretta & Greisen (2002), doi:10.1051/0004-6361:20021327

    Examples
    --------
    >>> catalog = read_catalog("shapes.fits", e1="E1_CORR", e2="E2_CORR")  # doctest: +SKIP
    >>> len(catalog), catalog.n_dropped  # doctest: +SKIP
    (5210, 37)
    """
    path = Path(path)
    given = {"x": x, "y": y, "e1": e1, "e2": e2, "weight": weight, "size": size, "ra": ra, "dec": dec}
    named = {key: name for key, name in given.items() if name is not None}
    columns = read_columns(path, lambda names: _choose(path, names, named))
    if flip_e2:
        columns["e2"] = -columns["e2"]
    columns, n_dropped = _usable(path, columns)
    columns, wcs = (columns, None) if "x" in columns else _projected(path, columns)
    kept = {key: columns.get(key) for key in given}
    return ShapeCatalog(name=path.name, bounds=_bounds(path, columns), wcs=wcs, n_dropped=n_dropped, **kept)  # type: ignore[arg-type]


def _choose(path: Path, names: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """Return the column name of each quantity; optional quantities that the table lacks have none."""
    chosen = {key: _named(path, names, key, name) for key, name in named.items()}
    on_sky = bool({"ra", "dec"} & named.keys()) and not {"x", "y"} & named.keys()
    for key in COMMON_NAMES.keys() - chosen.keys() - ({"x", "y"} if on_sky else set()):
        name = _common_name(path, names, key)
        if name is not None:
            chosen[key] = name
    _check_complete(path, names, chosen, on_sky=on_sky)
    return {key: chosen[key] for key in COMMON_NAMES if key in chosen}


def _named(path: Path, names: Sequence[str], key: str, given: str) -> str:
    """Return the column with the given name, exactly or, if there is none, up to case."""
    similar = [given] if given in names else [name for name in names if name.lower() == given.lower()]
    if len(similar) != 1:
        found = f"{len(similar)} columns {listed(similar)}" if similar else f"no column {given}"
        raise TableError(f"{path} has {found} for {key}; give one of: {listed(names)}")
    return similar[0]


def _common_name(path: Path, names: Sequence[str], key: str) -> str | None:
    """Return the column with a common name of a quantity; None if there is none."""
    similar = [name for name in names if name.lower() in COMMON_NAMES[key]]
    if len(similar) > 1:
        raise TableError(
            f"{path} has {len(similar)} columns that may be {key}: {listed(similar)}; choose one with {key}=..."
        )
    return similar[0] if similar else None


def _check_complete(path: Path, names: Sequence[str], chosen: dict[str, str], *, on_sky: bool) -> None:
    """Check that there are positions and ellipticities; remove an incomplete position that is not needed."""

    def fail(key: str, quantity: str) -> NoReturn:
        raise TableError(
            f"{path} has no column that may be {quantity}; choose one with {key}=... from: {listed(names)}"
        )

    for key in ("e1", "e2"):
        if key not in chosen:
            fail(key, key)
    pairs = [pair for pair in (("x", "y"), ("ra", "dec")) if chosen.keys() >= set(pair)]
    if not pairs or (on_sky and ("ra", "dec") not in pairs):
        key = next(key for key in (("ra", "dec") if on_sky else ("x", "y")) if key not in chosen)
        fail(key, key if on_sky else f"{key} (nor both of RA and Dec)")
    for key in {"x", "y", "ra", "dec"} & chosen.keys() - {key for pair in pairs for key in pair}:
        del chosen[key]


def _usable(path: Path, columns: dict[str, NDArray[np.float64]]) -> tuple[dict[str, NDArray[np.float64]], int]:
    """Return the usable rows, and the number of the others."""
    needed = ("x", "y") if "x" in columns else ("ra", "dec")
    ellipticity = np.hypot(columns["e1"], columns["e2"])
    good = np.isfinite(columns[needed[0]]) & np.isfinite(columns[needed[1]]) & (ellipticity < 1.0)
    if "weight" in columns:
        good &= np.isfinite(columns["weight"]) & (columns["weight"] > 0)
    n_good, n_rows = int(good.sum()), good.size
    if n_good < MIN_GALAXIES:
        raise TableError(
            f"{path}: {n_good} of {n_rows} rows have a position, |e| < 1 and, if there is one, a weight above 0; "
            f"{MIN_GALAXIES} are needed; check the choice of columns"
        )
    return {key: values[good] for key, values in columns.items()}, n_rows - n_good


def _bounds(path: Path, columns: Mapping[str, NDArray[np.float64]]) -> tuple[float, float, float, float]:
    """Return minimum and maximum of x, then of y."""
    x, y = columns["x"], columns["y"]
    bounds = float(x.min()), float(x.max()), float(y.min()), float(y.max())
    if bounds[0] == bounds[1] or bounds[2] == bounds[3]:
        raise TableError(
            f"{path}: all galaxies lie on one line, x {bounds[:2]} and y {bounds[2:]}; choose others, x=... y=..."
        )
    return bounds


def _projected(path: Path, columns: dict[str, NDArray[np.float64]]) -> tuple[dict[str, NDArray[np.float64]], Any]:
    """Return the columns with x and y added, arcmin on the tangent plane, and the projection."""
    from astropy.wcs import WCS

    ra, dec = columns["ra"], columns["dec"]
    if np.abs(dec).max() > 90 or np.abs(ra).max() > 360:
        raise TableError(
            f"{path}: RA reaches {np.abs(ra).max():g} and Dec {np.abs(dec).max():g}; give degrees with ra=... dec=..."
        )
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = _mean_direction(path, ra, dec)
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.cdelt = [-1.0 / 60.0, 1.0 / 60.0]
    x, y = wcs.wcs_world2pix(ra, dec, 0)
    return {**columns, "x": np.array(x), "y": np.array(y)}, wcs


def _mean_direction(path: Path, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> tuple[float, float]:
    """Return RA and Dec, degrees, of the mean direction; raise an error if a galaxy is too far from it."""
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    directions = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    mean = directions.mean(axis=1)
    mean /= max(float(np.linalg.norm(mean)), np.finfo(np.float64).tiny)
    radius = float(np.rad2deg(np.arccos(np.clip(mean @ directions, -1.0, 1.0).min())))
    if radius > MAX_FIELD_RADIUS:
        raise TableError(
            f"{path} extends {radius:.0f} degrees from its centre, the limit is {MAX_FIELD_RADIUS:g}; "
            "divide it into fields"
        )
    return float(np.rad2deg(np.arctan2(mean[1], mean[0]))) % 360.0, float(np.rad2deg(np.arcsin(mean[2])))
