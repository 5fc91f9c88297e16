"""Options with which a shape catalogue is read: one list for the command and for Python."""

import re
from dataclasses import dataclass
from types import MappingProxyType

from darkmatter_features.errors import TableError
from darkmatter_features.io.parts import Part, parse_part

_COMMA = re.compile(r",(?![^\[]*\])")
"""Comma between columns, not between the indices of a component such as ``R[0,0]``."""

COLUMN_OPTIONS = ("x", "y", "e1", "e2", "weight", "size", "ra", "dec")
"""Options that name a column."""


@dataclass(frozen=True, kw_only=True)
class CatalogOptions:
    """How a table of galaxies is read.

    Attributes
    ----------
    x, y, e1, e2, weight, size, ra, dec : str or None
        Names of the columns; ``g[0]`` is the first component of a column g. Case matters only where it distinguishes
        two columns. ``none`` as weight gives all galaxies the same.
    star : str or None
        Column that is not 0, or ``true``, for stars, which are left out; ``none`` keeps all rows.
    response : str or None
        Column of the response to shear; all ellipticities are divided by its weighted mean. Of several columns,
        separated by commas, such as ``R11,R22``, the mean is used. ``none`` leaves the ellipticities as they are; by
        default columns with usual names are used, unless the ellipticities are distortions.
    hdu : str, int or None
        Name or number of the table in the file, with a version as ``CAT,2``; by default the table that has the columns.
    distortion : bool
        The ellipticities are distortions ``(a^2 - b^2) / (a^2 + b^2)``.
    flip_e1, flip_e2 : bool
        Change the sign of a component, after `swap`.
    swap : bool
        Exchange e1 and e2.
    local_north : bool
        Shapes of galaxies with positions from RA and Dec refer to north at each galaxy; False if they refer to the axes
        of the tangent plane at the centre of the field.
    merge : bool or None
        Merge rows of one galaxy: all that are close to each other (True), those at exactly one position, and close ones
        where they are more than by chance (None), or none (False).
    """

    x: str | None = None
    y: str | None = None
    e1: str | None = None
    e2: str | None = None
    weight: str | None = None
    size: str | None = None
    ra: str | None = None
    dec: str | None = None
    star: str | None = None
    response: str | None = None
    hdu: str | int | None = None
    distortion: bool = False
    flip_e1: bool = False
    flip_e2: bool = False
    swap: bool = False
    local_north: bool = True
    merge: bool | None = None

    @property
    def named(self) -> MappingProxyType[str, str]:
        """Names of the columns that are given, by quantity; those of the response as ``response 1``, ..."""
        given = {key: getattr(self, key) for key in (*COLUMN_OPTIONS, "star") if getattr(self, key) is not None}
        responses = [name.strip() for name in _COMMA.split(self.response or "") if name.strip()]
        if self.response is not None and not responses:
            raise TableError(f"--response (Python: response=) names no column, got {self.response!r}; give one")
        return MappingProxyType(given | {f"response {k}": name for k, name in enumerate(responses, start=1)})

    @property
    def part(self) -> Part | None:
        """Table of the file that is given."""
        return None if self.hdu is None else parse_part(str(self.hdu))
