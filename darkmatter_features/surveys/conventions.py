"""Another convention of the shapes of a survey that fits lenses far better, from the moments of its maps."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.location.aperture_statistics import MIN_EXCESS, MIN_SKEWNESS
from darkmatter_features.location.conventions import AS_IS, SKIES, flags
from darkmatter_features.surveys.filter_maps import FilterBank

Array = NDArray[np.float64]


class MapMoments(NamedTuple):
    """Sums of powers of the S/N over cells and filters, of some skies.

    Attributes
    ----------
    squares, cubes : (n,) float64 arrays
        Sums of the second and the third power; additive over patches.
    """

    squares: Array
    cubes: Array


def map_moments(bank: FilterBank, e: NDArray[np.complex128], inside: NDArray[np.bool_]) -> MapMoments:
    """Return the moments of the tangential and of the cross shear of a sky over some cells."""
    squares, cubes = np.zeros(2), np.zeros(2)
    for snr in bank.snr_maps((bank.patch.v * e).astype(np.complex64)):
        for k, values in enumerate((snr.real[inside], snr.imag[inside])):
            second = values * values
            squares[k] += float(second.sum(dtype=np.float64))
            cubes[k] += float(np.dot(second, values))
    return MapMoments(squares, cubes)


def convention_line(real: MapMoments, randomized: MapMoments, options: CatalogOptions) -> str | None:
    """Return a line with the remedy if the shapes fit lenses far better in another convention; None otherwise.

    Parameters
    ----------
    real : MapMoments
        Those of the tangential and the cross shear of e, and of its conjugate before it was turned: 4 each.
    randomized : MapMoments
        Those of the tangential and the cross shear of randomized skies, alternating.
    options : CatalogOptions
        Convention in which the shapes were read.

    Notes
    -----
    Lenses make the variance of tangential shear exceed that of cross shear, and its third moment positive, as
    :func:`~darkmatter_features.location.aperture_statistics.decide_by_apertures` decides for a field.
    """
    if len(randomized.squares) < 4:
        return None
    errors = (
        np.sqrt(np.square(randomized.squares[0::2] - randomized.squares[1::2]).mean()),
        np.sqrt(np.square(randomized.cubes).mean()),
    )
    excess = (real.squares[0::2] - real.squares[1::2]) / errors[0]
    parity = int(np.abs(excess).argmax())
    sky = 2 * parity + int(excess[parity] < 0.0)
    skewness = float(real.cubes[sky] / errors[1])
    best = SKIES[sky][int(skewness < 0.0)]
    if abs(excess[parity]) < MIN_EXCESS or abs(skewness) < MIN_SKEWNESS or best == AS_IS:
        return None
    return (
        f"lenses fit far better with {best.name}: E exceeds B by {abs(excess[parity]):.1f} standard deviations; "
        f"use {flags(best, options)}"
    )
