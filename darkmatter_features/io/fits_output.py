"""FITS files of results, which have no date in them: the same content gives the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_fits(path: str | Path, hdus: Sequence[Any]) -> None:
    """Write HDUs of astropy, the first one primary, with checksums.

    Parameters
    ----------
    path : str or Path
        File to write.
    hdus : sequence
        HDUs; their headers get the checksums.
    """
    from astropy.io import fits

    for hdu in hdus:
        hdu.add_datasum(when="data unit checksum")
        hdu.add_checksum(when="HDU checksum", override_datasum=True)
    fits.HDUList(list(hdus)).writeto(path)
