"""Commands that are killed, interrupted or terminated at random moments, and run again.

    python benchmarks/bench_faults.py [--faults 50 --seed 1 --only COMMAND]

Each command is run undisturbed, then with SIGINT (to all its processes, as by Ctrl+C), SIGTERM or SIGKILL (to itself)
at a random moment, and run again, with the same arguments (`--resume` for networks). Counted are exit codes, lines of
errors, the time to the end, processes that are left 3 s later, and, after the second run, files with other bytes than
those of the undisturbed run and files that it does not have. Pages and records, which hold times and paths, are
compared by name only. The script exits with 1 if there is a defect. It needs Linux.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
from pathlib import Path

from faults.trial import Outcome, disturbed, undisturbed
from faults.world import COMMANDS, make_inputs
from harness.report import print_table, write_record

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
FIRST_SECONDS = 1.0
"""Earliest moment of a signal, seconds: Python itself starts before."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=50, help="number of signals, over all commands (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="COMMAND", help="disturb this command only, such as train")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    chosen = [command for command in COMMANDS if args.only in (None, command.name)]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        make_inputs(root)
        durations: dict[str, float] = {}
        for k in range(args.faults):
            command, number = chosen[k % len(chosen)], SIGNALS[(k + k // len(chosen)) % len(SIGNALS)]
            reference = root / "undisturbed" / command.name
            if command.name not in durations:
                durations[command.name] = undisturbed(command, root, reference)
            moment = rng.uniform(FIRST_SECONDS, durations[command.name])
            outcomes.append(disturbed(command, root, root / "disturbed" / command.name, number, moment, reference))
            print(describe(outcomes[-1]), flush=True)
    rows = [row_of(command.name, outcomes) for command in chosen]
    print_table(("command", "faults", "met it at work", "longest end, s", "left", "stray", "other", "defects"), rows)
    defects = sum(bool(each.defects) for each in outcomes)
    record = {
        "faults": len(outcomes),
        "seed": args.seed,
        "n_defects": defects,
        "outcomes": [each._asdict() for each in outcomes],
    }
    if args.only is None:
        print(write_record("faults", json.loads(json.dumps(record))))
    return 1 if defects else 0


def describe(outcome: Outcome) -> str:
    """Return a line on one fault."""
    found = "; ".join(outcome.defects) or "as it should be"
    return (
        f"{outcome.command}, {outcome.signal} after {outcome.moment:.1f} s: exit code {outcome.code}, "
        f"{outcome.seconds:.2f} s to the end, {found}"
    )


def row_of(name: str, outcomes: list[Outcome]) -> list[str]:
    """Return the row of a command."""
    own = [each for each in outcomes if each.command == name]
    ended = [each.seconds for each in own if each.code and each.signal != "SIGKILL"]
    counts = (
        len(own), sum(each.code != 0 for each in own), f"{max(ended):.2f}" if ended else "",
        sum(each.n_left for each in own), sum(len(each.stray) for each in own), sum(len(each.other) for each in own),
        sum(bool(each.defects) for each in own),
    )  # fmt: skip
    return [name, *map(str, counts)]


if __name__ == "__main__":
    sys.exit(main())
