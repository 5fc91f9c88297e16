"""Kernels as the kernels that call them need them: code that is neither optimised nor translated to machine code.

It becomes part of the caller's code, which is optimised as a whole. Numba compiles every function for calls from
Python otherwise, and half of its time goes into machine code that nothing calls.
"""

from collections.abc import Callable
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NativeLowering


def callee_of(kernel: Callable[..., Any], options: dict[str, Any]) -> "Callee":
    """Return a kernel for calls from other kernels, compiled with the options of ``numba.njit``."""
    options = options | {"nopython": True, "no_cpython_wrapper": True}
    return Callee(kernel, targetoptions=options, pipeline_class=IntermediateCompiler)


class IntermediateCode(JITCodeLibrary):  # type: ignore[misc]
    """Code of a kernel that is neither optimised nor translated."""

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
