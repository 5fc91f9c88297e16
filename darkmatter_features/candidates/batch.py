"""Candidates of shape catalogues as files: tables, regions, maps and a figure of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darkmatter_features.candidates.find import MOST, THRESHOLD, Candidates, check_limits, find_candidates
from darkmatter_features.candidates.known import KnownLenses, known_in_field, read_known, with_known
from darkmatter_features.candidates.maps import write_aperture_mass, write_empty, write_maps
from darkmatter_features.candidates.null_tests import cross_map_test, cross_test, mean_test
from darkmatter_features.candidates.radial import field_profile
from darkmatter_features.candidates.supplement import write_known, write_null, write_profiles
from darkmatter_features.candidates.table import NAME, candidate_table, write_tables
from darkmatter_features.errors import failure_reason, path_text
from darkmatter_features.features.extract import report
from darkmatter_features.io.catalogs import ShapeCatalog, read_catalog
from darkmatter_features.io.coordinates import sky_position
from darkmatter_features.io.shape_tables.options import CatalogOptions
from darkmatter_features.io.table import check_made, make_folder
from darkmatter_features.location.batch import figure_paths, find_catalogs
from darkmatter_features.location.conventions import convention_note
from darkmatter_features.location.field import Field, field_of
from darkmatter_features.location.profiles import default_profiles
from darkmatter_features.numerics.significance import check_n_randomizations
from darkmatter_features.plots.theme import THEMES, plot_theme
from darkmatter_features.workers import LOST, parallel


@dataclass(frozen=True)
class Listed:
    """Outcome for one catalogue.

    Attributes
    ----------
    catalog : str
        Path of the catalogue.
    folder : str
        Folder of its files.
    found : Candidates or None
        Its candidates; None if it failed.
    notes : tuple of str
        How it was read.
    error : str
        Reason of the failure; "" without one.
    """

    catalog: str
    folder: str
    found: Candidates | None
    notes: tuple[str, ...] = ()
    error: str = ""


def list_candidates(
    catalogs: Sequence[str | Path],
    out: str | Path,
    *,
    columns: Mapping[str, Any] | None = None,
    threshold: float = THRESHOLD,
    most: int = MOST,
    subtract_mean: bool = False,
    n_randomizations: int = 200,
    seed: int = 1,
    known: str | Path | None = None,
    aperture_mass: bool = False,
    theme: str = next(iter(THEMES)),
    command: str = "",
    n_jobs: int = -1,
    dask: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> list[Listed]:
    """Write the candidates of each catalogue to a folder.

    Parameters
    ----------
    catalogs : sequence of str or Path
        Files or glob patterns, as for :func:`~darkmatter_features.location.batch.locate_catalogs`.
    out : str or Path
        Folder for the files of one catalogue; of several, each has a folder in it, named like the catalogue.
    columns : mapping, optional
        Options of :func:`~darkmatter_features.io.catalogs.read_catalog`: names of columns, table and conventions.
    threshold : float
        Minimum S/N of a candidate.
    most : int
        Maximum number of candidates of a catalogue.
    subtract_mean : bool
        Subtract the mean ellipticity of each catalogue.
    n_randomizations : int
        Number of randomized skies for the probability of a false alarm; 0 for none.
    seed : int
        Seed of the randomization; each catalogue has its own stream.
    known : str or Path, optional
        List of known lenses, see :func:`~darkmatter_features.candidates.known.read_known`: the nearest one of each
        candidate is in the table.
    aperture_mass : bool
        Write maps of the aperture mass.
    theme : str
        Theme of the figures, one of :data:`~darkmatter_features.plots.theme.THEMES`.
    command : str
        Command that makes the folder, for its record.
    n_jobs : int
        Number of processes; -1 for one per core.
    dask : str, optional
        Address of a Dask scheduler whose workers do the work instead; they must see the same files.
    progress : callable, optional
        Function of the number of catalogues done and of all catalogues.
    debug : bool
        Raise an unforeseen error of a catalogue instead of recording it as the reason of its failure.

    Returns
    -------
    list of Listed
        In the order of the catalogues.

    Raises
    ------
    ConfigError
        If an option is out of its range.
    TableError
        If a pattern matches no file, or the list of known lenses cannot be read.
    """
    check_limits(threshold, most)
    check_n_randomizations(n_randomizations, least=0)
    paths = find_catalogs(catalogs)
    folders = candidate_folders(paths, Path(out))
    seeds = np.random.SeedSequence(seed).spawn(len(paths))
    options = {"threshold": threshold, "most": most, "subtract_mean": subtract_mean}
    options |= {"n_randomizations": n_randomizations}
    files: dict[str, Any] = {
        "known": None if known is None else read_known(known),
        "aperture_mass": aperture_mass,
        "theme": theme,
    }
    settings = options | {"seed": seed} | {key: value for key, value in (columns or {}).items() if value}
    files |= {"subtract_mean": subtract_mean, "record": {"command": command, "settings": settings}}
    tasks = [
        (path, folder, Path(out), dict(columns or {}), options, own, files, debug)
        for path, folder, own in zip(paths, folders, seeds, strict=True)
    ]
    make_folder(out)
    done: list[Listed] = []
    report(progress, 0, len(tasks))
    for each in parallel(_listed_or_reason, tasks, n_jobs=n_jobs, dask=dask, lost=_lost):
        done.append(each)
        report(progress, len(done), len(tasks))
    return done


def candidate_folders(paths: Sequence[Path], out: Path) -> list[Path]:
    """Return the folder of each catalogue: `out` for one; for several, one in it named like each of them."""
    return [out] if len(paths) == 1 else [each.with_suffix("") for each in figure_paths(list(paths), out)]


def _lost(task: tuple[Any, ...]) -> Listed:
    return Listed(path_text(task[0]), path_text(task[1]), None, error=LOST)


def _listed_or_reason(
    path: Path,
    folder: Path,
    out: Path,
    columns: dict[str, Any],
    options: dict[str, Any],
    seed: np.random.SeedSequence,
    files: dict[str, Any],
    debug: bool,
) -> Listed:
    try:
        check_made(out)
        catalog = read_catalog(path, **columns)
        found = find_candidates(catalog, **options, rng=np.random.default_rng(seed))
        check_made(out)
        found = write_candidates(folder, catalog, found, **files)
        line = convention_note(catalog, CatalogOptions(**columns), subtract_mean=options["subtract_mean"])
        notes = catalog.notes if line is None else (*catalog.notes, line)
        return Listed(path_text(path), path_text(folder), found, notes)
    except Exception as error:  # an unforeseen error costs one catalogue only
        return Listed(path_text(path), path_text(folder), None, error=failure_reason(error, debug=debug))


def write_candidates(
    folder: str | Path,
    catalog: ShapeCatalog,
    found: Candidates,
    *,
    known: KnownLenses | None = None,
    aperture_mass: bool = False,
    subtract_mean: bool = False,
    theme: str = next(iter(THEMES)),
    record: Mapping[str, Any] | None = None,
) -> Candidates:
    """Write all files of the candidates of a catalogue.

    Parameters
    ----------
    folder : str or Path
        Folder, made if missing, for ``candidates.ecsv``, ``.fits``, ``.vot``, ``.reg`` and ``.png``, ``snr.fits``,
        ``cross.fits`` and ``empty.fits``, ``profiles.ecsv``, ``null.ecsv`` if there are randomized skies, and
        ``known.ecsv`` if there is a list.
    catalog : ShapeCatalog
        Galaxies of one field.
    found : Candidates
        Result of :func:`~darkmatter_features.candidates.find.find_candidates` for the catalogue.
    known : KnownLenses, optional
        List of known lenses: the nearest one of each candidate is in the table.
    aperture_mass : bool
        Write ``aperture_mass.fits`` and ``aperture_mass_snr.fits`` too.
    subtract_mean : bool
        Subtract the mean ellipticity for these, as for the candidates.
    theme : str
        Theme of the figure, one of :data:`~darkmatter_features.plots.theme.THEMES`.
    record : mapping, optional
        Settings and command, for the header of the ECSV file.

    Returns
    -------
    Candidates
        Those given, with the known lenses.

    Raises
    ------
    TableError
        If the known lenses have only RA and Dec, and the catalogue has none.
    """
    from darkmatter_features.candidates.plot import draw_candidates
    from darkmatter_features.plots.page import save_figure

    has_sky = sky_position(catalog, found.field.x, found.field.y) is not None
    unit = None if known is None else known.unit(catalog.name, has_sky=has_sky)
    found = found if known is None else with_known(found, known)
    field = field_of(catalog, subtract_mean=subtract_mean)
    table = candidate_table(
        found, has_sky=has_sky, on_sky=catalog.wcs is not None, known_unit=unit, notes=catalog.notes,
        record={**(record or {}), "null_tests": _null_tests(field, found)},
    )  # fmt: skip
    write_tables(Path(folder), table)
    write_maps(Path(folder), catalog, found.field)
    write_empty(Path(folder), catalog, found.field)
    _write_supplement(Path(folder), catalog, found, field, known)
    if aperture_mass:
        write_aperture_mass(Path(folder), catalog, found.field, default_profiles(), subtract_mean=subtract_mean)
    with plot_theme(theme):
        figure = draw_candidates(catalog, found)
    save_figure(Path(folder) / f"{NAME}.png", figure)
    return found


def _null_tests(field: Field, found: Candidates) -> list[dict[str, Any]]:
    tests = [
        mean_test(found.field.mean_snr),
        *cross_test([each.snr_cross for each in found]),
        cross_map_test(field, default_profiles(), found.field.profile),
    ]
    return [each.record for each in tests]


def _write_supplement(
    folder: Path, catalog: ShapeCatalog, found: Candidates, field: Field, known: KnownLenses | None
) -> None:
    """Write profiles, null distributions and the known lenses in the field."""
    unit = "" if catalog.wcs is None else "arcmin"
    write_profiles(folder, [field_profile(field, each.x, each.y) for each in found], unit)
    if any(each.null for each in found):
        write_null(folder, [each.null for each in found])
    if known is not None:
        near, places = known_in_field(known, catalog)
        write_known(
            folder, [known.names[k] for k in near], places, None if known.sky is None else known.sky[near], unit
        )
