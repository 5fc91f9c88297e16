"""Conventions of ellipticities: from those of the table to e = (a - b) / (a + b) exp(2i phi)."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.io.shape_tables.options import CatalogOptions

Array = NDArray[np.float64]
Columns = dict[str, Array]

_USUALLY_DISTORTION = re.compile(r"chi(?![a-z])|hsm|sdss|regauss|distortion")

RESPONSE_RANGE = (0.02, 2.5)
"""Mean response of ellipticities of any kind: 0.1 to 1.8 in published catalogues."""


def with_signs(columns: Columns, options: CatalogOptions) -> Columns:
    """Return the columns with e1 and e2 exchanged and their signs changed, as far as the options state."""
    e1, e2 = (columns["e2"], columns["e1"]) if options.swap else (columns["e1"], columns["e2"])
    return columns | {"e1": -e1 if options.flip_e1 else e1, "e2": -e2 if options.flip_e2 else e2}


def ellipticity_of(e1: Array, e2: Array) -> tuple[Array, Array]:
    r"""Return (a - b) / (a + b) of distortions (a^2 - b^2) / (a^2 + b^2), all below 1.

    Notes
    -----
    Equation 4.11 of [1]_: :math:`\epsilon = \chi / (1 + \sqrt{1 - |\chi|^2})`.

    References
    ----------
    .. [1] Bartelmann & Schneider (2001), doi:10.1016/S0370-1573(00)00082-X

    Examples
    --------
    >>> ellipticity_of(np.array([0.8]), np.array([0.0]))[0]  # 3 to 1: (9 - 1) / (9 + 1), and (3 - 1) / (3 + 1)
    array([0.5])
    """
    scale = 1.0 / (1.0 + np.sqrt(1.0 - np.square(np.hypot(e1, e2))))
    return e1 * scale, e2 * scale


def mean_response(path: Path, columns: Columns, options: CatalogOptions) -> float | None:
    """Return the weighted mean of the columns of the response to shear; None if there are none.

    The mean of columns that were found by their names is None, too, where it is out of range, or for distortions.

    Raises
    ------
    TableError
        If the mean of columns that are given is not positive.
    """
    each = [values for key, values in columns.items() if key.startswith("response ")]
    if not each:
        return None
    response, weight = np.mean(each, axis=0), columns.get("weight", np.ones_like(each[0]))
    good = np.isfinite(response)
    mean = float(np.average(response[good], weights=weight[good])) if good.any() else np.nan
    if options.response is None:
        is_one = not options.distortion and RESPONSE_RANGE[0] <= mean <= RESPONSE_RANGE[1]
        return mean if is_one else None
    if not mean > 0.0:
        raise TableError(f"{path}: the mean response to shear is {mean:.3g}, not positive; give another --response")
    return mean


def hint(options: CatalogOptions, name: str) -> str | None:
    """Return a note where columns of such a name are usually distortions, and are taken for ellipticities."""
    if options.distortion or not _USUALLY_DISTORTION.search(name.lower()):
        return None
    return f"columns such as {name} are often (a^2 - b^2) / (a^2 + b^2): then use --distortion"


def describe(options: CatalogOptions, response: float | None, *, has_response: bool) -> str:
    """Return what the ellipticities of the table were taken for."""
    formula = "e = (a^2 - b^2) / (a^2 + b^2)" if options.distortion else "e = (a - b) / (a + b)"
    changes = {"e1 and e2 exchanged": options.swap, "-e1": options.flip_e1, "-e2": options.flip_e2}
    divided = [] if response is None else [f"divided by the response {response:.4g}"]
    if options.response is None and has_response:
        divided = [f"{divided[0]} (--response none: not)" if divided else "not divided by the response (--response)"]
    return ", ".join([formula, *(text for text, applies in changes.items() if applies), *divided])
