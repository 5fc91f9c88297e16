"""Samples of the posterior of several halos: position, profile and amplitude of each, given all others in turn.

Gibbs sampling with several chains (Geman & Geman 1984). The conditional posterior of one halo is that of a single lens
in the catalogue from which the shear of the others has been subtracted, averaged over profiles and amplitudes as for
one lens, see :mod:`~darkmatter_features.location.bayes_factor`. Coarse cells propose a halo anywhere in the field; the
posterior on the fine cells of the present and of the proposed coarse cell decides between them (Hastings 1970): the
samples are exact on fine cells, to first order in shear.

The cost is bounded: more than some galaxies are averaged in cells, see
:mod:`~darkmatter_features.candidates.averages`, and more than eight halos have fewer sweeps.

References
----------
S. Geman, D. Geman (1984), IEEE Trans. PAMI 6, 721, doi:10.1109/TPAMI.1984.4767596.
W. K. Hastings (1970), Biometrika 57, 97, doi:10.1093/biomet/57.1.97.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.averages import averaged
from darkmatter_features.candidates.chains import Chains
from darkmatter_features.candidates.joint_fit import Halo
from darkmatter_features.location.field import Field
from darkmatter_features.location.profiles import ShearProfiles

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

N_CHAINS = 12
"""Number of chains; the sums over galaxies share their geometry."""

N_BURN_IN = 6
"""Maximum number of sweeps before the first sample, during which the likelihood is annealed."""

N_SWEEPS = 8
"""Maximum number of sweeps that are kept: each gives a sample of every chain."""

MAX_UPDATES = 112
"""Maximum number of times that halos are drawn: of more than eight halos there are fewer sweeps."""

ANNEALING = 1.32
"""Factor of the power of the likelihood from one sweep of the burn-in to the next: six begin at 0.25, where a halo of
S/N 10 counts as one of S/N 5, and chains that start at one place spread over the field."""


class JointSamples(NamedTuple):
    """Samples of several halos; each array is (n_samples, n_halos).

    Attributes
    ----------
    x, y : float64 arrays, sides of the field
        Positions, on fine cells.
    profile : int64 array
        Indices of the shear profiles.
    amplitude : float64 array
        Amplitudes.
    log_bayes_factor : float64 array
        Log of the evidence for each halo, with the others as they were then, over that for the others alone.
    """

    x: Array
    y: Array
    profile: Indices
    amplitude: Array
    log_bayes_factor: Array


def sample_jointly(field: Field, profiles: ShearProfiles, halos: list[Halo], rng: np.random.Generator) -> JointSamples:
    """Return samples of the posterior of several halos.

    Parameters
    ----------
    field : Field
        Field of n galaxies, whose variance is that without the lenses.
    profiles : ShearProfiles
        Trial shear profiles of each halo, with equal prior probability.
    halos : list of Halo
        Halos from which all chains start: their number is that of the samples.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    JointSamples
    """
    n_burn_in, n_sweeps = n_sweeps_of(len(halos))
    chains = Chains(averaged(field), profiles, halos, N_CHAINS, rng)
    samples = []
    for sweep in range(n_burn_in + n_sweeps):
        for k in range(len(halos)):
            chains.update(k, min(ANNEALING ** (sweep + 1 - n_burn_in), 1.0))
        if sweep >= n_burn_in:
            state = chains.x, chains.y, chains.profile, chains.amplitude, chains.log_bayes_factor
            samples.append(tuple(each.copy() for each in state))
    return JointSamples(*(np.concatenate(each) for each in zip(*samples, strict=True)))


def n_sweeps_of(n_halos: int) -> tuple[int, int]:
    """Return the numbers of sweeps of the burn-in and after it."""
    n = max(MAX_UPDATES // n_halos, 4)
    n_burn_in = min(N_BURN_IN, n * N_BURN_IN // (N_BURN_IN + N_SWEEPS))
    return n_burn_in, min(N_SWEEPS, n - n_burn_in)
