"""Feature rows of 24 simulated skies and of the two published ones, against stored rows.

The stored rows pin the numbers down: a change of the code that is not meant to change a feature must leave them alone.
After a change that is meant to, `python -m tests.features.test_golden` writes them again, from the repository's root.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from darkmatter_features.features.extract import extract_sky
from darkmatter_features.features.statistics import FEATURES
from darkmatter_features.io.sky import read_sky

STORED = Path(__file__).parents[1] / "data" / "golden-features.csv"
PUBLISHED = sorted((Path(__file__).parents[3] / "shared" / "seed-skies").glob("*.png"))
NAMES = [feature.name for feature in FEATURES]
N_SKIES = 24
SEED = 2024


def simulated_skies(folder):
    from darkmatter_features.simulation import simulate_dataset

    simulate_dataset(folder, n_training=N_SKIES, n_validation=0, seed=SEED, n_jobs=1)
    return sorted((folder / "training").glob("*.png"))


def feature_table(paths):
    """Return the features of skies, by the default template, a row for each name of a file."""
    rows = [extract_sky(read_sky(path)) for path in paths]
    return pd.DataFrame(rows, index=pd.Index([path.stem for path in paths], name="sky"), columns=NAMES)


def assert_rows_are_stored(paths):
    stored = pd.read_csv(STORED, index_col="sky")
    assert list(stored.columns) == NAMES
    found = feature_table(paths)
    # The same processor gives the same bytes; another one may round sums otherwise, by some 1e-13.
    np.testing.assert_allclose(found, stored.loc[found.index], rtol=1e-9, atol=1e-12, equal_nan=True)


def test_features_of_simulated_skies_are_the_stored_ones(tmp_path):
    pytest.importorskip("galsim", reason="GalSim, which simulates the skies, is not installed")
    paths = simulated_skies(tmp_path)
    assert len(paths) == N_SKIES
    assert_rows_are_stored(paths)


@pytest.mark.skipif(not PUBLISHED, reason="the published skies are not beside this checkout (../shared/seed-skies)")
def test_features_of_the_published_skies_are_the_stored_ones():
    assert_rows_are_stored(PUBLISHED)


def main():
    with tempfile.TemporaryDirectory() as folder:
        feature_table([*simulated_skies(Path(folder)), *PUBLISHED]).to_csv(STORED, na_rep="nan")


if __name__ == "__main__":
    main()
