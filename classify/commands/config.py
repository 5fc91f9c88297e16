"""`darkmatter config`."""

import argparse
from pathlib import Path

from classify.commands import add_example, say
from classify.config_file import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, nargs="?", metavar="F.toml", help="file to check; without it, the defaults")
    parser.add_argument("--show", action="store_true", help="print all settings as a file that can be read back")
    add_example(
        parser, "darkmatter config --show", "darkmatter config settings.toml", "darkmatter config --show settings.toml"
    )


def run(args: argparse.Namespace) -> int:
    """Check a file, or show all settings."""
    config = Config() if args.file is None else Config.read(args.file)
    if args.show or args.file is None:
        say(config.to_toml().rstrip("\n"))
        return 0
    changes = config.changes()
    say(f"{args.file}: in order; {len(changes)} settings differ from their defaults")
    for line in changes:
        say(f"  {line}")
    return 0
