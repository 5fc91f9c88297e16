"""Options of `darkmatter candidates` for surveys, wider than one field, and the work on one survey."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from classify.commands import command_of, print_line
from classify.commands.compilation import SEARCHING
from classify.commands.progress import Progress
from darkmatter_features.candidates.known import KnownLenses
from darkmatter_features.errors import ConfigError
from darkmatter_features.location.field import MAX_MEAN_SNR
from darkmatter_features.surveys.batch import list_survey
from darkmatter_features.surveys.lens_planes import LENS_REDSHIFTS
from darkmatter_features.surveys.presets import PRESETS, preset
from darkmatter_features.surveys.profiles import SCALES
from darkmatter_features.surveys.result import SurveyCandidate, SurveyCandidates
from darkmatter_features.surveys.settings import UNITS, SurveySearch
from darkmatter_features.urls import name_of

MAX_PRINTED = 20
"""Maximum number of candidates of a survey that are printed; the tables have all."""


def add_survey_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of surveys; those that :func:`survey_search` looks at make every catalogue a survey."""
    group = parser.add_argument_group(
        "surveys", "catalogues with RA and Dec wider than a degree, or any with one of these options"
    )
    group.add_argument(
        "--scales", type=_numbers, metavar="S,S", help="scale radii of the trial profiles, arcmin "
        f"({','.join(f'{each:g}' for each in SCALES)}, as far as the density of galaxies allows)",
    )  # fmt: skip
    group.add_argument(
        "--max-false-alarm", type=float, metavar="P", help="maximum false-alarm probability, instead of --threshold"
    )
    group.add_argument(
        "--survey", choices=sorted(PRESETS), metavar="NAME",
        help=f"columns, signs and calibration of a public catalogue: {', '.join(sorted(PRESETS))}",
    )  # fmt: skip
    group.add_argument(
        "--select", metavar="CONDITION", help="rows to use, as 'z > 0.4 & mag < 24.5'; columns with other characters "
        "in backquotes",
    )  # fmt: skip
    group.add_argument(
        "--xy-unit", choices=list(UNITS), metavar="UNIT", help=f"unit of x and y: {', '.join(UNITS)} (arcmin)"
    )
    group.add_argument(
        "--redshift", metavar="COLUMN", help="redshifts of the galaxies, by which they are weighted for lenses at the "
        "--lens-redshifts",
    )  # fmt: skip
    group.add_argument(
        "--lens-redshifts", type=_numbers, metavar="Z,Z", help="trial redshifts of lenses "
        f"({','.join(f'{each:g}' for each in LENS_REDSHIFTS)})",
    )  # fmt: skip
    group.add_argument(
        "--n-of-z", metavar="FILE", help="redshift distribution of the galaxies, a table of redshifts and numbers: the "
        "completeness is given by mass and redshift, too",
    )  # fmt: skip
    group.add_argument(
        "--completeness", action=argparse.BooleanOptionalAction, default=True,
        help="plant halos in the galaxies for the completeness (default)",
    )  # fmt: skip


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"give numbers separated by commas, such as 0.5,1,2,4, not {text!r}") from None


def survey_search(args: argparse.Namespace) -> SurveySearch | None:
    """Return the settings of a search that the options ask for; None if they ask for none.

    Raises
    ------
    ConfigError
        If an option has no effect without another one, or is out of its range.
    """
    if args.lens_redshifts is not None and args.redshift is None:
        raise ConfigError(
            "--lens-redshifts needs --redshift COLUMN, the redshifts of the galaxies; give both, or neither"
        )
    asked = (args.scales, args.max_false_alarm, args.survey, args.select, args.xy_unit, args.redshift, args.n_of_z)
    return None if all(each is None for each in asked) else _search(args)


def _search(args: argparse.Namespace) -> SurveySearch:
    options: dict[str, Any] = {"threshold": args.threshold, "max_false_alarm": args.max_false_alarm}
    options |= {"n_randomizations": args.randomizations, "seed": args.seed, "subtract_mean": args.subtract_mean}
    options |= {"aperture_mass": args.aperture_mass, "most": args.most}
    options |= {"completeness": args.completeness, "selection": args.select}
    options |= {} if args.scales is None else {"scales": args.scales}
    options |= {"redshift": args.redshift, "n_of_z": args.n_of_z}
    options |= {} if args.lens_redshifts is None else {"lens_redshifts": args.lens_redshifts}
    options |= {} if args.xy_unit is None else {"unit": args.xy_unit}
    options |= {} if args.survey is None else {"calibration": preset(args.survey).calibration}
    return SurveySearch(**options)


def list_one_survey(
    args: argparse.Namespace,
    path: Path,
    folder: Path,
    columns: Mapping[str, Any],
    search: SurveySearch | None,
    known: KnownLenses | None = None,
) -> tuple[str, str] | None:
    """Write and print the candidates of one survey; return its path and the reason if it failed."""
    if args.survey is not None:
        columns = preset(args.survey).columns_with(columns)
    listed = list_survey(
        path,
        folder,
        search or _search(args),
        columns=columns,
        known=known,
        theme=args.theme,
        command=command_of(args),
        n_jobs=args.jobs,
        dask=args.dask,
        progress=Progress(f"survey {name_of(path)}", unit="tasks", notice=SEARCHING.notice, folder=folder),
        reading=Progress(f"reading {name_of(path)}", unit="rows"),
        debug=args.debug,
    )
    if listed.found is None:
        return listed.catalog, listed.error
    _print_survey(listed.catalog, listed.folder, listed.found, known)
    return None


def _print_survey(catalog: str, folder: str, found: SurveyCandidates, known: KnownLenses | None) -> None:
    survey, null = found.survey, found.null
    count = f"{len(found)} candidate{'' if len(found) == 1 else 's'} of S/N {found.threshold:.2f} or more"
    false = f", {float(null.expected(np.array([found.threshold]))[0]):.2g} false ones expected" if null.n_skies else ""
    biased = survey.mean_snr > MAX_MEAN_SNR and not found.search.subtract_mean
    bias = f"; mean ellipticity {survey.mean_snr:.1f} sigma from 0: use --subtract-mean" if biased else ""
    print_line(f"{catalog}: {survey.n} galaxies on {survey.area:.3g} square degrees, {count}{false}{bias}")
    print_line(f"  {'; '.join(survey.notes)}")
    for line in found.warnings:
        print_line(f"  {line}")
    unit = found.search.unit if survey.frame.is_plane else "arcmin"
    for k, each in enumerate(found.candidates[:MAX_PRINTED], start=1):
        print_line(f"  {k}: {_summary(each, unit, known)}")
    if len(found) > MAX_PRINTED:
        print_line(f"  and {len(found) - MAX_PRINTED} more")
    print_line(f"  -> {folder}")


def _summary(each: SurveyCandidate, unit: str, known: KnownLenses | None) -> str:
    position = f"x {each.x:.5g}, y {each.y:.5g}" if np.isnan(each.ra) else f"RA {each.ra:.5f}, Dec {each.dec:.5f}"
    snr = f"error {each.position_error:.2g} {unit}, S/N {each.snr:.1f} (cross {each.snr_cross:.1f})"
    edge = f", {each.empty_fraction:.0%} of its aperture empty" if each.edge else ""
    near = "" if known is None else known.note(each.known_name, each.known_separation, each.ra)
    if np.isnan(each.false_alarm_probability):
        return f"{position}, {snr}{edge}{near}"
    chance = f"false-alarm probability {each.false_alarm_probability:.2g}, purity {each.expected_purity:.2f}"
    return f"{position}, {snr}, {chance}{edge}{near}"
