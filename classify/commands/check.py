"""`darkmatter check`: the convention of a shape catalogue, and what is wrong with it."""

import argparse
from pathlib import Path

from classify.commands import add_example, check_file, print_line
from classify.commands.downloads import local_file
from classify.commands.locate import CONVENTIONS, add_reading, reading_options
from classify.model.bundle import write_json
from darkmatter_features.checks.catalog import CatalogCheck, check_catalog
from darkmatter_features.location.conventions import AS_IS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "catalog", metavar="CATALOG", help="table or its URL, as in locate; a table of a file as FILE[NAME]"
    )
    add_reading(parser)
    parser.add_argument("--json", type=Path, metavar="F", help="JSON file for the result, one flat object (none)")
    add_example(parser, "darkmatter check shapes.fits --e1 E1 --e2 E2 --json check.json")


def run(args: argparse.Namespace) -> int:
    """Print the convention, and a line for each finding."""
    check_file(args.json)
    done = check_catalog(local_file(args.catalog), subtract_mean=args.subtract_mean, **reading_options(args))
    given = any(getattr(args, name) for name in CONVENTIONS)
    print_line(f"{args.catalog}: {done.n} galaxies, {_convention(done)}{' with these options' if given else ''}")
    print_line(f"  {'; '.join(done.notes)}")
    for line in done.findings:
        print_line(f"- {line}")
    if not done.findings:
        print_line("nothing found")
    if args.json is not None:
        write_json(args.json, done.record)
    return 0


def _convention(done: CatalogCheck) -> str:
    """Return the convention and the S/N in words."""
    ranking = done.ranking
    as_is = ranking.snr[AS_IS]
    if ranking.best is None:
        highest = ranking.highest
        return (
            f"the convention cannot be decided (S/N {as_is:.1f} as is, {ranking.snr[highest]:.1f} with {highest.name})"
        )
    if ranking.best == AS_IS:
        others = max(value for each, value in ranking.snr.items() if each != AS_IS)
        return f"the shapes are right as is (S/N {as_is:.1f}, {others:.1f} in any other convention)"
    return f"the shapes are right with {ranking.best.name} (S/N {ranking.snr[ranking.best]:.1f}, {as_is:.1f} as is)"
