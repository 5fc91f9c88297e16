"""Images of the sky."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import SkyError, escaped, shown
from darkmatter_features.io.copies import present
from darkmatter_features.io.images.decode import decode
from darkmatter_features.io.images.decoded import COPY_AGAIN, Bands, UnreadableError, band_of
from darkmatter_features.io.images.fits_photometry import UNKNOWN, Photometry


@dataclass(frozen=True)
class Sky:
    """Image of the sky.

    Attributes
    ----------
    name : str
        File name, for messages and tables.
    pixels : (n_rows, n_columns, n_bands) uint8, uint16 or float32 array, read-only
        Pixel values; 1 band for grey images, 3 for colour images.
    mask : (n_rows, n_columns) bool array or None
        True where a pixel has no measurement: BLANK or not finite in a FITS image, or marked by the mask or the weight
        beside it; None if all pixels have one.
    wcs : astropy.wcs.WCS or None
        Transformation from pixels to RA and Dec; None if the file has none.
    notes : tuple of str
        Choices that were made in reading, such as the extension of a FITS file, and the orientation.
    noise : (n_rows, n_columns) float32 array or None
        Standard deviation of the light of each pixel, up to a factor, by a weight or noise map beside the image;
        infinite where there is no measurement; None without one.
    photometry : Photometry
        Zero point of the magnitudes and saturation, by the header of a FITS image.
    bands : Bands or None
        How the bands of a cube became one image; None for other images.
    """

    name: str
    pixels: NDArray[Any]
    mask: NDArray[np.bool_] | None = None
    wcs: Any = None
    notes: tuple[str, ...] = ()
    noise: NDArray[np.float32] | None = None
    photometry: Photometry = UNKNOWN
    bands: Bands | None = None

    def __post_init__(self) -> None:
        for array in (self.pixels, self.mask, self.noise):
            if array is not None:
                array.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def pixel_side(self) -> float:
        """Side of a pixel, arcmin: the square root of its area; nan without a WCS."""
        if self.wcs is None:
            return float("nan")
        from astropy.wcs.utils import proj_plane_pixel_area

        return 60.0 * float(np.sqrt(proj_plane_pixel_area(self.wcs.celestial)))


def read_sky(path: str | Path, band: int | None = None) -> Sky:
    """Read an image of the sky.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG, TIFF or FITS file, or its URL; the first bytes determine the format, not the suffix. Of many images
        in a FITS file, that of the sky is chosen by name and content, never weights, noise, masks or previews; of the
        pages of a TIFF, the first whole one. ``FILE[SCI,2]`` or ``FILE[1]`` chooses another extension or page.
    band : int, optional
        Band of a cube or of a colour image, 1 for the first. By default colours stay three bands, and those of a cube
        are averaged, with weights by their noise.

    Returns
    -------
    Sky
        Image with pixels as uint8 or uint16 if the file has 8 or 16 bits, as float32 otherwise and for FITS. Masked
        pixels have the value 0.

    Raises
    ------
    SkyError
        If the file is missing, damaged, truncated, too large, in another format, or has no finite pixel.

    Notes
    -----
    Colours are multiplied by the alpha channel, or are 0 where a colour of a PNG is transparent. Rows and columns are
    those of the image as displayed, where EXIF or TIFF state an orientation.

    Examples
    --------
    >>> sky = read_sky("training/training-00000.png")  # doctest: +SKIP
    >>> sky.pixels.shape  # doctest: +SKIP
    (512, 512, 3)
    """
    path = present(path)
    with errors_of(path):
        decoded = decode(path, band)
        bands = _with_bands(decoded.values)
        if band is not None and decoded.bands is None:
            bands = band_of(bands, band)
        pixels, mask = _measured(bands, decoded.mask)
    return Sky(
        escaped(path.name), pixels, mask, decoded.wcs, decoded.notes, decoded.noise, decoded.photometry, decoded.bands
    )


@contextmanager
def errors_of(path: str | Path) -> Iterator[None]:
    """Turn any error of decoding an image into one that names its file.

    Raises
    ------
    SkyError
        It names the file, the defect and the remedy.
    """
    try:
        yield
    except UnreadableError as error:
        raise SkyError(f"{path} {error}") from None
    except Exception as error:  # decoders raise many types for damaged bytes: struct.error, KeyError, ...
        reason = shown(error) or type(error).__name__
        raise SkyError(f"{path} cannot be decoded: {reason}; {COPY_AGAIN}") from None


def _with_bands(values: NDArray[Any]) -> NDArray[Any]:
    """Return pixels as rows, columns and 1 or 3 bands in native byte order."""
    values = values.reshape(*values.shape[:2], -1)
    if values.dtype == bool:
        values = values * np.uint8(255)
    if values.dtype not in (np.uint8, np.uint16):
        with np.errstate(over="ignore"):  # values beyond float32 become infinite, and are masked
            values = values.astype(np.float32)
    if values.shape[2] in (2, 4):
        values = _times_alpha(values)
    if values.shape[2] not in (1, 3):
        raise UnreadableError(f"has {values.shape[2]} bands; give a grey image (1 band) or a colour image (3 bands)")
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _times_alpha(values: NDArray[Any]) -> NDArray[Any]:
    """Return the colours times the alpha channel, the last band, as a fraction."""
    colours, alpha = values[:, :, :-1], values[:, :, -1:]
    if values.dtype.kind == "f":
        return np.asarray(colours * alpha)
    opaque = np.iinfo(values.dtype).max
    product = (colours.astype(np.uint32) * alpha + opaque // 2) // opaque
    return np.asarray(product, dtype=values.dtype)


def _measured(values: NDArray[Any], mask: NDArray[np.bool_] | None) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return pixels with 0 instead of those that are masked or not finite, and the mask of these."""
    if values.dtype.kind == "f":
        finite = np.isfinite(values).all(axis=2)
        mask = ~finite if mask is None else mask | ~finite
    if mask is None or not mask.any():
        return values, None
    if mask.all():
        raise UnreadableError("has no finite pixel that is not masked; check how it was made")
    return np.where(mask[:, :, np.newaxis], values.dtype.type(0), values), mask
