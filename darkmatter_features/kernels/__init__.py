"""The compiled inner loops: arrays and scalars only, serial, nothing checked.

Each kernel trusts its caller, fills arrays that were passed in, and has an obvious slow twin in ``tests/naive.py``.
None uses ``fastmath``: the same input gives the same bits on every machine and at any number of workers.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba

compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True, error_model="numpy")


def is_kept(kernel: Any) -> bool:
    """Tell whether machine code of a kernel is on disk, so that its first call need not wait for the compiler."""
    return any(Path(kernel.stats.cache_path).glob(f"*.{kernel.__name__}-*.nbi"))


def forget_stale_code(folder: Path) -> None:
    """Remove the machine code that Numba keeps for the kernels in `folder` if any of their sources has changed.

    Numba looks only at the file a kernel stands in, not at those of the kernels it calls: without this, a change in one
    file leaves its callers in others with the old code inside.
    """
    sources = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    digest = hashlib.sha256(sources).hexdigest()
    cache = folder / "__pycache__"
    stamp = cache / "kernels.sha256"
    with suppress(OSError):  # a folder that cannot be written to has no stale code of ours
        if not stamp.exists() or stamp.read_text() != digest:
            for stale in (*cache.glob("*.nbi"), *cache.glob("*.nbc")):
                stale.unlink(missing_ok=True)
            cache.mkdir(exist_ok=True)
            stamp.write_text(digest)


forget_stale_code(Path(__file__).parent)
