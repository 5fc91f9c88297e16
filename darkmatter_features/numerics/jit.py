"""The one decorator of the compiled inner loops, and the cache that keeps their machine code.

Kernels take arrays, records and scalars, are serial and check nothing. Each trusts its caller, fills arrays that were
passed in, and has an obvious slow twin in the tests. None uses ``fastmath``: the same input gives the same bits on
every machine and at any number of workers.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile


def sources_digest(package: Path) -> str:
    """Return 64 hexadecimal digits that change when the source of any kernel in a package does.

    Parameters
    ----------
    package : Path
        Root folder. Kernels are the modules named ``kernels.py`` and those in folders named ``kernels``.
    """
    modules = sorted([*package.rglob("kernels.py"), *package.rglob("kernels/*.py")])
    digest = hashlib.sha256()
    for path in modules:
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


SOURCES = sources_digest(Path(__file__).parents[1])
"""Digest of the sources of all kernels in this package."""

TRIED_NUMBA = (0, 68)
"""Newest version of Numba whose steps of compilation are known to be those that `intermediate` changes."""


class KernelCache(FunctionCache):  # type: ignore[misc]  # Numba has no types
    """Machine code on disk, keyed by the digest of all kernel sources.

    Numba's own key covers the file a kernel stands in, but not the kernels it calls: without the digest, a change in
    one file leaves callers in others with the old code inside. Code of other digests stays on disk and is not read: an
    index is a file of its own digest, for the keys in an older one may name records that exist no longer.
    """

    def __init__(self, kernel: Callable[..., Any]) -> None:
        super().__init__(kernel)
        base = f"{self._impl.filename_base}-{SOURCES[:16]}"
        self._cache_file = IndexDataCacheFile(self._cache_path, base, self._impl.locator.get_source_stamp())

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), SOURCES)

    def holds_code(self) -> bool:
        """Return whether machine code of the present sources is on disk."""
        return any(key[-1] == SOURCES for key in self._cache_file._load_index())


def compiled(kernel: Callable[..., Any]) -> Any:
    """Return the compiled form of a function, its machine code cached on disk. Use as a decorator.

    Machine code is made for calls from Python only, where that is known to work: a kernel that calls another has that
    one's code inside. With a Numba that is newer than :data:`TRIED_NUMBA`, every kernel gets machine code of its own,
    which takes twice as long and gives the same results.
    """
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    dispatcher = numba.njit(**options)(kernel)
    dispatcher._cache = KernelCache(kernel)
    if numba.version_info.short <= TRIED_NUMBA:
        from darkmatter_features.numerics.intermediate import callee_of

        callee = callee_of(kernel, options)
        dispatcher.get_call_template, dispatcher.get_overload = callee.get_call_template, callee.get_overload
    return dispatcher


def is_cached(kernel: Any) -> bool:
    """Return whether the first call of a kernel can load its machine code instead of waiting for the compiler."""
    return bool(kernel._cache.holds_code())
