"""One hostile file costs one row of a command: it is named in a line, and the other files are done."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.fuzz import files

MEMORY = 4 * 2**30
"""Address space of a command, bytes: libraries and compiled kernels reserve 3 GB, which they do not fill."""


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def darkmatter(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "classify", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, preexec_fn=limited, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of the address space is that of Linux")
def test_hostile_catalogues_do_not_stop_the_others(tmp_path, rng):
    table = pd.DataFrame(rng.uniform(-0.4, 0.4, (60, 4)), columns=["x", "y", "e1", "e2"])
    table.to_csv(tmp_path / "good.csv", index=False)
    table.assign(x=1.0 + 1e-15 * np.arange(60)).to_csv(tmp_path / "line.csv", index=False)
    fits = files.catalog()
    start = fits.index(b"XTENSION")
    hostile = {
        "axes.fits": files.with_card(files.image(), "NAXIS", 2**32),
        "wcs.fits": files.with_card(files.image(), "WCSAXES", 65536),
        "fields.fits": fits[:start] + files.with_card(fits[start:], "TFIELDS", 2**32),
        "line.csv": (tmp_path / "line.csv").read_bytes(),
    }
    for name, content in hostile.items():
        files.write(tmp_path / name, content)
    done = darkmatter("locate", *hostile, "good.csv", "--randomizations", 0, "--out", "out.csv", cwd=tmp_path)
    assert done.returncode == 1
    found = pd.read_csv(tmp_path / "out.csv").set_index("catalog")
    assert np.isfinite(found.loc["good.csv", "snr"])
    for name in hostile:
        assert isinstance(found.loc[name, "error"], str)
        assert name in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_hostile_settings_are_named(tmp_path):
    files.write(tmp_path / "own.toml", "[measure]\nx = " + "[" * 3000)
    done = darkmatter("features", ".", "--config", "own.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "own.toml" in done.stderr
