"""Pictures of the sky."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import SkyError
from darkmatter_features.io.decode import COPY_AGAIN, UnreadableError, decode


@dataclass(frozen=True)
class Sky:
    """A picture of the sky.

    Attributes
    ----------
    name : str
        The file's name, for messages and tables.
    pixels : (n_rows, n_columns, n_bands) uint8, uint16 or float32 array, read-only
        1 band for grey pictures, 3 for colour; an alpha channel is laid over black.
    mask : (n_rows, n_columns) bool array or None
        True where a pixel holds no measurement (NaN in a FITS picture); None where all do.
    wcs : astropy.wcs.WCS or None
        From pixels to RA and Dec, where the file has one.
    """

    name: str
    pixels: NDArray[Any]
    mask: NDArray[np.bool_] | None = None
    wcs: Any = None

    def __post_init__(self) -> None:
        for array in (self.pixels, self.mask):
            if array is not None:
                array.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return self.pixels.shape[0], self.pixels.shape[1]


def read_sky(path: str | Path) -> Sky:
    """Read a picture of the sky.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, TIFF (its first page) or FITS picture (its first image of two axes, or of three planes,
        which are then colour bands). Its first bytes tell which; the ending does not matter.

    Returns
    -------
    Sky
        Pictures of 8 and 16 bit keep their type; FITS and all else become float32. Pixels that are not finite
        are masked and hold 0.

    Raises
    ------
    SkyError
        Where the file is missing, damaged, cut short, too large, of another kind, or nowhere finite.

    Notes
    -----
    An alpha channel is laid over black. The transparency of single palette colours in a PNG is not looked at.

    Examples
    --------
    >>> sky = read_sky("training/training-00000.png")  # doctest: +SKIP
    >>> sky.pixels.shape  # doctest: +SKIP
    (512, 512, 3)
    """
    path = Path(path)
    try:
        values, wcs = decode(path)
        pixels, mask = _measured(_with_bands(values))
    except UnreadableError as error:
        raise SkyError(f"{path} {error}") from None
    except Exception as error:  # what decoders raise given damaged bytes: struct.error, KeyError, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SkyError(f"{path} cannot be decoded: {reason}; {COPY_AGAIN}") from None
    return Sky(path.name, pixels, mask, wcs)


def _with_bands(values: NDArray[Any]) -> NDArray[Any]:
    """Bring pixels to rows, columns and 1 or 3 bands in native byte order."""
    values = values.reshape(*values.shape[:2], -1)
    if values.dtype == bool:
        values = values * np.uint8(255)
    if values.dtype not in (np.uint8, np.uint16):
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and so masked
            values = values.astype(np.float32)
    if values.shape[2] in (2, 4):
        values = _over_black(values)
    if values.shape[2] not in (1, 3):
        raise UnreadableError(f"has {values.shape[2]} bands; grey pictures have 1, colour pictures 3")
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _over_black(values: NDArray[Any]) -> NDArray[Any]:
    """Weigh the colours with the alpha channel, the last one."""
    colours, alpha = values[:, :, :-1], values[:, :, -1:]
    if values.dtype.kind == "f":
        return np.asarray(colours * alpha)
    opaque = np.iinfo(values.dtype).max
    weighed = (colours.astype(np.uint32) * alpha + opaque // 2) // opaque
    return np.asarray(weighed, dtype=values.dtype)


def _measured(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Put 0 where a pixel is not finite; the mask tells where that was."""
    if values.dtype.kind != "f":
        return values, None
    mask = ~np.isfinite(values).all(axis=2)
    if mask.all():
        raise UnreadableError("measures nothing: none of its pixels is finite; look at how it was made")
    return (np.where(mask[:, :, np.newaxis], np.float32(0), values), mask) if mask.any() else (values, None)
