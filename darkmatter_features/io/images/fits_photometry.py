"""Zero point of the magnitudes and saturation of a FITS image, by its header."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

ZERO_POINTS = ("MAGZERO", "MAGZPT", "MAGZP", "MAG_ZERO", "ZEROPT", "ZEROPOIN", "ZP", "ABMAGZP")
"""Keywords of the magnitude of a flux of 1 count."""

FLUXES = ("FLUXMAG0",)
"""Keywords of the flux of magnitude 0, counts: the convention of the LSST pipelines."""

UNITS = {"nanomaggy": 22.5, "nanomaggies": 22.5, "nmgy": 22.5, "njy": 31.4, "ujy": 23.9, "microjy": 23.9, "jy": 8.9}
"""AB magnitude of a flux of 1 by the unit of the pixels, BUNIT."""

SATURATIONS = ("SATURATE", "SATURAT", "SATLEVEL", "SATURLEV", "SATUR")
"""Keywords of the value from which pixels are saturated, counts."""


class Photometry(NamedTuple):
    """Zero point and saturation of an image; nan where its header has none.

    Attributes
    ----------
    zero_point : float, mag
        Magnitude of a flux of 1 count.
    saturation : float, counts
        Value from which pixels are saturated.
    """

    zero_point: float = float("nan")
    saturation: float = float("nan")


def photometry_of(header: Mapping[str, Any]) -> Photometry:
    """Return the zero point and the saturation that a header states.

    Notes
    -----
    HST states the flux density of 1 count per second and the pivot wavelength; the AB zero point follows as in the WFC3
    Data Handbook, ``-2.5 log10 PHOTFLAM - 5 log10 PHOTPLAM - 2.408``.

    Examples
    --------
    >>> photometry_of({"FLUXMAG0": 1e12, "SATURATE": 30000}).zero_point
    30.0
    """
    return Photometry(_zero_point(header), _first(header, SATURATIONS, positive=True))


def _zero_point(header: Mapping[str, Any]) -> float:
    stated = _first(header, ZERO_POINTS)
    if np.isfinite(stated):
        return stated
    flux = _first(header, FLUXES, positive=True)
    if np.isfinite(flux):
        return 2.5 * float(np.log10(flux))
    density, pivot = _first(header, ("PHOTFLAM",), positive=True), _first(header, ("PHOTPLAM",), positive=True)
    if np.isfinite(density) and np.isfinite(pivot):
        return float(-2.5 * np.log10(density) - 5.0 * np.log10(pivot) - 2.408)
    return UNITS.get(str(header.get("BUNIT", "")).strip().lower(), float("nan"))


def _first(header: Mapping[str, Any], names: tuple[str, ...], positive: bool = False) -> float:
    """Return the first number among keywords; nan without one."""
    for name in names:
        value = header.get(name)
        if isinstance(value, (int, float)) and np.isfinite(value) and (value > 0 or not positive):
            return float(value)
    return float("nan")


UNKNOWN = Photometry()
"""Photometry of an image without a header."""
