"""Shapes: distortion or (a - b) / (a + b), and an additive bias."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.checks.values import measured
from darkmatter_features.io.catalogs import ShapeCatalog
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.location.field import MAX_MEAN_SNR, mean_snr

Array = NDArray[np.float64]

MIN_DISTORTION = 0.42
"""Median |e| above which shapes are probably distortions: that of (a - b) / (a + b) is 0.2 to 0.36 in surveys, with
their noise, and that of distortions of the same galaxies 0.4 to 0.6."""

MAX_ELLIPTICITY = 0.27
"""Median |e| below which shapes are probably no distortions."""

N_MEDIAN = 50
"""Minimum number of galaxies for the median: its error is 0.03."""


def distortion_findings(raw: Mapping[str, Array], options: CatalogOptions) -> Iterator[str]:
    """Yield a line if the sizes of the ellipticities contradict the convention of the options."""
    size = np.hypot(*(raw[key][measured(raw)] for key in ("e1", "e2")))
    size = size[size < 1.0]
    if size.size < N_MEDIAN:
        return
    median = float(np.median(size))
    if not options.distortion and median > MIN_DISTORTION:
        yield (
            f"median |e| is {median:.2f}: typical of distortions (a^2 - b^2) / (a^2 + b^2), not of (a - b) / (a + b), "
            "whose median is about 0.3; then use --distortion"
        )
    if options.distortion and median < MAX_ELLIPTICITY:
        yield f"median |e| is {median:.2f}: typical of (a - b) / (a + b), not of distortions; then omit --distortion"


def bias_findings(catalog: ShapeCatalog) -> Iterator[str]:
    """Yield a line if the mean ellipticity differs from 0."""
    snr = mean_snr(catalog)
    if snr > MAX_MEAN_SNR:
        weight = np.ones(len(catalog)) if catalog.weight is None else catalog.weight
        e1, e2 = (float(np.average(e, weights=weight)) for e in (catalog.e1, catalog.e2))
        yield f"mean ellipticity ({e1:.2g}, {e2:.2g}), {snr:.1f} sigma from 0: an additive bias; use --subtract-mean"
