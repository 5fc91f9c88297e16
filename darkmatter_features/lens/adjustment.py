"""Adjustment of a template to the sky at hand: fill factors, sizes, mean and scatter of the ellipticity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.template import SKY_STATISTICS, LensTemplate

Array = NDArray[np.float64]

QUANTILES = (0.2, 0.5, 0.8)
"""Quantiles that give the centre and the spread of fill factors and sizes."""

MIN_GALAXIES = 20
"""Minimum number of galaxies of a sky that a template is adjusted to."""

MIN_SKIES = 20
"""Minimum number of skies whose statistics a template keeps."""

UNUSUAL_SCATTER = 8.0
"""Scatter of an unusual sky, in units of the scatter of the skies that the template was fitted to."""

UNUSUAL_FRACTION = 0.05
"""Prior probability that a statistic of a sky is unusual."""

UNUSUAL_MEAN_FRACTION = 1e-4
"""The same for the mean ellipticity: the galaxies that lean are not the same in all skies, so that a change of the mean
is rarely a shift of all ellipticities. On simulated skies without the usual lean, the log loss is 0.13 without any
shift, 0.21 with a fraction of 0.05 and 0.12 with this one."""

MAX_ELLIPTICITY = 0.98
"""Maximum modulus of an adjusted ellipticity."""

MAX_FACTOR = 2.0
"""Maximum change of the scatter of the ellipticity, as a factor."""


@dataclass(frozen=True)
class AdjustedGalaxies:
    """Galaxies as the template expects them.

    Attributes
    ----------
    shape_bin, size_bin : (n,) int64 arrays
        Bins in the template.
    e1, e2 : (n,) float64 arrays
        Ellipticity with the mean and the scatter that the template expects.
    shift : complex
        Mean ellipticity of the sky less that of the template.
    factor : float
        Scatter of the ellipticity over that of the template.
    """

    shape_bin: NDArray[np.int64]
    size_bin: NDArray[np.int64]
    e1: Array
    e2: Array
    shift: complex
    factor: float


def adjust(catalog: GalaxyCatalog, template: LensTemplate) -> AdjustedGalaxies:
    r"""Return the galaxies of a sky as a template expects them.

    Parameters
    ----------
    catalog : GalaxyCatalog
        n galaxies of one sky.
    template : LensTemplate
        Model of the galaxies. A template without statistics of skies, such as the default one, changes nothing, and a
        sky of fewer than 20 galaxies is not changed.

    Notes
    -----
    A statistic with the deviation d from its centre, in units of its scatter, is either usual, with the density
    :math:`N(0, 1)`, or unusual, with :math:`N(0, 8^2)`. The template is moved by d times the posterior probability of
    the latter: skies like those that it was fitted to change nothing, and others count for what they are. The scatter
    of skies of few galaxies is larger by the square root of their number.

    With the factor f of the scatter about the mean :math:`\mu_k` of shape bin k, the ellipticity becomes
    :math:`\mu_k + (e - \Delta - \mu_k) / f`, and the response to shear :math:`R_k / f`.
    """
    unchanged = template.shape_bins(catalog), template.size_bins(catalog.size)
    if not template.sky_centre.size or len(catalog) < MIN_GALAXIES:
        return AdjustedGalaxies(*unchanged, catalog.e1, catalog.e2, 0j, 1.0)
    centre, scatter = (dict(zip(SKY_STATISTICS, own)) for own in (template.sky_centre, template.sky_scatter))
    few = np.sqrt(max(centre["n_galaxies"] / len(catalog), 1.0))

    def moved(name: str, value: float, fraction: float = UNUSUAL_FRACTION) -> float:
        return _unusual_part(value - centre[name], scatter[name] * few, fraction)

    def rescaled(log_values: Array, quantity: str) -> Array:
        middle, spread = centre_and_spread(log_values[~catalog.is_partial])
        stretch = np.exp(-moved(f"{quantity}_spread", spread))
        return np.asarray(np.exp((log_values - middle) * stretch + middle - moved(quantity, middle)))

    fill_factor = rescaled(_log(catalog.fill_factor), "fill_factor")
    shape_bin = template.shape_bins_of(fill_factor, catalog.is_partial)
    mean_e1, mean_e2, log_scatter = _shape_statistics(catalog, template, shape_bin)
    shift = complex(moved("mean_e1", mean_e1, UNUSUAL_MEAN_FRACTION), moved("mean_e2", mean_e2, UNUSUAL_MEAN_FRACTION))
    factor = float(np.clip(np.exp(moved("sigma_e", log_scatter)), 1.0 / MAX_FACTOR, MAX_FACTOR))
    mean = template.mean_e1[shape_bin] + 1j * template.mean_e2[shape_bin]
    e = mean + (catalog.e1 + 1j * catalog.e2 - shift - mean) / factor
    e *= np.minimum(1.0, MAX_ELLIPTICITY / np.maximum(np.abs(e), MAX_ELLIPTICITY))
    size_bin = template.size_bins(rescaled(_log(catalog.size), "size"))
    return AdjustedGalaxies(shape_bin, size_bin, e.real.copy(), e.imag.copy(), shift, factor)


def _unusual_part(deviation: float, scatter: float, fraction: float) -> float:
    """Return a deviation times the posterior probability that it is unusual."""
    if scatter <= 0.0:
        return 0.0
    square = min((deviation / scatter) ** 2, 1e4)
    log_odds = np.log(fraction / (1.0 - fraction) / UNUSUAL_SCATTER) + 0.5 * square * (1.0 - UNUSUAL_SCATTER**-2.0)
    return float(deviation / (1.0 + np.exp(-log_odds)))


def sky_statistics(catalog: GalaxyCatalog, template: LensTemplate) -> Array:
    """Return the statistics of a sky (8,) in the order of :data:`SKY_STATISTICS`.

    Centre and spread are those of the log fill factor and the log size of galaxies that are neither blended nor cut;
    mean and scatter of the ellipticity are relative to the shape bins of the template, the scatter as a logarithm.
    """
    whole = ~catalog.is_partial
    return np.array([
        *centre_and_spread(_log(catalog.fill_factor[whole])),
        *centre_and_spread(_log(catalog.size[whole])),
        *_shape_statistics(catalog, template, template.shape_bins(catalog)),
        float(len(catalog)),
    ])  # fmt: skip


def typical_statistics(catalogs: Sequence[GalaxyCatalog], template: LensTemplate) -> tuple[Array, Array]:
    """Return the median over skies of each statistic, and its standard deviation; both empty with fewer than 20 skies.

    Skies of fewer than 20 galaxies are left out.
    """
    rows = [sky_statistics(catalog, template) for catalog in catalogs if len(catalog) >= MIN_GALAXIES]
    if len(rows) < MIN_SKIES:
        return np.empty(0), np.empty(0)
    return np.median(rows, axis=0), np.std(rows, axis=0)


def _log(values: Array) -> Array:
    return np.log(np.maximum(values, 1e-3))


def centre_and_spread(log_values: Array) -> tuple[float, float]:
    """Return the median of values (n,), and the log of the distance between their 20 and 80 % quantiles."""
    if not log_values.size:
        return 0.0, 0.0
    low, middle, high = np.quantile(log_values, QUANTILES)
    return float(middle), float(np.log(max(high - low, 1e-3)))


def _shape_statistics(
    catalog: GalaxyCatalog, template: LensTemplate, shape_bin: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return the mean of e1 and e2 less those of the shape bins, and the log of their scatter in units of the bins'."""
    weight = template.sigma_e[shape_bin] ** -2.0
    e1, e2 = catalog.e1 - template.mean_e1[shape_bin], catalog.e2 - template.mean_e2[shape_bin]
    mean_e1, mean_e2 = np.average(e1, weights=weight), np.average(e2, weights=weight)
    variance = 0.5 * (weight * ((e1 - mean_e1) ** 2 + (e2 - mean_e2) ** 2)).mean()
    return float(mean_e1), float(mean_e2), float(0.5 * np.log(max(variance, 1e-6)))
