"""Values of the figures of a data set as tables, for those who cannot see them or need the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from classify.explore.distributions import Distribution, by_class
from classify.explore.profile import Profile


@dataclass(frozen=True)
class Values:
    """A table of a figure.

    Attributes
    ----------
    head : tuple of str
        Names of the columns.
    rows : tuple of tuple of str
        Rows, as text.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def number(value: float, form: str) -> str:
    """Return a number with a true minus sign, which 0 does not have; a dash if it is unknown.

    Examples
    --------
    >>> number(-0.25, "+.3f"), number(-0.01, ".1f"), number(float("nan"), "+.3f")
    ('−0.250', '0.0', '–')
    """
    if not np.isfinite(value):
        return "–"
    text = format(value, form)
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def values_of_counts(distribution: Distribution) -> Values:
    """Return the number of skies of each class by their number of galaxies."""
    bins = zip(distribution.edges[:-1], distribution.edges[1:] - 1, strict=True)
    names = [f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}" for low, high in bins]
    return _table("galaxies", names, distribution, ".0f")


def values_of_ellipticities(distribution: Distribution) -> Values:
    """Return the fraction of galaxies by the components of their ellipticity, where there are any."""
    edges = [number(edge, ".3f") for edge in distribution.edges]
    table = _table("ellipticity", [f"{low} to {high}" for low, high in pairwise(edges)], distribution, ".4f")
    filled = np.flatnonzero(sum(distribution.values.values()))
    return Values(table.head, table.rows[filled[0] : filled[-1] + 1] if filled.size else ())


def _table(kind: str, bins: Sequence[str], distribution: Distribution, form: str) -> Values:
    columns = [[number(value, form) for value in values] for values in distribution.values.values()]
    return Values((kind, *distribution.values), tuple(zip(bins, *columns, strict=True)))


def values_of_means(skies: pd.DataFrame) -> Values:
    """Return the mean and the scatter of the mean ellipticities of the skies of each class."""
    head = ("skies", "number", "mean e1", "mean e2", "scatter of e1", "scatter of e2")
    rows = []
    for name, own in by_class(skies[skies["mean_e1"].notna()]):
        means = own[["mean_e1", "mean_e2"]]
        values = [*(number(v, "+.4f") for v in means.mean()), *(number(v, ".4f") for v in means.std())]
        rows.append((name, str(len(own)), *values))
    return Values(head, tuple(rows))


def values_of_profile(profile: Profile) -> Values:
    """Return the mean shear about lenses by distance, with its errors."""
    rows = [
        (number(radius, ".0f"), str(n), _with_error(tangential, error_t), _with_error(cross, error_x))
        for radius, n, tangential, error_t, cross, error_x in zip(
            profile.radius, profile.n, profile.gamma_t, profile.error_t, profile.gamma_x, profile.error_x, strict=True
        )
    ]
    return Values(("distance, px", "galaxies", "tangential shear", "cross shear"), tuple(rows))


def _with_error(value: float, error: float) -> str:
    return f"{number(value, '+.4f')} ± {number(error, '.4f')}" if np.isfinite(value) else "–"
