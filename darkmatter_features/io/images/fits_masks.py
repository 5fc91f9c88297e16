"""Weights, noise maps and masks beside an image in a FITS file."""

import re
from collections import ChainMap
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.images.decoded import Bands

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]


class Role(Enum):
    """Content of an image in a FITS file."""

    SCIENCE = "image of the sky"
    WEIGHT = "weight"
    NOISE = "noise"
    MASK = "mask"
    OTHER = "other"
    UNKNOWN = "unknown"


_WORDS = {
    Role.MASK: """
        DQ DQA MASK MSK FLAG FLAGS FLG IMAFLAGS BPM BAD BADPIX BADPIXELS BADPIXELMASK QUAL QUALITY CRMASK SATMASK
    """,
    Role.NOISE: "ERR ERROR ERRORS RMS SIGMA SIG STD STDDEV NOISE UNC UNCERT UNCERTAINTY STAT VAR VARIANCE",
    Role.WEIGHT: """
        WHT WGT WT WEIGHT WEIGHTS IVAR INVVAR INVVARIANCE EXP EXPOSURE EXPTIME CONF CONFIDENCE COVERAGE COV NEXP NCOADD
        NIMAGE NIMAGES TIME DEPTH HITS
    """,
    Role.OTHER: """
        CTX CON CONTEXT SEG SEGM SEGMENTATION BKG BKGD BACK BACKGND BACKGROUND SKY SKYLEVEL SKYSIG PSF PSFEX MODEL RESID
        RESIDUAL RESIDUALS THUMB THUMBNAIL PREVIEW QUICKLOOK CHI WCSDVARR WCSCORR D2IMARR DIMARR SAMP AREA RESP RESPONSE
        FLAT DARK BIAS GAIN DETECTION APERTURE WAVE WAVELENGTH POLY ID
    """,
    Role.SCIENCE: """
        SCI SCIENCE IMAGE IMG DATA SIGNAL FLUX COADD STACK INTENSITY COUNTS RATE DRIZ DRIZZLED MOSAIC OBJECT REDUCED CCD
        CHIP DET DETECTOR AMP EXT IM
    """,
}
"""Words in the names of extensions by their content; a name of several words has the first content in this order."""

_ROLES = {role: frozenset(words.split()) for role, words in _WORDS.items()}

_HDU_CLASSES = {"DATA": Role.SCIENCE, "ERROR": Role.NOISE, "QUALITY": Role.MASK, "MASK": Role.MASK}
"""Roles by HDUCLAS2, the convention of ESO and of X-ray archives."""

_PRODUCTS = {"image": Role.SCIENCE, "wtmap": Role.WEIGHT, "dqmask": Role.MASK, "expmap": Role.WEIGHT}
"""Roles by PRODTYPE, the convention of the NOIRLab archive."""

_RESULTS = frozenset({"SUBTRACTED", "CORRECTED", "FIELDED"})
"""Words after which a name is that of an image of the sky, as BACKGROUND_SUBTRACTED."""

NO_NAMES = ("", "PRIMARY", "COMPRESSED_IMAGE")
"""Names that FITS libraries give to extensions without one."""

NO_NOISE = 1e19
"""Noise of pixels without a measurement: larger numbers, such as 1e30, stand for infinity."""

MAX_NOISE_RATIO = 1e6
"""Maximum ratio of a noise to the median of its map; larger numbers stand for infinity, too."""

_TYPES = ("EXTTYPE", "IMTYPE", "DATATYPE")
"""Keywords that stand for the name where an extension has none."""

BAD_PLANES = (
    "BAD", "SAT", "CR", "NO_DATA", "INTRP", "SUSPECT", "UNMASKEDNAN", "EDGE", "STREAK", "VIGNETTED", "DO_NOT_USE",
)  # fmt: skip
"""Planes of a mask, by headers ``MP_...`` or by definition, that mark bad pixels; others mark sources, for example."""

LSST_EXTENSIONS = frozenset({"IMAGE", "MASK", "VARIANCE"})
"""Extensions of images of the pipeline of LSST and HSC."""

LSST_PLANES = {
    "BAD": 0, "SAT": 1, "INTRP": 2, "CR": 3, "EDGE": 4, "DETECTED": 5, "DETECTED_NEGATIVE": 6, "SUSPECT": 7,
    "NO_DATA": 8,
}  # fmt: skip
"""Bits of the planes of all its masks; others, in cutouts without ``MP_...``, are those of no bad pixels."""

JWST_PLANES = {"DO_NOT_USE": 0}
"""Bit of JWST's data quality that is set where any defect makes a pixel useless; others are harmless without it."""

MAX_MASKED = 0.5
"""Maximum fraction of pixels that a mask may mark: more of them, and its values have another meaning. A weight may be
zero in more pixels where these are empty."""


