"""Files of candidates: tables with units and UCDs (ECSV, FITS, VOTable), and regions for SAOImage DS9."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from darkmatter_features.candidates.find import Candidates
from darkmatter_features.io.fits_output import write_fits
from darkmatter_features.io.table import written_whole
from darkmatter_features.shape_catalogs.table import Column

FIELD_UNIT = "field"
"""Mark, in place of a unit, of columns in that of x and y: arcmin if these are from RA and Dec, unknown otherwise."""

COLUMNS = (
    Column("ra", "deg", "pos.eq.ra;meta.main", "right ascension"),
    Column("dec", "deg", "pos.eq.dec;meta.main", "declination"),
    Column("x", FIELD_UNIT, "pos.cartesian.x", "x of the position, in the unit of the catalogue"),
    Column("y", FIELD_UNIT, "pos.cartesian.y", "y of the position, in the unit of the catalogue"),
    Column("position_error", FIELD_UNIT, "stat.error;pos", "radius that holds 68 % of the posterior"),
    Column("snr", "", "stat.snr", "S/N of tangential shear, amplitudes of all candidates free"),
    Column("snr_cross", "", "stat.snr", "S/N of cross shear there: unit noise about a lens"),
    Column("log_bayes_factor", "", "stat.likelihood", "ln of the evidence with this lens over that without it"),
    Column("false_alarm_probability", "", "stat.probability", "of such a Bayes factor anywhere without this lens"),
    Column("profile", "", "meta.id", "shear profile of the highest S/N"),
    Column("scale", FIELD_UNIT, "phys.size.radius", "core or scale radius of the profile"),
    Column("n_galaxies", "", "meta.number", "effective number of galaxies that carry the S/N"),
    Column("empty_fraction", "", "stat.filling", "fraction of the aperture of 0.1 sides without galaxies"),
    Column("edge", "", "meta.code.qual", "true if the empty fraction exceeds 0.25: border or mask"),
    Column("known_name", "", "meta.id.cross", "nearest lens of the list of known ones"),
    Column("known_separation", FIELD_UNIT, "pos.angDistance", "distance from it"),
    Column("known_chance", "", "stat.probability", "of a known lens as near by chance"),
)
"""Columns of the table, in their order."""

SKY_COLUMNS = ("ra", "dec")
"""Columns of catalogues with RA and Dec."""

KNOWN_COLUMNS = ("known_name", "known_separation", "known_chance")
"""Columns of catalogues that were compared with a list of known lenses."""

KINDS: dict[str, Any] = {"profile": "U40", "n_galaxies": np.int64, "edge": np.bool_, "known_name": "U80"}
"""Types of the columns that are not float64."""

NAME = "candidates"
"""Stem of the files."""


def candidate_table(
    found: Candidates,
    *,
    has_sky: bool,
    on_sky: bool,
    known_unit: str | None = None,
    notes: tuple[str, ...] = (),
    record: Mapping[str, Any] | None = None,
) -> Any:
    """Return the candidates as an astropy table, best first.

    Parameters
    ----------
    found : Candidates
        Candidates of one catalogue.
    has_sky : bool
        Whether the catalogue has RA and Dec; the table lacks them otherwise.
    on_sky : bool
        Whether x and y are arcmin, as computed from RA and Dec.
    known_unit : str or None
        Unit of the distances from known lenses, "" for that of x and y; None where there is no list of them, and no
        column.
    notes : tuple of str
        How the catalogue was read.
    record : mapping, optional
        Further entries of the header of the ECSV file: settings, command and null tests.

    Returns
    -------
    astropy.table.QTable or Table
    """
    from astropy.table import Table

    left_out = (() if has_sky else SKY_COLUMNS) + (KNOWN_COLUMNS if known_unit is None else ())
    units = {FIELD_UNIT: "arcmin" if on_sky else "", "": ""}
    table = Table(meta={"catalog": found.field.name, "n": found.field.n, "notes": list(notes), **(record or {})})
    for column in COLUMNS:
        if column.name in left_out:
            continue
        values = [getattr(each, column.name) for each in found.candidates]
        table[column.name] = np.array(values, dtype=KINDS.get(column.name, np.float64))
        own = table[column.name]
        own.description, own.meta["ucd"] = column.description, column.ucd
        unit = known_unit if column.name == "known_separation" and known_unit else units.get(column.unit, column.unit)
        if unit:
            own.unit = unit
    return table


def write_tables(folder: Path, table: Any) -> None:
    """Write ``candidates.ecsv``, ``.fits``, ``.vot`` and ``.reg`` to a folder, each whole or not at all."""
    writers: dict[str, Callable[[Path, Any], None]] = {
        ".ecsv": _write_ecsv, ".fits": _write_fits, ".vot": _write_votable, ".reg": _write_reg,
    }  # fmt: skip
    for suffix, write in writers.items():
        with written_whole(folder / f"{NAME}{suffix}") as temporary:
            write(temporary, table)


def _write_ecsv(path: Path, table: Any) -> None:
    table.write(path, format="ascii.ecsv", delimiter=",")


def _write_fits(path: Path, table: Any) -> None:
    from astropy.io import fits

    plain = table.copy()
    plain.meta.clear()
    for name in plain.colnames:
        plain[name].meta.clear()
    hdu = fits.table_to_hdu(plain)
    for k, name in enumerate(table.colnames, start=1):
        hdu.header[f"TUCD{k}"], hdu.header[f"TCOMM{k}"] = table[name].meta["ucd"], table[name].description
    for note in (f"catalog: {table.meta['catalog']}", *table.meta["notes"]):
        hdu.header.add_comment(note.encode("ascii", "replace").decode())
    hdu.name = "CANDIDATES"
    write_fits(path, [fits.PrimaryHDU(), hdu])


def _write_votable(path: Path, table: Any) -> None:
    """Write a VOTable with UCDs, and the notes as its description."""
    from astropy.io.votable.tree import Info, VOTableFile

    plain = table.copy()
    plain.meta.clear()
    for name in plain.colnames:
        plain[name].meta.clear()
    votable = VOTableFile.from_table(plain)
    resource = votable.resources[0].tables[0]
    resource.name = NAME
    resource.description = "; ".join([f"{table.meta['n']} galaxies of {table.meta['catalog']}", *table.meta["notes"]])
    for field in resource.fields:
        field.ucd, field.description = table[field.name].meta["ucd"], table[field.name].description
    votable.infos.append(Info(name="catalog", value=table.meta["catalog"]))
    votable.to_xml(str(path))


def _write_reg(path: Path, table: Any) -> None:
    """Write a circle of the position error about each candidate: in RA and Dec, or in physical x and y."""
    sky = "ra" in table.colnames and table["position_error"].unit is not None
    lines = ["# Region file format: DS9 version 4.1", "fk5" if sky else "physical"]
    for k, row in enumerate(table, start=1):
        place = (row["ra"], row["dec"]) if sky else (row["x"], row["y"])
        radius = f'{60.0 * row["position_error"]:.4f}"' if sky else f"{row['position_error']:.8g}"
        lines.append(f"circle({place[0]:.9g},{place[1]:.9g},{radius}) # text={{{k}: S/N {row['snr']:.1f}}}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
