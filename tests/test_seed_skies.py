"""The published skies: the only real ones there are."""

from pathlib import Path

import numpy as np
import pytest

import darkmatter_features as dm
from classify.model import LensModel
from classify.train import train
from darkmatter_features.features.batch import extract_dataset
from darkmatter_features.simulation import simulate_dataset

SEED_SKIES = Path(__file__).parents[2] / "shared" / "seed-skies"

pytestmark = pytest.mark.skipif(
    not SEED_SKIES.is_dir(), reason="the published skies are not beside this checkout (../shared/seed-skies)"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Trained on simulated skies alone: a sixth of the default number, which is enough here."""
    folder = tmp_path_factory.mktemp("seed")
    simulate_dataset(folder / "data", n_training=200, n_validation=2)
    extract_dataset(folder / "data", folder / "features")
    train(folder / "features", folder / "run")
    return LensModel.load(folder / "run")


@pytest.mark.parametrize(("name", "label"), [("lensing.png", 1), ("no-lensing.png", 0)])
def test_published_skies_are_called_rightly(model, name, label):
    assert model.predict(dm.read_sky(SEED_SKIES / name)).label == label


def test_lens_of_the_published_sky_is_found(model):
    verdict = model.predict(dm.read_sky(SEED_SKIES / "lensing.png"))
    assert np.hypot(verdict.column - 215, verdict.row - 150) < 30


def test_drawings_lean_to_the_horizontal():
    for name in ("lensing.png", "no-lensing.png"):
        catalog = dm.measure(dm.read_sky(SEED_SKIES / name), dm.MeasureConfig(psf_sigma=0.0))
        assert catalog.e1.mean() == pytest.approx(0.075, abs=0.02)
        assert catalog.e2.mean() == pytest.approx(0.0, abs=0.04)
