"""Extensions of FITS files, and which of them is the image of the sky."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.images.decoded import COPY_AGAIN, UnreadableError, are_full_size
from darkmatter_features.io.images.fits_bands import COLOURS, MAX_BANDS
from darkmatter_features.io.images.fits_masks import NO_NAMES, Role, role_of
from darkmatter_features.io.parts import Part, matches

SAMPLED = 7
"""One of so many pixels is examined where the content of images is compared."""

MIN_CORRELATION = 0.5
"""Minimum correlation of an image and its noise map."""

MAX_MASK_VALUES = 8
"""Maximum number of values of an image that is a mask."""

MASK_BACKGROUND = 0.9
"""Minimum fraction of the pixels of a mask that have one and the same value."""

Floats = NDArray[np.float64]

N_COLOURS = 3
"""Planes of a colour image."""


@dataclass(frozen=True)
class Extension:
    """Image in a FITS file.

    Attributes
    ----------
    index : int
        Number of the extension; 0 is the primary one.
    name : str
        EXTNAME, in capitals; empty without one.
    version : int
        EXTVER.
    role : Role
        Content by its name and header.
    hdu : astropy HDU
        The extension.
    label : str
        Name for messages, in the form in which a user chooses it: the number where the name is none, not unique, or a
        number itself.
    """

    index: int
    name: str
    version: int
    role: Role
    hdu: Any
    label: str

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns."""
        return axes_of(self.hdu.shape)[0]

    @property
    def is_cube(self) -> bool:
        """Whether it has several bands that are no colours."""
        return n_planes_of(self.hdu.shape) not in COLOURS


def images_of(hdus: Any) -> list[Extension]:
    """Return the extensions that have the shape of an image of the sky."""
    names = [(str(hdu.name).strip().upper(), int(hdu.ver)) for hdu in hdus]
    own = [(index, hdu) for index, hdu in enumerate(hdus) if hdu.is_image and _is_sky_shaped(hdu.shape)]
    found = []
    for index, hdu in own:
        name, version = names[index]
        is_usable = names.count((name, version)) == 1 and name not in NO_NAMES and not name.isdecimal()
        label = name if version == 1 else f"{name},{version}"
        role = role_of(name, hdu.header if len(own) > 1 else {})  # each look into a header takes time
        found.append(Extension(index, name, version, role, hdu, label if is_usable else str(index)))
    return found


def axes_of(shape: tuple[int, ...]) -> tuple[tuple[int, int], bool]:
    """Return rows and columns of an image of this shape, and whether its colours are on the last axis."""
    last = len(shape) == N_COLOURS and shape[-1] in (1, N_COLOURS) and shape[0] not in (1, N_COLOURS)
    return ((shape[0], shape[1]), True) if last else ((shape[-2], shape[-1]), False)


def _is_sky_shaped(shape: tuple[int, ...]) -> bool:
    if len(shape) < 2 or min(shape) == 0:
        return False
    return n_planes_of(shape) <= MAX_BANDS


def n_planes_of(shape: tuple[int, ...]) -> int:
    """Return the number of colours or bands of an image of this shape."""
    return math.prod(shape) // math.prod(axes_of(shape)[0])


def described(hdus: Any) -> str:
    """Return the extensions of a file for a message, such as ``0: no data, 1 SCI: 5 x 512 x 512``."""
    each = []
    for index, hdu in enumerate(hdus):
        name = "" if hdu.name in ("", "PRIMARY") else f" {hdu.name}"
        shape = getattr(hdu, "shape", None) if hdu.is_image else None
        content = " x ".join(map(str, shape)) if shape else ("no data" if hdu.is_image else "a table")
        each.append(f"{index}{name}: {content}")
    return ", ".join(each[:8]) + (f", ... ({len(each)} in all)" if len(each) > 8 else "")


