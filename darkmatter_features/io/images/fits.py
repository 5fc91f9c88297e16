"""Images in FITS files: the image of the sky, its weights and masks, and its coordinates."""

import math
import warnings
from collections import ChainMap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.fits_headers import checked_fits
from darkmatter_features.io.images.decoded import Decoded, check_size
from darkmatter_features.io.images.fits_bands import Companions, Plane, note_on_bands, with_few_bands
from darkmatter_features.io.images.fits_extensions import (
    Extension,
    axes_of,
    choose,
    images_of,
    note_on_choice,
    science_of,
)
from darkmatter_features.io.images.fits_masks import (
    Role,
    masked_by,
    noise_by,
    with_survey_planes,
    without_role,
)
from darkmatter_features.io.images.fits_photometry import photometry_of
from darkmatter_features.io.images.fits_wcs import celestial_wcs
from darkmatter_features.io.parts import Part


class Beside(NamedTuple):
    """Weight, noise map or mask in a FITS file of its own.

    Attributes
    ----------
    planes : (n_planes, n_rows, n_columns) array
        Values.
    role : Role
        Content by its name and header.
    name : str
        Name of the extension.
    header : mapping
        Its header, with the names of the planes of a mask where the survey defines them.
    """

    planes: NDArray[Any]
    role: Role
    name: str
    header: Any


def decode_fits(path: Path, part: Part | None = None, band: int | None = None) -> Decoded:
    """Decode an image in a FITS file.

    Parameters
    ----------
    path : Path
        File, possibly compressed by gzip, bzip2 or fpack.
    part : Part, optional
        Extension to read. By default it is chosen by name and content: weights, noise, masks and previews are never
        chosen.
    band : int, optional
        Band of a cube or of a colour image to read, 1 for the first. By default colours stay, and other bands are
        averaged.
    """
    with _opened(path) as hdus:
        images = images_of(hdus)
        science = [] if part is not None else science_of(images)
        chosen = choose(images, science, part, hdus)
        values = _values(_checked(chosen, path))
        companions = _with_headers(_companions(chosen, images), images, hdus)
        values, companions, bands = with_few_bands(values, companions, band)
        mask, masking = masked_by(companions, values) if companions else (None, ())
        noise = noise_by(companions, values.shape, bands)
        photometry = photometry_of(ChainMap(chosen.hdu.header, hdus[0].header))
        wcs, unused = celestial_wcs(chosen.hdu.header, hdus)
        notes = (*note_on_choice(chosen, images, science, part), *note_on_bands(bands), *masking, *unused)
        return Decoded(values, wcs, mask, notes, noise, photometry, bands)


def decode_beside(path: Path, part: Part | None, roles: Sequence[Role]) -> Beside:
    """Decode a weight, noise map or mask in a FITS file.

    Parameters
    ----------
    path : Path
        File.
    part : Part or None
        Extension to read; None for the first of one of `roles`, or else the image of the file.
    roles : sequence of Role
        Contents to look for.
    """
    with _opened(path) as hdus:
        images = images_of(hdus)
        fitting = [own for own in images if own.role in roles] if part is None else []
        science = fitting or ([] if part is not None else science_of(images))
        chosen = choose(images, science, part, hdus)
        hdu = _checked(chosen, path)
        planes = np.asarray(hdu.data) if hdu.header["BITPIX"] > 0 and Role.MASK in roles else _values(hdu)
        planes = planes.reshape(-1, *chosen.sides) if planes.dtype.kind != "f" else np.moveaxis(planes, -1, 0)
        [(role, name, plane)] = _with_headers([chosen], images, hdus)
        return Beside(planes, role, name, plane.header)


def science_parts(path: Path) -> list[str]:
    """Return the parts of a FITS file that are images of the sky, as a user names them."""
    with _opened(path) as hdus:
        return [own.label for own in science_of(images_of(hdus))]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a FITS file of checked headers."""
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers that violate the standard and values beyond float32
        with fits.open(checked_fits(path), memmap=False, uint=False) as hdus:  # unsigned integers would lose BLANK
            yield hdus


def _checked(chosen: Extension, path: Path) -> Any:
    """Return an extension whose size its file can hold."""
    hdu = chosen.hdu
    check_size(*chosen.sides, math.prod(hdu.shape) * abs(hdu.header["BITPIX"]) / 8, path.stat().st_size)
    return hdu


def _companions(chosen: Extension, images: Sequence[Extension]) -> list[Extension]:
    """Return the weights and masks of an image: those of its size and, beside other images, of its detector."""
    skies = [own for own in images if own.role in (Role.SCIENCE, Role.UNKNOWN)]
    fitting = [own for own in images if own not in skies and own.sides == chosen.sides]
    if len(skies) < 2 or chosen not in skies:
        return fitting if chosen in skies else []
    detector = chosen.version, without_role(chosen.name)
    return [own for own in fitting if (own.version, without_role(own.name)) == detector]


def _with_headers(companions: Sequence[Extension], images: Sequence[Extension], hdus: Any) -> Companions:
    """Return role, name and plane of companions, their headers with the planes of masks that surveys define."""
    names = frozenset(own.name for own in images)
    return [
        (own.role, own.label, Plane(own.hdu.data, with_survey_planes(own.hdu.header, own.role, names, hdus[0].header)))
        for own in companions
    ]


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
    (n_rows, n_columns), colours_last = axes_of(hdu.shape)
    blank = _blank(hdu.header)  # before astropy removes it with the scaling
    values = np.asarray(hdu.data, dtype=np.float32)
    if blank is not None:
        values = np.where(values == np.float32(blank), np.float32(np.nan), values)
    if colours_last:
        return values
    return np.moveaxis(values.reshape(-1, n_rows, n_columns), 0, -1)
