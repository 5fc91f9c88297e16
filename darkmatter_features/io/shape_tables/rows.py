"""Rows that cannot be used: without a position, a shape or a weight, whatever stands for that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import TableError
from darkmatter_features.io.shape_tables.choice import is_sheared, is_unsheared
from darkmatter_features.io.shape_tables.raw import Values

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Columns = dict[str, Array]

MIN_GALAXIES = 10
"""Minimum number of galaxies: for a scatter of 0.25, the error of their mean ellipticity is 0.08 per component."""

SENTINELS = (99.0, 999.0, 9999.0, 99999.0, 999999.0)
"""Numbers that, with either sign, may stand for no value."""

EXTREMES = (32767.0, 32768.0, 65535.0, 2147483647.0, 2147483648.0, 4294967295.0)
"""Largest sizes of integers, which may stand for no position."""

SHEAR_OR_STEP = ("shear", "mcal_shear", "mdet_shear", "metacal_shear")
"""Names of columns that are shears where they hold numbers, and names of artificial shears where they hold words."""

STAR_WORDS = ("star", "s", "true", "t", "yes", "y")
"""Words that mark stars, in lower case."""

MIN_ABSURD = 1e19
"""Minimum of numbers that are no measurement in any unit, such as 1e20, 1e30 or the largest single-precision number."""

MIN_GAP = 0.1
"""Minimum distance of a repeated sentinel from the range of the other values, in widths of that range."""

MIN_HEAP = 4
"""Minimum number of rows at one position outside the field that are no galaxies."""


@dataclass
class Rows:
    """Columns of the rows still in use, the numbers of rows left out by reason, and of those merged with others."""

    columns: Columns
    left_out: dict[str, int] = field(default_factory=dict)
    n_merged: int = 0

    def __len__(self) -> int:
        return next(iter(self.columns.values())).size

    def leave_out(self, bad: Mask, reason: str) -> None:
        """Leave out rows, and count them under a reason."""
        if bad.any():
            self.left_out[reason] = self.left_out.get(reason, 0) + int(bad.sum())
            self.keep(~bad)

    def keep(self, good: Mask) -> None:
        """Keep some rows alone."""
        self.columns = {key: values[good] for key, values in self.columns.items()}


def _sheared(path: Path, name: str, steps: Values) -> Array:
    """Return 1 for artificially sheared galaxies and 0 for others, from the name of the shear of each."""
    different = np.unique(steps).tolist()
    if len(different) == 1 or (steps.dtype.kind != "U" and name.lower() in SHEAR_OR_STEP):
        return np.zeros(steps.shape)
    words = [str(step) for step in different]
    known = [step for step, word in zip(different, words) if is_unsheared(word)]
    rest = [step for step, word in zip(different, words) if not is_sheared(word)]
    kept = known or (rest if len(rest) < len(words) else [])
    if len(kept) != 1:
        raise TableError(
            f"{path}: column {name} has {len(words)} artificial shears, {', '.join(words[:6])}, and it is unknown "
            "which one stands for none; name it noshear, or keep those rows alone"
        )
    return np.asarray(steps != kept[0], dtype=np.float64)


def _numbered(path: Path, name: str, labels: Values) -> Array:
    """Return a number for each different label."""
    return np.unique(labels, return_inverse=True)[1].astype(np.float64)


def _starred(path: Path, name: str, flags: Values) -> Array:
    """Return 1 for stars, by words or whole numbers, else 0; where some numbers are fractions they mark no stars."""
    if flags.dtype.kind == "U":
        return np.isin(np.char.lower(flags), STAR_WORDS).astype(np.float64)
    known = np.where(np.isfinite(flags), flags, 0.0)
    return np.asarray((known != 0.0) & bool((known == np.rint(known)).all()), dtype=np.float64)


LABELS: dict[str, Callable[[Path, str, Values], Array]] = {"step": _sheared, "detector": _numbered, "star": _starred}
"""Functions that number the groups of rows that a column names."""


def leave_out_sheared(rows: Rows) -> None:
    """Leave out artificially sheared galaxies."""
    if "step" in rows.columns:
        rows.leave_out(rows.columns["step"] == 1.0, "artificially sheared")


def leave_out_stars(rows: Rows) -> None:
    """Leave out stars."""
    if "star" in rows.columns:
        rows.leave_out(rows.columns["star"] == 1.0, "of stars")


def leave_out_unknown(path: Path, rows: Rows, position: tuple[str, str]) -> None:
    """Leave out rows without a position, an ellipticity or a weight.

    Raises
    ------
    TableError
        If no row has a weight.
    """
    x, y = _coordinates(rows, position)
    unknown = _unknown(x, EXTREMES) | _unknown(y, EXTREMES) | _unknown_at_once(x, y)
    if "dec" in position:
        unknown |= (is_sentinel(x) & (np.abs(x) > 360.0)) | (is_sentinel(y) & (np.abs(y) > 90.0))
    rows.leave_out(unknown, "without a position")
    components = rows.columns["e1"], rows.columns["e2"]
    rows.leave_out(np.any([~np.isfinite(e) | is_sentinel(e) for e in components], axis=0), "without a shape")
    if "weight" in rows.columns and len(rows):
        weight = rows.columns["weight"]
        bad = _unknown(weight) | (weight <= 0.0)
        if bad.all():
            raise TableError(
                f"{path}: none of the {bad.size} weights is above 0; name another column with --weight "
                "(Python: weight=), or none for equal weights"
            )
        rows.leave_out(bad, "without a weight above 0")


def leave_out_heaps(rows: Rows, position: tuple[str, str]) -> None:
    """Leave out rows that lie at one position outside the field of the others."""
    x, y = _coordinates(rows, position)
    heaped = is_heaped(x + 1j * y)
    if heaped.all() or not heaped.any():
        return
    outside = np.any([(each < each[~heaped].min()) | (each > each[~heaped].max()) for each in (x, y)], axis=0)
    rows.leave_out(heaped & outside, "heaped at one place outside the field")


def is_heaped(values: NDArray[Any]) -> Mask:
    """Return where a value has several rows, and far more than most values have."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    if not counts.size:
        return np.zeros(values.shape, dtype=bool)
    return np.asarray(((counts >= MIN_HEAP) & (counts > 3 * np.median(counts)))[group.ravel()])