ORDINARY_RANGE = (0.5, 99.5)
"""Percentiles of the other pixels between which marked ones are ordinary."""

MARKED_RANGE = (3.0, 97.0)
"""Percentiles of the marked pixels that must be within that range."""

SAMPLE = 100_000
"""Maximum number of pixels of each kind that are compared."""


def role_of(name: str, header: Any) -> Role:
    """Return the content of an image by its EXTNAME and header."""
    for keyword, roles in (("HDUCLAS2", _HDU_CLASSES), ("PRODTYPE", _PRODUCTS)):
        value = str(header.get(keyword, "")).strip()
        if found := roles.get(value) or roles.get(value.upper()):
            return found
    stated = name if name not in NO_NAMES else next((str(header[key]) for key in _TYPES if key in header), "")
    words = words_of(stated)
    if _RESULTS.intersection(words):
        return Role.SCIENCE
    return next((role for role, own in _ROLES.items() if not own.isdisjoint(words)), Role.UNKNOWN)


def words_of(name: str) -> list[str]:
    """Return the words of a name in capitals, and the name as one word, each also without a final MAP, IMAGE or S."""
    words = [word for word in re.split(r"[^A-Z]+", name.upper()) if word]
    words.append("".join(words))
    return words + [stem for word in words if (stem := re.sub(r"(MAPS?|IMAGE|S)$", "", word)) and stem != word]


def without_role(name: str) -> str:
    """Return a name without the words of its content: that of a detector, for example."""
    known = frozenset().union(*_ROLES.values()) - {"CCD", "CHIP", "DET", "DETECTOR", "AMP", "EXT", "IM"}
    return "".join(word for word in re.split(r"([A-Z]+)", name.upper()) if word not in known).strip(" _.-")


def masked_by(companions: Iterable[tuple[Role, str, Any]], values: Floats) -> tuple[Mask | None, tuple[str, ...]]:
    """Return the mask of an image, and notes on the masks and weights that it is made of.

    Parameters
    ----------
    companions : iterable of (Role, str, astropy HDU)
        Role, name and extension of the masks, weights and noise maps.
    values : (n_rows, n_columns, n_bands) float32 array
        The image.

    Returns
    -------
    mask : (n_rows, n_columns) bool array or None
        True where a mask is set, or a weight is not positive, or a noise is not positive and finite; None for nowhere.
    notes : tuple of str
        Names of the extensions, with the fraction that they mask.

    Notes
    -----
    An extension whose pixels have the same distribution as the others masks none: many bits of data quality are
    harmless, and weights of zero stand beside good pixels, too.
    """
    light = values.sum(axis=2)
    mask, notes = np.zeros(light.shape, dtype=np.bool_), []
    for role, label, hdu in companions:
        own = bad_pixels(role, np.asarray(hdu.data).reshape(-1, *light.shape), hdu.header)
        fraction = float(own.mean())
        is_empty = role is not Role.MASK and fraction < 1.0 and _are_equal(light[own])
        if fraction > MAX_MASKED and not is_empty:
            notes.append(f"{label} not used, as it would mask {fraction:.0%}")
        elif fraction > 0.0 and _are_ordinary(light[own], light[~own]):
            notes.append(
                f"{label} masks none of the {max(fraction, 1e-4):.2%} that it marks, as these are like the others"
            )
        elif fraction > 0.0:
            mask |= own
            notes.append(f"{label} masks {max(fraction, 1e-4):.2%}")
    return (mask if mask.any() else None), tuple(notes)


def noise_by(
    companions: Iterable[tuple[Role, str, Any]], shape: tuple[int, ...], bands: Bands | None = None
) -> Floats | None:
    """Return the standard deviation of each pixel by the first noise map or, without one, weight; None without either.

    Parameters
    ----------
    companions : iterable of (Role, str, astropy HDU)
        Role, name and extension of the masks, weights and noise maps.
    shape : (int, int, int)
        Rows, columns and bands of the image.
    bands : Bands, optional
        Weights of the bands of a cube in the image.

    Returns
    -------
    (n_rows, n_columns) float32 array or None
        Noise of the sum of all bands, infinite where a weight is not positive, or a noise not positive and finite.
    """
    known = {role: (label, hdu) for role, label, hdu in reversed(list(companions))}
    role = Role.NOISE if Role.NOISE in known else Role.WEIGHT
    if role not in known:
        return None
    label, hdu = known[role]
    weights = (1.0,) * shape[2] if bands is None else [weight for weight in bands.weights if weight > 0.0]
    planes = np.asarray(hdu.data).reshape(-1, *shape[:2])
    return noise_of(role, planes, is_variance(label, hdu.header), weights)


