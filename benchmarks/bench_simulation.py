"""Simulated skies beside the 18 published ones, treated and measured alike.

    python benchmarks/bench_simulation.py [--skies 400 --template-skies 500 --seed 7 --jobs -1]

Sixteen of the published skies are thumbnails of 252 px with a mark at the lens. Each simulated sky is therefore
averaged to 252 px, blanked at its lens and enlarged again, and measured with the project's own code and the template
with which the published skies were measured. The error of a published mean is sd / sqrt(n) and that of a standard
deviation sd / sqrt(2 n), for n skies; errors of all others are the scatter in random samples of simulated skies, as
many with and without a lens as were published. A pull is the simulated less the published value, in errors.
"""

import argparse
import time
from typing import Any

from harness.report import RESULTS, print_table, write_record
from plots.simulation import draw
from realism.comparison import Comparison, DistributionTest, compare, distribution_tests
from realism.measurement import SkyFigures, simulated_figures, template_of_measurement

TEMPLATE_SEED = 1_000_003
"""Seed of the skies to which the template is fitted."""


def print_comparisons(comparisons: list[Comparison], tests: list[DistributionTest]) -> None:
    rows = [
        (c.name, f"{c.published:.3f}", f"{c.error:.3f}", f"{c.simulated:.3f}", f"{c.pull:+.1f}") for c in comparisons
    ]
    print_table(("statistic", "published", "error", "simulated", "pull"), rows)
    print()
    tested = [(each.name, f"{each.distance:.2f}", f"{each.p_value:.2f}") for each in tests]
    print_table(("distribution", "KS distance", "p-value"), tested)


def record(
    skies: list[SkyFigures], comparisons: list[Comparison], tests: list[DistributionTest], skies_per_second: float
) -> dict[str, Any]:
    """Return the content of the record."""
    return {
        "skies": len(skies),
        "skies simulated and measured per second": skies_per_second,
        "statistics": {c.name: {**vars(c), "pull": c.pull} for c in comparisons},
        "distributions": {each.name: vars(each) for each in tests},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=400, help="number of skies (%(default)s)")
    parser.add_argument(
        "--template-skies", type=int, default=500, help="skies to which the template is fitted (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=-1)
    args = parser.parse_args()
    template = template_of_measurement(args.template_skies, seed=TEMPLATE_SEED, n_jobs=args.jobs)
    start = time.perf_counter()
    skies = simulated_figures(args.skies, template, seed=args.seed, n_jobs=args.jobs)
    skies_per_second = len(skies) / (time.perf_counter() - start)
    comparisons, tests = compare(skies), distribution_tests(skies)
    print_comparisons(comparisons, tests)
    print(write_record("simulation", record(skies, comparisons, tests, skies_per_second)))
    draw(RESULTS / "simulation.png", skies, comparisons)


if __name__ == "__main__":
    main()
