"""Real fields: lenses that are known, galaxies whose shapes HST has measured, and blank fields.

    python benchmarks/bench_real.py --data DIR [--randomizations 200]

DIR has these files; a field whose files are missing is skipped:

a2218.jpg
    Abell 2218 by HST/WFPC2, an 8-bit picture with a caption: NASA, W. Couch (UNSW); in the folder `images/` of
    github.com/luminide/example-darkmatter (BSD-3).
a370_cfht_I.fits.gz
    Abell 370 by CFHT, I band: `mpdaf/data/obj/a370II.fits` of the Python package mpdaf 3.6 (BSD), compressed by gzip.
a370_hst_acs_pyrrg.fits
    Shapes of galaxies of Abell 370 by HST/ACS: in the folder `trainStarGalClass/TrainingData` of
    github.com/davidharvey1986/pyRRG (MIT).
hdfs_wfpc2_F606W.fits
    Hubble Deep Field South by HST/WFPC2, a blank field: in `mpdaf/data/obj` of mpdaf (BSD).
decam/dec_ooi.fits, dec_oow.fits, dec_ood.fits, dec_psfex.fits
    A blank cut-out by DECam, z band, with weight, mask and PSF: in the folder `py/test/testcase4` of
    github.com/legacysurvey/legacypipe (BSD-3).

The images are measured with the default settings, and `locate` searches the catalogue with and without the brighter
galaxies, of which many are members of the cluster. Ellipticities of Abell 370 are compared with those of HST for
galaxies that SEP finds (sqrt(ab) > 2.2 px, not flagged), with three minimum weights, beside SEP's moments and GalSim's
REGAUSS (Hirata & Seljak 2003, doi:10.1046/j.1365-8711.2003.06683.x) with the PSF of darkmatter, on the same galaxies.
Errors of correlations are bootstrap errors.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from harness.environment import environment
from harness.report import RESULTS, print_table, write_record
from plots.real import draw
from real import fields
from real.contenders import sep_galaxies
from real.fields import Field, arcseconds_from, located, measured, n_outside, record_of
from real.hst import MATCH_ARCSEC, Shapes, agreement, astrometric_shift, nearest, read_hst

import darkmatter_features as dm
from darkmatter_features.galaxies.noisy.sky_frame import sky_frame

MIN_WEIGHTS = (0.0, 0.3, 0.6)
"""Minimum weights of the shapes that are compared."""

Record = dict[str, Any]


def abell_2218(data: Path, n_randomizations: int) -> Record:
    """Return the position of the lens of Abell 2218, and the number of sources in the caption and the frame."""
    field = measured(data / fields.A2218)
    found, _ = located(field, field.is_galaxy, n_randomizations=n_randomizations)
    distance = float(np.hypot(found.x - fields.A2218_LENS[0], found.y - fields.A2218_LENS[1]))
    outside = n_outside(field.columns, fields.A2218_PICTURE)
    return record_of(found) | {"distance_px": distance, "n_sources_outside": outside}


def abell_370(data: Path, n_randomizations: int) -> tuple[dict[str, Record], Field, dm.Location]:
    """Return the position of the lens of Abell 370 by sample, the field, and the location of the sample drawn."""
    field, rows, drawn = measured(data / fields.A370), {}, None
    for name, fraction in fields.A370_FRACTIONS.items():
        found, position = located(field, field.faintest(fraction), n_randomizations=n_randomizations)
        away = arcseconds_from(fields.A370_LENS, position)
        rows[name] = record_of(found) | {"distance_arcsec": away}
        drawn = found if name == fields.A370_DRAWN else drawn
    return rows, field, drawn


def matched_shapes(data: Path, field: Field) -> dict[str, Any]:
    """Return weights and ellipticities of the galaxies of SEP that HST has, by darkmatter and others, on the sky."""
    hst = read_hst(data / fields.A370_HST, field.sky)
    others = sep_galaxies(field.sky, field.catalog.psf.model)
    shift = astrometric_shift(hst, others.x, others.y)
    arcsec = 3600.0 * np.sqrt(np.abs(np.linalg.det(field.sky.wcs.pixel_scale_matrix)))
    radius = MATCH_ARCSEC / arcsec
    in_hst = nearest(hst.x + shift[0], hst.y + shift[1], others.x, others.y, radius)
    ours = nearest(field.columns["x"], field.columns["y"], others.x, others.y, radius)
    kept = (in_hst >= 0) & (ours >= 0) & np.isfinite(others.regauss)
    has_hst = in_hst >= 0
    counts = {"SEP": len(others.x), "HST": int(has_hst.sum()), "all": int(kept.sum())}
    counts |= {"darkmatter": int((has_hst & (ours >= 0)).sum())}
    counts |= {"REGAUSS": int((has_hst & np.isfinite(others.regauss)).sum())}
    return {
        "counts": counts,
        "weight": field.columns["weight"][ours[kept]],
        "HST": hst.e[in_hst[kept]],
        "darkmatter": (field.columns["e1_sky"] + 1j * field.columns["e2_sky"])[ours[kept]],
        "SEP moments": on_sky(field, others.x[kept], others.y[kept], others.e[kept]),
        "REGAUSS": on_sky(field, others.x[kept], others.y[kept], others.regauss[kept]),
    }


def on_sky(field: Field, x: Any, y: Any, e: Shapes) -> Shapes:
    """Return ellipticities in the frame of the sky: x to the west, y to the north."""
    frame = sky_frame(field.sky.wcs, x, y, e.real, e.imag)
    return frame.e1 + 1j * frame.e2


def agreements(shapes: dict[str, Any]) -> dict[str, dict[str, Record]]:
    """Return the agreement with HST by minimum weight and method."""
    sides = ("darkmatter", "SEP moments", "REGAUSS")
    table = {}
    for least in MIN_WEIGHTS:
        kept = shapes["weight"] > least
        table[f"> {least:g}"] = {side: asdict(agreement(shapes[side][kept], shapes["HST"][kept])) for side in sides}
    return table


def hubble_deep_field(data: Path, n_randomizations: int) -> Record:
    """Return the highest S/N of a blank field."""
    field = measured(data / fields.HDFS)
    found, _ = located(field, field.is_galaxy, n_randomizations=n_randomizations)
    return record_of(found)


def decam(data: Path) -> Record:
    """Return the sources of a small image with its weight, mask and PSF: too few galaxies for `locate`."""
    image, weight, mask, psf = (data / name for name in fields.DECAM)
    field = measured(image, weight=weight, mask=mask, psf=psf)
    n_masked = int(field.sky.mask.sum())
    return {"n_sources": len(field.catalog), "n_galaxies": int(field.is_galaxy.sum()), "n_masked_pixels": n_masked}


def print_fields(record: Record) -> None:
    """Print what was found in the fields that were measured."""
    rows = record["fields"]
    if rows:
        print_locations(rows)
    if "Abell 2218" in rows:
        print(f"Abell 2218: {rows['Abell 2218']['n_sources_outside']} sources in the caption and the frame")
    if "decam" in record:
        print(
            "DECam: {n_sources} sources, {n_galaxies} galaxies, {n_masked_pixels} pixels masked".format(
                **record["decam"]
            )
        )
    if "hst" in record:
        print(
            "Abell 370: {SEP} galaxies of SEP, {HST} of them by HST, {all} by all methods".format(
                **record["hst"]["counts"]
            )
        )
        print_agreements(record["hst"]["agreement"])


def print_locations(rows: dict[str, Record]) -> None:
    """Print what `locate` finds in each field."""

    def cells(row: Record) -> tuple[str, ...]:
        unit = next((unit for unit in ("px", "arcsec") if f"distance_{unit}" in row), None)
        distance = "" if unit is None else f"{row[f'distance_{unit}']:.1f} {unit}"
        p = "" if row["p_value"] is None else f"{row['p_value']:.3f}"
        shown = f"{row['x']:.0f}, {row['y']:.0f}", distance, f"{row['snr']:.1f}", f"{row['snr_cross']:.1f}", p
        return str(row["n"]), *shown

    header = ("field", "galaxies", "x, y", "from the lens", "S/N", "cross", "p-value")
    print_table(header, [(name, *cells(row)) for name, row in rows.items()])


def print_agreements(table: dict[str, dict[str, Record]]) -> None:
    """Print the agreement with HST of each method."""
    header = ("weight, method", "galaxies", "correlation", "slope", "angle, degrees")
    rows = [
        (
            f"{weight}, {side}", str(row["n"]), f"{row['correlation']:.3f} ±{row['correlation_error']:.3f}",
            f"{row['slope']:.2f}", f"{row['angle']:+.1f} ±{row['angle_error']:.1f}",
        )
        for weight, of in table.items() for side, row in of.items()
    ]  # fmt: skip
    print_table(header, rows)


def present(data: Path, *names: str) -> bool:
    """Return whether files are there; print those that are missing."""
    missing = [name for name in names if not (data / name).exists()]
    for name in missing:
        print(f"skipped: {data / name} not found; the docstring of this script gives its source")
    return not missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("real-skies"), help="folder of the files (%(default)s)")
    parser.add_argument("--randomizations", type=int, default=200, help="randomized catalogues (%(default)s)")
    args = parser.parse_args()
    data, n = args.data, args.randomizations
    rows: dict[str, Record] = {}
    record: Record = {"n_randomizations": n, "fields": rows}
    if present(data, fields.A2218):
        rows["Abell 2218"] = abell_2218(data, n)
    if present(data, fields.A370):
        found, field, drawn = abell_370(data, n)
        rows |= {f"Abell 370, {sample}": row for sample, row in found.items()}
        if present(data, fields.A370_HST):
            shapes = matched_shapes(data, field)
            record["hst"] = {"counts": shapes["counts"], "agreement": agreements(shapes)}
            draw(RESULTS / "real.png", shapes, drawn, lens=field.sky.wcs.world_to_pixel(fields.A370_LENS))
    if present(data, fields.HDFS):
        rows["HDF South"] = hubble_deep_field(data, n)
    if present(data, *fields.DECAM):
        record["decam"] = decam(data)
    print(environment())
    print_fields(record)
    if len(record) > 2 or rows:
        print(write_record("real", record))


if __name__ == "__main__":
    main()
