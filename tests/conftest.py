"""Fixtures used by several test files; the collector of garbage."""

import gc

import numpy as np
import pytest

OBJECTS_PER_COLLECTION = 20_000
"""Number of new objects after which garbage is looked for: a page of figures makes more than 100,000."""


def pytest_collection_finish():
    """Spare the collector what lives as long as the session: modules and tests, some million objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION, *gc.get_threshold()[1:])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240512)
