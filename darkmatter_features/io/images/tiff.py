"""Images in TIFF files: which page is the image of the sky, and the meaning of its values."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.io.images.decoded import Decoded, UnreadableError, are_full_size, check_size
from darkmatter_features.io.images.orientation import ORIENTATION, UPRIGHT, note_on, oriented
from darkmatter_features.io.parts import Part, matches

PHOTOMETRIC = 262
"""TIFF tag of the photometric interpretation; without it, 0 is black."""

SUPPORTED = ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR")
"""Photometric interpretations that are read."""

REMEDIES = {"SEPARATED": "has printing colours (CMYK); save it as RGB"}
"""Messages for the others; by default, they name the interpretation."""


def decode_tiff(path: Path, part: Part | None = None) -> Decoded:
    """Decode a page of a TIFF file.

    Parameters
    ----------
    path : Path
        TIFF or BigTIFF file.
    part : Part, optional
        Number of the page, 0 for the first. By default the first page, or page within a page, that is neither a reduced
        image nor a mask.
    """
    import tifffile

    data = path.read_bytes()
    with tifffile.TiffFile(BytesIO(data)) as file:
        pages = list(_pages(file))
        page, notes = _choose(pages, part)
        check_size(page.imagelength, page.imagewidth, page.nbytes, len(data))
        photometric = tifffile.PHOTOMETRIC(page.photometric).name if PHOTOMETRIC in page.tags else "MINISBLACK"
        if photometric not in SUPPORTED:
            raise UnreadableError(REMEDIES.get(photometric, f"has {photometric} colours; save it as RGB"))
        orientation = int(page.tags.valueof(ORIENTATION, UPRIGHT))
        try:
            values, left_out = _with_alpha(_coloured(page, photometric), page)
            values, turned = oriented(values, orientation)
        except Exception as error:
            if "imagecodecs" not in str(error):
                raise
            values, left_out, turned = _displayed_by_pillow(data, page), (), note_on(orientation)
        return Decoded(values, notes=(*notes, *left_out, *turned))


def _pages(file: Any) -> Iterator[Any]:
    """Yield all pages, each followed by the pages within it."""
    for page in file.pages:
        page = page.aspage()
        yield page
        if page.subifds:
            yield from (own.aspage() for own in page.pages)


def _choose(pages: Sequence[Any], part: Part | None) -> tuple[Any, tuple[str, ...]]:
    """Return the page to read, and a note where there was a choice."""
    if part is not None:
        named = [page for k, page in enumerate(pages) if matches(part, k, "")]
        if not named:
            raise UnreadableError(f"has no page [{part}]; choose one of its {len(pages)} pages, from 0")
        return named[0], ()
    whole = [k for k, page in enumerate(pages) if not (page.is_reduced or page.is_mask)]
    full = are_full_size([(pages[k].imagelength, pages[k].imagewidth) for k in whole])
    whole = [k for k, is_full in zip(whole, full, strict=True) if is_full]
    if not whole:
        raise UnreadableError(f"has {len(pages)} pages, all reduced images or masks; choose one by FILE[0]")
    chosen = pages[whole[0]]
    if len(pages) == 1:
        return chosen, ()
    others = f"; {len(whole) - 1} other pages are whole images, FILE[NUMBER] chooses one" if len(whole) > 1 else ""
    return chosen, (f"page {whole[0]} read, of {len(pages)} pages{others}",)


def _coloured(page: Any, photometric: str) -> NDArray[Any]:
    """Return the values (n_rows, n_columns, n_bands) of a page, 0 for black."""
    values = np.asarray(page.asarray())
    if page.axes.startswith("S"):
        values = np.moveaxis(values, 0, -1)
    if photometric == "MINISWHITE":
        values = _inverted(values, page.bitspersample)
    elif photometric == "PALETTE":
        values = _of_palette(values, page)
    if values.dtype == np.uint8 and page.bitspersample < 8 and photometric != "PALETTE":
        values = values * np.uint8(255 // (2**page.bitspersample - 1))
    return values


def _displayed_by_pillow(data: bytes, page: Any) -> NDArray[Any]:
    """Return a page as displayed, decoded by Pillow: it has more compressions, but 8 bits only.

    tifffile needs imagecodecs for these, which is no dependency.
    """
    from PIL import Image

    found = f"is compressed with {getattr(page.compression, 'name', page.compression)}, {page.bitspersample} bits"
    with Image.open(BytesIO(data)) as image:
        if page.bitspersample > 8 or page.is_subifd or page.index >= getattr(image, "n_frames", 1):
            raise UnreadableError(f"{found}; save it without compression in 8, 16 or 32 bits, or install imagecodecs")
        image.seek(page.index)
        image.load()
        return np.asarray(image.convert("L" if image.mode in ("1", "L", "I") else image.mode.replace("P", "RGB")))


def _inverted(values: NDArray[Any], n_bits: int) -> NDArray[Any]:
    """Return values whose 0 is white as values whose 0 is black."""
    if values.dtype == bool:
        return ~values
    if values.dtype.kind == "i":
        return ~values
    if values.dtype.kind == "u":
        return np.asarray(values.dtype.type(2**n_bits - 1) - values)
    return np.asarray(np.nanmax(values) - values)


def _of_palette(values: NDArray[Any], page: Any) -> NDArray[Any]:
    """Return the colours of indices into the palette of a page, 8 bits if these are enough."""
    colours = np.moveaxis(np.asarray(page.colormap)[:, values], 0, -1)
    return colours if (colours % 257).any() else (colours // 257).astype(np.uint8)


def _with_alpha(values: NDArray[Any], page: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the colours and an alpha channel by which they are to be multiplied; another single band is left out."""
    extra = [int(kind) for kind in page.extrasamples]
    if len(extra) != 1 or values.ndim != 3 or extra[0] == _UNASSOCIATED_ALPHA:
        return values, ()
    note = () if extra[0] == _ASSOCIATED_ALPHA else (f"band {values.shape[2]}, of unknown content, left out",)
    return values[:, :, :-1], note


_ASSOCIATED_ALPHA = 1
"""Extra sample that is an alpha channel by which the colours have been multiplied."""

_UNASSOCIATED_ALPHA = 2
"""Extra sample that is an alpha channel by which the colours are to be multiplied."""
