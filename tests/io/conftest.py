"""Fixtures of the tests of reading."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from darkmatter_features.io.catalogs import ShapeCatalog, read_catalog


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., ShapeCatalog]:
    """Return a function that writes a table as CSV and reads it as a catalogue, with options."""

    def write(frame: pd.DataFrame, **options: Any) -> ShapeCatalog:
        frame.to_csv(tmp_path / "a.csv", index=False)
        return read_catalog(tmp_path / "a.csv", **options)

    return write
