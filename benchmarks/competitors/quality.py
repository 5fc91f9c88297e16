"""How well a catalogue tells the true galaxies: the share found, and the error of their ellipticities."""

from collections.abc import Mapping, Sequence

import numpy as np
from competitors.contenders import Shapes
from numpy.typing import NDArray
from scipy.spatial import KDTree

REACH = 3.0
"""Farthest that a measured galaxy may be from the true one, pixels."""

Truth = Mapping[str, NDArray[np.float64]]


def errors(measured: Shapes, truth: Truth) -> NDArray[np.float64]:
    """Return |de| of every true galaxy, (n,); nan where it is not found: the two must be nearest to each other."""
    true_places, places = np.column_stack((truth["x"], truth["y"])), np.column_stack((measured.x, measured.y))
    distance, nearest = KDTree(places).query(true_places)
    _, back = KDTree(true_places).query(places)
    is_found = (distance < REACH) & (back[nearest] == np.arange(len(true_places)))
    return np.where(is_found, np.abs(measured.e[nearest] - (truth["e1"] + 1j * truth["e2"])), np.nan)


def summary(sides: Mapping[str, Sequence[NDArray[np.float64]]]) -> dict[str, dict[str, float]]:
    """Return completeness, rms and median |de| of each side; the rms also over the galaxies that all have found."""
    all_errors = {name: np.concatenate(errors) for name, errors in sides.items()}
    by_all = np.isfinite(list(all_errors.values())).all(axis=0)
    return {
        name: {
            "completeness": float(np.isfinite(values).mean()),
            "rms": float(np.sqrt(np.nanmean(values**2))),
            "median": float(np.nanmedian(values)),
            "rms_found_by_all": float(np.sqrt(np.mean(values[by_all] ** 2))),
        }
        for name, values in all_errors.items()
    }
