"""`darkmatter candidates`: all lenses of each shape catalogue, best first."""

import argparse
from pathlib import Path

import numpy as np

from classify.commands import add_example, add_jobs, check_folder, defaults, print_line, report_failures
from classify.commands.compilation import LOCATING
from classify.commands.locate import add_catalogs, reading_options
from classify.commands.progress import Progress
from darkmatter_features.candidates.batch import Listed, list_candidates
from darkmatter_features.candidates.find import Candidate
from darkmatter_features.location.field import MAX_MEAN_SNR
from darkmatter_features.plots.theme import THEMES

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
        "--most", type=int, default=given["most"], metavar="N", help="maximum number of candidates (%(default)s)"
    )
    parser.add_argument(
        "--randomizations", type=int, default=given["n_randomizations"], metavar="N",
        help="randomized skies for false_alarm_probability; 0 for none (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=given["seed"], metavar="S", help="seed of the samples and rotations (%(default)s)"
    )
    parser.add_argument(
        "--known", type=Path, metavar="FILE",
        help="list of known lenses with RA and Dec, or x and y: the nearest one of each candidate is in the table",
    )  # fmt: skip
    parser.add_argument(
        "--aperture-mass", action="store_true", help="write maps of the aperture mass and its S/N with common filters"
    )
    parser.add_argument(
        "--theme", choices=list(THEMES), default=given["theme"], help="colours of the figure (%(default)s)"
    )
    add_jobs(parser, given["n_jobs"])
    add_example(
        parser,
        "darkmatter candidates shapes.fits --out cluster",
        "darkmatter candidates 'fields/*.csv' --threshold 4 --most 3 --out lists",
        "darkmatter candidates shapes.fits --known clusters.csv --aperture-mass --out cluster",
    )


def run(args: argparse.Namespace) -> int:
    """List the lenses."""
    check_folder(args.out)
    done = list_candidates(
        args.catalogs,
        args.out,
        columns=reading_options(args),
        threshold=args.threshold,
        most=args.most,
        subtract_mean=args.subtract_mean,
        n_randomizations=args.randomizations,
        seed=args.seed,
        known=args.known,
        aperture_mass=args.aperture_mass,
        theme=args.theme,
        n_jobs=args.jobs,
        progress=Progress("candidates", unit="catalogues", notice=LOCATING.notice),
        debug=args.debug,
    )
    for each in done:
        if each.found is not None:
            _print_candidates(each, subtracted=args.subtract_mean)
    failures = [(each.catalog, each.error) for each in done if each.error]
    return report_failures(failures, len(done) - len(failures))


def _print_candidates(listed: Listed, *, subtracted: bool) -> None:
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
        print_line(f"  {k}: {_summary(each)}")
    print_line(f"  -> {listed.folder}")


def _summary(candidate: Candidate) -> str:
    """Return one line on a candidate."""
    error = float(f"{candidate.position_error:.2g}")
    position = f"x {candidate.x:.5g}, y {candidate.y:.5g}, error {error:g}"
    snr = f"S/N {candidate.snr:.1f} (cross {candidate.snr_cross:.1f})"
    p = candidate.false_alarm_probability
    chance = f", false-alarm probability {p:.2g}" if np.isfinite(p) else ""
    edge = f", {candidate.empty_fraction:.0%} of its aperture empty" if candidate.edge else ""
    known = f", {candidate.known_separation:.3g} from {candidate.known_name}" if candidate.known_name else ""
    return f"{position}, {snr}{chance}{edge}{known}"
