"""Fitting a lens template to the skies of a training split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from darkmatter_features.galaxies.shapes import GalaxyCatalog
from darkmatter_features.lens.evidence import lens_evidence
from darkmatter_features.lens.fit_unlensed import DIGITS, fit_unlensed
from darkmatter_features.lens.kernels.evidence import MAX_SHEAR, log_ratios
from darkmatter_features.lens.template import STEP, LensTemplate

Array = NDArray[np.float64]

# Where the shear about a lens is fitted, pixels; linear between the middles.
SHEAR_BINS = (0, 15, 25, 35, 45, 60, 75, 90, 110, 130, 155, 180, 215, 250, 300, 350, 425, 500)
# Shear and response keep to the default where few galaxies tell, as if it were known so well.
SHEAR_PRIOR, RESPONSE_PRIOR = 0.2, 0.3
# Beyond the last node whose shear is this much, there is none; galaxies between these radii tell the response.
LEAST_SHEAR = 0.01
RESPONSE_RADII = (20.0, 250.0)
# The power of the strength that the shear grows with keeps to 1 as if it were known so well.
EXPONENT_PRIOR = 0.3
# How often profile, response, growth and strengths are fitted in turn.
N_TURNS = 3
AMPLITUDES = tuple(np.geomspace(0.5, 1.9, 8).round(6).tolist())
# Lenses that each amplitude is given beforehand; the least and greatest are left out where fewer than this share have
# them.
AMPLITUDE_PRIOR, RARE = 0.5, 0.01
COUNT_BINS = (0, 25, 45, 65, 90, 120, 160, 210, 260, 330, 420, 740)
# Galaxies of its class that each bin is given beforehand, at the density of all.
COUNT_PRIOR = 5.0
# Fewer lenses than this do not tell a profile.
MIN_LENSES = 20
# How often lenses are located and the template fitted to where they seem to be, when nobody says where they are.
N_ROUNDS = 3
# Step of the second difference that gives the standard error of a factor.
NUDGE = 0.02


@dataclass(frozen=True)
class LabelledSkies:
    """Catalogues of n skies and what is known of them.

    Attributes
    ----------
    catalogs : sequence of GalaxyCatalog
        Their galaxies.
    labels : (n,) float64 array
        1 with a lens, 0 without, nan where unknown.
    lens_rows, lens_columns : (n,) float64 arrays, pixels
        Where the lens is; nan where unknown.
    """

    catalogs: Sequence[GalaxyCatalog]
    labels: Array
    lens_rows: Array
    lens_columns: Array

    def chosen(self, which: NDArray[np.bool_]) -> "LabelledSkies":
        """Return the skies where `which` (n,) is true."""
        catalogs = [catalog for catalog, wanted in zip(self.catalogs, which, strict=True) if wanted]
        return LabelledSkies(catalogs, self.labels[which], self.lens_rows[which], self.lens_columns[which])


def fit_template(skies: LabelledSkies) -> LensTemplate:
    """Fit a template to labelled skies.

    Parameters
    ----------
    skies : LabelledSkies
        Skies without a lens give the unlensed shapes (all do, if no label is known); skies with one give the profile,
        the counts and the prior of the strength. Lenses of unknown place are located with the default profile, the
        template is fitted there, and both are done again. With fewer than 20 lenses, the default profile stays.

    Returns
    -------
    LensTemplate
        Its `source` says what was fitted to what.
    """
    template = fit_unlensed(_unlensed(skies))
    lensed = skies.chosen(skies.labels == 1)
    known = lensed.chosen(np.isfinite(lensed.lens_rows))
    if len(known.catalogs) >= MIN_LENSES:
        return _fit_lens(template, known, f"{len(known.catalogs)} lenses of known place")
    if len(lensed.catalogs) < MIN_LENSES:
        return template
    for _ in range(N_ROUNDS):
        template = _fit_lens(template, _located(lensed, template), f"{len(lensed.catalogs)} lenses located")
    return template


def _unlensed(skies: LabelledSkies) -> Sequence[GalaxyCatalog]:
    """Return the skies without a lens; if none is known, those of unknown label; if there are none, all."""
    choices = (skies.labels == 0, np.isnan(skies.labels), np.isfinite(skies.labels))
    return skies.chosen(next((choice for choice in choices if choice.any()), choices[-1])).catalogs


def _located(skies: LabelledSkies, template: LensTemplate) -> LabelledSkies:
    found = [lens_evidence(catalog, template) for catalog in skies.catalogs]
    rows, columns = np.array([(each.row, each.column) for each in found]).T
    return replace(skies, lens_rows=rows, lens_columns=columns)


@dataclass(frozen=True)
class _AboutLenses:
    """The galaxies of all lensed skies: their kinds and shapes, and where they are about their lens."""

    shape_bin: NDArray[np.int64]
    size_bin: NDArray[np.int64]
    e1: Array
    e2: Array
    radius: Array
    cos: Array
    sin: Array
    lens: NDArray[np.int64]

    @classmethod
    def of(cls, skies: LabelledSkies, template: LensTemplate) -> "_AboutLenses":
        dx, dy, e1, e2, shape_bin, size_bin = (
            np.concatenate(parts)
            for parts in zip(
                *(
                    (c.x - column, c.y - row, c.e1, c.e2, template.shape_bins(c), template.size_bins(c.size))
                    for c, row, column in zip(skies.catalogs, skies.lens_rows, skies.lens_columns, strict=True)
                ),
                strict=True,
            )
        )
        angle = np.arctan2(dy, dx)
        lens = np.repeat(np.arange(len(skies.catalogs)), [len(catalog) for catalog in skies.catalogs])
        cos, sin = -np.cos(2 * angle), -np.sin(2 * angle)
        return cls(shape_bin, size_bin, e1, e2, np.hypot(dx, dy), cos, sin, lens)

    def chosen(self, which: NDArray[np.bool_]) -> "_AboutLenses":
        """Return the galaxies where `which` (n,) is true."""
        return _AboutLenses(*(getattr(self, field.name)[which] for field in fields(self)))

    def ratios_for(self, template: LensTemplate, shear: Array) -> Array:
        """Return the log likelihood ratio (n,) of each galaxy's shape, for the tangential shear (n,), over none."""
        g, ratios = np.clip(shear, -MAX_SHEAR, MAX_SHEAR), np.empty(shear.size)
        log_ratios(template.log_p0, self.shape_bin, self.e1, self.e2, g * self.cos, g * self.sin, ratios)
        return ratios

    def fit(
        self,
        template: LensTemplate,
        own: NDArray[np.bool_],
        shear_of: Callable[[float], Array],
        prior: float,
        width: float,
    ) -> tuple[float, float]:
        """Return the parameter that the shapes of galaxies `own` fit best, and its standard error.

        `shear_of` tells the shear of all galaxies by the parameter, which has a Gaussian prior, so that few galaxies
        leave it near `prior`.
        """
        galaxies = self.chosen(own)

        def loss(parameter: float) -> float:
            likelihood = galaxies.ratios_for(template, shear_of(parameter)[own]).sum()
            return float((parameter - prior) ** 2 / (2 * width**2) - likelihood)

        low, high = prior - 5 * width, prior + 5 * width
        best = float(minimize_scalar(loss, bounds=(low, high), method="bounded").x)
        curvature = (loss(best + NUDGE) - 2.0 * loss(best) + loss(best - NUDGE)) / NUDGE**2
        return best, float(max(curvature, width**-2.0) ** -0.5)

    def grown(self, shear: Array, log_amplitude: Array) -> Callable[[float], Array]:
        """Return what tells the shear (n,) of lenses with those log amplitudes, by the power that it grows with."""
        own = log_amplitude[self.lens]
        return lambda power: shear * np.exp(power * own)

    def amplitude_factor(self, template: LensTemplate, log_amplitude: Array) -> Array:
        """Return the strength A^q (n,) of its lens at each galaxy, of lenses with those log amplitudes."""
        amplitude_exponent = np.interp(self.radius, template.nodes, template.amplitude_exponent[0])
        return np.asarray(np.exp(amplitude_exponent * log_amplitude[self.lens]))


