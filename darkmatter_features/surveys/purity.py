"""Significance of the peaks of a search, by those of randomized skies: false alarms and expected purity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

Array = NDArray[np.float64]

MIN_TAIL = 20
"""Minimum number of randomized peaks above an S/N, in all skies, for their count to be used: its error is 22 %."""

TAIL_POWER = 2.0
"""Power of S/N before the Gaussian in the tail: 1 for the peaks of a map in two dimensions (Adler 1981), and one more
for the series of scales."""


@dataclass(frozen=True)
class NullPeaks:
    """Peaks of the search in randomized skies.

    Attributes
    ----------
    snr : (n,) float64 array
        S/N of all peaks, the highest first.
    n_skies : int
        Number of randomized skies.
    floor : float
        Minimum S/N of the peaks.
    """

    snr: Array
    n_skies: int
    floor: float

    def widened(self, factor: float) -> "NullPeaks":
        """Return the peaks of skies whose S/N scatters by a factor more."""
        return NullPeaks(self.snr * factor, self.n_skies, self.floor * factor)

    def expected(self, snr: Array) -> Array:
        r"""Return the expected number of peaks without a lens at or above each S/N, in the whole search.

        Notes
        -----
        The mean number in the randomized skies; above the :data:`MIN_TAIL`-th highest of them, at S/N :math:`t`, the
        tail of the peaks of a Gaussian field [1]_, :math:`n(t) (s / t)^2 e^{(t^2 - s^2) / 2}`. Below the floor it is
        that at the floor. Where there are fewer peaks than that, one more is counted, and t is that of the lowest, or
        the floor without any.

        References
        ----------
        .. [1] Adler (1981), The Geometry of Random Fields, doi:10.1137/1.9780898718980
        """
        snr = np.asarray(snr, dtype=np.float64)
        count = len(self.snr) - np.searchsorted(self.snr[::-1], snr, side="left")
        if len(self.snr) < MIN_TAIL:
            start = float(self.snr[-1]) if len(self.snr) else self.floor
            return np.where(
                snr > start, _tail(snr, start, (len(self.snr) + 1) / self.n_skies), (count + 1) / self.n_skies
            )
        start = float(self.snr[MIN_TAIL - 1])
        return np.where(snr > start, _tail(snr, start, MIN_TAIL / self.n_skies), count / self.n_skies)

    def false_alarm_probability(self, snr: Array) -> Array:
        """Return the probability of a peak of at least each S/N anywhere in the search, without a lens.

        Notes
        -----
        ``1 - exp(-n)`` for the expected number n: high peaks are independent of each other.
        """
        return np.asarray(-np.expm1(-self.expected(snr)))


def _tail(snr: Array, start: float, count: float) -> Array:
    s = np.maximum(snr, start)
    return np.asarray(count * (s / start) ** TAIL_POWER * np.exp((start**2 - s**2) / 2.0))


def expected_purity(snr: Array, null: NullPeaks) -> Array:
    r"""Return the probability of each candidate of a search to be no noise.

    Parameters
    ----------
    snr : (n,) float64 array
        S/N of all candidates of the search, in any order.
    null : NullPeaks
        Peaks of the same search in randomized skies, widened by the structure along the line of sight.

    Returns
    -------
    (n,) float64 array
        It does not decrease with S/N. Its mean over a long list is the purity that the list is expected to have.

    Notes
    -----
    With the candidates in order of S/N, highest first, and :math:`\lambda_k` the expected number of false ones at or
    above the k-th, the local false discovery rate is the slope of the greatest convex minorant of :math:`\lambda_k`
    over k [1]_: candidates are pooled where their numbers fluctuate. For short lists it is raised to what the evidence
    for any lens at all allows: the probability p of as many candidates by chance has the least Bayes factor
    :math:`B = -e p \ln p` [2]_, and noise alone the probability :math:`2 B / (1 + B)`: 1 where there are as many as
    chance gives, and prior odds of two to one for noise otherwise.

    References
    ----------
    .. [1] Strimmer (2008), BMC Bioinformatics 9, 303, doi:10.1186/1471-2105-9-303
    .. [2] Sellke, Bayarri & Berger (2001), Am. Stat. 55, 62, doi:10.1198/000313001300339950
    """
    order = np.argsort(-snr, kind="stable")
    expected = null.expected(snr[order])
    rate = np.minimum(_isotonic(np.diff(expected, prepend=0.0)), 1.0)
    purity = np.empty(len(snr))
    purity[order] = np.minimum.accumulate((1.0 - rate) * (1.0 - _probability_of_noise(expected)))
    return purity


def _probability_of_noise(expected: Array) -> Array:
    """Return the probability that noise alone gave the first k candidates, for each k."""
    count = np.arange(1, len(expected) + 1)
    p = np.maximum(gammainc(count, expected), np.finfo(np.float64).tiny)  # of k or more, by Poisson's distribution
    bound = np.where(p < np.exp(-1.0), -np.e * p * np.log(p), 1.0)
    return np.asarray(np.minimum.accumulate(2.0 * bound / (1.0 + bound)))


def _isotonic(values: Array) -> Array:
    """Return the non-decreasing sequence nearest to the values, by pooling neighbours."""
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(values).x) if len(values) else values
