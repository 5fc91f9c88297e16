"""The report of a run: one HTML file with its figures and its validation skies."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from classify.metrics import N_RESAMPLES, WITHHELD_PROBABILITY
from classify.report.colors import page_constants
from classify.report.encoding import rounded
from classify.report.figures import figures_of, headline
from classify.report.measured import SHOWN_FEATURES
from classify.report.origin import FILE, commands, provenance, settings, settings_file
from classify.report.page import Json, make_page, to_bytes
from classify.report.run_data import RunData
from classify.report.skies import (
    Details,
    by_name,
    contributions_of,
    counts,
    details,
    listed,
    most_important,
    with_terms,
)  # fmt: skip
from classify.report.sky import SkyTask
from classify.verdicts.outcomes import NO_VERDICT
from darkmatter_features import __version__
from darkmatter_features.errors import ConfigError, DarkmatterError, shown
from darkmatter_features.io.table import written_whole
from darkmatter_features.lens.compiled import CompiledTemplate

NAME = "report.html"
"""Name of the page in the folder of its run."""
MAX_MB = 15.0
"""Maximum size of the page, MB: mail servers refuse larger files."""
MB = 1_000_000
NOTES = 8_000
"""Bytes that are kept for the notes of a page."""
MAX_FAILED = 20
"""Maximum number of failed skies that a page names."""


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes
    ----------
    path : Path
        The page.
    n_bytes : int
        Its size.
    n_skies, n_detailed : int
        Skies in its list, and those with image and maps.
    notes : tuple of str
        What is left out, with the reasons.
    failures : tuple of (str, str)
        Skies that failed, with the reasons.
    galaxies : str
        Where the galaxies of the maps come from.
    """

    path: Path
    n_bytes: int
    n_skies: int
    n_detailed: int
    notes: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]
    galaxies: str


def write_report(
    run: str | Path,
    out: str | Path | None = None,
    *,
    data: str | Path | None = None,
    max_mb: float = MAX_MB,
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
    debug: bool = False,
) -> Report:
    """Write the report of a run as one HTML file, which needs nothing outside itself.

    Parameters
    ----------
    run : str or Path
        Folder of a training run.
    out : str or Path, optional
        The page; ``RUN/report.html`` by default.
    data : str or Path, optional
        Folder of the data set where it has moved.
    max_mb : float
        Maximum size of the page, MB; images and maps of the skies of certain verdicts are left out beyond, then the
        contributions to all verdicts.
    n_jobs, progress, debug
        As in :func:`classify.predict.predict`.

    Returns
    -------
    Report

    Raises
    ------
    ModelError
        If there is no usable run.
    ConfigError
        If the list of the skies alone is larger than the page may be.
    """
    read = RunData.read(run, data=data)
    path = Path(run) / NAME if out is None else Path(out)
    max_bytes = int(max_mb * MB)
    facts, notes = _facts_within(read, max_bytes)
    base = page_of(read, {}, facts=facts, notes=())
    budget = max_bytes - len(to_bytes(base)) - NOTES
    found, others = _details(read, budget, n_jobs=n_jobs, progress=progress, debug=debug)
    notes += others
    text, n_detailed = b"", len(found.texts)
    while not text or (len(text) > max_bytes and n_detailed):
        n_detailed -= bool(text)
        kept = dict(list(found.texts.items())[:n_detailed])
        n_left_out = found.n_left_out + len(found.texts) - n_detailed
        all_notes = (*notes, *_left_out(read, n_left_out, max_mb))
        text = to_bytes(page_of(read, kept, facts=facts, notes=(*all_notes, *_failed(found))))
    with written_whole(path) as temporary:
        temporary.write_bytes(text)
    return Report(path, len(text), len(read.judged), n_detailed, all_notes, found.failures, read.measured.origin)


