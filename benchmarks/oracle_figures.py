"""Write the figures of merit of the oracle on the validation skies of a simulated data set, for the report of a run.

    python benchmarks/oracle_figures.py data [--out data/truth/oracle.json]

`darkmatter report` shows them beside those of the run, from ``truth/oracle.json`` in the data set.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from oracle.likelihood import oracle_table
from scipy.special import expit

from classify.evaluate import BOOTSTRAP_SEED
from classify.metrics import score
from classify.model.bundle import write_json
from classify.report.oracle import ORACLE, SKIES, identity_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data set of the preset seed, with its truth")
    parser.add_argument("--out", type=Path, help=f"file (DATA/{ORACLE})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of processes (%(default)s)")
    args = parser.parse_args()
    found = oracle_table(args.data, n_jobs=args.jobs)
    offsets = np.hypot(found["row"] - found["lens_row"], found["column"] - found["lens_column"])
    figures = score(
        found["label"], expit(found["log_bayes_factor"]), offsets, rng=np.random.default_rng(BOOTSTRAP_SEED)
    )
    write_json(args.out or args.data / ORACLE, {SKIES: identity_of(found), **figures})


if __name__ == "__main__":
    main()