def _fit_lens(template: LensTemplate, skies: LabelledSkies, lenses: str) -> LensTemplate:
    """Fit profile, growth, response, strengths and counts to lenses of known place."""
    about = _AboutLenses.of(skies, template)
    even = np.full((1, len(AMPLITUDES)), 1 / len(AMPLITUDES))
    template = replace(template, amplitudes=np.array(AMPLITUDES), weights=even)
    log_amplitude = np.zeros(len(skies.catalogs))
    for _ in range(N_TURNS):
        template = _fit_shear(template, about, log_amplitude)
        template = replace(template, response=_fit_response(template, about, log_amplitude))
        template, log_amplitude = _fit_amplitudes(template, about, len(skies.catalogs))
    template = replace(_without_rare(template), log_counts=_fit_counts(template, about, skies))
    which = (
        "default profile" if np.array_equal(template.shear_profile, LensTemplate.default().shear_profile) else "profile"
    )
    shapes, _, _ = template.source.partition(";")
    return replace(template, source=f"{shapes}; {which}, strengths and counts of {lenses}")


def _fit_shear(template: LensTemplate, about: _AboutLenses, log_amplitude: Array) -> LensTemplate:
    """Fit g(r) of the mean lens and its growth with the strength, bin by bin; without any shear they stay."""
    edges = np.array(SHEAR_BINS, dtype=np.float64)
    middles = 0.5 * (edges[1:] + edges[:-1])
    bins = np.searchsorted(edges, about.radius, side="right") - 1
    shear, errors = _fit_bins(template, about, bins, middles, log_amplitude)
    told = {"bin_radii": middles, "bin_shear": shear, "bin_errors": errors}
    if (np.abs(shear) < LEAST_SHEAR).all():
        return replace(template, **told)
    reached = int(np.flatnonzero(np.abs(shear) >= LEAST_SHEAR)[-1]) + 1
    amplitude_exponent = _fit_exponent(template, about, bins, shear[:reached], errors[:reached], log_amplitude)
    nodes = STEP * np.arange(int(edges[reached] / STEP) + 1)
    profile, power = (
        np.interp(nodes, middles[:reached], own).round(DIGITS)[None, :] for own in (shear[:reached], amplitude_exponent)
    )
    return replace(template, shear_profile=profile, amplitude_exponent=power, **told)


