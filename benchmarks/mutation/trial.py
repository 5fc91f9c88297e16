"""A pytest plugin that runs mutants in forked processes, each with the tests that reach its statement.

The kernels are plain Python here (``NUMBA_DISABLE_JIT=1``), so that a mutant is a new code object of a function that
all modules share. A first run of all tests records which statements of the kernels each test reaches, and its time.
"""

import ast
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mutation.operators import Mutant, kernels_of

HITS = "__hits__"
"""Name of the set, in the globals of each kernel, of the statements that ran."""

KILLED, SURVIVED, UNREACHED = "killed", "survived", "not reached"
PASSED = 0

MAX_MEMORY = 6 << 30
"""Address space of the process of a mutant, bytes."""

Statement = tuple[str, int]
"""File and line."""


class Trial:
    """All mutants, run one after the other when pytest has collected the tests.

    Parameters
    ----------
    root : Path
        Root of the repository.
    modules : list of Path
        Kernel modules, for the record of statements.
    mutants : list of Mutant
    n_jobs : int
        Number of processes.
    max_test : float
        Tests that take longer with plain Python are left out, seconds.
    max_mutant : float
        Processor time of all tests of a mutant without its change, seconds; the shortest tests come first.
    progress : callable
        Gets the number of mutants done.
    """

    def __init__(
        self, root: Path, modules: list[Path], mutants: list[Mutant], n_jobs: int, max_test: float, max_mutant: float,
        progress: Callable[[int], None],
    ) -> None:  # fmt: skip
        self.root, self.modules, self.mutants, self.n_jobs = root, modules, mutants, n_jobs
        self.max_test, self.max_mutant, self.progress = max_test, max_mutant, progress
        self.hits: set[Statement] = set()
        self.reached: dict[str, set[Statement]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self.slow: list[str] = []
        self.outcomes: list[str] = [UNREACHED] * len(mutants)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        self._run_tests(items)
        self._run_mutants(items)
        return True

    def _run_tests(self, items: dict[str, pytest.Item]) -> None:
        """Run each test in a process of its own, and read which statements it reached."""
        with tempfile.TemporaryDirectory() as folder:
            for name, status in self._processes(enumerate(items.values()), partial(self._record_test, Path(folder))):
                nodeid, record = list(items)[name], Path(folder) / str(name)
                if record.exists():
                    found, self.seconds[nodeid] = json.loads(record.read_text())
                    self.reached[nodeid] = {(path, line) for path, line in found}
                elif status != PASSED:
                    (self.slow if os.WIFSIGNALED(status) else self.failed).append(nodeid)

    def _record_test(self, folder: Path, number: int, item: pytest.Item) -> bool:
        limit(self.max_test)
        self._record()
        start = time.process_time()
        passed = _passes(item)
        if passed and self.hits:
            (folder / str(number)).write_text(json.dumps([sorted(self.hits), time.process_time() - start]))
        return passed

    def _processes(
        self, tasks: Iterable[tuple[int, Any]], work: Callable[[int, Any], bool]
    ) -> Iterator[tuple[int, int]]:
        """Yield numbers of tasks and the status with which the process of each ended."""
        running: dict[int, int] = {}
        for number, task in tasks:
            running[_forked(work, number, task)] = number
            while len(running) >= self.n_jobs:
                process, status = os.wait()
                yield running.pop(process), status
        while running:
            process, status = os.wait()
            yield running.pop(process), status

    def _record(self) -> None:
        """Replace the code of all kernels by code that records its statements."""
        for path in self.modules:
            for tree in kernels_of(path):
                function = self._function(path, tree.name)
                function.__globals__[HITS] = self.hits
                function.__code__ = code_of(_Recorded(str(path)).visit(tree), path)

    def _function(self, path: Path, name: str) -> FunctionType:
        module = import_module(".".join(path.relative_to(self.root).with_suffix("").parts))
        function: FunctionType = getattr(module, name)
        return function

    def _run_mutants(self, items: dict[str, pytest.Item]) -> None:
        tasks = []
        for number, mutant in enumerate(self.mutants):
            names, seconds = self._chosen(mutant)
            if names:
                tasks.append((number, (mutant, [items[name] for name in names], seconds)))
        for done, (number, status) in enumerate(self._processes(tasks, self._survives), start=1):
            self.outcomes[number] = SURVIVED if status == PASSED else KILLED
            self.progress(done)

    def _survives(self, number: int, task: tuple[Mutant, list[pytest.Item], float]) -> bool:
        mutant, items, seconds = task
        limit(5.0 * seconds + 5.0)
        self._function(mutant.path, mutant.function).__code__ = code_of(mutant.tree(), mutant.path)
        return all(_passes(item) for item in items)

    def _chosen(self, mutant: Mutant) -> tuple[list[str], float]:
        """Return the tests that reach a mutant, the shortest first, and their processor time."""
        statement = (str(mutant.path), mutant.statement)
        names, total = [], 0.0
        for name in sorted(self.seconds, key=self.seconds.__getitem__):
            if statement in self.reached[name] and total < self.max_mutant:
                names.append(name)
                total += self.seconds[name]
        return names, total


def _forked(work: Callable[[int, Any], bool], number: int, task: Any) -> int:
    """Return the id of a process that does a piece of work, and ends with 0 if that returns true."""
    process = os.fork()
    if process:
        return process
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os._exit(0 if work(number, task) else 1)
    except BaseException:
        os._exit(1)


def limit(seconds: float) -> None:
    """Kill this process when it has used so much processor time, or has slept for long: another one has a lock."""
    now = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(now + seconds + 1.0), int(now + seconds + 1.0)))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.alarm(int(60.0 + 20.0 * seconds))


class _Recorded(ast.NodeTransformer):
    """Puts a record of each statement of a kernel before it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.FunctionDef):
            node.body = [line for each in node.body for line in self._recorded(each)]
            return ast.fix_missing_locations(node)
        return node

    def _recorded(self, node: ast.stmt) -> list[ast.stmt]:
        for field in ("body", "orelse"):
            if inner := getattr(node, field, None):
                setattr(node, field, [line for each in inner for line in self._recorded(each)])
        (record,) = ast.parse(f"{HITS}.add(({self.path!r}, {node.lineno}))").body
        return [ast.copy_location(record, node), node]


def code_of(tree: ast.FunctionDef, path: Path) -> CodeType:
    """Return the code of a function."""
    bare = ast.FunctionDef(tree.name, tree.args, tree.body, [], None)
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(bare, tree)], []))
    code = compile(module, str(path), "exec", dont_inherit=True)
    return next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == tree.name)


def _passes(item: pytest.Item) -> bool:
    return all(report.outcome != "failed" for report in runtestprotocol(item, log=False, nextitem=None))


def run(trial: Trial, tests: list[str]) -> None:
    """Run a trial with these test files."""
    sys.setrecursionlimit(10_000)
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-W", "ignore::RuntimeWarning", *tests]
    pytest.main(words, plugins=[trial])
