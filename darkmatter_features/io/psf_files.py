"""Files of a PSF: FITS images, and models of PSFEx, as the arrays that they hold."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import SkyError, shown
from darkmatter_features.io.copies import present
from darkmatter_features.io.fits_headers import checked_fits
from darkmatter_features.io.images.decoded import COPY_AGAIN
from darkmatter_features.io.parts import Part, matches, split_part
from darkmatter_features.io.psfex import PSF_MASK, PsfArrays, PsfDefect, read_psfex

OVERSAMPLING = ("DET_SAMP", "OVERSAMP", "OVERSMPL")
"""Keywords of the number of samples in a pixel of the detector, in images of simulated PSFs."""

MAX_VALUES = 2**26
"""Maximum number of values of a PSF, 512 MiB in memory."""

PIFF = "piff"
"""Word in the names of the extensions, or in the headers, of a model that Piff wrote."""


def read_psf_file(path: str | Path, weights: Sequence[float] = ()) -> PsfArrays:
    """Read the PSF of an image.

    Parameters
    ----------
    path : str or Path
        FITS image of the PSF in image pixels, in any extension, or a model of PSFEx; ``FILE[PSF]`` or
        ``FILE[2]`` chooses one of several extensions.
    weights : (n_bands,) sequence of float
        Weights of the PSFs of the bands in that of an image of several bands, for a cube of PSFs.

    Returns
    -------
    PsfArrays
        What the file holds, not yet resampled, centred or normalised.

    Raises
    ------
    SkyError
        If the file is missing or damaged, holds no PSF, several of them, or one in another sampling than the image's.
    """
    path, part = split_part(present(path))
    if not path.is_file():
        raise SkyError(f"{path} does not exist; give the file of the PSF")
    try:
        return _read(path, part, weights)
    except PsfDefect as error:
        raise SkyError(f"{path} {error}") from None
    except Exception as error:  # FITS libraries raise many types for damaged bytes
        reason = shown(error) or type(error).__name__
        raise SkyError(f"{path} cannot be read as a PSF: {reason}; {COPY_AGAIN}") from None


def _read(path: Path, part: Part | None, weights: Sequence[float]) -> PsfArrays:
    from astropy.io import fits

    with path.open("rb") as file:
        if file.read(6) != b"SIMPLE" and path.suffix.lower() not in (".gz", ".bz2", ".xz", ".fz"):
            raise PsfDefect("is no FITS file; give the PSF as a FITS image or as a model of PSFEx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers that violate the standard
        with fits.open(checked_fits(path), memmap=False) as hdus:
            chosen = [hdu for index, hdu in enumerate(hdus) if part is None or matches(part, index, hdu.name, hdu.ver)]
            tables = [hdu for hdu in chosen if _is_psfex(hdu)]
            if tables:
                return read_psfex(_only(tables, "models of PSFEx", hdus))
            if _is_piff(hdus):
                raise PsfDefect(
                    "is a model of Piff, whose files hold pickled objects, which could run code; draw the PSF with "
                    "Piff and give it as a FITS image"
                )
            return _read_image(chosen, hdus, weights)


def _is_psfex(hdu: Any) -> bool:
    return hasattr(hdu, "columns") and PSF_MASK in [str(name).upper() for name in hdu.columns.names]


def _is_piff(hdus: Any) -> bool:
    names = [str(hdu.name).lower() for hdu in hdus]
    stated = any(key in hdu.header for hdu in hdus for key in ("PIFF_VERSION", "PIFFVER"))
    return stated or any(PIFF in name for name in names) or any(name.endswith("_interp") for name in names)


def _read_image(hdus: Sequence[Any], file: Any, weights: Sequence[float]) -> PsfArrays:
    """Return the image of a PSF."""
    images = [hdu for hdu in hdus if hdu.is_image and len(_sides(hdu.shape)) >= 2 and min(hdu.shape) > 0]
    if not images:
        raise PsfDefect(f"holds neither an image nor a model of PSFEx: {_described(file)}; give one that does")
    fitting = [hdu for hdu in images if _oversampling(hdu) == 1.0]
    if not fitting:
        raise PsfDefect(
            f"has {_oversampling(images[0]):g} samples in a pixel of the image; give the PSF in pixels of the image"
        )
    named = [hdu for hdu in fitting if str(hdu.name).upper() in ("PSF", "DET_DIST")]
    chosen = _only(named or fitting, "images", file)
    sides = _sides(chosen.shape)
    if len(sides) > 2 and (len(sides) > 3 or sides[0] != len(weights)):
        raise PsfDefect(
            f"has {sides[0]} planes of {sides[-2]} x {sides[-1]} pixels, but its image has "
            f"{len(weights) or 1} band{'s' * (len(weights) > 1)}; write that of the image's band alone"
        )
    if math.prod(sides) > MAX_VALUES:
        raise PsfDefect(f"has {sides[-2]} x {sides[-1]} pixels; give an image of the PSF alone")
    planes = np.array(chosen.data, dtype=np.float64).reshape(-1, *sides[-2:])
    return PsfArrays(_combined(planes, weights) if len(sides) > 2 else planes)


def _combined(planes: NDArray[np.float64], weights: Sequence[float]) -> NDArray[np.float64]:
    """Return the PSF (1, n_rows, n_columns) of the sum of bands, each PSF (n_bands, ...) normalised to 1."""
    used = [k for k, weight in enumerate(weights) if weight > 0.0]
    sums = planes[used].sum(axis=(1, 2))
    if not (sums > 0.0).all():
        k = used[int(np.flatnonzero(~(sums > 0.0))[0])]
        raise PsfDefect(
            f"has pixels in plane {k + 1} that sum to {planes[k].sum():.3g}, a PSF has a positive sum; write it again"
        )
    return np.asarray(np.tensordot(np.array(weights)[used] / sums, planes[used], 1))[np.newaxis]


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of an image, without those of length 1 before the last two."""
    return (*(side for side in shape[:-2] if side != 1), *shape[-2:])


def _oversampling(hdu: Any) -> float:
    """Return the number of samples along a pixel of the image, by the header; 1 if it states none."""
    if str(hdu.name).upper() in ("DET_DIST", "DET_SAMP"):
        return 1.0
    for key in OVERSAMPLING:
        try:
            return float(hdu.header[key])
        except (KeyError, TypeError, ValueError):
            continue
    return 1.0


def _only(hdus: Sequence[Any], content: str, file: Any) -> Any:
    """Return the only one of the extensions."""
    if len(hdus) > 1:
        raise PsfDefect(f"has {len(hdus)} {content}: {_described(file)}; choose one by FILE[EXT]")
    return hdus[0]


def _described(hdus: Any) -> str:
    """Return the extensions of a file for a message."""
    each = []
    for index, hdu in enumerate(hdus):
        shape = getattr(hdu, "shape", None) if hdu.is_image else None
        content = " x ".join(map(str, shape)) if shape else ("no data" if hdu.is_image else "a table")
        name = "" if hdu.name in ("", "PRIMARY") else f" {hdu.name}"
        each.append(f"{index}{name}: {content}")
    return shown(", ".join(each[:8]) + (", ..." if len(each) > 8 else ""))
