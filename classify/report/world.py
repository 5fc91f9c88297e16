"""RA and Dec of the pixels of an image, as a small table for the page."""

from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_ERROR = 0.02
"""Maximum error of the table between its nodes, arcsec: a hundredth of the seeing of a telescope on the ground."""
NODES = (3, 5, 9, 17, 33, 65)
"""Numbers of nodes along a side that are tried."""


def encoded_world(wcs: Any, shape: tuple[int, int]) -> dict[str, Any] | None:
    """Return a table from which the page computes RA and Dec.

    Parameters
    ----------
    wcs : astropy.wcs.WCS or None
        Transformation from pixels to RA and Dec.
    shape : (int, int)
        Rows and columns of the image.

    Returns
    -------
    dict or None
        ``ra, dec``, degrees, of the tangent point in the middle; ``rows, columns``, the nodes; ``xi, eta``, arcsec, the
        gnomonic coordinates at the nodes, row by row, bilinear between. None without a WCS, or where it fails.
    """
    if wcs is None:
        return None
    celestial = wcs.celestial
    middle = [(shape[1] - 1) / 2, (shape[0] - 1) / 2]
    ra, dec = (float(value) for value in celestial.all_pix2world(*middle, 0))
    if not (np.isfinite(ra) and np.isfinite(dec)):
        return None
    tangent = _tangent(ra, dec)
    for n in NODES:
        rows, columns = (np.linspace(0, side - 1, n) for side in shape)
        table = _projected(celestial, tangent, rows, columns)
        if not np.isfinite(table).all():
            return None
        if _error(celestial, tangent, rows, columns, table) < MAX_ERROR:
            break
    xi, eta = (np.round(plane.ravel(), 4).tolist() for plane in table)
    return {"ra": ra, "dec": dec, "rows": rows.tolist(), "columns": columns.tolist(), "xi": xi, "eta": eta}


def _tangent(ra: float, dec: float) -> WCS:
    tangent = WCS(naxis=2)
    tangent.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    tangent.wcs.crval = [ra, dec]
    tangent.wcs.crpix = [1.0, 1.0]
    tangent.wcs.cdelt = [1.0, 1.0]
    return tangent


def _projected(celestial: Any, tangent: WCS, rows: Array, columns: Array) -> Array:
    """Return xi and eta (2, n_rows, n_columns), arcsec."""
    y, x = np.meshgrid(rows, columns, indexing="ij")
    ra, dec = celestial.all_pix2world(x.ravel(), y.ravel(), 0)
    xi, eta = tangent.all_world2pix(ra, dec, 0)
    return 3600.0 * np.stack([xi, eta]).reshape(2, *x.shape)


def _error(celestial: Any, tangent: WCS, rows: Array, columns: Array, table: Array) -> float:
    """Return the largest error of the bilinear table in the middle of its cells, arcsec."""
    between = _projected(celestial, tangent, 0.5 * (rows[1:] + rows[:-1]), 0.5 * (columns[1:] + columns[:-1]))
    corners = (table[:, 1:, 1:], table[:, 1:, :-1], table[:, :-1, 1:], table[:, :-1, :-1])
    mean: Array = 0.25 * np.sum(corners, axis=0)
    return float(np.hypot(*(between - mean)).max())
