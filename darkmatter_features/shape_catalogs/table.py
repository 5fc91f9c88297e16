"""Columns of a shape catalogue, and the files in which it is written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.errors import ConfigError
from darkmatter_features.galaxies.noisy.catalog import SourceCatalog
from darkmatter_features.io.fits_output import write_fits
from darkmatter_features.io.table import written_whole

Array = NDArray[Any]


class Column(NamedTuple):
    """Column of a table with units.

    Attributes
    ----------
    name : str
        Name.
    unit : str
        Unit as in FITS and VOTable; "" without one.
    ucd : str
        Content by the IVOA's Unified Content Descriptors, UCD1+.
    description : str
        One line.
    """

    name: str
    unit: str
    ucd: str
    description: str


_SHAPE = "src.ellipticity"

COLUMNS = (
    Column("x", "pix", "pos.cartesian.x;instr.det", "column of the peak, 0 at the centre of the first pixel"),
    Column("y", "pix", "pos.cartesian.y;instr.det", "row of the peak, 0 at the centre of the first pixel"),
    Column("ra", "deg", "pos.eq.ra;meta.main", "right ascension"),
    Column("dec", "deg", "pos.eq.dec;meta.main", "declination"),
    Column("e1", "", _SHAPE, "(a - b) / (a + b) cos 2 phi, phi from +x towards +y, PSF removed"),
    Column("e2", "", _SHAPE, "(a - b) / (a + b) sin 2 phi, phi from +x towards +y, PSF removed"),
    Column("e1_sky", "", _SHAPE, "the same with x to the west and y to the north"),
    Column("e2_sky", "", _SHAPE, "the same with x to the west and y to the north"),
    Column("e_err", "", f"stat.error;{_SHAPE}", "standard deviation of each component by noise"),
    Column("weight", "", f"stat.weight;{_SHAPE}", "weight of the shape; 0 for stars and defects"),
    Column("response", "", f"arith.factor;{_SHAPE}", "mean of e per unit of shear; divide weighted means by it"),
    Column("size", "pix", "phys.angSize;src", "geometric mean of the rms half-axes, PSF removed"),
    Column("snr", "", "stat.snr", "peak of the smoothed light over its noise"),
    Column("flux", "ct", "phot.count", "light above the background in the pixels of the source"),
    Column("mag", "mag", "phot.mag", "-2.5 log10 flux, plus the zero point of the header if it has one"),
    Column("flags", "", "meta.code.qual", "sum of 1 border, 2 blended, 4 masked pixels near, 8 unresolved"),
    Column("psf_e1", "", f"{_SHAPE};instr.det.psf", "ellipticity of the PSF there, as e1"),
    Column("psf_e2", "", f"{_SHAPE};instr.det.psf", "ellipticity of the PSF there, as e2"),
    Column("psf_size", "pix", "phys.angSize;instr.det.psf", "standard deviation of the PSF there"),
    Column("star", "", "src.class.starGalaxy", "1 for a star, 0 for a galaxy"),
)
"""Columns of a shape catalogue, in their order."""


def columns_of(catalog: SourceCatalog, zero_point: float = float("nan")) -> dict[str, Array]:
    """Return the columns of a catalogue by name.

    Parameters
    ----------
    catalog : SourceCatalog
        Sources of an image.
    zero_point : float, mag
        Magnitude of a flux of 1 count; nan for instrumental magnitudes.
    """
    sources, model = catalog.sources, catalog.psf.model
    places = (sources.x[:1], sources.y[:1]) if model.is_constant else (sources.x, sources.y)
    psf = model.moments(*places)
    flux = np.where(sources.flux > 0.0, sources.flux, np.nan)
    values: dict[str, Array] = {
        **{name: getattr(sources, name) for name in ("x", "y", "size", "snr", "flux")},
        "e1": catalog.e1,
        "e2": catalog.e2,
        "ra": catalog.frame.ra,
        "dec": catalog.frame.dec,
        "e1_sky": catalog.frame.e1,
        "e2_sky": catalog.frame.e2,
        "e_err": sources.e_error,
        "weight": catalog.weight,
        "response": catalog.response,
        "mag": -2.5 * np.log10(flux) + (zero_point if np.isfinite(zero_point) else 0.0),
        "flags": sources.flags.astype(np.int16),
        "psf_e1": np.resize(psf.e1, len(catalog)),
        "psf_e2": np.resize(psf.e2, len(catalog)),
        "psf_size": np.resize(psf.sigma, len(catalog)),
        "star": catalog.is_star.astype(np.int16),
    }
    return {column.name: values[column.name] for column in COLUMNS}


def write_catalog(path: str | Path, columns: Mapping[str, Array], notes: Mapping[str, str]) -> None:
    """Write a shape catalogue, whole or not at all.

    Parameters
    ----------
    path : str or Path
        File; its suffix gives the format, see :data:`WRITERS`.
    columns : mapping of str to (n,) array
        Columns by name, as from :func:`columns_of`.
    notes : mapping of str to str
        Origin of the catalogue, such as the image and its PSF.

    Raises
    ------
    ConfigError
        If the suffix is that of no format.
    """
    write = writer_of(path)
    with written_whole(path) as temporary:
        write(temporary, columns, notes)


def writer_of(path: str | Path) -> Callable[[Path, Mapping[str, Array], Mapping[str, str]], None]:
    """Return the function that writes the format of a file; raise an error for an unknown suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise ConfigError(f"{path} has no suffix of a format of catalogues; use one of {', '.join(WRITERS)}")
    return WRITERS[suffix]


def _write_parquet(path: Path, columns: Mapping[str, Array], notes: Mapping[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = {column.name: column for column in COLUMNS}
    fields = [
        pa.field(name, pa.from_numpy_dtype(values.dtype), metadata=_parquet_metadata(described[name]))
        for name, values in columns.items()
    ]
    table = pa.table(list(map(pa.array, columns.values())), schema=pa.schema(fields, metadata=dict(notes)))
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def _parquet_metadata(column: Column) -> dict[str, str]:
    return {"unit": column.unit, "ucd": column.ucd, "description": column.description}


def _write_ecsv(path: Path, columns: Mapping[str, Array], notes: Mapping[str, str]) -> None:
    _astropy_table(columns, notes).write(path, format="ascii.ecsv", delimiter=",")


def _write_fits(path: Path, columns: Mapping[str, Array], notes: Mapping[str, str]) -> None:
    from astropy.io import fits

    hdu = fits.table_to_hdu(_astropy_table(columns, {}))
    for k, column in enumerate(COLUMNS, start=1):
        hdu.header[f"TUCD{k}"], hdu.header[f"TCOMM{k}"] = column.ucd, column.description
    for name, note in notes.items():
        hdu.header.add_comment(f"{name}: {note}".encode("ascii", "replace").decode())
    hdu.name = "SHAPES"
    write_fits(path, [fits.PrimaryHDU(), hdu])


def _astropy_table(columns: Mapping[str, Array], notes: Mapping[str, str]) -> Any:
    from astropy.table import Table

    table = Table(dict(columns), meta=dict(notes))
    for column in COLUMNS:
        own = table[column.name]
        own.description = column.description
        if column.unit:
            own.unit = column.unit
        if notes:
            own.meta["ucd"] = column.ucd
    return table


WRITERS: dict[str, Callable[[Path, Mapping[str, Array], Mapping[str, str]], None]] = {
    ".parquet": _write_parquet,
    ".ecsv": _write_ecsv,
    ".fits": _write_fits,
}
"""Function that writes each format, by suffix."""
