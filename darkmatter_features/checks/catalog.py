"""The check of a shape catalogue: its convention, and every finding with its remedy."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darkmatter_features.checks.positions import detector_findings, frame_findings, repeat_findings
from darkmatter_features.checks.shapes import bias_findings, distortion_findings
from darkmatter_features.checks.values import left_out_findings, recurring_findings
from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import ShapeCatalog, catalog_of, read_rows
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.io.shape_tables.rows import Rows
from darkmatter_features.location.aperture_statistics import decide_by_apertures
from darkmatter_features.location.conventions import (
    AS_IS,
    ConventionRanking,
    better_convention,
    flags,
    is_better,
    rank_conventions,
)


@dataclass(frozen=True)
class CatalogCheck:
    """Convention and findings of a catalogue.

    Attributes
    ----------
    name : str
        Name of the file.
    n : int
        Number of galaxies used.
    ranking : ConventionRanking
        The best convention, if it can be decided, and the S/N in each.
    findings : tuple of str
        What is wrong or surprising, with its remedy, a line each; empty for a clean catalogue.
    notes : tuple of str
        How the table was read.
    """

    name: str
    n: int
    ranking: ConventionRanking
    findings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def record(self) -> dict[str, Any]:
        """Flat record: `best` (name of the convention, or None), `snr_as_is`, `snr_best` and `findings`."""
        best = self.ranking.best
        return {
            "best": None if best is None else best.name,
            "snr_as_is": self.ranking.snr[AS_IS],
            "snr_best": self.ranking.snr[self.ranking.highest],
            "findings": list(self.findings),
        }


def check_catalog(path: str | Path, *, subtract_mean: bool = False, **options: Any) -> CatalogCheck:
    """Return the convention of the shapes of a catalogue, and what is wrong with it.

    Parameters
    ----------
    path : str or Path
        Table, as in :func:`~darkmatter_features.io.catalogs.read_catalog`.
    subtract_mean : bool
        The mean ellipticity is subtracted: a bias is no finding. Without, it is subtracted for the convention alone,
        where it is significant.
    **options
        Fields of :class:`~darkmatter_features.io.shape_tables.options.CatalogOptions`. The convention is relative to
        the shapes with these options.

    Returns
    -------
    CatalogCheck

    Raises
    ------
    TableError
        If the table cannot be read as a catalogue.

    Examples
    --------
    >>> check_catalog("shapes.fits").findings  # doctest: +SKIP
    ('a lens of S/N 12.3 with flip e2, 4.1 as is; use --flip-e2',)
    """
    given, path = CatalogOptions(**options), Path(path)
    rows, notes = read_rows(path, given)
    raw = dict(rows.columns)
    catalog = catalog_of(path, rows, notes, given)
    ranking = rank_conventions(catalog, local_north=given.local_north, subtract_mean=True if subtract_mean else None)
    ranking, more = _frame_of_shapes(path, catalog, raw, ranking, given)
    if ranking.best is None and not more:
        ranking, more = decide_by_apertures(catalog, ranking, given)
    found = tuple(_findings(catalog, rows, raw, ranking, given, subtract_mean=subtract_mean))
    return CatalogCheck(catalog.name, len(catalog), ranking, (*more, *found), catalog.notes)


def _frame_of_shapes(
    path: Path, catalog: ShapeCatalog, raw: dict[str, Any], ranking: ConventionRanking, options: CatalogOptions
) -> tuple[ConventionRanking, tuple[str, ...]]:
    """Return the ranking, undecided if the shapes fit far better with the other positions of the table, and a line."""
    if ranking.best == AS_IS:
        return ranking, ()
    try:
        other = _with_other_positions(path, catalog, raw, options)
    except TableError:  # the other positions are none
        other = None
    if other is None:
        return ranking, ()
    others = rank_conventions(other, local_north=options.local_north)
    best, here = others.best, ranking.snr[ranking.highest]
    if best is None or not is_better(others.snr[best], here):
        return ranking, ()
    names, pair = ("RA and Dec", "--ra and --dec") if catalog.wcs is None else ("x and y", "--x and --y")
    remedy = pair if best == AS_IS else f"{pair}, with {flags(best, options)}"
    line = f"a lens of S/N {others.snr[best]:.1f} with positions by {names}, {here:.1f} at most with these: the shapes "
    return replace(ranking, best=None), (f"{line}refer to the axes of {names}; use {remedy}",)


def _with_other_positions(
    path: Path, catalog: ShapeCatalog, raw: dict[str, Any], options: CatalogOptions
) -> ShapeCatalog | None:
    """Return the catalogue with RA and Dec instead of x and y, or the reverse; None if it has no others."""
    if catalog.wcs is None:
        if not {"ra", "dec"} <= raw.keys():
            return None
        plain = replace(options, x=None, y=None)
        return catalog_of(path, Rows({key: raw[key] for key in raw if key not in ("x", "y")}), [], plain)
    if not {"ra", "dec"} & options.named.keys():
        return None
    plain = replace(options, ra=None, dec=None)
    other = catalog_of(path, *read_rows(path, plain), plain)
    return other if other.wcs is None else None


def _findings(
    catalog: ShapeCatalog,
    rows: Rows,
    raw: dict[str, Any],
    ranking: ConventionRanking,
    options: CatalogOptions,
    *,
    subtract_mean: bool,
) -> Iterator[str]:
    position = ("x", "y") if catalog.wcs is None else ("ra", "dec")
    better = better_convention(ranking, options)
    if better is not None and is_better(ranking.snr[ranking.highest], ranking.snr[AS_IS]):
        yield better
    yield from distortion_findings(raw, options)
    if not subtract_mean:
        yield from bias_findings(catalog)
    yield from repeat_findings(rows, raw, position, options)
    yield from left_out_findings(rows, raw)
    yield from recurring_findings(raw, position)
    yield from detector_findings(catalog)
    yield from frame_findings(catalog, mirrored=ranking.best not in (None, AS_IS))
