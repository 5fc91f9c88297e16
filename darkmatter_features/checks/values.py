"""Values that are no measurement: numbers that stand for none, shapes that recur, and shapes at a limit."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.shape_tables.rows import Rows, is_sentinel

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Columns = Mapping[str, Array]

MIN_ROWS = 6
"""Minimum number of rows with one shape, or at one limit, that are reported: fewer occur in rounded shapes."""

MIN_RATIO = 5.0
"""Minimum number of rows with a recurring value, relative to the most of ordinary values."""

MAX_RECURRING = 9
"""Maximum number of recurring values: the next most frequent is an ordinary one."""

MIN_DIFFERENT = 30
"""Minimum number of different values: fewer are shapes of low precision."""

TAIL = 90.0
"""Percentile of sizes above which a limit with few rows is searched: ordinary sizes are rarer there."""

LIMIT_DIGITS = 4
"""Digits to which sizes at a limit agree, though their components are rounded."""

N_SHOWN = 3
"""Maximum number of values that are named."""

_ORDINARY = ("of stars", "artificially sheared")
"""Reasons for which rows are left out of every such catalogue."""

_REMEDIES = {
    "without a shape": "leave them out of other programs, too",
    "with |e| >= 1": "they are failed fits, or e is no ellipticity: cut them, or name other columns with --e1 and --e2",
}
"""Remedy by reason."""


def left_out_findings(rows: Rows, raw: Columns) -> Iterator[str]:
    """Yield a line on each kind of rows that the reader left out.

    Parameters
    ----------
    rows : Rows
        Rows after reading.
    raw : mapping of str to (n,) float64 array
        Columns of all rows.
    """
    stated = ", ".join(_sentinels(raw))
    for reason, n in rows.left_out.items():
        if reason not in _ORDINARY:
            values = f" ({stated})" if reason.startswith("without") and stated else ""
            remedy = _REMEDIES.get(reason, "leave them out of other programs, too")
            yield f"{n} {_rows(n)} {reason}{values}: left out here; {remedy}"


def _sentinels(raw: Columns) -> Iterator[str]:
    """Yield each number that stands for none, with its column and its count."""
    for key in ("x", "y", "ra", "dec", "e1", "e2", "weight"):
        values = raw.get(key, np.empty(0))
        found, counts = np.unique(values[is_sentinel(values)], return_counts=True)
        yield from (f"{key} = {value:g} in {n}" for value, n in list(zip(found, counts))[:N_SHOWN])


def measured(raw: Columns) -> Mask:
    """Return which rows have numbers as shapes that do not stand for none."""
    return np.asarray(
        np.all([np.isfinite(raw[key]) & ~is_sentinel(raw[key]) for key in ("e1", "e2")], axis=0), dtype=bool
    )


def recurring_findings(raw: Columns, position: tuple[str, str]) -> Iterator[str]:
    """Yield a line if several galaxies at different positions have exactly one shape, and one if shapes have a limit.

    Parameters
    ----------
    raw : mapping of str to (n,) float64 array
        Columns of all rows.
    position : (str, str)
        Columns that are the position.
    """
    good = measured(raw)
    e, place = (raw[a][good] + 1j * raw[b][good] for a, b in (("e1", "e2"), position))
    recurs = np.zeros(e.size, dtype=bool)
    shapes = []
    for value in _recurring(e):
        group = e == value
        n = np.unique(place[group]).size
        if n >= MIN_ROWS:
            recurs |= group
            shapes.append(f"({value.real:.6g}, {value.imag:.6g}) in {n}")
    if shapes:
        yield (
            f"{recurs.sum()} rows at different positions have the same (e1, e2), {_listed(shapes)}: such shapes are no "
            "measurements; leave these rows out, or give them no weight (--weight)"
        )
    yield from _limits(e[~recurs])


def _limits(e: NDArray[np.complex128]) -> Iterator[str]:
    """Yield a line if many shapes end at one |e|, |e1| or |e2|."""
    for name, sizes in (("|e|", np.abs(e)), ("|e1|", np.abs(e.real)), ("|e2|", np.abs(e.imag))):
        if not sizes.size:
            return
        rounded, middle, tail = np.round(sizes, LIMIT_DIGITS), np.median(sizes), np.percentile(sizes, TAIL)
        limits = _recurring(rounded) or _recurring(rounded[rounded >= tail])
        found = [f"{value:g} in {(rounded == value).sum()}" for value in limits if value.real > middle]
        if found:
            yield (
                f"rows are saturated: {name} = {_listed(found)}; fits that end at a limit are no measurements: leave "
                "these rows out, or give them no weight (--weight)"
            )
            return


def _recurring(values: NDArray[np.generic]) -> list[complex]:
    """Return the values that occur far more often than ordinary ones, the most frequent first."""
    different, counts = np.unique(values, return_counts=True)
    if different.size < MIN_DIFFERENT:
        return []
    order = np.argsort(-counts, kind="stable")[:MAX_RECURRING]
    ordinary = np.sort(counts)[-MAX_RECURRING - 1]
    least = max(MIN_ROWS, MIN_RATIO * ordinary)
    return [different[k] for k in order if counts[k] >= least]


def _listed(words: list[str]) -> str:
    return ", ".join(words[:N_SHOWN]) + (", ..." if len(words) > N_SHOWN else "")


def _rows(n: int) -> str:
    return "row" if n == 1 else "rows"
