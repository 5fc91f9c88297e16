"""Real fields: measured by darkmatter, with the position and the S/N that `locate` finds in the catalogue."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord, angular_separation
from numpy.typing import NDArray

import darkmatter_features as dm
from darkmatter_features.galaxies.noisy.psf.reading import read_psf
from darkmatter_features.io.coordinates import sky_position
from darkmatter_features.io.planes import with_planes
from darkmatter_features.shape_catalogs.table import columns_of, write_catalog

A2218 = "a2218.jpg"
A370 = "a370_cfht_I.fits.gz"
A370_HST = "a370_hst_acs_pyrrg.fits"
HDFS = "hdfs_wfpc2_F606W.fits"
DECAM = tuple(f"decam/dec_{name}.fits" for name in ("ooi", "oow", "ood", "psfex"))
"""Image, weight, mask and PSF."""

A2218_LENS = (545.0, 200.0)
"""Column and row of the brightest galaxy of Abell 2218, pixels."""

A2218_PICTURE = (14, 785, 14, 403)
"""First and last columns, then rows, inside the white frame: the caption and a black border are outside."""

A370_LENS = SkyCoord(39.97, -1.577, unit="deg")
"""Between the two brightest galaxies of Abell 370."""

A370_FRACTIONS = {"all": 1.0, "fainter 70 %": 0.7, "fainter half": 0.5}
"""Faintest fractions of the galaxies of Abell 370: the fainter, the fewer members of the cluster."""

A370_DRAWN = "fainter 70 %"
"""Sample whose maps are drawn."""

SEED = 1
"""Seed of the randomized catalogues: the default of `darkmatter locate`."""

Columns = dict[str, NDArray]


@dataclass(frozen=True)
class Field:
    """An image and its catalogue.

    Attributes
    ----------
    sky : Sky
        The image.
    catalog : SourceCatalog
        Its sources.
    columns : dict of (n,) arrays
        Columns of the shape catalogue, as `darkmatter measure` writes them.
    """

    sky: dm.Sky
    catalog: dm.SourceCatalog
    columns: Columns

    @property
    def is_galaxy(self) -> NDArray[np.bool_]:
        """Galaxies with a weight."""
        return (self.columns["weight"] > 0.0) & (self.columns["star"] == 0)

    def faintest(self, fraction: float) -> NDArray[np.bool_]:
        """Return the faintest fraction of the galaxies."""
        magnitude = self.columns["mag"]
        return self.is_galaxy & (magnitude >= np.nanquantile(magnitude[self.is_galaxy], 1.0 - fraction))


def measured(image: Path, *, weight: Path | None = None, mask: Path | None = None, psf: Path | None = None) -> Field:
    """Measure an image with the default settings, as `darkmatter measure` does."""
    sky = with_planes(dm.read_sky(image), weight, mask)
    catalog = dm.measure_image(sky, psf=None if psf is None else read_psf(psf, sky.shape))
    return Field(sky, catalog, columns_of(catalog, sky.photometry.zero_point))


def located(
    field: Field, chosen: NDArray[np.bool_], *, n_randomizations: int
) -> tuple[dm.Location, tuple[float, float] | None]:
    """Return what `darkmatter locate` finds in the chosen rows of a catalogue, and its RA and Dec."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shapes.parquet"
        write_catalog(path, {name: values[chosen] for name, values in field.columns.items()}, {})
        catalog = dm.read_catalog(path)
    rng = np.random.default_rng(np.random.SeedSequence(SEED).spawn(1)[0])
    found = dm.locate(catalog, n_randomizations=n_randomizations, rng=rng)
    return found, sky_position(catalog, found.x, found.y)


def record_of(found: dm.Location) -> dict[str, Any]:
    """Return the figures of a location."""
    values = {"n": found.n, "x": found.x, "y": found.y, "position_error": found.position_error}
    values |= {"snr": found.snr, "snr_cross": found.snr_cross, "p_value": found.p_value}
    return values | {"profile": found.profile}


def n_outside(columns: Columns, box: tuple[int, int, int, int]) -> int:
    """Return the number of sources outside of a box: first and last columns, then rows."""
    x, y = columns["x"], columns["y"]
    return int(((x < box[0]) | (x > box[1]) | (y < box[2]) | (y > box[3])).sum())


def arcseconds_from(lens: SkyCoord, position: tuple[float, float]) -> float:
    """Return the angle between a lens and a position (RA, Dec in degrees), arcsec."""
    there = np.deg2rad(position)
    return float(np.rad2deg(angular_separation(lens.ra.rad, lens.dec.rad, *there)) * 3600.0)
