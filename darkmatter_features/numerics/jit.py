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
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NativeLowering


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


class IntermediateCode(JITCodeLibrary):  # type: ignore[misc]
    """Code of a kernel as the kernels that call it need it: neither optimised nor translated to machine code.

    It becomes part of the caller's code, which is optimised as a whole.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class IntermediateLowering(NativeLowering):  # type: ignore[misc]
    """Last step of the compilation of a kernel that is called by kernels only."""

    _name = "intermediate_lowering"

    def run_pass(self, state: Any) -> bool:
        """Write the code of a kernel, and register it for the callers."""
        state.library = IntermediateCode(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        state.cr = state.cr._replace(cfunc=object())  # no function of Python, but a key of the code
        state.targetctx.insert_user_function(state.cr.cfunc, state.cr.fndesc, [state.library])
        return True


class IntermediateCompiler(CompilerBase):  # type: ignore[misc]
    """Compiler of kernels that are called by kernels only."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's steps of compilation, but for the last one."""
        steps = DefaultPassBuilder.define_nopython_pipeline(self.state)
        steps.passes = [(IntermediateLowering if step is NativeLowering else step, text) for step, text in steps.passes]
        steps.finalize()
        return [steps]


class Callee(CPUDispatcher):  # type: ignore[misc]
    """A kernel as other kernels see it."""

    def add_overload(self, cres: Any) -> None:
        """Add the code for some types of arguments, without the entry for calls from Python."""
        self.overloads[tuple(cres.signature.args)] = cres


def compiled(kernel: Callable[..., Any]) -> Any:
    """Return the compiled form of a function, its machine code cached on disk. Use as a decorator.

    Machine code is made for calls from Python only. A kernel that calls another has that one's code inside.
    """
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    dispatcher = numba.njit(**options)(kernel)
    dispatcher._cache = KernelCache(kernel)
    options |= {"nopython": True, "no_cpython_wrapper": True}
    callee = Callee(kernel, targetoptions=options, pipeline_class=IntermediateCompiler)
    dispatcher.get_call_template, dispatcher.get_overload = callee.get_call_template, callee.get_overload
    return dispatcher


def is_cached(kernel: Any) -> bool:
    """Return whether the first call of a kernel can load its machine code instead of waiting for the compiler."""
    return bool(kernel._cache.holds_code())