def noise_of(role: Role, planes: NDArray[Any], is_squared: bool, weights: Sequence[float]) -> Floats:
    """Return the standard deviation of each pixel by planes (n_planes, n_rows, n_columns) of weights or of noise.

    Parameters
    ----------
    role : Role
        WEIGHT for inverse variances or numbers proportional to them, NOISE for standard deviations or variances.
    planes : (n_planes, n_rows, n_columns) array
        One for each band, or one for all.
    is_squared : bool
        Whether noise is given as variances.
    weights : (n_bands,) sequence of float
        Weights of the bands in the sum that the image is.
    """
    planes = planes.astype(np.float32)
    if role is Role.NOISE:
        limit = min(NO_NOISE, MAX_NOISE_RATIO * float(np.nanmedian(np.abs(planes[:, ::7, ::7]))))
        good = (planes > 0) & (planes <= limit)
        variance = np.where(good, planes if is_squared else np.square(planes), np.float32(np.inf))
    else:
        good = (planes > 0) & np.isfinite(planes)
        variance = np.where(good, 1.0 / np.where(good, planes, np.float32(1.0)), np.float32(np.inf))
    squares = np.square(np.asarray(weights, dtype=np.float32))
    if len(planes) == len(squares):
        variance *= squares[:, np.newaxis, np.newaxis]
        return np.asarray(np.sqrt(variance.sum(axis=0)))
    return np.asarray(np.sqrt(variance.sum(axis=0) * np.float32(squares.sum() / len(planes))))


def is_variance(name: str, header: Any) -> bool:
    """Return whether a noise map has variances instead of standard deviations, by its name and HDUCLAS3."""
    stated = f"{name} {header.get('EXTNAME', '')} {header.get('HDUCLAS3', '')}"
    return not _VARIANCES.isdisjoint(words_of(stated)) or str(header.get("HDUCLAS3", "")).strip().upper() == "MSE"


_VARIANCES = frozenset({"VAR", "VARIANCE", "STAT", "MSE"})
"""Words in the names of noise maps that have variances; STAT is that of MUSE."""


def _are_equal(values: Floats) -> bool:
    known = values[np.isfinite(values)]
    return known.size == 0 or bool(known.min() == known.max())


def _are_ordinary(marked: Floats, others: Floats) -> bool:
    """Return whether marked pixels (m,) have the distribution of the others (n,): their quantiles are within those."""
    if not np.isfinite(marked).all() or marked.min() == marked.max():
        return False
    low, high = np.nanpercentile(others[:: others.size // SAMPLE + 1], ORDINARY_RANGE)
    lowest, highest = np.percentile(marked[:: marked.size // SAMPLE + 1], MARKED_RANGE)
    return bool(low <= lowest and highest <= high)


def bad_pixels(role: Role, planes: NDArray[Any], header: Any) -> Mask:
    """Return the pixels (n_rows, n_columns) that some plane (n_planes, n_rows, n_columns) marks as bad."""
    if role is Role.MASK:
        bits = _bad_bits(header)
        is_bad = planes != 0 if bits == -1 else (planes.astype(np.int64) & bits) != 0
        return np.asarray(is_bad.any(axis=0))
    if role is Role.WEIGHT:
        return np.asarray((~(planes > 0)).any(axis=0))
    if role is Role.NOISE:
        limit = min(NO_NOISE, MAX_NOISE_RATIO * float(np.nanmedian(np.abs(planes[:, ::7, ::7]))))
        return np.asarray((~((planes > 0) & (planes <= max(limit, np.finfo(np.float32).tiny)))).any(axis=0))
    return np.zeros(planes.shape[1:], dtype=np.bool_)


def with_survey_planes(header: Any, role: Role, names: frozenset[str], primary: Any) -> Any:
    """Return the header of a companion with the planes of its mask, where a survey defines them.

    Parameters
    ----------
    header, primary : mapping
        Header of the extension, and of the file.
    role : Role
        Content of the extension.
    names : frozenset of str
        Names of the extensions of the file.
    """
    if role is not Role.MASK or any(str(key).startswith("MP_") for key in header):
        return header
    telescope = str(primary.get("TELESCOP", "")).strip().upper()
    planes = JWST_PLANES if telescope == "JWST" else LSST_PLANES if names >= LSST_EXTENSIONS else {}
    return ChainMap({f"MP_{name}": bit for name, bit in planes.items()}, header) if planes else header


def _bad_bits(header: Any) -> np.int64:
    """Return the bits of a mask that mark bad pixels: all, or those of the named planes of an LSST mask."""
    named = {key[3:]: int(header[key]) for key in header if str(key).startswith("MP_")}
    if not named:
        return np.int64(-1)
    return np.int64(sum(1 << bit for name, bit in named.items() if name in BAD_PLANES and 0 <= bit < 62))
