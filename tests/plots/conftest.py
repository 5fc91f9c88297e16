"""Fixtures of the tests of plots."""

import pytest

from tests.plots.figures import planted_lens


@pytest.fixture
def lensed(rng):
    """A sky, its catalogue, its maps, and row and column of its lens."""
    return planted_lens(rng)
