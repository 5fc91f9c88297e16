"""`darkmatter candidates`: all lenses of each shape catalogue, best first."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from classify.commands import (
    add_dask,
    add_example,
    add_jobs,
    check_folder,
    command_of,
    defaults,
    print_line,
    report_failures,
)
from classify.commands.compilation import LOCATING
from classify.commands.downloads import local_option, local_tables
from classify.commands.locate import add_catalogs, reading_options
from classify.commands.progress import Progress
from classify.commands.survey_options import add_survey_arguments, list_one_survey, survey_search
from darkmatter_features.candidates.batch import Listed, candidate_folders, list_candidates
from darkmatter_features.candidates.find import MOST, Candidate
from darkmatter_features.candidates.known import KnownLenses, read_known
from darkmatter_features.location.batch import find_catalogs
from darkmatter_features.location.field import MAX_MEAN_SNR
from darkmatter_features.plots.theme import THEMES
from darkmatter_features.surveys.batch import is_survey

OUT = Path("candidates")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    given = defaults(list_candidates)
    add_catalogs(parser)
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="DIR",
        help="folder for tables, regions, maps and a figure; one in it for each of several catalogues (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=float, default=given["threshold"], metavar="S", help="minimum S/N (%(default)g)"
    )
    parser.add_argument(
        "--most",
        type=int,
        metavar="N",
        help=f"maximum number of candidates ({given['most']} of a field; a survey has no limit)",
    )
    parser.add_argument(
        "--randomizations", type=int, default=given["n_randomizations"], metavar="N",
        help="randomized skies for false_alarm_probability; 0 for none (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=given["seed"], metavar="S", help="seed of the samples and rotations (%(default)s)"
    )
    parser.add_argument(
        "--known", metavar="FILE",
        help="list of known lenses with RA and Dec, or x and y: the nearest one of each candidate is in the table",
    )  # fmt: skip
    parser.add_argument(
        "--aperture-mass", action="store_true", help="write maps of the aperture mass and its S/N with common filters"
    )
    parser.add_argument(
        "--theme", choices=list(THEMES), default=given["theme"], help="colours of the figure (%(default)s)"
    )
    add_jobs(parser, given["n_jobs"])
    add_dask(parser)
    add_survey_arguments(parser)
    add_example(
        parser,
        "darkmatter candidates shapes.fits --out cluster",
        "darkmatter candidates 'fields/*.csv' --threshold 4 --most 3 --out lists",
        "darkmatter candidates shapes.fits --known clusters.csv --aperture-mass --out cluster",
        "darkmatter candidates survey.parquet --select 'z > 0.4 & mag < 24.5' --max-false-alarm 0.05 --out survey",
    )


def run(args: argparse.Namespace) -> int:
    """List the lenses."""
    check_folder(args.out)
    args.known, args.n_of_z = local_option(args.known), local_option(args.n_of_z)
    known = None if args.known is None else read_known(args.known)
    columns, search = reading_options(args), survey_search(args)
    paths = find_catalogs(local_tables(args.catalogs))
    surveys = [path for path in paths if search is not None or is_survey(path, columns)]
    folders = dict(zip(paths, candidate_folders(paths, args.out)))
    failures = [list_one_survey(args, path, folders[path], columns, search, known) for path in surveys]
    fields = [path for path in paths if path not in surveys]
    done = _list_fields(args, fields, folders, columns) if fields else []
    for each in done:
        if each.found is not None:
            _print_candidates(each, known, subtracted=args.subtract_mean)
    failed = [each for each in failures if each is not None] + [
        (each.catalog, each.error) for each in done if each.error
    ]
    return report_failures(failed, len(paths) - len(failed))


def _list_fields(
    args: argparse.Namespace, fields: list[Path], folders: dict[Path, Path], columns: dict[str, Any]
) -> list[Listed]:
    """List the lenses of catalogues of one field each."""
    return list_candidates(
        fields,
        folders[fields[0]] if len(fields) == 1 else args.out,
        columns=columns,
        threshold=args.threshold,
        most=MOST if args.most is None else args.most,
        subtract_mean=args.subtract_mean,
        n_randomizations=args.randomizations,
        seed=args.seed,
        known=args.known,
        aperture_mass=args.aperture_mass,
        theme=args.theme,
        command=command_of(args),
        n_jobs=args.jobs,
        dask=args.dask,
        progress=Progress("candidates", unit="catalogues", notice=LOCATING.notice),
        debug=args.debug,
    )


def _print_candidates(listed: Listed, known: KnownLenses | None, *, subtracted: bool) -> None:
    """Print a line for the catalogue, and one for each candidate."""
    found = listed.found
    if found is None:
        return
    strongest = "" if len(found) else f", the highest S/N is {found.field.snr:.1f}"
    biased = found.field.mean_snr > MAX_MEAN_SNR and not subtracted
    bias = f"; mean ellipticity {found.field.mean_snr:.1f} sigma from 0: use --subtract-mean" if biased else ""
    count = f"{len(found)} candidate{'' if len(found) == 1 else 's'}"
    print_line(f"{listed.catalog}: {found.field.n} galaxies, {count}{strongest}{bias}")
    print_line(f"  {'; '.join(listed.notes)}")
    for k, each in enumerate(found, start=1):
        print_line(f"  {k}: {_summary(each, known)}")
    print_line(f"  -> {listed.folder}")


def _summary(candidate: Candidate, known: KnownLenses | None) -> str:
    """Return one line on a candidate."""
    error = float(f"{candidate.position_error:.2g}")
    position = f"x {candidate.x:.5g}, y {candidate.y:.5g}, error {error:g}"
    snr = f"S/N {candidate.snr:.1f} (cross {candidate.snr_cross:.1f})"
    p = candidate.false_alarm_probability
    chance = f", false-alarm probability {p:.2g}" if np.isfinite(p) else ""
    edge = f", {candidate.empty_fraction:.0%} of its aperture empty" if candidate.edge else ""
    near = "" if known is None else known.note(candidate.known_name, candidate.known_separation, candidate.ra)
    return f"{position}, {snr}{chance}{edge}{near}"
