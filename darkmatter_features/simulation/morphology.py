"""Shapes of galaxies: discs with arms and a round bulge, seen at an angle and drawn once on small stamps.

A galaxy is a flat disc of radius 1 and small thickness with a spherical bulge. Inclined, the disc narrows and the
bulge does not: face on, the galaxy is a disc with a bright core; edge on, a bar with a knob or, if it is small, a
cross. The major axis of every stamp is along x.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STAMP = 72
"""Side of a stamp, pixels. The largest galaxies are 40 px across on pixels of 1/2 px, which is no finer."""

EXTENT = 1.08
"""Half side of a stamp, radii of the galaxy: the interpolation needs a dark margin."""

LIT_BRIGHTNESS = 0.25
"""Minimum brightness of the lit area, relative to the body."""


@dataclass(frozen=True)
class Morphology:
    """The shape of a galaxy of unit radius and unit body brightness.

    Attributes
    ----------
    stamp : (STAMP, STAMP) float32 array
        Brightness; x is along the second axis.
    area : float
        Lit area, squares of the radius.
    centroid : (2,) float64 array
        Centroid x, y from the centre of the stamp, radii.
    moments : (2, 2) float64 array
        Second moments of the light about the centroid, squares of the radius.
    """

    stamp: NDArray[np.float32]
    area: float
    centroid: Array
    moments: Array


def morphology(brightness: Array) -> Morphology:
    """Return a shape with the area, centroid and moments of its stamp."""
    x, y = _plane()
    step = 2.0 * EXTENT / STAMP
    flux = brightness.sum()
    centroid = np.array([(brightness * x).sum(), (brightness * y).sum()]) / flux
    dx, dy = x - centroid[0], y - centroid[1]
    xx, yy, xy = ((brightness * q).sum() / flux for q in (dx * dx, dy * dy, dx * dy))
    area = float((brightness > LIT_BRIGHTNESS).sum()) * step**2
    return Morphology(brightness.astype(np.float32), area, centroid, np.array([[xx, xy], [xy, yy]]))


def disc(rng: np.random.Generator) -> Morphology:
    """Draw a flat disc with faint, tightly wound arms and a round core."""
    x, y = _plane()
    q = rng.uniform(0.28, 1.0)
    r, phi = np.hypot(x, y / q), np.arctan2(y / q, x)
    arms = 1.0 + rng.uniform(0.0, 0.2) * np.cos(rng.uniform(8.0, 22.0) * r + 2.0 * phi + rng.uniform(0, 6.3))
    body = _inside(1.0 - r, 0.06) * arms
    return morphology(body * _grain(rng) + _bulge(rng, rng.uniform(0.22, 0.42)))


def edge_on(rng: np.random.Generator) -> Morphology:
    """Draw a thin bar with straight ends and a bulge at its centre."""
    x, y = _plane()
    half_thickness = rng.uniform(0.08, 0.14)
    knob = half_thickness * rng.uniform(1.4, 2.6)
    body = _inside(0.98 - np.abs(x), 0.05) * _inside(half_thickness * (1.15 - 0.35 * np.abs(x)) - np.abs(y), 0.04)
    body *= 0.9 + 0.4 * np.exp(-np.abs(x) / 0.35)
    return morphology(np.maximum(body * _grain(rng), 1.15 * _inside(knob - np.hypot(0.8 * x, y), 0.06)))


def cross(rng: np.random.Generator) -> Morphology:
    """Draw a tapered bar and a bulge nearly as tall as the bar is long."""
    x, y = _plane()
    bar = _inside(rng.uniform(0.13, 0.18) * (1.6 - np.abs(x)) - np.abs(y), 0.05)
    bar *= _inside(0.98 - np.abs(x), 0.05)
    height, width = rng.uniform(0.4, 0.8), rng.uniform(0.2, 0.34)
    post = _inside(1.0 - np.hypot(x / width, y / height), 0.1)
    return morphology(np.maximum(bar, 1.1 * post) + 0.4 * _inside(0.3 - np.hypot(x, y), 0.1))


def spiral(rng: np.random.Generator) -> Morphology:
    """Draw a bulge with two open arms (an S) or, one time in four, one (a hook)."""
    x, y = _plane()
    q, turn = rng.uniform(0.45, 1.0), rng.uniform(1.2, 3.6)
    n_arms = 1 if rng.random() < 0.25 else 2
    light = _bulge(rng, rng.uniform(0.28, 0.4), peak=1.3)
    s = np.linspace(0.1, 1.0, 80)
    for k in range(n_arms):
        angle = turn * s + np.pi * k
        radius = 0.86 * s
        far = np.full(x.shape, np.inf)
        for u, v in zip(radius * np.cos(angle), q * radius * np.sin(angle)):
            np.minimum(far, np.hypot(x - u, y - v), out=far)
        light = np.maximum(light, 0.9 * _inside(0.09 - far, 0.05))
    return morphology(light)


def ring(rng: np.random.Generator) -> Morphology:
    """Draw a bulge inside arms wound into a ring."""
    x, y = _plane()
    q = rng.uniform(0.5, 1.0)
    r, phi = np.hypot(x, y / q), np.arctan2(y / q, x)
    radius = 0.8 + 0.09 * np.cos(phi + rng.uniform(0.0, 6.3))
    annulus = 0.8 * _inside(0.11 - np.abs(r - radius), 0.05)
    return morphology(np.maximum(annulus + 0.15 * _inside(0.8 - r, 0.1), _bulge(rng, 0.4, peak=1.2)))


def _plane() -> tuple[Array, Array]:
    """Return the coordinates x and y of the pixels of a stamp, radii."""
    axis = (np.arange(STAMP) - 0.5 * (STAMP - 1)) * (2.0 * EXTENT / STAMP)
    x, y = np.meshgrid(axis, axis)
    return x, y


def _inside(depth: Array, edge: float) -> Array:
    """Return 1 where `depth` is positive and 0 where it is negative, with a linear edge of a width."""
    return np.clip(0.5 + depth / edge, 0.0, 1.0)


def _bulge(rng: np.random.Generator, radius: float, peak: float | None = None) -> Array:
    """Return a sphere of light of a soft edge; its brightness is drawn at random without `peak`."""
    x, y = _plane()
    height = rng.uniform(0.15, 0.65) if peak is None else peak
    return height / (1.0 + (np.hypot(x, y) / radius) ** 4) ** 2


def _grain(rng: np.random.Generator) -> Array:
    """Return a texture of patches six pixels wide with 8 % rms."""
    coarse = rng.normal(1.0, 0.08, (STAMP // 6, STAMP // 6))
    return coarse.repeat(6, axis=0).repeat(6, axis=1)


MORPHOLOGIES: tuple[tuple[Callable[[np.random.Generator], Morphology], float], ...] = (
    (disc, 0.58),
    (edge_on, 0.14),
    (cross, 0.13),
    (spiral, 0.10),
    (ring, 0.05),
)
"""Morphologies and their fractions, counted by eye on the two published full skies."""
