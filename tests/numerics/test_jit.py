"""The cache of the compiled kernels: its key covers the sources of all of them."""

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

from darkmatter_features.numerics import jit

CALLEE = "from package.numerics.jit import compiled\n\n\n@compiled\ndef callee(x):\n    return {} * x\n"
CALLER = """from package.numerics.jit import compiled, is_cached
from package.kernels.callee import callee


@compiled
def caller(x):
    return callee(x)


print(is_cached(caller), caller(1), is_cached(caller))
"""


RECORD = "from typing import NamedTuple\n\n\nclass {0}(NamedTuple):\n    value: int\n"
WITH_RECORD = """from package.kernels.callee import {0}
from package.numerics.jit import compiled, is_cached


@compiled
def caller(record):
    return 2 * record.value


print(is_cached(caller), caller({0}(2)), is_cached(caller))
"""


def run_caller(root, cache):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(root)}
    ran = subprocess.run(
        [sys.executable, "-c", "import package.kernels.caller"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return ran.stdout.split()


def test_a_changed_callee_in_another_file_changes_its_caller(tmp_path):
    """Numba's own key is that of the caller's file, which has not changed."""
    kernels = tmp_path / "package" / "kernels"
    kernels.mkdir(parents=True)
    (tmp_path / "package" / "numerics").mkdir()
    shutil.copy(jit.__file__, tmp_path / "package" / "numerics" / "jit.py")
    (kernels / "callee.py").write_text(CALLEE.format(2))
    (kernels / "caller.py").write_text(CALLER)
    cache = tmp_path / "cache"
    assert run_caller(tmp_path, cache) == ["False", "2", "True"]
    assert run_caller(tmp_path, cache) == ["True", "2", "True"]
    before = {path for path in cache.rglob("*.nbc") if "caller" in path.name}
    (kernels / "callee.py").write_text(CALLEE.format(3))
    assert run_caller(tmp_path, cache) == ["False", "3", "True"]
    assert before <= set(cache.rglob("*.nbc"))  # nothing is deleted: another version of the package may use it


def test_code_of_a_record_that_was_renamed_is_not_read(tmp_path):
    """Numba names the record in the keys of its index, and fails to read one whose record is gone."""
    kernels = tmp_path / "package" / "kernels"
    kernels.mkdir(parents=True)
    (tmp_path / "package" / "numerics").mkdir()
    shutil.copy(jit.__file__, tmp_path / "package" / "numerics" / "jit.py")
    for name in ("Record", "Renamed"):
        (kernels / "callee.py").write_text(RECORD.format(name))
        (kernels / "caller.py").write_text(WITH_RECORD.format(name))
        assert run_caller(tmp_path, tmp_path / "cache") == ["False", "4", "True"]


def test_the_digest_covers_every_kernel_module(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "lens" / "kernels").mkdir(parents=True)
    digests = {jit.sources_digest(tmp_path)}
    for name in ("maps/kernels.py", "lens/kernels/evidence.py"):
        (tmp_path / name).write_text("1")
        digests.add(jit.sources_digest(tmp_path))
        (tmp_path / name).write_text("2")
        digests.add(jit.sources_digest(tmp_path))
    (tmp_path / "maps" / "shear.py").write_text("no kernel")
    digests.add(jit.sources_digest(tmp_path))
    assert len(digests) == 5


def test_every_module_that_compiles_is_covered():
    package = Path(jit.__file__).parents[1]
    covered = {*package.rglob("kernels.py"), *package.rglob("kernels/*.py")}
    compiling = {path for path in package.rglob("*.py") if "\n@compiled\n" in path.read_text(encoding="utf-8")}
    assert compiling
    assert compiling <= covered


INNER = """from darkmatter_features.numerics.jit import compiled


@compiled
def squares(values, found):
    total = 0.0
    for k in range(values.size):
        found[k] = values[k] * values[k]
        total += found[k]
    return total


@compiled
def twice(values):
    found = np.empty(values.size)
    total = squares(values, found)
    return found[0], 2.0 * total
"""


def test_machine_code_is_made_for_calls_from_python_only(tmp_path, monkeypatch):
    """The caller contains the kernel that it calls; that one has no code of its own until Python calls it."""
    (tmp_path / "nested.py").write_text("import numpy as np\n\n" + INNER)
    monkeypatch.syspath_prepend(tmp_path)
    nested = import_module("nested")
    values = np.array([3.0, 4.0])
    assert nested.twice(values) == (9.0, 50.0)
    assert not nested.squares.overloads
    assert not jit.is_cached(nested.squares)
    assert nested.squares(values, np.empty(2)) == 25.0
    assert jit.is_cached(nested.squares)


def test_a_newer_numba_makes_machine_code_of_every_kernel(tmp_path, monkeypatch):
    """Its steps of compilation may be others, and are left as they are; results are the same."""
    monkeypatch.setattr(jit, "TRIED_NUMBA", (0, 0))
    (tmp_path / "separate.py").write_text("import numpy as np\n\n" + INNER)
    monkeypatch.syspath_prepend(tmp_path)
    separate = import_module("separate")
    assert separate.twice(np.array([3.0, 4.0])) == (9.0, 50.0)
    assert jit.is_cached(separate.squares)


def test_a_kernel_is_cached_once_it_was_compiled(tmp_path, monkeypatch):
    source = "from darkmatter_features.numerics.jit import compiled\n\n\n@compiled\ndef {}(x):\n    return 2 * x\n"
    (tmp_path / "passing.py").write_text(source.format("twice") + source.format("twice_too"))
    monkeypatch.syspath_prepend(tmp_path)
    passing = import_module("passing")
    assert not jit.is_cached(passing.twice)
    passing.twice_too(1)
    assert not jit.is_cached(passing.twice)
    assert passing.twice(3) == 6
    assert jit.is_cached(passing.twice)