def choose(images: Sequence[Extension], science: Sequence[Extension], part: Part | None, hdus: Any) -> Extension:
    """Return the extension to read."""
    if part is not None:
        named = [own for own in images if matches(part, own.index, own.name, own.version)]
        if not named:
            raise UnreadableError(f"has no image [{part}]; it has {described(hdus)}; choose one of them")
        return named[0]
    if not images:
        content = described(hdus)
        remedy = "find lenses in a catalogue by `darkmatter locate`" if "a table" in content else COPY_AGAIN
        found = f"has no image of two axes, nor one of at most {MAX_BANDS} bands; it has {content}"
        raise UnreadableError(f"{found}; give one, or {remedy}")
    if not science:
        names = ", ".join(own.label for own in images)
        raise UnreadableError(
            f"has weights, noise or masks only ({names}), no image of the sky; choose one by FILE[EXT]"
        )
    return science[0]


def science_of(images: Sequence[Extension]) -> list[Extension]:
    """Return the images of the sky: of full size, and with names that state it or, without any, with sources.

    The only image of a file is one whatever its name.
    """
    if len(images) == 1:
        return list(images)
    candidates = [own for own in images if own.role in (Role.SCIENCE, Role.UNKNOWN)]
    candidates = [own for own, full in zip(candidates, are_full_size([own.sides for own in candidates])) if full]
    if not all(own.is_cube for own in candidates):  # cubes without a name beside an image are of another content
        candidates = [own for own in candidates if own.role is Role.SCIENCE or not own.is_cube]
    named = [own for own in candidates if own.role is Role.SCIENCE]
    if named or len(candidates) < 2:
        return named or candidates
    samples = [np.asarray(own.hdu.data, dtype=np.float64).ravel()[::SAMPLED] for own in candidates]
    bright = [(own, sample) for own, sample in zip(candidates, samples, strict=True) if _has_sources(sample)]
    return [
        own
        for own, sample in bright
        if not any(_is_noise_of(sample, other) for _, other in bright if other is not sample)
    ] or candidates


def _has_sources(sample: Floats) -> bool:
    """Return whether pixels (n,) have a brighter tail than a fainter one, and more than a few values.

    Galaxies are brighter than the background. Weights and exposures have holes instead, masks have few values.
    """
    sample = sample[np.isfinite(sample)]
    if sample.size < 2:
        return False
    values, counts = np.unique(sample, return_counts=True)
    if values.size <= MAX_MASK_VALUES and counts.max() > MASK_BACKGROUND * sample.size:
        return False
    low, middle, high = np.percentile(sample, [0.5, 50.0, 99.5])
    return bool(high - middle > middle - low)


def _is_noise_of(sample: Floats, image: Floats) -> bool:
    """Return whether pixels (n,) are a noise map of those of an image (n,): the same structure at less contrast.

    Noise grows as the root of the light, so that its contrast over the median is about half that of the image.
    """
    if sample.size != image.size:
        return False
    known = np.isfinite(sample) & np.isfinite(image)
    pairs = [np.clip(own[known], *np.percentile(own[known], [0.5, 99.5])) for own in (sample, image)]
    if min(map(np.ptp, pairs)) == 0.0 or np.asarray(np.corrcoef(pairs))[0, 1] < MIN_CORRELATION:
        return False
    tiny = float(np.finfo(np.float32).tiny)
    own, other = (float(np.ptp(each)) / max(abs(float(np.median(each))), tiny) for each in pairs)
    return own < other


def note_on_choice(
    chosen: Extension, images: Sequence[Extension], science: Sequence[Extension], part: Part | None
) -> tuple[str, ...]:
    """Return a note on the extension that was read, where there was a choice or its name is not that of an image."""
    if part is not None:
        return ()
    if len(images) < 2 and chosen.role in (Role.SCIENCE, Role.UNKNOWN):
        return ()
    if len(images) < 2:
        return (f"extension {chosen.label} read, the only image, though its name is that of another content",)
    others = [own.label for own in science if own is not chosen]
    also = f"; also images of the sky: {_few(others)}, FILE[EXT] chooses one" if others else ""
    return (f"extension {chosen.label} read, of {_few([own.label for own in images])}{also}",)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f", ... ({len(names)})" if len(names) > 6 else "")
