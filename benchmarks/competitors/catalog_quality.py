"""Quality of a catalogue: the fraction of the true galaxies that is found, and the errors of their ellipticities."""

from collections.abc import Mapping, Sequence

import numpy as np
from competitors.catalogs import Shapes
from numpy.typing import NDArray
from scipy.spatial import KDTree

MATCH_RADIUS = 3.0
"""Maximum distance between a measured galaxy and the true one, pixels."""

Truth = Mapping[str, NDArray[np.float64]]


def errors(measured: Shapes, truth: Truth) -> NDArray[np.float64]:
    """Return |de| of each true galaxy, (n,); nan where it is not found.

    A true galaxy is found when it and a measured one are nearest to each other, within `MATCH_RADIUS`.
    """
    true_positions, positions = np.column_stack((truth["x"], truth["y"])), np.column_stack((measured.x, measured.y))
    distance, nearest = KDTree(positions).query(true_positions)
    _, back = KDTree(true_positions).query(positions)
    is_found = (distance < MATCH_RADIUS) & (back[nearest] == np.arange(len(true_positions)))
    return np.where(is_found, np.abs(measured.e[nearest] - (truth["e1"] + 1j * truth["e2"])), np.nan)


def summary(sides: Mapping[str, Sequence[NDArray[np.float64]]]) -> dict[str, dict[str, float]]:
    """Return completeness, rms and median |de| of each side, and the rms over the galaxies that all sides found."""
    all_errors = {name: np.concatenate(errors) for name, errors in sides.items()}
    found_by_all = np.isfinite(list(all_errors.values())).all(axis=0)
    return {
        name: {
            "completeness": float(np.isfinite(values).mean()),
            "rms": float(np.sqrt(np.nanmean(values**2))),
            "median": float(np.nanmedian(values)),
            "rms_found_by_all": float(np.sqrt(np.mean(values[found_by_all] ** 2))),
        }
        for name, values in all_errors.items()
    }
