"""Fit of a lens template to labelled skies."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit_unlensed import DECIMALS, fit_unlensed
from darkmatter_features.lens.lensed_galaxies import LabelledSkies, LensedGalaxies
from darkmatter_features.lens.template import NODE_SPACING, LensTemplate

Array = NDArray[np.float64]

SHEAR_BINS = (0, 15, 25, 35, 45, 60, 75, 90, 110, 130, 155, 180, 215, 250, 300, 350, 425, 500)
"""Edges of the radial bins in which the shear is fitted, pixels; the profile is linear between their middles."""

SHEAR_PRIOR = 0.2
"""Standard deviation of the prior of the shear in a bin, about the default profile."""

RESPONSE_PRIOR = 0.3
"""Standard deviation of the prior of the response of a shape bin, about 1."""

EXPONENT_PRIOR = 0.3
"""Standard deviation of the prior of the exponent of the amplitude, about 1."""

MIN_PROFILE_SHEAR = 0.01
"""The profile ends at the last bin with at least this much shear."""

RESPONSE_RADII = (20.0, 250.0)
"""Radii between which galaxies constrain the response, pixels."""

N_ITERATIONS = 3
"""Iterations over profile, exponent, response and amplitudes, each fitted with the others fixed."""

AMPLITUDES = tuple(np.geomspace(0.36, 1.8, 8).round(6).tolist())
"""Amplitudes whose prior is fitted, in units of the profile."""

BROAD_FRACTION = 0.4
"""Fraction of the prior of the amplitude that is uniform over all of them: lenses elsewhere may be weaker or stronger.

