"""Adjustment of a template to the sky at hand: fill factors, sizes, mean and scatter of the ellipticity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.template import SKY_STATISTICS, LensTemplate

Array = NDArray[np.float64]

QUANTILES = (0.2, 0.5, 0.8)
"""Quantiles that give the centre and the spread of fill factors and sizes."""

MIN_GALAXIES = 20
"""Minimum number of galaxies of a sky that a template is adjusted to."""

MIN_WHOLE = 10
"""Minimum number of whole galaxies: of fewer, centre and spread of fill factors and sizes are not known."""

MIN_SKIES = 20
"""Minimum number of skies whose statistics a template keeps."""

UNUSUAL_SCATTER = 8.0
"""Scatter of an unusual sky, in units of the scatter of the skies that the template was fitted to."""

UNUSUAL_FRACTION = 0.05
"""Prior probability that a statistic of a sky is unusual."""

UNUSUAL_MEAN_FRACTION = 1e-4
"""The same for the mean ellipticity: galaxies of some shapes are aligned and others are not, so that a change of
the mean is rarely a shift of all ellipticities. On simulated skies without alignment, the log loss is 0.13 without any
shift, 0.21 with a fraction of 0.05 and 0.12 with this one."""

UNALIGNED = 0.5
"""Posterior probability that the alignment of a sky is unusual above which, if it is also weaker than usual, the
density of ellipticities is taken as the same in all directions. The log loss on simulated skies without alignment falls
from 0.109 to 0.076, that on skies like the training skies stays."""

SCATTER_BREADTH = 2.0
"""Factor by which the scatter of the ellipticity is taken to differ more from sky to sky than among the fitted skies.

The log loss of the evidence on skies whose scatter is 15 % smaller or larger falls from 0.075 to 0.064 and from 0.142
to 0.111, and is 0.060 and 0.107 with a factor of 6; on skies like the training ones it is 0.064, 0.065 and 0.069.
"""

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
        sky of fewer than 20 resolved galaxies is not changed; one of fewer than 10 whole ones keeps fill factors and
        sizes.

    Notes
    -----
    A statistic of a sky scatters by :math:`\tau` from sky to sky and by its sampling error :math:`\sigma`. Its
    deviation d from the centre is either usual, with the density :math:`N(0, \tau^2 + \sigma^2)`, or unusual, with a
    density eight times as wide. The template is moved by the posterior mean, :math:`d\,[u + (1 - u)\, \tau^2 / (\tau^2
    + \sigma^2)]` with u the posterior probability that it is unusual: a sky like those that the template was fitted to
    is drawn to them by what each knows, and another counts for what it is.

    With the factor f of the scatter about the mean :math:`\mu_k` of shape bin k, the ellipticity becomes
    :math:`\mu_k + (e - \Delta - \mu_k) / f`, and the response to shear :math:`R_k / f`.
    """
    n_resolved = int(catalog.is_resolved.sum())
    if not template.sky_centre.size or n_resolved < MIN_GALAXIES:
        bins = template.shape_bins(catalog), template.size_bins(catalog.size)
        return AdjustedGalaxies(*bins, catalog.e1, catalog.e2, 0j, 1.0)
    usual = _usual(template)
    few = usual["n_galaxies"].few(n_resolved)

    def moved(name: str, value: float, fraction: float = UNUSUAL_FRACTION) -> float:
        return usual[name].moved(value, few, fraction)

    is_partial = catalog.is_partial
    whole = ~is_partial & catalog.is_resolved

    def rescaled(log_values: Array, quantity: str) -> Array:
        if whole.sum() < MIN_WHOLE:
            return np.asarray(np.exp(log_values))
        middle, spread = centre_and_spread(log_values[whole])
        stretch = math.exp(-moved(f"{quantity}_spread", spread))
        return np.asarray(np.exp((log_values - middle) * stretch + middle - moved(quantity, middle)))

    fill_factor = rescaled(_log(catalog.fill_factor), "fill_factor")
    shape_bin = template.shape_bins_of(fill_factor, is_partial)
    mean_e1, mean_e2, log_scatter = _shape_statistics(catalog, template, shape_bin)
    shift = complex(moved("mean_e1", mean_e1, UNUSUAL_MEAN_FRACTION), moved("mean_e2", mean_e2, UNUSUAL_MEAN_FRACTION))
    factor = min(max(math.exp(moved("sigma_e", log_scatter)), 1.0 / MAX_FACTOR), MAX_FACTOR)
    mean = template.mean_e1[shape_bin] + 1j * template.mean_e2[shape_bin]
    e = mean + (catalog.e1 + 1j * catalog.e2 - shift - mean) / factor
    e *= np.minimum(1.0, MAX_ELLIPTICITY / np.maximum(np.abs(e), MAX_ELLIPTICITY))
    size_bin = template.size_bins(rescaled(_log(catalog.size), "size"))
    return AdjustedGalaxies(shape_bin, size_bin, e.real.copy(), e.imag.copy(), shift, factor)


