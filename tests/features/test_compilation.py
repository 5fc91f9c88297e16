"""Compilation of the kernels before the first sky: it covers the kernels, for the types that a sky gives them."""

import subprocess
import sys

import numpy as np
import pytest

from darkmatter_features.features import compilation
from darkmatter_features.features.compilation import compile_others, compile_splitting, preparation
from tests.support.synthetic import draw_sky

REMAINING = """
import sys
from dataclasses import replace
from numba.core.dispatcher import Dispatcher
from darkmatter_features import read_sky
from darkmatter_features.features.compilation import compile_others, compile_splitting
from darkmatter_features.features.extract import extract_sky
from darkmatter_features.lens.template import LensTemplate


def signatures():
    modules = [module for name, module in sys.modules.items() if name.startswith("darkmatter_features")]
    kernels = [each for module in modules for each in vars(module).values() if isinstance(each, Dispatcher)]
    return {(kernel.__name__, types) for kernel in kernels for types in kernel.overloads}


compile_splitting()
compile_others()
compiled = signatures()
sky, template = read_sky(sys.argv[1]), LensTemplate.default()
for each in (template, replace(template, log_counts=template.log_counts - 0.1)):
    extract_sky(sky, template=each)
print(len(compiled), *(name for name, _ in signatures() - compiled))
"""


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    path = tmp_path_factory.mktemp("compilation") / "sky.png"
    draw_sky(path, np.random.default_rng(0))
    return path


def test_nothing_is_left_to_compile_for_a_sky(sky):
    ran = subprocess.run([sys.executable, "-c", REMAINING, str(sky)], capture_output=True, text=True, check=True)
    n_compiled, *remaining = ran.stdout.split()
    assert remaining == []
    assert int(n_compiled) > 15


def test_two_processes_compile_half_of_the_kernels_each_where_the_first_image_tells_which(sky, tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "is_cached", lambda kernel: False)
    assert preparation([sky, tmp_path / "absent.png"]) == {"before": (compile_splitting, compile_others)}
    (tmp_path / "damaged.png").write_bytes(b"no image")
    for files in ([], [tmp_path / "absent.png"], [tmp_path / "damaged.png"]):
        assert preparation(files) == {"first_here": True}
    monkeypatch.setattr(compilation, "is_cached", lambda kernel: True)
    assert preparation([sky]) == {}


def test_the_first_task_compiles_the_kernels_of_other_images(tmp_path, monkeypatch):
    from astropy.io import fits

    monkeypatch.setattr(compilation, "is_cached", lambda kernel: False)
    fits.writeto(tmp_path / "sky.fits", np.ones((40, 40), dtype=np.float32))
    assert preparation([tmp_path / "sky.fits"]) == {"first_here": True}
