"""Images in FITS files: which extension is the image of the sky, its weights and masks, and its coordinates."""

import math
import warnings
from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.fits_headers import checked_fits
from darkmatter_features.io.images.decoded import COPY_AGAIN, Decoded, UnreadableError, are_full_size, check_size
from darkmatter_features.io.images.fits_masks import NO_NAMES, Role, masked_by, noise_by, role_of, without_role
from darkmatter_features.io.images.fits_photometry import photometry_of
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
        return _axes(self.hdu.shape)[0]


def decode_fits(path: Path, part: Part | None = None) -> Decoded:
    """Decode an image in a FITS file.

    Parameters
    ----------
    path : Path
        File, possibly compressed by gzip, bzip2 or fpack.
    part : Part, optional
        Extension to read. By default it is chosen by name and content: weights, noise, masks and previews are never
        chosen.
    """
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers that violate the standard and values beyond float32
        with fits.open(checked_fits(path), memmap=False, uint=False) as hdus:  # unsigned integers would lose BLANK
            images = _images(hdus)
            science = [] if part is not None else _science(images)
            chosen = _choose(images, science, part, hdus)
            (n_rows, n_columns), _ = _axes(chosen.hdu.shape)
            n_bytes = math.prod(chosen.hdu.shape) * abs(chosen.hdu.header["BITPIX"]) / 8
            check_size(n_rows, n_columns, n_bytes, path.stat().st_size)
            values = _values(chosen.hdu)
            companions = [(own.role, own.label, own.hdu) for own in _companions(chosen, images)]
            mask, masking = masked_by(companions, values) if companions else (None, ())
            notes = (*_choice_note(chosen, images, science, part), *masking)
            noise = noise_by(companions, values.shape)
            photometry = photometry_of(ChainMap(chosen.hdu.header, hdus[0].header))
            return Decoded(values, _celestial_wcs(chosen.hdu.header, hdus), mask, notes, noise, photometry)


def science_parts(path: Path) -> list[str]:
    """Return the parts of a FITS file that are images of the sky, as a user names them."""
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(checked_fits(path), memmap=False) as hdus:
            return [own.label for own in _science(_images(hdus))]


def _images(hdus: Any) -> list[Extension]:
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


def _axes(shape: tuple[int, ...]) -> tuple[tuple[int, int], bool]:
    """Return rows and columns of an image of this shape, and whether its colours are on the last axis."""
    last = len(shape) == N_COLOURS and shape[-1] in (1, N_COLOURS) and shape[0] not in (1, N_COLOURS)
    return ((shape[0], shape[1]), True) if last else ((shape[-2], shape[-1]), False)


def _is_sky_shaped(shape: tuple[int, ...]) -> bool:
    if len(shape) < 2 or min(shape) == 0:
        return False
    n_rows, n_columns = _axes(shape)[0]
    return math.prod(shape) // (n_rows * n_columns) in (1, N_COLOURS)


def _described(hdus: Any) -> str:
    """Return the extensions of a file for a message, such as ``0: no data, 1 SCI: 5 x 512 x 512``."""
    each = []
    for index, hdu in enumerate(hdus):
        name = "" if hdu.name in ("", "PRIMARY") else f" {hdu.name}"
        shape = getattr(hdu, "shape", None) if hdu.is_image else None
        content = " x ".join(map(str, shape)) if shape else ("no data" if hdu.is_image else "a table")
        each.append(f"{index}{name}: {content}")
    return ", ".join(each[:8]) + (f", ... ({len(each)} in all)" if len(each) > 8 else "")


def _choose(images: Sequence[Extension], science: Sequence[Extension], part: Part | None, hdus: Any) -> Extension:
    """Return the extension to read."""
    if part is not None:
        named = [own for own in images if matches(part, own.index, own.name, own.version)]
        if not named:
            raise UnreadableError(f"has no image [{part}]; it has {_described(hdus)}; choose one of them")
        return named[0]
    if not images:
        described = _described(hdus)
        remedy = "find lenses in a catalogue by `darkmatter locate`" if "a table" in described else COPY_AGAIN
        found = f"has no image of two axes, nor one of three colour planes; it has {described}"
        raise UnreadableError(f"{found}; give one, or {remedy}")
    if not science:
        names = ", ".join(own.label for own in images)
        raise UnreadableError(
            f"has weights, noise or masks only ({names}), no image of the sky; choose one by FILE[EXT]"
        )
    return science[0]


def _science(images: Sequence[Extension]) -> list[Extension]:
    """Return the images of the sky: of full size, and with names that state it or, without any, with sources.

    The only image of a file is one whatever its name.
    """
    if len(images) == 1:
        return list(images)
    candidates = [own for own in images if own.role in (Role.SCIENCE, Role.UNKNOWN)]
    candidates = [own for own, full in zip(candidates, are_full_size([own.sides for own in candidates])) if full]
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


def _choice_note(
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


def _companions(chosen: Extension, images: Sequence[Extension]) -> list[Extension]:
    """Return the weights and masks of an image: those of its size and, beside other images, of its detector."""
    skies = [own for own in images if own.role in (Role.SCIENCE, Role.UNKNOWN)]
    fitting = [own for own in images if own not in skies and own.sides == chosen.sides]
    if len(skies) < 2 or chosen not in skies:
        return fitting if chosen in skies else []
    detector = chosen.version, without_role(chosen.name)
    return [own for own in fitting if (own.version, without_role(own.name)) == detector]


def _blank(header: Any) -> float | None:
    """Return the value of pixels without a measurement where BLANK is no integer of the stored type, or None.

    astropy masks integers; others write real numbers or words, or the value after BZERO.
    """
    try:
        blank = float(str(header["BLANK"]))
    except (KeyError, ValueError):
        return None
    bits, scale, zero = header["BITPIX"], header.get("BSCALE", 1.0), header.get("BZERO", 0.0)
    least, most = (0, 255) if bits == 8 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if bits < 0 or (isinstance(header["BLANK"], int) and least <= blank <= most):
        return None
    return blank * scale + zero if least <= blank <= most else blank


def _values(hdu: Any) -> NDArray[np.float32]:
    """Return the pixels (n_rows, n_columns, n_bands)."""
    (n_rows, n_columns), colours_last = _axes(hdu.shape)
    blank = _blank(hdu.header)  # before astropy removes it with the scaling
    values = np.asarray(hdu.data, dtype=np.float32)
    if blank is not None:
        values = np.where(values == np.float32(blank), np.float32(np.nan), values)
    if colours_last:
        return values
    return np.moveaxis(values.reshape(-1, n_rows, n_columns), 0, -1)


def _celestial_wcs(header: Any, hdus: Any) -> Any:
    """Return the header's transformation from pixels to the sky; None if there is no valid one."""
    from astropy.wcs import WCS

    if not any(f"CTYPE{k}" in header for k in (1, 2, 3)):  # building a transformation takes as long as reading
        return None
    spatial = [k for k in (1, 2, 3) if str(header.get(f"CTYPE{k}", ""))[:4].rstrip("-") in _CELESTIAL]
    try:
        # distortions such as SIP are defined for images of two axes alone
        wcs = WCS(header, fobj=hdus, naxis=2) if spatial == [1, 2] else WCS(header, fobj=hdus)
    except (ValueError, KeyError, TypeError, MemoryError):  # the image can be measured without it
        return None
    return wcs.celestial if wcs.has_celestial else None


_CELESTIAL = ("RA", "DEC", "GLON", "GLAT", "ELON", "ELAT")
"""Names of celestial axes in the first four characters of CTYPE."""