@dataclass(frozen=True)
class Usual:
    """Distribution of a statistic over the skies that a template was fitted to.

    Attributes
    ----------
    centre : float
        Median over skies.
    scatter : float
        Standard deviation over skies, with the sampling error.
    error : float
        Sampling error in a typical sky.
    """

    centre: float
    scatter: float
    error: float

    def broader(self, factor: float) -> "Usual":
        """Return the distribution of skies that differ by a factor more, at the same sampling error."""
        own = factor**2 * max(self.scatter**2 - self.error**2, 0.0)
        return replace(self, scatter=math.sqrt(own + self.error**2))

    def few(self, number: int) -> float:
        """Return the factor of sampling errors in a sky of so many galaxies, at least 1; for the number of galaxies."""
        return math.sqrt(max(self.centre / max(number, 1), 1.0))

    def moved(self, value: float, few: float, fraction: float) -> float:
        """Return the expected deviation of a sky from the centre, without the sampling error.

        Parameters
        ----------
        value : float
            Statistic of the sky.
        few : float
            Factor of the sampling error: above 1 with fewer galaxies than usual.
        fraction : float
            Prior probability that the sky is unusual.
        """
        own = max(self.scatter**2 - self.error**2, 0.0)
        total = own + (few * self.error) ** 2
        if total <= 0.0:
            return 0.0
        deviation, unusual = value - self.centre, self.unusual(value, few, fraction)
        return deviation * (unusual + (1.0 - unusual) * own / total)

    def unusual(self, value: float, few: float, fraction: float) -> float:
        """Return the posterior probability that a sky is unusual; parameters as in :meth:`moved`."""
        total = max(self.scatter**2 + (few**2 - 1.0) * self.error**2, np.finfo(np.float64).tiny)
        square = min((value - self.centre) ** 2 / total, 1e4)
        log_odds = math.log(fraction / (1.0 - fraction) / UNUSUAL_SCATTER)
        log_odds += 0.5 * square * (1.0 - UNUSUAL_SCATTER**-2.0)
        return 1.0 / (1.0 + math.exp(-min(log_odds, 700.0)))


def _usual(template: LensTemplate) -> dict[str, Usual]:
    columns = (own.tolist() for own in (template.sky_centre, template.sky_scatter, template.sky_error))
    usual = {name: Usual(*values) for name, *values in zip(SKY_STATISTICS, *columns, strict=True)}
    return usual | {"sigma_e": usual["sigma_e"].broader(SCATTER_BREADTH)}


def is_unaligned(catalog: GalaxyCatalog, template: LensTemplate) -> bool:
    """Return whether the galaxies of a sky lack the alignment that a template expects.

    Parameters
    ----------
    catalog : GalaxyCatalog
        Galaxies of one sky.
    template : LensTemplate
        Model of the galaxies; one without statistics of skies finds all skies as it expects.
    """
    n_resolved = int(catalog.is_resolved.sum())
    if not template.sky_centre.size or n_resolved < MIN_GALAXIES:
        return False
    usual = _usual(template)
    alignment, few = usual["alignment"], usual["n_galaxies"].few(n_resolved)
    value = _alignment(catalog, template, template.shape_bins(catalog))
    return value < alignment.centre and alignment.unusual(value, few, UNUSUAL_FRACTION) > UNALIGNED


