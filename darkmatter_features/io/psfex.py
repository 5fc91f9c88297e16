"""Models of PSFEx: stamps that are the coefficients of a polynomial in the position.

References
----------
Bertin (2011), Automated Morphometry with SExtractor and PSFEx, ASP Conf. Ser. 442, 435
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import shown

PSF_MASK = "PSF_MASK"
"""Name of the column of the stamps."""

MAX_DEGREE = 12
"""Maximum degree of a polynomial."""

FIRST_PIXEL = 1.0
"""Position of the centre of the first pixel in files of PSFEx; it is 0 in this package."""


class PsfDefect(Exception):  # noqa: N818
    """Defect of the file of a PSF and its remedy; the caller adds the path."""


@dataclass(frozen=True)
class PsfArrays:
    """Content of a file of a PSF.

    Attributes
    ----------
    planes : (n_terms, n_rows, n_columns) float64 array
        The image, or the stamp of each term of a polynomial.
    powers : tuple of (int, int)
        Powers of (x - x0) / scale_x and (y - y0) / scale_y in each term.
    origin, scale : (float, float), pixels
        x0 and y0, 0 at the centre of the first pixel; scales of x and y.
    sampling : float, image pixels
        Distance of the samples.
    """

    planes: NDArray[np.float64]
    powers: tuple[tuple[int, int], ...] = ((0, 0),)
    origin: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    sampling: float = 1.0

    @property
    def is_model(self) -> bool:
        """Whether the file holds a model of PSFEx, whose centre is its middle sample, and no image."""
        return len(self.powers) > 1 or self.sampling != 1.0


class _Keywords:
    """Values by keyword: in the header of a table of PSFEx or, in collections of them, in columns."""

    def __init__(self, hdu: Any) -> None:
        self.header = hdu.header
        self.columns = {str(name).upper(): name for name in hdu.columns.names}
        self.row = hdu.data[0]

    def value(self, key: str, default: Any = None) -> Any:
        """Return the value of a keyword."""
        found = self.row[self.columns[key]] if key in self.columns else self.header.get(key, default)
        if found is None:
            raise PsfDefect(f"is a model of PSFEx without {key}; {REWRITE}")
        return found

    def number(self, key: str, default: float | None = None) -> float:
        """Return a finite number."""
        found = self.value(key, default)
        try:
            number = float(found)
        except (TypeError, ValueError):
            number = np.nan
        if not np.isfinite(number):
            raise PsfDefect(f"is a model of PSFEx with {key} = {shown(found)}, a number is needed; {REWRITE}")
        return number


REWRITE = "write it again by PSFEx"


def read_psfex(hdu: Any) -> PsfArrays:
    """Return the model in a table of PSFEx, with the column PSF_MASK.

    Raises
    ------
    PsfDefect
        If it depends on more than the position, or its stamps are fewer than its terms.
    """
    if len(hdu.data) != 1:
        raise PsfDefect(f"is a table of {len(hdu.data)} models of PSFEx; give the row of the image alone")
    keywords = _Keywords(hdu)
    axes = _axes(keywords)
    powers = _powers(keywords, axes)
    planes = np.array(keywords.row[keywords.columns[PSF_MASK]], dtype=np.float64)
    planes = planes[np.newaxis] if planes.ndim == 2 else planes
    if planes.ndim != 3 or len(planes) != len(powers):
        shape = " x ".join(map(str, planes.shape))
        raise PsfDefect(f"is a model of PSFEx with {len(powers)} terms, but PSF_MASK of {shape}; {REWRITE}")
    sampling = keywords.number("PSF_SAMP", 1.0)
    if not 0.01 <= sampling <= 10.0:
        raise PsfDefect(f"is a model of PSFEx with PSF_SAMP = {sampling:g}, expected 0.01 to 10; {REWRITE}")
    zero = [keywords.number(f"POLZERO{k}") - FIRST_PIXEL if k else 0.0 for k in axes]
    scale = [keywords.number(f"POLSCAL{k}", 1.0) if k else 1.0 for k in axes]
    if 0.0 in scale:
        raise PsfDefect(f"is a model of PSFEx with a POLSCAL of 0; {REWRITE}")
    return PsfArrays(planes, powers, (zero[0], zero[1]), (scale[0], scale[1]), sampling)


def _axes(keywords: _Keywords) -> tuple[int, int]:
    """Return the numbers of the axes x and y of the polynomial; 0 for one that it does not depend on."""
    n_axes = int(keywords.number("POLNAXIS", 0.0))
    names = [str(keywords.value(f"POLNAME{k}")).strip().upper() for k in range(1, n_axes + 1)]
    found = {}
    for k, name in enumerate(names, start=1):
        axis = name[0] if name[:1] in ("X", "Y") and name.endswith("IMAGE") else ""
        if not axis or axis in found:
            raise PsfDefect(
                f"is a model of PSFEx in {shown(', '.join(names))}; only one in X_IMAGE and Y_IMAGE can be evaluated: "
                "set PSFVAR_KEYS"
            )
        found[axis] = k
    return found.get("X", 0), found.get("Y", 0)


def _powers(keywords: _Keywords, axes: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return the powers of x and y of each term, the first axis running fastest.

    Axes of one group have terms up to its degree in all; those of different groups have all products.
    """
    used = sorted(k for k in axes if k)
    groups = [int(keywords.number(f"POLGRP{k}", 1.0)) for k in used]
    degrees = [int(keywords.number(f"POLDEG{group}")) for group in groups]
    if any(not 0 <= degree <= MAX_DEGREE for degree in degrees):
        raise PsfDefect(f"is a model of PSFEx of degree {max(degrees)}, expected 0 to {MAX_DEGREE}; {REWRITE}")
    first, second = (*degrees, 0, 0)[:2]
    is_joint = len(groups) == 2 and groups[0] == groups[1]
    terms = [(i, j) for j in range(second + 1) for i in range(first + 1 - (j if is_joint else 0))]
    return tuple((j, i) if axes[0] > axes[1] > 0 or axes[0] == 0 else (i, j) for i, j in terms)
