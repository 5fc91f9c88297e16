"""Skies with noise, and pictures of them with known drawings."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 256
WHITE = (255, 255, 255)


def sources(rng, *, side=SIDE, n=60, psf=1.6):
    """Return the light of galaxies in units of the noise, elliptical Gaussians of at most 60."""
    y, x = np.indices((side, side))
    light = np.zeros((side, side))
    for _ in range(n):
        row, column = rng.uniform(0, side, 2)
        a, q, angle = psf + rng.exponential(1.5), rng.uniform(0.3, 1.0), rng.uniform(0, np.pi)
        dx, dy = x - column, y - row
        u, v = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        light += rng.uniform(3, 60) * np.exp(-0.5 * ((u / a) ** 2 + (v / max(psf, q * a)) ** 2))
    return light


def noisy_sky(rng, *, side=SIDE, **kwargs):
    """Return a sky (side, side) of noise 1 and its sources."""
    light = sources(rng, side=side, **kwargs)
    return (light + rng.normal(size=light.shape)).astype(np.float32), light


def star(shape, row, column, peak, *, alpha=3.0):
    """Return a Moffat star of beta 3."""
    y, x = np.indices(shape)
    return peak * (1 + ((y - row) ** 2 + (x - column) ** 2) / alpha**2) ** -3.0


def picture(rng, *, side=SIDE, bands=1, n=60):
    """Return an 8-bit picture of a sky, of level 30 and noise 5."""
    sky, _ = noisy_sky(rng, side=side, n=n)
    grey = np.clip(30 + 5 * 4 * np.arcsinh(sky / 4), 0, 255)
    colors = np.array([1.0, 0.9, 0.8])[:bands] if bands > 1 else np.ones(1)
    return np.rint(grey[..., None] * colors).astype(np.uint8)


def font(size):
    return ImageFont.load_default(size=size)


def drawn(pixels, draw, color=WHITE):
    """Return a picture with what `draw(canvas, color)` draws, and which pixels it changes."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    ink = Image.new("L", image.size)
    draw(ImageDraw.Draw(image), color if pixels.shape[2] == 3 else color[0])
    draw(ImageDraw.Draw(ink), 255)
    result = np.asarray(image)
    return result.reshape(*result.shape[:2], -1), np.asarray(ink) > 128