def _fit_bins(
    template: LensTemplate, about: _AboutLenses, bins: NDArray[np.int64], middles: Array, log_amplitude: Array
) -> Array:
    """Return the shear of the mean lens in each bin, and its standard errors, (2, n)."""
    default = LensTemplate.default()
    priors = np.interp(middles, default.nodes, default.shear_profile[0], right=0.0)
    response, amplitude_factor = template.response[about.shape_bin], about.amplitude_factor(template, log_amplitude)
    fits = [
        about.fit(template, bins == k, lambda g: g * response * amplitude_factor, prior, SHEAR_PRIOR)
        for k, prior in enumerate(priors)
    ]
    return np.array(fits).T.round(DIGITS)


def _fit_exponent(
    template: LensTemplate,
    about: _AboutLenses,
    bins: NDArray[np.int64],
    shear: Array,
    errors: Array,
    log_amplitude: Array,
) -> Array:
    """Return the power of the strength that the shear of each bin grows with, 1 in the mean by their S/N."""
    response = template.response[about.shape_bin]
    grown = (about.grown(g * response, log_amplitude) for g in shear)
    amplitude_exponent = np.array([
        about.fit(template, bins == k, shear_of, 1.0, EXPONENT_PRIOR)[0] for k, shear_of in enumerate(grown)
    ])  # fmt: skip
    return np.asarray(amplitude_exponent / np.average(amplitude_exponent, weights=(shear / errors) ** 2))


