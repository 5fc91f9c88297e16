"""All defects of an image with noise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.galaxies.noisy.defects.ghosts import find_ghosts, ghost_mask
from darkmatter_features.galaxies.noisy.defects.graphics import find_graphics
from darkmatter_features.galaxies.noisy.defects.kinds import Defect, Defects, Kinds
from darkmatter_features.galaxies.noisy.defects.saturation import (
    MARGIN,
    MIN_SNR,
    SaturatedStar,
    bleeding,
    find_saturated,
    halo_radius,
    is_star,
    radial_profile,
)
from darkmatter_features.galaxies.noisy.defects.spikes import bright_stars, find_spikes, mark_spikes
from darkmatter_features.galaxies.noisy.defects.tracks import find_tracks, track_mask

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

SPIKE_RADIUS, SPIKE_SEARCH = 4.0, 40.0
"""Radius from which spikes are searched about stars that are not saturated, and length that is searched, pixels."""


MANY_STARS = 20
"""Number of saturated stars up to which their share of the light is not examined."""

MAX_FLAT_SHARE = 0.1
"""Maximum fraction of the bright pixels that are saturated where there are more such stars; it is 0.01 in images of the
sky, and more than 0.3 in drawings of galaxies without profiles."""


MIN_MASKED, MAX_MASKED = 50, 8
"""Minimum number of pixels of a masked region that may be a saturated star, and maximum number of these."""

MAX_MASKED_FRACTION = 0.02
"""Maximum area of such a region, as a fraction of that of the image."""


def find_defects(
    values: NDArray[Any],
    light: Floats,
    noise: float | Floats,
    mask: Mask,
    saturation: float = float("nan"),
    psf_sigma: float = float("nan"),
    *,
    graphics: Defects | None = None,
) -> Defects:
    """Return what is no galaxy in an image with noise.

    Parameters
    ----------
    values : (n_rows, n_columns) array, counts
        The image as it was read.
    light : (n_rows, n_columns) float32 array, counts
        Light above the background.
    noise : float or (n_rows, n_columns) float32 array, counts
        Standard deviation of a pixel of the background; of an array, the median is used.
    mask : (n_rows, n_columns) bool array
        True where a pixel has no measurement; these pixels have no defect.
    saturation : float, counts
        Value from which pixels are saturated, by the header; nan if unknown.
    psf_sigma : float, pixels
        Standard deviation of the PSF, by which halos of stars are distinguished from galaxies; nan if unknown.
    graphics : Defects, optional
        Frames and captions if they were searched before, by
        :func:`~darkmatter_features.galaxies.noisy.defects.graphics.find_graphics`.

    Returns
    -------
    Defects
        Kinds of defects of each pixel, and their numbers.
    """
    noise = float(np.median(noise))
    graphics = find_graphics(values[..., np.newaxis]) if graphics is None else graphics
    n_objects = dict(graphics.n_objects)
    is_bad = mask | graphics.mask if n_objects else mask
    header_light = saturation - float(np.median(values[::16, ::16] - light[::16, ::16])) if saturation > 0.0 else np.nan
    kinds = graphics.kinds
    bright = np.flatnonzero(light > np.float32(MIN_SNR * noise))
    stars = find_saturated(light, bright, header_light, is_bad)
    if len(stars) > MANY_STARS and sum(star.top.size for star in stars) > MAX_FLAT_SHARE * bright.size:
        stars = []  # a drawing of flat galaxies
    others = bright_stars(light, noise, bright, is_bad)
    if stars or others:
        kinds = _with_stars(stars, others, light, (noise, psf_sigma), is_bad, kinds, n_objects)
    is_bad = mask | Defects(kinds, n_objects).mask if n_objects else mask
    tracks = find_tracks(light, noise, is_bad)
    if tracks:
        kinds = kinds.copy()
        for track in tracks:
            kinds[track_mask(track, kinds.shape)] |= np.uint16(Defect.TRACK)
        n_objects[Defect.TRACK] = len(tracks)
    centres = [(star.row, star.column) for star in sorted(stars, key=lambda each: -each.top.size)]
    centres += _masked_stars(mask) if mask.any() else []
    ghosts = find_ghosts(values, noise, mask | Defects(kinds, n_objects).mask, centres) if centres else []
    if ghosts:
        kinds = kinds.copy()
        for ghost in ghosts:
            kinds[ghost_mask(ghost, kinds.shape)] |= np.uint16(Defect.GHOST)
        n_objects[Defect.GHOST] = len(ghosts)
    if mask.any() and n_objects:
        kinds = np.where(mask, np.uint16(0), kinds)
    return Defects(kinds, n_objects)


def _masked_stars(mask: Mask) -> list[tuple[float, float]]:
    """Return the centres of masked regions that may be saturated stars, the largest first."""
    from scipy.ndimage import center_of_mass, label

    labels, _ = label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes)
    own = [k for k in order[:MAX_MASKED] if MIN_MASKED <= sizes[k] <= MAX_MASKED_FRACTION * mask.size]
    return [(float(row), float(column)) for row, column in center_of_mass(mask, labels, own)]


def _with_stars(
    stars: list[SaturatedStar],
    others: list[tuple[float, float]],
    light: Floats,
    scales: tuple[float, float],
    mask: Mask,
    kinds: Kinds,
    n_objects: dict[Defect, int],
) -> Kinds:
    """Return kinds with those of saturated stars and their bleeding columns, and of spikes of bright stars.

    The scales are the standard deviations of the noise of a pixel, in counts, and of the PSF, in pixels.
    """
    noise, is_bad = scales[0], mask.copy()
    for star in stars:
        is_bad.flat[star.top] = True
    searched = [(star, (SPIKE_RADIUS, SPIKE_RADIUS + SPIKE_SEARCH)) for star in others]
    if stars:
        kinds = kinds.copy()
        searched += _mark_saturated(stars, light, scales, is_bad, kinds, n_objects)
    spiked = [(star, find_spikes(light, noise, is_bad, star, reach)) for star, reach in searched]
    spiked = [(star, spikes) for star, spikes in spiked if spikes]
    if spiked:
        found = np.zeros(kinds.shape, dtype=np.bool_)
        for centre, spikes in spiked:
            mark_spikes(spikes, centre, found)
        kinds = kinds | np.where(found, np.uint16(Defect.SPIKE), np.uint16(0))
        n_objects[Defect.SPIKE] = len(spiked)
    return kinds


def _mark_saturated(
    stars: list[SaturatedStar],
    light: Floats,
    scales: tuple[float, float],
    is_bad: Mask,
    kinds: Kinds,
    n_objects: dict[Defect, int],
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Mark flat tops, bleeding columns and halos; return centres of stars and radii for the search of spikes."""
    from scipy.ndimage import binary_dilation

    searched = []
    noise, psf_sigma = scales
    bleeds = np.zeros(kinds.shape, dtype=np.bool_)
    n_bleeding = 0
    for star in stars:
        profile = radial_profile(star, light, is_bad)
        parts = bleeding(star, light, profile, noise)
        for part in parts:
            bleeds[part] = is_bad[part] = True
        n_bleeding += bool(parts)
        if is_star(star, light, psf_sigma):
            radius = halo_radius(star, profile, noise)
            _mark_disc(star, radius, kinds)
            searched.append(((star.row, star.column), (star.radius, max(radius, star.radius + SPIKE_SEARCH))))
    tops = np.zeros(kinds.shape, dtype=np.bool_)
    tops.flat[np.concatenate([star.top for star in stars])] = True
    kinds[binary_dilation(tops, np.ones((3, 3)), iterations=MARGIN)] |= np.uint16(Defect.SATURATED)
    kinds[bleeds] |= np.uint16(Defect.BLEED)
    n_objects[Defect.SATURATED] = len(stars)
    if n_bleeding:
        n_objects[Defect.BLEED] = n_bleeding
    return searched


def _mark_disc(star: SaturatedStar, radius: float, kinds: Kinds) -> None:
    """Mark the halo of a star."""
    rows, columns = (slice(max(0, int(c - radius)), int(c + radius) + 2) for c in (star.row, star.column))
    part = kinds[rows, columns]
    y, x = np.ogrid[rows.start : rows.start + part.shape[0], columns.start : columns.start + part.shape[1]]
    part[np.hypot(y - star.row, x - star.column) <= radius] |= np.uint16(Defect.HALO)