def sky_statistics(catalog: GalaxyCatalog, template: LensTemplate) -> Array:
    """Return the statistics of a sky (9,) in the order of :data:`SKY_STATISTICS`.

    Centre and spread are those of the log fill factor and the log size of resolved galaxies neither blended nor cut;
    mean and scatter of the ellipticity are relative to the shape bins of the template, the scatter as a logarithm. The
    alignment is the projection of the ellipticities on the means of their shape bins, 1 where these are expected.
    """
    whole, shape_bin = ~catalog.is_partial & catalog.is_resolved, template.shape_bins(catalog)
    return np.array([
        *centre_and_spread(_log(catalog.fill_factor[whole])),
        *centre_and_spread(_log(catalog.size[whole])),
        *_shape_statistics(catalog, template, shape_bin),
        _alignment(catalog, template, shape_bin),
        float(catalog.is_resolved.sum()),
    ])  # fmt: skip


def typical_statistics(catalogs: Sequence[GalaxyCatalog], template: LensTemplate) -> tuple[Array, Array, Array]:
    """Return the distribution of each statistic over skies.

    Parameters
    ----------
    catalogs : sequence of GalaxyCatalog
        Skies without a lens; those of fewer than 20 resolved galaxies, or of fewer than 10 whole ones, are left out.
    template : LensTemplate
        Shape bins.

    Returns
    -------
    centre, scatter, error : (9,) float64 arrays
        Median and standard deviation over skies, and the sampling error in a sky, from the difference of its halves;
        all empty with fewer than 20 skies.
    """
    used = [
        catalog
        for catalog in catalogs
        if catalog.is_resolved.sum() >= MIN_GALAXIES and (catalog.is_resolved & ~catalog.is_partial).sum() >= MIN_WHOLE
    ]
    if len(used) < MIN_SKIES:
        return np.empty(0), np.empty(0), np.empty(0)
    whole = np.array([sky_statistics(catalog, template) for catalog in used])
    halves = [[sky_statistics(_every_second(catalog, k), template) for catalog in used] for k in (0, 1)]
    error = 0.5 * np.std(np.array(halves[0]) - np.array(halves[1]), axis=0)
    error[-1] = 0.0
    return np.median(whole, axis=0), np.std(whole, axis=0), error


def _every_second(catalog: GalaxyCatalog, first: int) -> GalaxyCatalog:
    columns: dict[str, Any] = {name: values[first::2] for name, values in catalog.columns().items()}
    return replace(catalog, **columns)


def _log(values: Array) -> Array:
    return np.log(np.maximum(values, 1e-3))


def centre_and_spread(log_values: Array) -> tuple[float, float]:
    """Return the median of values (n,), and the log of the distance between their 20 and 80 % quantiles."""
    if not log_values.size:
        return 0.0, 0.0
    ordered, levels = np.sort(log_values), (log_values.size - 1) * np.array(QUANTILES)  # np.quantile takes 20 x longer
    low, middle, high = np.interp(levels, np.arange(log_values.size), ordered)
    return float(middle), math.log(max(high - low, 1e-3))


def _shape_statistics(
    catalog: GalaxyCatalog, template: LensTemplate, shape_bin: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Return the mean of e1 and e2 less those of the shape bins, and the log of their scatter in units of the bins'."""
    weight = catalog.is_resolved * template.sigma_e[shape_bin] ** -2.0
    e1, e2 = catalog.e1 - template.mean_e1[shape_bin], catalog.e2 - template.mean_e2[shape_bin]
    total = max(weight.sum(), np.finfo(np.float64).tiny)
    mean_e1, mean_e2 = float(weight @ e1 / total), float(weight @ e2 / total)
    variance = 0.5 * float(weight @ ((e1 - mean_e1) ** 2 + (e2 - mean_e2) ** 2)) / max(catalog.is_resolved.sum(), 1)
    return mean_e1, mean_e2, 0.5 * math.log(max(variance, 1e-6))


def _alignment(catalog: GalaxyCatalog, template: LensTemplate, shape_bin: NDArray[np.int64]) -> float:
    """Return the projection of the ellipticities on the means of their shape bins; 1 where all means are zero."""
    weight = catalog.is_resolved * template.sigma_e[shape_bin] ** -2.0
    mean_e1, mean_e2 = template.mean_e1[shape_bin], template.mean_e2[shape_bin]
    total = float(weight @ (mean_e1**2 + mean_e2**2))
    return float(weight @ (catalog.e1 * mean_e1 + catalog.e2 * mean_e2)) / total if total > 0.0 else 1.0
