"""The report of a run: time a sky beyond reading its image, size, and how fast the page opens and filters in a browser.

    python benchmarks/bench_report.py [RUN] [--skies 100]

The times a sky are those of one core, in one process, after the kernels are compiled. The page is opened from disk in a
headless Chromium; a filter is timed from the change of its field until the browser has painted.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.report import print_table, write_record

from classify.model.bundle import BUNDLE
from classify.report.page import to_json
from classify.report.run_data import RunData
from classify.report.run_report import page_of, sky_tasks, write_report
from classify.report.sky import describe_sky
from darkmatter_features.io.sky import read_sky

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FILTER = """value => new Promise(done => {
    const field = document.querySelector('[name=filter]'), start = performance.now();
    field.value = value;
    field.dispatchEvent(new Event('input', {bubbles: true}));
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})"""
OPENED = "performance.getEntriesByType('navigation')[0].domComplete"


def seconds(work: Callable[[], Any]) -> float:
    """Return the time of the process in a piece of work: other processes of the machine do not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def time_a_sky(run: Path, n_skies: int) -> dict[str, float]:
    """Return the median times of reading and of describing a sky, and the time of the page without skies, ms."""
    read = RunData.read(run)
    tasks = sky_tasks(read)[:n_skies]
    describe_sky(tasks[0])
    reading = [seconds(lambda task=task: read_sky(task.path)) for task in tasks]
    whole = [seconds(lambda task=task: to_json(describe_sky(task))) for task in tasks]
    page = seconds(lambda: page_of(read, {}, facts=[], notes=()))
    return {
        "read_ms": 1e3 * statistics.median(reading),
        "beyond_reading_ms": 1e3 * (statistics.median(whole) - statistics.median(reading)),
        "page_without_skies_ms": 1e3 * page,
    }


def time_browser(page: Path) -> dict[str, float]:
    """Return the times until the page is complete and until filters are painted, ms; nothing without a browser."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        return {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(f"file://{page}")
        tab.wait_for_selector("body[data-ready=true]")
        opened = tab.evaluate(OPENED)
        filters = [tab.evaluate(FILTER, value) for value in ("wrong", "", "uncertain", "", "unlike", "", "missed", "")]
        browser.close()
    return {"opens_ms": opened, "filter_ms": statistics.median(filters), "slowest_filter_ms": max(filters)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", default=Path("runs/default"), metavar="RUN")
    parser.add_argument("--skies", type=int, default=100, help="skies of which the times are taken (%(default)s)")
    args = parser.parse_args()
    if not (args.run / BUNDLE).is_dir():
        print(f"skipped: there is no run in {args.run}; make one with `make train`")
        return
    with tempfile.TemporaryDirectory() as folder:
        times = time_a_sky(args.run, args.skies)
        start = time.perf_counter()
        done = write_report(args.run, Path(folder) / "report.html")
        wall = time.perf_counter() - start
        browser = time_browser(done.path)
    record = {
        "skies": done.n_skies, "skies_with_maps": done.n_detailed, "MB": done.n_bytes / 1e6, **times,
        "wall_s": wall, "processes": os.cpu_count(), "load_before": os.getloadavg()[0], **browser,
    }  # fmt: skip
    print_table(("quantity", "value"), [(name, f"{value:.4g}") for name, value in record.items()])
    write_record("report", record)


if __name__ == "__main__":
    main()