On skies with lenses weaker by a factor 0.7, the log loss of the evidence is 0.43 with a fraction of 0 and 0.20 with
0.4, and 4 and 1 % of the skies are wrong at P < 0.02; on skies like those of the fit it grows by 3 %.
"""

AMPLITUDE_PSEUDOCOUNT = 0.5
"""Pseudocount of lenses at each amplitude."""

COUNT_BINS = (0, 25, 45, 65, 90, 120, 160, 210, 260, 330, 420, 740)
"""Edges of the radial bins of the counts, pixels."""

COUNT_PSEUDOCOUNT = 5.0
"""Pseudocount of galaxies of a size bin in each radial bin, at the density of all galaxies."""

MIN_LENSES = 20
"""Minimum number of lenses to fit a profile."""

N_ROUNDS = 3
"""Rounds of locating the lenses and fitting the template about them, where positions are unknown."""


def fit_template(skies: LabelledSkies, *, progress: Callable[[int, int], None] | None = None) -> LensTemplate:
    """Fit a template to labelled skies.

    Parameters
    ----------
    skies : LabelledSkies
        Skies without a lens give the unlensed shapes (all do, if no label is known); skies with one give the profile,
        the counts and the prior of the amplitude. Lenses of unknown position are located with the default profile, the
        template is fitted there, and both steps are repeated. With fewer than 20 lenses, the default profile stays.
    progress : callable, optional
        Called with (steps done, steps in all); a step is the fit of a template, or a located lens.

    Returns
    -------
    LensTemplate
        Its `source` states the data of each part.
    """
    template = fit_known(skies)
    if not needs_positions(skies):
        return template
    lensed = skies.lensed
    n = len(lensed.catalogs)
    total = N_ROUNDS * (n + 1)
    for k in range(N_ROUNDS):
        compiled, positions = CompiledTemplate(template), []
        for i, catalog in enumerate(lensed.catalogs):
            positions += best_fit_positions([catalog], compiled)
            if progress is not None:
                progress(k * (n + 1) + i + 1, total)
        template = fit_located(template, lensed, positions)
        if progress is not None:
            progress((k + 1) * (n + 1), total)
    return template


def needs_positions(skies: LabelledSkies) -> bool:
    """Return whether there are enough lenses to fit a profile, but too few of known position."""
    return len(skies.lensed.catalogs) >= MIN_LENSES > len(skies.lensed.located.catalogs)


def fit_known(skies: LabelledSkies) -> LensTemplate:
    """Return a template fitted to all that labels and known lens positions constrain."""
    template = fit_unlensed(skies.unlensed.catalogs)
    known = skies.lensed.located
    if len(known.catalogs) < MIN_LENSES:
        return template
    return _fit_lens(template, known, f"{len(known.catalogs)} lenses of known position")


def best_fit_positions(catalogs: Sequence[GalaxyCatalog], template: CompiledTemplate) -> list[tuple[float, float]]:
    """Return the best-fit (row, column) of the lens of each sky, pixels."""
    return [(found.row, found.column) for found in (lens_evidence(catalog, template) for catalog in catalogs)]


def fit_located(
    template: LensTemplate, lensed: LabelledSkies, positions: Sequence[tuple[float, float]]
) -> LensTemplate:
    """Fit profile, amplitudes and counts of a template to lensed skies, their lenses at (row, column) in pixels."""
    rows, columns = np.array(positions).T
    skies = replace(lensed, lens_rows=rows, lens_columns=columns)
    return _fit_lens(template, skies, f"{len(lensed.catalogs)} lenses located")


def _fit_lens(template: LensTemplate, skies: LabelledSkies, lenses: str) -> LensTemplate:
    """Fit profile, exponent, response, amplitudes and counts to lenses of known position."""
    galaxies = LensedGalaxies.of(skies, template)
    even = np.full((1, len(AMPLITUDES)), 1 / len(AMPLITUDES))
    template = replace(template, amplitudes=np.array(AMPLITUDES), weights=even)
    log_amplitude = np.zeros(len(skies.catalogs))
    for _ in range(N_ITERATIONS):
        template = _fit_shear(template, galaxies, log_amplitude)
        template = replace(template, response=_fit_response(template, galaxies, log_amplitude))
        template, log_amplitude = _fit_amplitudes(template, galaxies, len(skies.catalogs))
    template = replace(_broadened(template), log_counts=_fit_counts(template, galaxies, skies))
    is_default = np.array_equal(template.shear_profile, LensTemplate.default().shear_profile)
    profile = "default profile" if is_default else "profile"
    shapes, _, _ = template.source.partition(";")
    return replace(template, source=f"{shapes}; {profile}, amplitudes and counts of {lenses}")


def _fit_shear(template: LensTemplate, galaxies: LensedGalaxies, log_amplitude: Array) -> LensTemplate:
    """Fit g(r) at amplitude 1 and the exponent q(r), bin by bin; without any shear both stay as they are."""
    edges = np.array(SHEAR_BINS, dtype=np.float64)
    middles = 0.5 * (edges[1:] + edges[:-1])
    bins = np.searchsorted(edges, galaxies.radius, side="right") - 1
    shear, errors = _fit_bins(template, galaxies, bins, middles, log_amplitude)
    measured = {"bin_radii": middles, "bin_shear": shear, "bin_errors": errors}
    if (np.abs(shear) < MIN_PROFILE_SHEAR).all():
        return replace(template, **measured)
    n_bins = int(np.flatnonzero(np.abs(shear) >= MIN_PROFILE_SHEAR)[-1]) + 1
    exponent = _fit_exponent(template, galaxies, bins, shear[:n_bins], errors[:n_bins], log_amplitude)
    nodes = NODE_SPACING * np.arange(int(edges[n_bins] / NODE_SPACING) + 1)
    profile, power = (
        np.interp(nodes, middles[:n_bins], own).round(DECIMALS)[None, :] for own in (shear[:n_bins], exponent)
    )
    return replace(template, shear_profile=profile, amplitude_exponent=power, **measured)


def _fit_bins(
    template: LensTemplate, galaxies: LensedGalaxies, bins: NDArray[np.int64], middles: Array, log_amplitude: Array
) -> Array:
    """Return the shear at amplitude 1 in each bin, and its standard errors, (2, n_bins)."""
    default = LensTemplate.default()
    priors = np.interp(middles, default.nodes, default.shear_profile[0], right=0.0)
    response, factor = template.response[galaxies.shape_bin], galaxies.amplitude_factor(template, log_amplitude)
    fits = []
    for k, prior in enumerate(priors):
        own = bins == k
        shear_of = _product_with(response[own], factor[own])
        fits.append(galaxies.chosen(own).fit(template, shear_of, prior, SHEAR_PRIOR))
    return np.array(fits).T.round(DECIMALS)


def _product_with(*factors: Array) -> Callable[[float], Array]:
    """Return the function that multiplies a number by each of some arrays (n,) in turn."""
    return lambda value: np.asarray(prod(factors, start=value))


def _fit_exponent(
    template: LensTemplate,
    galaxies: LensedGalaxies,
    bins: NDArray[np.int64],
    shear: Array,
    errors: Array,
    log_amplitude: Array,
) -> Array:
    """Return the exponent of the amplitude in each bin, normalised to 1 on average by S/N squared."""
    exponent = np.empty(len(shear))
    for k, g in enumerate(shear):
        own = galaxies.chosen(bins == k)
        shear_of = own.power_of_amplitude(g * template.response[own.shape_bin], log_amplitude)
        exponent[k], _ = own.fit(template, shear_of, 1.0, EXPONENT_PRIOR)
    return np.asarray(exponent / np.average(exponent, weights=(shear / errors) ** 2))


def _fit_response(template: LensTemplate, galaxies: LensedGalaxies, log_amplitude: Array) -> Array:
    """Return the response of each shape bin to shear, normalised to 1 on average over the galaxies."""
    shear = np.interp(galaxies.radius, template.nodes, template.shear_profile[0], right=0.0)
    in_range = (galaxies.radius > RESPONSE_RADII[0]) & (galaxies.radius < RESPONSE_RADII[1])
    shear = shear * galaxies.amplitude_factor(template, log_amplitude)
    fitted = np.empty(template.response.size)
    for k in range(fitted.size):
        own = in_range & (galaxies.shape_bin == k)
        fitted[k], _ = galaxies.chosen(own).fit(template, _product_with(shear[own]), 1.0, RESPONSE_PRIOR)
    number = np.bincount(galaxies.shape_bin, minlength=fitted.size)
    return np.asarray(np.maximum(fitted / np.average(fitted, weights=number), 0.0)).round(DECIMALS)


def _fit_amplitudes(template: LensTemplate, galaxies: LensedGalaxies, n_lenses: int) -> tuple[LensTemplate, Array]:
    """Fit the prior of the amplitudes by expectation-maximisation over the lenses.

    Return the template with it, and the mean log amplitude (n_lenses,) of each lens, given its galaxies.
    """
    shears = template.shears(galaxies.radius)[0] * template.response[galaxies.shape_bin]
    log_shear = np.stack(
        [np.bincount(galaxies.lens, galaxies.log_ratios(template, shear), minlength=n_lenses) for shear in shears],
        axis=1,
    )
    ratio = np.exp(log_shear - log_shear.max(axis=1, keepdims=True))
    weights: Array = template.weights[0]
    for _ in range(100):
        posterior = ratio * weights
        posterior /= posterior.sum(axis=1, keepdims=True)
        weights = posterior.sum(axis=0) + AMPLITUDE_PSEUDOCOUNT
        weights = weights / weights.sum()
    return replace(template, weights=weights[None, :]), posterior @ np.log(template.amplitudes)


def _broadened(template: LensTemplate) -> LensTemplate:
    """Return the template with a broad component in the prior of the amplitude."""
    uniform = np.full_like(template.weights, 1.0 / template.weights.size)
    return replace(template, weights=(1.0 - BROAD_FRACTION) * template.weights + BROAD_FRACTION * uniform)


def _fit_counts(template: LensTemplate, galaxies: LensedGalaxies, skies: LabelledSkies) -> Array:
    """Return log n(r) (n_size_bins, n_nodes): galaxies of each size bin over those of a uniform field."""
    edges = np.array(COUNT_BINS, dtype=np.float64)
    n_bins = edges.size - 1
    uniform = np.zeros(n_bins)
    for catalog, row, column in zip(skies.catalogs, skies.lens_rows, skies.lens_columns, strict=True):
        rows, columns = (np.arange(0.5, side / 8) * 8 - 0.5 for side in catalog.shape)
        radius = np.hypot(rows[:, None] - row, columns[None, :] - column)
        uniform += len(catalog) * np.histogram(radius, edges)[0] / radius.size
    bins = np.searchsorted(edges, galaxies.radius, side="right") - 1
    inside = bins < n_bins
    counts = np.zeros((template.size_fractions.size, n_bins))
    np.add.at(counts, (galaxies.size_bin[inside], bins[inside]), 1)
    overall = (counts.sum(axis=0) + COUNT_PSEUDOCOUNT) / (uniform + COUNT_PSEUDOCOUNT)
    expected = template.size_fractions[:, None] * uniform
    ratio = (counts + COUNT_PSEUDOCOUNT * overall) / (expected + COUNT_PSEUDOCOUNT)
    nodes = NODE_SPACING * np.arange(int(edges[-1] / NODE_SPACING) + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    return np.stack([np.interp(nodes, middles, np.log(own)) for own in ratio]).round(DECIMALS)