def _fit_response(template: LensTemplate, about: _AboutLenses, log_amplitude: Array) -> Array:
    """Return how each shape_bin of galaxy answers to the shear, 1 in the mean."""
    shear = np.interp(about.radius, template.nodes, template.shear_profile[0], right=0.0)
    is_told = (about.radius > RESPONSE_RADII[0]) & (about.radius < RESPONSE_RADII[1])
    shape_bins = range(template.response.size)
    shear = shear * about.amplitude_factor(template, log_amplitude)
    fits = [
        about.fit(template, is_told & (about.shape_bin == k), lambda r: r * shear, 1.0, RESPONSE_PRIOR)
        for k in shape_bins
    ]
    fitted = np.array([factor for factor, _ in fits])
    number = np.bincount(about.shape_bin, minlength=fitted.size)
    return np.asarray(np.maximum(fitted / np.average(fitted, weights=number), 0.0)).round(DIGITS)


def _fit_amplitudes(template: LensTemplate, about: _AboutLenses, n_lenses: int) -> tuple[LensTemplate, Array]:
    """Fit the prior of the strengths: expectation and maximisation over the lenses.

    Return the template with it, and the mean log amplitude (n,) of each lens, given its galaxies.
    """
    shears = template.shears(about.radius)[0] * template.response[about.shape_bin]
    log_shear = np.stack(
        [np.bincount(about.lens, about.ratios_for(template, shear), minlength=n_lenses) for shear in shears], axis=1
    )
    ratio = np.exp(log_shear - log_shear.max(axis=1, keepdims=True))
    weights: Array = template.weights[0]
    for _ in range(100):
        share = ratio * weights
        share /= share.sum(axis=1, keepdims=True)
        weights = share.sum(axis=0) + AMPLITUDE_PRIOR
        weights = weights / weights.sum()
    return replace(template, weights=weights[None, :]), share @ np.log(template.amplitudes)


def _without_rare(template: LensTemplate) -> LensTemplate:
    """Leave out the amplitudes at the ends that next to no lens has: every one of them costs time at every place."""
    likely = np.flatnonzero(template.weights[0] >= RARE)
    kept = slice(likely[0], likely[-1] + 1)
    weights = template.weights[:, kept] / template.weights[:, kept].sum()
    return replace(template, amplitudes=template.amplitudes[kept].copy(), weights=weights)


def _fit_counts(template: LensTemplate, about: _AboutLenses, skies: LabelledSkies) -> Array:
    """Return log n(r) (n_classes, n_nodes): galaxies of each class of size over what an even field would have."""
    edges = np.array(COUNT_BINS, dtype=np.float64)
    n_bins = edges.size - 1
    even = np.zeros(n_bins)
    for catalog, row, column in zip(skies.catalogs, skies.lens_rows, skies.lens_columns, strict=True):
        rows, columns = (np.arange(0.5, side / 8) * 8 - 0.5 for side in catalog.shape)
        radius = np.hypot(rows[:, None] - row, columns[None, :] - column)
        even += len(catalog) * np.histogram(radius, edges)[0] / radius.size
    bins = np.searchsorted(edges, about.radius, side="right") - 1
    inside = bins < n_bins
    counts = np.zeros((template.size_fractions.size, n_bins))
    np.add.at(counts, (about.size_bin[inside], bins[inside]), 1)
    overall = (counts.sum(axis=0) + COUNT_PRIOR) / (even + COUNT_PRIOR)
    expected = template.size_fractions[:, None] * even
    ratio = (counts + COUNT_PRIOR * overall) / (expected + COUNT_PRIOR)
    nodes = STEP * np.arange(int(edges[-1] / STEP) + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    return np.stack([np.interp(nodes, middles, np.log(own)) for own in ratio]).round(DIGITS)
