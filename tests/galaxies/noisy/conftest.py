"""Real skies for tests that compare with them: outside the repository, for their size and licences."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def real_skies():
    """Return the folder that REAL_SKIES names; skip without it."""
    folder = os.environ.get("REAL_SKIES")
    if not folder or not Path(folder).is_dir():
        pytest.skip("the environment variable REAL_SKIES names no folder of real skies")
    return Path(folder)