def _facts_within(run: RunData, max_bytes: int) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the facts of all skies, or none and a note where the page is too small for them.

    Raises
    ------
    ConfigError
        If not even the list of the skies fits.
    """
    facts = facts_of(run)
    if len(to_bytes(page_of(run, {}, facts=facts, notes=()))) + NOTES <= max_bytes:
        return facts, ()
    size = len(to_bytes(page_of(run, {}, facts=[], notes=()))) + NOTES
    if size > max_bytes:
        least = math.ceil(10 * size / MB) / 10
        raise ConfigError(
            f"the list of the {len(run.judged)} skies of {run.path} and its curves alone take {least:g} MB, more than "
            f"--max-mb {max_bytes / MB:g}; give --max-mb {least:g} or more, or use `darkmatter view {run.path}`"
        )
    return [], (f"contributions and evidence of all skies, to keep the page below {max_bytes / MB:g} MB",)


def _left_out(run: RunData, n: int, max_mb: float) -> tuple[str, ...]:
    if not n:
        return ()
    certain = f"{n} of {len(run.judged)} skies, those of the most certain verdicts, have no image or maps here"
    return (f"{certain}, to keep the page below {max_mb:g} MB",)


def _failed(found: Details) -> tuple[str, ...]:
    """Return a line for each of the first failed skies, and one for the others."""
    lines = [f"{name}: {shown(reason)}" for name, reason in found.failures[:MAX_FAILED]]
    n = len(found.failures) - len(lines)
    return (*lines, *([f"{n} more skies failed; the command names them"] if n else []))


def page_of(
    run: RunData,
    texts: dict[int, str],
    *,
    facts: Sequence[Mapping[str, Any]],
    notes: tuple[str, ...],
    served: bool = False,
) -> str:
    """Return the page of a run.

    Parameters
    ----------
    run : RunData
        The run.
    texts : dict of int to str
        JSON of the skies, by their index, that the page contains.
    facts : sequence of mapping
        Numbers of all skies that :func:`facts_of` returns; may be empty.
    notes : tuple of str
        What the page leaves out.
    served : bool
        Whether the page asks its server for the data of skies.
    """
    columns = listed(run.judged)
    terms, compact = with_terms(facts)
    data: dict[str, Any] = {
        "page": {"served": served, "detailed": sorted(texts), "terms": terms, **page_constants()},
        "skies": columns,
        "facts": compact,
        "figures": figures_of(run),
        **{f"sky-{i}": Json(text) for i, text in sorted(texts.items())},
    }
    name = run.path.resolve().name
    kinds = list(counts(columns))
    figures = {
        "headline": headline(run.metrics, run.oracle.metrics), "metrics": run.metrics, "oracle_note": run.oracle.note,
        "counts": kinds, "n_labelled": sum(label is not None for label in columns["label"]),
        "n_right": kinds[0]["n"], "n_withheld": columns["outcome"].count(NO_VERDICT),
        "n_resamples": N_RESAMPLES, "withheld_probability": WITHHELD_PROBABILITY,
    }  # fmt: skip
    again = {
        "file": FILE, "file_text": settings_file(run), "commands": commands(run),
        "unrecorded": run.cnn not in (None, "off") and run.cnn_config is None,
    }  # fmt: skip
    origin = {"provenance": provenance(run), "settings": settings(run), **again}
    return make_page(
        "run.html", data=data, title=f"Run {name}", name=name, version=__version__, run=run, notes=notes,
        served=served, **figures, **origin,
    )  # fmt: skip


def sky_tasks(run: RunData) -> list[SkyTask]:
    """Return the tasks of the validation skies of a run.

    Raises
    ------
    DatasetError
        If the data set has moved.
    """
    template = CompiledTemplate(run.model.template)
    unlike = (run.judged["unlike"] == 1).tolist()
    return [
        SkyTask(file, run.measured.catalogs.get(name), run.model.config, template, is_unlike)
        for file, name, is_unlike in zip(run.images(), run.judged["sky"], unlike, strict=True)
    ]


def facts_of(run: RunData) -> list[dict[str, Any]]:
    """Return the contributions to the verdict on each validation sky, and its evidence as the features have it."""
    table, evidence = by_name(run.contributions), run.measured.evidence
    return [
        {"contributions": contributions_of(table, name), **_evidence(evidence, name)}
        for name in run.judged["sky"].tolist()
    ]  # fmt: skip


def _evidence(table: pd.DataFrame, name: str) -> dict[str, Any]:
    if name not in table.index:
        return {}
    *bayes, amplitude, error = rounded(table.loc[name, list(SHOWN_FEATURES)].to_numpy(dtype="float64"), 4)
    return {"bayes": bayes, "amplitude": amplitude, "error": error}


def _details(run: RunData, budget: int, **options: Any) -> tuple[Details, tuple[str, ...]]:
    """Return the data of the skies, and a note if there are none."""
    try:
        tasks = sky_tasks(run)
    except DarkmatterError as error:
        return Details({}, (), 0), (f"no images or maps: {error}",)
    if not tasks:
        return Details({}, (), 0), ("no skies: the run has no validation skies",)
    names, order = run.judged["sky"].tolist(), most_important(run.judged)
    return details(tasks, names, order=order, max_bytes=budget, **options), ()
