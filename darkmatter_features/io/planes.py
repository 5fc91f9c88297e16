"""Weights, noise maps and masks in files beside an image."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from darkmatter_features.errors import SkyError
from darkmatter_features.io.images.fits_masks import Role, is_variance, noise_of, role_of
from darkmatter_features.io.parts import split_part
from darkmatter_features.io.sky import Sky, read_sky

WEIGHT_TYPES = ("weight", "variance", "rms")
"""Contents of a weight file: inverse variances or numbers proportional to them, variances, standard deviations."""


def with_planes(
    sky: Sky, weight: str | Path | None = None, mask: str | Path | None = None, weight_type: str | None = None
) -> Sky:
    """Return a sky with the noise of a weight file and the mask of a mask file.

    Parameters
    ----------
    sky : Sky
        The image.
    weight : str or Path, optional
        Image of weights, variances or standard deviations, as ``FILE`` or ``FILE[EXT]``.
    mask : str or Path, optional
        Image that is not 0 where a pixel has no measurement.
    weight_type : str, optional
        "weight", "variance" or "rms"; by default by the name of the part or of the file, or else "weight".

    Raises
    ------
    SkyError
        If a file cannot be read, or has other sides than the image, or masks all of it.
    """
    if weight is not None:
        sky = _with_weight(sky, weight, weight_type)
    if mask is not None:
        sky = _with_mask(sky, mask)
    return sky


def _with_weight(sky: Sky, path: str | Path, weight_type: str | None) -> Sky:
    """Return a sky with the noise of a weight file; pixels without weight are masked."""
    plane = _plane(sky, path, "weight")
    kind = weight_type or _kind(path)
    role = Role.WEIGHT if kind == "weight" else Role.NOISE
    values = np.where(plane.mask, np.nan, plane.pixels[..., 0]) if plane.mask is not None else plane.pixels[..., 0]
    noise = noise_of(role, values[np.newaxis], kind == "variance", 1)
    return _masked(replace(sky, noise=noise), ~np.isfinite(noise), path, f"the {kind} is not positive")


def _with_mask(sky: Sky, path: str | Path) -> Sky:
    """Return a sky with the mask of a file added to its own."""
    plane = _plane(sky, path, "mask")
    is_bad = (plane.pixels != 0).any(axis=2)
    return _masked(sky, is_bad if plane.mask is None else is_bad | plane.mask, path, "the mask is not 0")


def _kind(path: str | Path) -> str:
    """Return the content of a weight file by the name of its part or, where that has no meaning, of the file."""
    file, part = split_part(path)
    for name in ("" if part is None else str(part.name), file.name.split(".fit", maxsplit=1)[0]):
        role = role_of(name, {})
        if role is Role.NOISE:
            return "variance" if is_variance(name, {}) else "rms"
        if role is Role.WEIGHT:
            return "weight"
    return "weight"


def _plane(sky: Sky, path: str | Path, content: str) -> Sky:
    """Return an image of the sides of a sky."""
    plane = read_sky(path)
    if plane.shape != sky.shape:
        sizes = ["{1} x {0}".format(*shape) for shape in (plane.shape, sky.shape)]
        raise SkyError(
            f"{path} has {sizes[0]} pixels, its image {sky.name} has {sizes[1]}; give the {content} of this image"
        )
    return plane


def _masked(sky: Sky, is_bad: np.ndarray, path: str | Path, where: str) -> Sky:
    """Return a sky with more masked pixels."""
    mask = is_bad if sky.mask is None else is_bad | sky.mask
    if mask.all():
        raise SkyError(f"{path}: {where} in all pixels of {sky.name}; check its content, or leave it out")
    if not mask.any():
        return sky
    note = f"{Path(path).name} masks {is_bad.mean():.2%}"
    pixels = np.where(mask[:, :, np.newaxis], sky.pixels.dtype.type(0), sky.pixels)
    return replace(sky, pixels=pixels, mask=mask, notes=(*sky.notes, note))