def leave_out_long(rows: Rows) -> None:
    """Leave out rows with ``|e| >= 1``."""
    rows.leave_out(~(np.hypot(rows.columns["e1"], rows.columns["e2"]) < 1.0), "with |e| >= 1")


def check_enough(path: Path, rows: Rows, n_rows: int) -> None:
    """Raise an error if too few rows are left."""
    if len(rows) < MIN_GALAXIES:
        reasons = describe(rows)
        raise TableError(
            f"{path}: {len(rows)} of {n_rows} rows have a position, |e| < 1 and, if there is one, a weight above 0"
            f"{f' ({reasons})' if reasons else ''}; {MIN_GALAXIES} are needed; check the choice of columns"
        )


def describe_weights(rows: Rows) -> str | None:
    """Return a note if a few rows carry most of the weight; their number is (sum w)^2 / sum w^2."""
    weight = np.sort(rows.columns.get("weight", np.ones(len(rows))))[::-1]
    weight = weight / weight[0]
    number = float(weight.sum() ** 2 / np.square(weight).sum())
    if number >= min(MIN_GALAXIES, 0.5 * weight.size):
        return None
    n = round(number)
    share = f"{100.0 * weight[:n].sum() / weight.sum():.3g} % of the weight (--weight none for equal weights)"
    return f"{n} {'row carries' if n == 1 else 'rows carry'} {share}"


def describe(rows: Rows) -> str:
    """Return the numbers of rows left out, by reason, and of those merged; "" if none is."""
    counts = [f"{n} {'row' if n == 1 else 'rows'} {reason}" for reason, n in rows.left_out.items()]
    left_out = [f"{', '.join(counts)} left out"] if counts else []
    n = rows.n_merged
    return ", ".join([*left_out, *([f"{n} repeated {'row' if n == 1 else 'rows'} merged"] if n else [])])


def _coordinates(rows: Rows, position: tuple[str, str]) -> tuple[Array, Array]:
    x, y = (rows.columns[key] for key in position)
    return (angles_around(x), y) if position[0] == "ra" else (x, y)


def angles_around(angles: Array) -> Array:
    """Return angles in degrees about the middle one of them, so that a field across 0 has one range."""
    known = np.deg2rad(angles[np.isfinite(angles) & (np.abs(angles) <= 360.0) & ~is_sentinel(angles)])
    if not known.size:
        return angles
    middle = float(np.rad2deg(np.arctan2(np.median(np.sin(known)), np.median(np.cos(known)))))
    middle = middle % 360.0 if np.median(known) >= 0.0 else middle
    within = np.isfinite(angles) & (np.abs(angles) <= 360.0)
    if np.abs(angles[within] - middle).max(initial=0.0) <= 180.0:
        return angles
    turned = middle + (angles - middle + 180.0) % 360.0 - 180.0
    return np.where(within & ~is_sentinel(angles), turned, angles)


def is_sentinel(values: Array, more: tuple[float, ...] = ()) -> Mask:
    """Return where a number is one of those that may stand for no value, or of `more`, with either sign."""
    size = np.abs(values)
    return np.asarray(np.isin(size, SENTINELS + more) | (size >= MIN_ABSURD))


def _unknown(values: Array, more: tuple[float, ...] = ()) -> Mask:
    """Return where a column has no value: not a number, or a sentinel outside the range of the other values."""
    unknown, suspect = ~np.isfinite(values) | (np.abs(values) >= MIN_ABSURD), is_sentinel(values, more)
    others = values[~unknown & ~suspect]
    if others.size:
        for value in _repeated(values[suspect & ~unknown]):
            unknown |= values == value[0] if _is_apart(*value, others) else False
    return unknown


def _repeated(values: Array) -> Iterator[tuple[float, int]]:
    """Yield each different value and its number."""
    different, counts = np.unique(values, return_counts=True)
    yield from zip(different.tolist(), counts.tolist())


def _is_apart(value: float, n: int, others: Array) -> bool:
    """Return whether a sentinel, `n` times, is none of a range of values.

    It is if it alone is negative, if it repeats at a distance from the range, or if it lies far away from it.
    """
    low, high = float(others.min()), float(others.max())
    gap = max(low - value, value - high)
    return gap > 0.0 and ((value < 0.0 <= low) or gap > high - low or (n > 1 and gap > MIN_GAP * (high - low)))


def _unknown_at_once(x: Array, y: Array) -> Mask:
    """Return where both coordinates are the same sentinel, in two rows or more."""
    both = is_sentinel(x) & (x == y)
    repeated = [value for value, n in _repeated(x[both]) if n > 1]
    return np.asarray(both & np.isin(x, repeated))
