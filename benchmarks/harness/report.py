"""Tables on the terminal and records on disk."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.environment import environment

RESULTS = Path(__file__).parents[1] / "results"
"""Folder of the records and figures."""


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns: the first aligned to the left, the others to the right."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    for row in (header, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip())


def write_record(name: str, values: dict[str, Any]) -> Path:
    """Write values and the environment they were measured in to ``benchmarks/results/NAME.json``; return the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"environment": environment(), **values}, indent=2) + "\n")
    return path
