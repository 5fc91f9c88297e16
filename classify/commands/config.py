"""`darkmatter config`."""

import argparse
from pathlib import Path

from classify.commands import add_example, print_line
from classify.config_file import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, nargs="?", metavar="F.toml", help="settings file to check (the defaults)")
    parser.add_argument("--show", action="store_true", help="print all settings in the format of a settings file")
    add_example(
        parser, "darkmatter config --show", "darkmatter config settings.toml", "darkmatter config --show settings.toml"
    )


def run(args: argparse.Namespace) -> int:
    """Check a file or print all settings."""
    config = Config() if args.file is None else Config.read(args.file)
    if args.show or args.file is None:
        print_line(config.to_toml().rstrip("\n"))
        return 0
    changes = config.changes()
    print_line(f"{args.file}: valid; {len(changes)} settings differ from their defaults")
    for line in changes:
        print_line(f"  {line}")
    return 0
