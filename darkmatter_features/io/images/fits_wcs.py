"""Transformation from pixels to the sky in the header of a FITS image."""

from typing import Any

import numpy as np

CELESTIAL = ("RA", "DEC", "GLON", "GLAT", "ELON", "ELAT")
"""Names of celestial axes in the first four characters of CTYPE."""

MAX_CONDITION = 1e3
"""Maximum ratio of the half-axes of a pixel on the sky: beyond it, a transformation is singular."""


def celestial_wcs(header: Any, hdus: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the header's transformation from pixels to RA and Dec, and notes.

    Parameters
    ----------
    header : astropy Header
        Header of the image.
    hdus : astropy HDUList
        File, which may hold tables of distortions.

    Returns
    -------
    wcs : astropy.wcs.WCS or None
        Transformation; None if there is none, or none that can be inverted.
    notes : tuple of str
        Reason for which a transformation is not used.
    """
    from astropy.wcs import WCS

    if not any(f"CTYPE{k}" in header for k in (1, 2, 3)):  # building a transformation takes as long as reading
        return None, ()
    spatial = [k for k in (1, 2, 3) if str(header.get(f"CTYPE{k}", ""))[:4].rstrip("-") in CELESTIAL]
    try:
        # distortions such as SIP are defined for images of two axes alone
        wcs = WCS(header, fobj=hdus, naxis=2) if spatial == [1, 2] else WCS(header, fobj=hdus)
    except (ValueError, KeyError, TypeError, MemoryError):  # the image can be measured without it
        return None, (("WCS not used, as it is not valid: no RA and Dec",) if spatial else ())
    if not wcs.has_celestial:
        return None, ()
    celestial = wcs.celestial
    defect = _defect(celestial.pixel_scale_matrix)
    return (None, (f"WCS not used, as {defect}: no RA and Dec",)) if defect else (celestial, ())


def _defect(matrix: Any) -> str:
    """Return what is wrong with a matrix from pixels to degrees (2, 2); "" if nothing is."""
    if not np.isfinite(matrix).all():
        return "its matrix is not finite"
    if np.array_equal(matrix, np.eye(2)):  # astropy's, where the header has none, or one of zeros
        return "its header has no scale"
    largest, smallest = np.linalg.svd(matrix, compute_uv=False)
    return "its matrix is singular" if largest > MAX_CONDITION * smallest else ""
