"""Mutation testing of the kernels: the part of small changes of their code that makes a test fail.

    python benchmarks/bench_mutations.py [--only galaxies/kernels --sample 1000 --seed 1 --jobs 2 --record]

Each mutant has one comparison, operation, number, minimum, index, range or statement of one kernel changed. It is run,
as plain Python, with the tests that reach its statement, the shortest first, until one fails; a mutant that takes five
times as long counts as killed. Tests that take longer than `--max-test` without the compiler are left out. Survivors
are printed, but for those that `mutation/equivalent.csv` lists with the reason why no test can tell them apart. The
part of the statements of the kernels that these tests reach is printed, too: coverage cannot see compiled code. With
`--record`, the result is written to `results/mutations.json`, beside those of other parts of the kernels.
"""

import argparse
import csv
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from harness.report import RESULTS, print_table, write_record
from mutation.operators import Mutant, mutants_of, statements_of
from mutation.trial import KILLED, SURVIVED, UNREACHED, Trial, run

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENT = Path(__file__).parent / "mutation" / "equivalent.csv"
TESTS = ("tests/galaxies", "tests/lens", "tests/maps", "tests/numerics", "tests/location")
"""Folders of the tests of the kernels and of their callers."""

ALLOWED = 0.9
"""Least part of the mutants that tests must kill."""


def kernel_modules(part: str) -> list[Path]:
    """Return the kernel modules whose path contains `part`."""
    package = ROOT / "darkmatter_features"
    modules = sorted({*package.rglob("kernels.py"), *package.rglob("kernels/*.py")})
    return [path for path in modules if part in path.relative_to(ROOT).as_posix()]


def equivalents() -> set[tuple[str, str, str, str]]:
    """Return module, kernel, expression and change of the mutants that do the same as the kernel."""
    with EQUIVALENT.open(encoding="utf-8", newline="") as file:
        return {(row["module"], row["kernel"], row["before"], row["after"]) for row in csv.DictReader(file)}


def key(mutant: Mutant) -> tuple[str, str, str, str]:
    """Return module, kernel, expression and change of a mutant."""
    return (mutant.path.relative_to(ROOT).as_posix(), mutant.function, mutant.before, mutant.after)


def sample(mutants: list[Mutant], n: int, seed: int) -> list[Mutant]:
    """Return n mutants chosen at random, or all, in their order."""
    if n >= len(mutants):
        return mutants
    return [mutants[i] for i in sorted(np.random.default_rng(seed).choice(len(mutants), n, replace=False))]


def sampling_error(fraction: float, n_chosen: int, n_all: int) -> float:
    """Return the standard error of a fraction of mutants that were chosen at random, without repetition, from all."""
    return float(np.sqrt(fraction * (1.0 - fraction) / max(n_chosen, 1) * (1.0 - n_chosen / max(n_all, 1))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="part of the path of the kernel modules, such as maps/kernels")
    parser.add_argument("--sample", type=int, default=1000, help="number of mutants (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--max-test", type=float, default=2.0, help="longest test, seconds (%(default)s)")
    parser.add_argument("--max-mutant", type=float, default=20.0, help="tests of a mutant, seconds (%(default)s)")
    parser.add_argument("--record", action="store_true", help="write the result to results/mutations.json")
    parser.add_argument("tests", nargs="*", default=TESTS, help="folders or files of tests")
    args = parser.parse_args()
    if os.environ.get("NUMBA_DISABLE_JIT") != "1":
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"NUMBA_DISABLE_JIT": "1"})
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    modules = kernel_modules(args.only)
    known = equivalents()
    every = [mutant for path in modules for mutant in mutants_of(path) if key(mutant) not in known]
    chosen = sample(every, args.sample, args.seed)
    print(
        f"{len(every)} mutants of {len(modules)} modules, {len(chosen)} chosen; {len(known)} are known to be equivalent"
    )
    trial = Trial(ROOT, modules, chosen, args.jobs, args.max_test, args.max_mutant, _progress)
    run(trial, list(args.tests))
    print(f"\n{len(trial.seconds)} tests reach a kernel; {len(trial.slow)} are too slow, {len(trial.failed)} fail")
    reached = set().union(*trial.reached.values())
    lines = {(str(path), line) for path in modules for line in statements_of(path)}
    fraction = len(lines & reached) / max(len(lines), 1)
    print(f"{fraction:.1%} of {len(lines)} statements are reached")
    for path, line in sorted(lines - reached):
        print(f"not reached: {Path(path).relative_to(ROOT)}:{line}")
    return report(trial, args, {"mutants": len(every), "chosen": len(chosen), "seed": args.seed, "reached": fraction})


def _progress(done: int) -> None:
    if done % 100 == 0:
        print(f"{done} done", file=sys.stderr)


def report(trial: Trial, args: argparse.Namespace, record: dict[str, Any]) -> int:
    """Print survivors and the table of the modules; return the exit code."""
    counts: dict[str, Counter[str]] = {}
    for mutant, outcome in zip(trial.mutants, trial.outcomes, strict=True):
        counts.setdefault(key(mutant)[0].removeprefix("darkmatter_features/"), Counter()).update([outcome])
        if outcome == SURVIVED:
            print(f"{outcome}: {key(mutant)[0]}:{mutant.line} {mutant.function}: {mutant.before}  ->  {mutant.after}")
    rows = [(name, *(str(own[each]) for each in (KILLED, SURVIVED, UNREACHED))) for name, own in counts.items()]
    print_table(("module", KILLED, SURVIVED, UNREACHED), rows)
    fraction = trial.outcomes.count(KILLED) / max(len(trial.outcomes), 1)
    error = sampling_error(fraction, len(trial.outcomes), record["mutants"])
    print(f"{100 * fraction:.1f} ± {100 * error:.1f} % of {len(trial.outcomes)} mutants are killed")
    if args.record:
        own = {**record, "killed": fraction, "error": error, "modules": {name: dict(n) for name, n in counts.items()}}
        print(write_record("mutations", {"parts": {**recorded_parts(), args.only or "all": own}}))
    return 0 if fraction >= ALLOWED else 1


def recorded_parts() -> dict[str, Any]:
    """Return the results of the parts of the kernels that were tried before."""
    path = RESULTS / "mutations.json"
    parts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["parts"] if path.exists() else {}
    return parts


if __name__ == "__main__":
    sys.exit(main())
