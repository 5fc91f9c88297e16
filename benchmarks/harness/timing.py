"""Times of repeated runs."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Key = TypeVar("Key")


def interleaved(
    sides: Mapping[Key, Callable[[], Any]], *, repeats: int, clock: Callable[[], float] = time.process_time
) -> dict[Key, float]:
    """Return the median time of each side, milliseconds.

    Each round runs all sides in turn, so that disturbances of the machine affect all of them. The first round is not
    counted. The default clock is the processor time of this process, which other programs hardly disturb. Work in
    other processes needs the wall clock, ``time.perf_counter``.
    """
    times: dict[Key, list[float]] = {name: [] for name in sides}
    for _ in range(repeats + 1):
        for name, work in sides.items():
            start = clock()
            work()
            times[name].append(clock() - start)
    return {name: 1e3 * statistics.median(all_times[1:]) for name, all_times in times.items()}


def median_wall_ms(work: Callable[[], Any], *, repeats: int = 20) -> float:
    """Return the median wall-clock time of `work`, milliseconds, after one run that is not counted."""
    return interleaved({"work": work}, repeats=repeats, clock=time.perf_counter)["work"]


def shortest_seconds(work: Callable[[], Any], *, repeats: int = 1) -> float:
    """Return the shortest processor time of `work` in this process, seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)
