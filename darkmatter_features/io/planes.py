"""Weights, noise maps and masks in files beside an image."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from darkmatter_features.errors import SkyError
from darkmatter_features.io.copies import present
from darkmatter_features.io.images.decode import is_fits
from darkmatter_features.io.images.fits import Beside, decode_beside
from darkmatter_features.io.images.fits_masks import Role, bad_pixels, is_variance, noise_of, role_of
from darkmatter_features.io.parts import split_part
from darkmatter_features.io.sky import Sky, errors_of, read_sky

WEIGHT_TYPES = ("weight", "variance", "rms")
"""Contents of a weight file: inverse variances or numbers proportional to them, variances, standard deviations."""

_KINDS = {Role.WEIGHT: "weight", Role.NOISE: "rms"}


def with_planes(
    sky: Sky, weight: str | Path | None = None, mask: str | Path | None = None, weight_type: str | None = None
) -> Sky:
    """Return a sky with the noise of a weight file and the mask of a mask file.

    Parameters
    ----------
    sky : Sky
        The image.
    weight : str or Path, optional
        Image of weights, variances or standard deviations, as ``FILE`` or ``FILE[EXT]``; of a FITS file with several
        images, the first whose name is that of a weight or noise.
    mask : str or Path, optional
        Image that is not 0 where a pixel has no measurement; of a FITS file with several images, the first whose name
        is that of a mask. Of masks with named planes, those of bad pixels count.
    weight_type : str, optional
        "weight", "variance" or "rms"; by default by the name of the part or of the file, or else "weight".

    Raises
    ------
    SkyError
        If a file cannot be read, or has other sides or bands than the image, or masks all of it.
    """
    if weight is not None:
        sky = _with_weight(sky, present(weight), weight_type)
    if mask is not None:
        sky = _with_mask(sky, present(mask))
    return sky


def _with_weight(sky: Sky, path: str | Path, weight_type: str | None) -> Sky:
    """Return a sky with the noise of a weight file; pixels without weight are masked."""
    plane = _plane(sky, path, "weight", (Role.NOISE, Role.WEIGHT))
    kind = weight_type or _kind(path, plane)
    role = Role.WEIGHT if kind == "weight" else Role.NOISE
    weights = _weights(sky)
    planes = plane.planes
    if len(planes) == len(weights) > 1:
        planes, weights = planes[np.array(weights) > 0.0], [weight for weight in weights if weight > 0.0]
    noise = noise_of(role, planes, kind == "variance", weights)
    return _masked(replace(sky, noise=noise), ~np.isfinite(noise), path, f"the {kind} is not positive")


def _with_mask(sky: Sky, path: str | Path) -> Sky:
    """Return a sky with the mask of a file added to its own."""
    plane = _plane(sky, path, "mask", (Role.MASK,))
    weights = np.array(_weights(sky))
    planes = plane.planes[weights > 0.0] if len(plane.planes) == len(weights) else plane.planes
    return _masked(sky, bad_pixels(Role.MASK, planes, plane.header), path, "the mask is not 0")


def _weights(sky: Sky) -> Sequence[float]:
    """Return the weights of the bands of the file of a sky in its image."""
    return (1.0,) * sky.pixels.shape[2] if sky.bands is None else sky.bands.weights


def _kind(path: str | Path, plane: Beside) -> str:
    """Return the content of a weight file by the name of its part or, where that has no meaning, of the file."""
    file, _ = split_part(path)
    if plane.role in _KINDS:
        return "variance" if is_variance(plane.name, plane.header) else _KINDS[plane.role]
    name = file.name.split(".fit", maxsplit=1)[0]
    role = role_of(name, {})
    return "variance" if role is Role.NOISE and is_variance(name, {}) else _KINDS.get(role, "weight")


def _plane(sky: Sky, path: str | Path, content: str, roles: Sequence[Role]) -> Beside:
    """Return an image of the sides of a sky, with a plane for all its bands or for each."""
    plane = _read(path, roles)
    shape = plane.planes.shape[1:]
    if shape != sky.shape:
        sizes = ["{1} x {0}".format(*each) for each in (shape, sky.shape)]
        raise SkyError(
            f"{path} has {sizes[0]} pixels, its image {sky.name} has {sizes[1]}; give the {content} of this image"
        )
    return plane


def _read(path: str | Path, roles: Sequence[Role]) -> Beside:
    """Return the image in a file that has one of several contents."""
    file, part = split_part(path)
    with errors_of(path):
        if is_fits(file):
            return decode_beside(file, part, roles)
    sky = read_sky(path)
    planes = np.moveaxis(sky.pixels, 2, 0)
    if sky.mask is not None:
        planes = np.where(sky.mask, np.nan, planes)
    return Beside(planes, Role.UNKNOWN, "", {})


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
