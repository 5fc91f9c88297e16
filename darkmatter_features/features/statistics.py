"""The feature row of a sky: the statistics that a classifier learns from, each with a name and a description."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.adjustment import centre_and_spread
from darkmatter_features.lens.compiled import CompiledTemplate, fraction_within
from darkmatter_features.lens.evidence import Evidence
from darkmatter_features.lens.prepared import PreparedCatalog, prepare
from darkmatter_features.lens.template import LensTemplate
from darkmatter_features.maps.shear import N_SCALES, ShearMaps

Array = NDArray[np.float64]

ANNULI = (0.0, 30.0, 60.0, 90.0, 130.0, 180.0, 250.0, 350.0)
"""Radii of the annuli about the best-fit position, pixels."""

SIZE_RADIUS = 90.0
"""Radius about the best-fit position within which sizes are averaged, pixels: magnification enlarges galaxies there."""

NEGLIGIBLE_NOISE = 0.01
"""Noise of a pixel over the surface brightness of the galaxies that hardly matters, added to that of each sky in
quadrature: rounding to 8 bits has 0.008 in the default skies, other formats have less. Counts have no unit, so that
brightness and noise by themselves say nothing."""

MIN_SEPARATION = 2.0
"""Minimum distance of a second peak from the first, in Gaussian scales."""


@dataclass(frozen=True)
class Feature:
    """A column of the feature table.

    Attributes
    ----------
    name : str
        Name of the column.
    description : str
        Quantity and unit.
    role : "input", "position" or "sky"
        Inputs are what the classifier learns from; positions locate the lens; the others describe the sky, for the
        likeness to other skies.
    """

    name: str
    description: str
    role: Literal["input", "position", "sky"] = "input"


_LEVELS = "from the 20 to the 80 % quantile"


def _features() -> tuple[Feature, ...]:
    scales = range(1, N_SCALES + 1)
    annuli = [f"{inner:g} to {outer:g} px from the best-fit position" for inner, outer in pairwise(ANNULI)]
    return (
        Feature("row", "row of the best-fit position of a lens, pixels", "position"),
        Feature("column", "column of the best-fit position of a lens, pixels", "position"),
        Feature("evidence", "log evidence for a lens, from shapes and counts"),
        Feature("evidence_shear", "log evidence for a lens, from shapes alone"),
        Feature("evidence_counts", "log evidence for a lens, from counts alone"),
        Feature("amplitude", "amplitude of the best-fit lens, in units of the mean lens"),
        Feature("position_error", "error of the best-fit position, rms, pixels"),
        Feature("border", "distance of the best-fit position from the border, pixels"),
        Feature("peak_snr", "S/N of the highest peak of all scales"),
        Feature("peak_scale", "Gaussian scale of the highest peak, pixels"),
        Feature("peak_cross", "S/N of the cross shear at the highest peak"),
        Feature("peak_offset", "distance of the highest peak from the best-fit position, pixels"),
        *(Feature(f"snr_max_{k}", f"highest S/N of tangential shear at scale {k}") for k in scales),
        *(Feature(f"snr_second_{k}", f"highest S/N at scale {k}, away from the first peak") for k in scales),
        *(Feature(f"cross_max_{k}", f"largest absolute S/N of cross shear at scale {k}") for k in scales),
        *(Feature(f"gamma_t_{k}", f"mean tangential shear at the peak of scale {k}") for k in scales),
        *(Feature(f"profile_{k}", f"S/N of gamma_t, {annulus}") for k, annulus in enumerate(annuli, 1)),
        *(Feature(f"counts_{k}", f"galaxies over a uniform field, {annulus}") for k, annulus in enumerate(annuli, 1)),
        Feature("near_size", f"mean log size within {SIZE_RADIUS:g} px of the best-fit position, less that of the sky"),
        Feature("n_galaxies", "number of galaxies"),
        Feature("mean_e1", "mean e1 of the sky"),
        Feature("mean_e2", "mean e2 of the sky"),
        Feature("sigma_e", "scatter of ellipticity per component"),
        Feature("partial", "fraction of galaxies split from others or cut by the border"),
        Feature("log_density", "log of the number of galaxies per pixel", "sky"),
        Feature("log_size", "median log size of the galaxies, pixels", "sky"),
        Feature("log_size_spread", f"log of the spread of log size, {_LEVELS}", "sky"),
        Feature("log_brightness_spread", f"log of the spread of log surface brightness, {_LEVELS}", "sky"),
        Feature("log_fill_factor", "median log fill factor of the whole galaxies", "sky"),
        Feature("log_fill_factor_spread", f"log of the spread of log fill factor, {_LEVELS}", "sky"),
        Feature("size_brightness", "rank correlation of size and surface brightness", "sky"),
        Feature("fill_factor_ellipticity", "rank correlation of fill factor and ellipticity of whole galaxies", "sky"),
        Feature("shape_kurtosis", "fourth moment of the ellipticity over the squared second moment", "sky"),
        Feature("log_psf_sigma", "log of the standard deviation of the PSF, pixels", "sky"),
        Feature("log_noise", "log of the noise of a pixel, over the median surface brightness of the galaxies", "sky"),
        Feature("n_bands", "number of bands", "sky"),
    )


FEATURES = _features()
"""Columns of the feature table, in their order."""


def feature_row(
    galaxies: GalaxyCatalog | PreparedCatalog,
    maps: ShearMaps,
    evidence: Evidence,
    template: LensTemplate | CompiledTemplate | None = None,
) -> Array:
    """Return the features of a sky.

    Parameters
    ----------
    galaxies : GalaxyCatalog or PreparedCatalog
        Galaxies of the sky.
    maps : ShearMaps
        Their maps.
    evidence : Evidence
        Their evidence for a lens.
    template : LensTemplate or CompiledTemplate, optional
        Template of both, for a catalogue that is not prepared; the default with the sky's own mean ellipticity when not
        given.

    Returns
    -------
    (len(FEATURES),) float64 array
        In the order of :data:`FEATURES`; nan where a statistic has no value (an empty annulus, no second peak).
    """
    prepared = prepare(galaxies, template)
    return np.concatenate([
        _evidence_features(evidence),
        _peak_features(maps, evidence),
        _scale_features(maps),
        _profile_features(prepared, evidence),
        _sky_features(prepared.catalog),
    ])  # fmt: skip


def _evidence_features(evidence: Evidence) -> Array:
    row, column = evidence.row, evidence.column
    border = min(row, column, evidence.shape[0] - 1 - row, evidence.shape[1] - 1 - column)
    both, shear, counts = (
        evidence.log_bayes_factor,
        evidence.log_bayes_factor_shear,
        evidence.log_bayes_factor_counts,
    )
    return np.array([row, column, both, shear, counts, evidence.amplitude, evidence.position_error, border])


def _peak_features(maps: ShearMaps, evidence: Evidence) -> Array:
    peak, scale = maps.peak, maps.best_scale
    cross = maps.snr_cross[scale].flat[maps.snr[scale].argmax()]
    return np.array([peak.snr, peak.scale, cross, np.hypot(peak.row - evidence.row, peak.column - evidence.column)])


def _scale_features(maps: ShearMaps) -> Array:
    peaks = maps.snr.reshape(N_SCALES, -1).argmax(axis=1)
    scales = range(N_SCALES)
    highest = [maps.snr[k].flat[peaks[k]] for k in scales]
    second = [_second_peak(maps, k, int(peaks[k])) for k in scales]
    cross = np.abs(maps.snr_cross).max(axis=(1, 2))
    gamma_t = [maps.gamma_t[k].flat[peaks[k]] for k in scales]
    return np.concatenate([highest, second, cross, gamma_t])


def _second_peak(maps: ShearMaps, scale: int, peak: int) -> float:
    """Return the highest S/N at least MIN_SEPARATION from a peak (a flat index); nan if the image is too small."""
    row, column = maps.rows[peak // maps.columns.size], maps.columns[peak % maps.columns.size]
    square = (maps.rows[:, None] - row) ** 2 + (maps.columns - column) ** 2
    away = square >= (MIN_SEPARATION * maps.scales[scale]) ** 2
    return float(maps.snr[scale][away].max()) if away.any() else np.nan


def _profile_features(prepared: PreparedCatalog, evidence: Evidence) -> Array:
    """Return the S/N of gamma_t and the counts in annuli about the best-fit position, and the sizes near it."""
    catalog = prepared.catalog
    dx, dy = catalog.x - evidence.column, catalog.y - evidence.row
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    gamma_t = -prepared.e1 * np.cos(2 * angle) - prepared.e2 * np.sin(2 * angle)
    annulus = np.searchsorted(np.array(ANNULI), radius, side="right") - 1
    n_annuli = len(ANNULI) - 1
    inside = annulus < n_annuli
    number = np.bincount(annulus[inside], minlength=n_annuli)
    shear = np.bincount(annulus[inside], (prepared.weight * gamma_t)[inside], minlength=n_annuli)
    variance = np.bincount(annulus[inside], prepared.weight[inside], minlength=n_annuli)
    log_size = np.log(catalog.size)
    near = radius < SIZE_RADIUS
    magnified = log_size[near].mean() - log_size.mean() if near.any() else np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        counts = number / (len(catalog) * _annulus_area(evidence))
        return np.concatenate([shear / np.sqrt(variance), counts, [magnified]])


def _annulus_area(evidence: Evidence) -> Array:
    """Return the fraction of the image in each annulus about the best-fit position."""
    within = fraction_within(evidence.shape, evidence.row, np.array([evidence.column]), np.array(ANNULI[1:]))
    return np.diff(within[0], prepend=0.0)


def _sky_features(catalog: GalaxyCatalog) -> Array:
    e1, e2 = _known_ellipticities(catalog)
    sigma_e = np.sqrt(0.5 * (e1.var() + e2.var()))
    partial = catalog.is_partial.mean()
    sky = [len(catalog), e1.mean(), e2.mean(), sigma_e, partial]
    return np.array([*sky, *_description(catalog)], dtype=np.float64)


def _known_ellipticities(catalog: GalaxyCatalog) -> tuple[Array, Array]:
    """Return the ellipticities of the resolved galaxies, or 0 for one galaxy if there are none."""
    known = catalog.is_resolved
    return (catalog.e1[known], catalog.e2[known]) if known.any() else (np.zeros(1), np.zeros(1))


def _description(catalog: GalaxyCatalog) -> list[float]:
    """Return the features that describe the sky; nan where the image was not measured."""
    whole = ~catalog.is_partial & catalog.is_resolved
    log_brightness = np.log(np.maximum(catalog.flux, np.finfo(np.float64).tiny) / np.maximum(catalog.n_pixels, 1))
    brightness, spread_of_brightness = centre_and_spread(log_brightness)
    e1, e2 = _known_ellipticities(catalog)
    square = e1**2 + e2**2
    rows, columns = catalog.shape
    return [
        float(np.log(max(len(catalog), 1) / (rows * columns))),
        *centre_and_spread(_log(catalog.size)),
        spread_of_brightness,
        *centre_and_spread(_log(catalog.fill_factor[whole])),
        _rank_correlation(catalog.size, log_brightness),
        _rank_correlation(catalog.fill_factor[whole], np.hypot(catalog.e1, catalog.e2)[whole]),
        float((square**2).mean() / max(square.mean() ** 2, 1e-12)),
        float(np.log(max(catalog.image.psf_sigma, 1e-3))),
        float(np.log(np.hypot(catalog.image.noise / np.exp(brightness), NEGLIGIBLE_NOISE))),
        float(catalog.image.n_bands),
    ]


def _log(values: Array) -> Array:
    return np.log(np.maximum(values, 1e-3))


def _rank_correlation(a: Array, b: Array) -> float:
    """Return Spearman's rank correlation; 0 with fewer than three values or equal ones."""
    if a.size < 3:
        return 0.0
    ranks = [np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (a, b)]
    correlation: Array = np.corrcoef(np.stack(ranks))
    return float(correlation[0, 1])
