"""The skies of a page: the columns of their list, and the data of each, made in parallel and within a budget."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from classify.explain.contributions import BASELINE
from classify.metrics import counted
from classify.report.encoding import rounded
from classify.report.figures import described
from classify.report.page import to_json
from classify.report.sky import SkyTask, describe_sky
from classify.verdicts.outcomes import (
    FALSE_ALARM,
    MISSED,
    NO_VERDICT,
    RIGHT,
    is_uncertain,
    outcomes_of,
    probabilities_of,
)
from darkmatter_features.errors import failure_reason
from darkmatter_features.features.compilation import preparation
from darkmatter_features.features.extract import report
from darkmatter_features.workers import parallel

CHUNK = 16
"""Skies of a task of a worker."""
ELEMENT = 80
"""Bytes of a page around the data of a sky."""
N_CONTRIBUTIONS = 8
"""Number of contributions of a sky that the page shows."""
NUMBERS = {
    "probability": 6, "likeness": 4, "row": 6, "column": 6, "snr": 5, "lens_row": 6, "lens_column": 6, "offset_px": 5,
}  # fmt: skip
"""Columns of numbers in the list, and their significant digits."""
Progress = Callable[[int, int], None]


def listed(judged: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the columns of the list of skies.

    Parameters
    ----------
    judged : pandas.DataFrame
        Verdicts, with the columns of :data:`classify.evaluate.JUDGED_COLUMNS`, and ``reason`` if known. A withheld
        verdict has no probability in the list.

    Returns
    -------
    dict
        ``name, label, decided_by, outcome, uncertain, unlike, reason``, and :data:`NUMBERS`; None for unknown. The
        outcomes are those of :mod:`classify.verdicts.outcomes`.
    """
    numbers = {name: judged[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in NUMBERS}
    numbers["probability"] = probabilities_of(judged)
    label = judged["label"].to_numpy(dtype=np.float64, na_value=np.nan)
    return {
        "name": judged["sky"].tolist(),
        "label": [int(value) if np.isfinite(value) else None for value in label],
        "decided_by": ["" if pd.isna(value) else str(value) for value in judged["decided_by"]],
        "outcome": outcomes_of(judged).tolist(),
        "uncertain": is_uncertain(numbers["probability"]).astype(int).tolist(),
        "unlike": [int(value == 1) for value in judged["unlike"].fillna(0)],
        "reason": ["" if pd.isna(value) else str(value) for value in judged.get("reason", [""] * len(judged))],
        **{name: rounded(values, NUMBERS[name]) for name, values in numbers.items()},
    }


def contributions_of(table: pd.DataFrame | None, name: str) -> dict[str, Any] | None:
    """Return the largest contributions to the verdict on a sky, the sum of the others, and their total."""
    if table is None or name not in table.index:
        return None
    row = table.loc[name].astype(np.float64)
    terms = row.drop(BASELINE).dropna()
    terms = terms.reindex(terms.abs().sort_values(ascending=False, kind="stable").index)
    largest, others = terms[:N_CONTRIBUTIONS], terms[N_CONTRIBUTIONS:]
    parts = [[described(str(key)), round(float(value), 3)] for key, value in largest.items() if value]
    baseline = float(row[BASELINE])
    total = baseline + float(terms.sum())
    return {
        "parts": parts,
        "others": round(float(others.sum()), 3),
        "baseline": round(baseline, 3),
        "total": round(total, 3),
    }


def with_terms(facts: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the names of all terms of contributions, and facts with their indices in the place of the names."""
    terms: dict[str, int] = {}
    compact = []
    for each in facts:
        own = each.get("contributions")
        parts = None if own is None else [[terms.setdefault(name, len(terms)), value] for name, value in own["parts"]]
        compact.append(dict(each) if own is None else {**each, "contributions": {**own, "parts": parts}})
    return list(terms), compact


def by_name(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return a table of contributions with the names of the skies as its index."""
    return None if table is None else table.drop_duplicates("image").set_index("image")


@dataclass(frozen=True)
class Details:
    """Data of the skies of a page.

    Attributes
    ----------
    texts : dict of int to str
        JSON of each sky by its index in the list.
    failures : tuple of (str, str)
        Skies that failed, with the reasons.
    n_left_out : int
        Skies that were left out to keep the page small.
    """

    texts: dict[int, str]
    failures: tuple[tuple[str, str], ...]
    n_left_out: int


def details(
    tasks: Sequence[SkyTask],
    names: Sequence[str],
    *,
    order: Sequence[int],
    max_bytes: int,
    n_jobs: int = -1,
    progress: Progress | None = None,
    debug: bool = False,
) -> Details:
    """Return the data of skies, those of the first in `order` until the budget is used up.

    Parameters
    ----------
    tasks, names : (n,) sequences
        The skies and their names.
    order : (n,) sequence of int
        Indices of the skies, the most important ones first.
    max_bytes : int
        Maximum size of all data together.
    n_jobs, progress, debug
        As in :func:`classify.predict.predict`.
    """
    chunks = [order[start : start + CHUNK] for start in range(0, len(order), CHUNK)]
    work = (([tasks[i] for i in chunk], debug) for chunk in chunks)
    texts: dict[int, str] = {}
    failures, n_done, size = [], 0, 0
    report(progress, 0, len(order))
    results = parallel(_described, work, n_jobs=n_jobs, **preparation([task.path for task in tasks]))
    for chunk, described_skies in zip(chunks, results, strict=False):
        for i, (own, reason) in zip(chunk, described_skies, strict=True):
            text = to_json(own)
            size += len(text.encode()) + ELEMENT
            if reason is not None:
                failures.append((names[i], reason))
            if size <= max_bytes and reason is None:
                texts[i] = text
        n_done += len(chunk)
        report(progress, n_done, len(order))
        if size > max_bytes:
            break
    results.close()  # type: ignore[attr-defined]
    return Details(texts, tuple(failures), len(order) - len(texts) - len(failures))


def _described(tasks: Sequence[SkyTask], debug: bool) -> list[tuple[dict[str, Any], str | None]]:
    """Return the data of each sky and None, or nothing and the reason of the failure."""
    found: list[tuple[dict[str, Any], str | None]] = []
    for task in tasks:
        try:
            found.append((describe_sky(task), None))
        except Exception as error:  # a sky that fails costs its own data only
            found.append(({}, failure_reason(error, debug=debug)))
    return found


def most_important(judged: pd.DataFrame) -> list[int]:
    """Return the indices of skies: wrong verdicts, unlike skies, then by uncertainty."""
    is_wrong = np.isin(outcomes_of(judged), (MISSED, FALSE_ALARM))
    is_unlike = judged["unlike"].fillna(0).to_numpy(dtype=np.float64) == 1
    order: list[int] = np.lexsort((np.abs(counted(probabilities_of(judged)) - 0.5), ~is_unlike, ~is_wrong)).tolist()
    return order


def counts(columns: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield the numbers of skies of each kind, with the filter of the page that shows them."""
    outcomes = Counter(columns["outcome"])
    unlike = "unlike the training skies"
    kinds = (
        (RIGHT, "right verdict", "right verdicts", outcomes[RIGHT]),
        (MISSED, "missed lens", "missed lenses", outcomes[MISSED]),
        (FALSE_ALARM, "false alarm", "false alarms", outcomes[FALSE_ALARM]),
        (NO_VERDICT, "without a verdict", "without a verdict", outcomes[NO_VERDICT]),
        ("uncertain", "uncertain", "uncertain", sum(columns["uncertain"])),
        ("unlike", unlike, unlike, sum(columns["unlike"])),
    )
    for key, one, many, n in kinds:
        yield {"filter": key, "n": n, "name": one if n == 1 else many}
