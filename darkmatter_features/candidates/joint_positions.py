"""Positions of several halos from samples of their posterior: which sample of a halo belongs to which candidate.

The posterior is the same for every order of the halos. The positions are those with the least expected sum of distances
from the lenses assigned to them: each sample is assigned to the positions by the least sum, each position becomes the
geometric median of the samples assigned to it, and so on until nothing changes. For one lens that is the geometric
median of its posterior.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from darkmatter_features.candidates.chains import log_mean_exp
from darkmatter_features.candidates.joint_fit import Halo, shear_pattern
from darkmatter_features.candidates.joint_posterior import JointSamples
from darkmatter_features.location.field import Field
from darkmatter_features.location.position import credible_radius, geometric_median
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Indices = NDArray[np.int64]

MAX_ITERATIONS = 10
"""Maximum number of assignments from one start."""

N_STARTS = 8
"""Number of samples from which assignments start, beside the halos of the search."""


class JointPositions(NamedTuple):
    """Positions of several halos.

    Attributes
    ----------
    x, y, error : (n_halos,) float64 arrays, sides of the field
        Geometric median, and the position error: the radius about it that holds 68 % of the samples.
    log_bayes_factor : (n_halos,) float64 array
        Log of the evidence for each halo beside the others over that for the others alone.
    samples : JointSamples
        The samples, their halos in this order.
    """

    x: Array
    y: Array
    error: Array
    log_bayes_factor: Array
    samples: JointSamples


def joint_positions(samples: JointSamples, halos: list[Halo], cell_area: float) -> JointPositions:
    """Return the positions with the least expected sum of distances from the halos.

    Parameters
    ----------
    samples : JointSamples
        Samples of the posterior.
    halos : list of Halo
        Positions from which the assignment starts, beside those of some samples.
    cell_area : float
        Area of a fine cell, sides of the field squared: the posterior is constant within.

    Notes
    -----
    The evidence for halo k beside the others, ``Z / Z_k``, is the harmonic mean ``1 / <1 / B>`` of its Bayes factor B
    given the others, over the posterior of all: the integral of the posterior over halo k is B times the posterior of
    the others alone times ``Z_k / Z``.
    """
    places = samples.x + 1j * samples.y
    chosen = np.linspace(0, len(places) - 1, N_STARTS).astype(np.int64)
    starts = [np.array([halo.x + 1j * halo.y for halo in halos]), *places[chosen]]
    median, order = min((_assigned(places, start) for start in starts), key=lambda each: _loss(places, *each))
    samples = _reordered(samples, order)
    distance, weight = np.abs(samples.x + 1j * samples.y - median), np.full(len(samples.x), 1.0 / len(samples.x))
    error = np.array([credible_radius(each, weight, cell_area) for each in distance.T])
    log_bayes_factor = -np.array([log_mean_exp(-each) for each in samples.log_bayes_factor.T])
    return JointPositions(median.real, median.imag, error, log_bayes_factor, samples)


def _reordered(samples: JointSamples, order: Indices) -> JointSamples:
    """Return the samples with the halos of each in the order (n_samples, n_halos)."""
    x, y, amplitude, log_bayes_factor = (
        np.take_along_axis(each, order, axis=1)
        for each in (samples.x, samples.y, samples.amplitude, samples.log_bayes_factor)
    )
    return JointSamples(x, y, np.take_along_axis(samples.profile, order, axis=1), amplitude, log_bayes_factor)


def _assigned(places: ComplexArray, median: ComplexArray) -> tuple[ComplexArray, Indices]:
    """Return positions (n_halos,), and the indices (n_samples, n_halos) of the halos assigned to them."""
    order = _order(places, median)
    for _ in range(MAX_ITERATIONS):
        own = np.take_along_axis(places, order, axis=1)
        weight = np.full(len(places), 1.0 / len(places))
        median = np.array([complex(*geometric_median(each.real, each.imag, weight)) for each in own.T])
        before, order = order, _order(places, median)
        if np.array_equal(before, order):
            break
    return median, order


def _order(places: ComplexArray, median: ComplexArray) -> Indices:
    """Return the halo of each sample that is assigned to each position, by the least sum of distances."""
    distance = np.abs(places[:, None, :] - median[None, :, None])
    return np.array([linear_sum_assignment(each)[1] for each in distance], dtype=np.int64)


def _loss(places: ComplexArray, median: ComplexArray, order: Indices) -> float:
    return float(np.abs(np.take_along_axis(places, order, axis=1) - median).sum())


def mean_shears(field: Field, profiles: ShearProfiles, samples: JointSamples) -> ComplexArray:
    """Return the mean shear (n_halos, n) of each galaxy by each halo over samples."""
    result = np.zeros((samples.x.shape[1], field.x.size), dtype=np.complex128)
    for k, shear in enumerate(result):
        halos = np.stack([samples.x[:, k], samples.y[:, k], samples.profile[:, k]], axis=1)
        unique, which = np.unique(halos, axis=0, return_inverse=True)
        amplitude = np.bincount(which.ravel(), samples.amplitude[:, k]) / len(halos)
        for (x, y, profile), size in zip(unique, amplitude, strict=True):
            shear += size * shear_pattern(field, profiles, Halo(float(x), float(y), int(profile)))
    return result
