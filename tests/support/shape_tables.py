"""Tables of galaxies as other programs write them."""

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

N = 60


def galaxies(n=N, seed=5):
    """Return a table of galaxies at random positions in a field of 4200 pixels."""
    rng = np.random.default_rng(seed)
    position, e = rng.uniform(0, 4200, (2, n)).round(2), rng.normal(0, 0.2, (2, n)).round(6)
    return pd.DataFrame({"x": position[0], "y": position[1], "e1": e[0], "e2": e[1]})


def plane(ra, dec, scale=0.5 / 3600):
    """Return the tangent plane of a field of `galaxies` about RA and Dec, north up and east left."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [ra, dec]
    wcs.wcs.crpix, wcs.wcs.cdelt = [2101.0, 2101.0], [-scale, scale]
    return wcs


def on_sky(table, ra, dec, scale=0.5 / 3600):
    """Return a table of galaxies with RA and Dec, degrees, instead of x and y."""
    found = plane(ra, dec, scale).wcs_pix2world(table["x"], table["y"], 0)
    return pd.DataFrame({"ra": found[0], "dec": found[1], "e1": table["e1"], "e2": table["e2"]})


def write_tables(path, **tables):
    """Write tables as extensions of a FITS file; NAME_2 is version 2 of NAME."""
    hdus = [fits.PrimaryHDU()]
    for label, table in tables.items():
        name, _, version = label.partition("_v")
        data = table if isinstance(table, Table) else Table.from_pandas(table)
        hdus.append(fits.BinTableHDU(data, name=name, ver=int(version or 1)))
    fits.HDUList(hdus).writeto(path)
    return path
