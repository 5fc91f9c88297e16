"""The report of a run: one HTML file with its figures and its validation skies."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classify.report.colors import color_tables
from classify.report.figures import figures_of, headline
from classify.report.origin import FILE, commands, provenance, settings, settings_file
from classify.report.page import Json, make_page, to_bytes
from classify.report.run_data import RunData
from classify.report.skies import Details, by_name, contributions_of, counts, details, listed, most_important
from classify.report.sky import SkyTask
from darkmatter_features import __version__
from darkmatter_features.errors import DarkmatterError
from darkmatter_features.io.table import written_whole
from darkmatter_features.lens.compiled import CompiledTemplate

NAME = "report.html"
"""Name of the page in the folder of its run."""
MAX_MB = 15.0
"""Maximum size of the page, MB: mail servers refuse larger files."""
MB = 1_000_000
NOTES = 2_000
"""Bytes that are kept for the notes of a page."""


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
    """

    path: Path
    n_bytes: int
    n_skies: int
    n_detailed: int
    notes: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]


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
        Maximum size of the page, MB; images and maps of the skies of certain verdicts are left out beyond.
    n_jobs, progress, debug
        As in :func:`classify.predict.predict`.

    Returns
    -------
    Report

    Raises
    ------
    ModelError
        If there is no usable run.
    """
    read = RunData.read(run, data=data)
    path = Path(run) / NAME if out is None else Path(out)
    base = page_of(read, {}, notes=())
    budget = int(max_mb * MB) - len(to_bytes(base)) - NOTES
    found, notes = _details(read, budget, n_jobs=n_jobs, progress=progress, debug=debug)
    if found.n_left_out:
        notes += (
            (
                f"{found.n_left_out} of {len(read.judged)} skies, those of the most certain verdicts, have no image or "
                f"maps here, to keep the page below {max_mb:g} MB"
            ),
        )
    failed = (f"{name}: {reason}" for name, reason in found.failures)
    text = to_bytes(page_of(read, found.texts, notes=(*notes, *failed)))
    with written_whole(path) as temporary:
        temporary.write_bytes(text)
    return Report(path, len(text), len(read.judged), len(found.texts), notes, found.failures)


def page_of(run: RunData, texts: dict[int, str], *, notes: tuple[str, ...], served: bool = False) -> str:
    """Return the page of a run.

    Parameters
    ----------
    run : RunData
        The run.
    texts : dict of int to str
        JSON of the skies, by their index, that the page contains.
    notes : tuple of str
        What the page leaves out.
    served : bool
        Whether the page asks its server for the data of skies.
    """
    columns = listed(run.judged)
    data: dict[str, Any] = {
        "page": {"served": served, "detailed": sorted(texts), **color_tables()},
        "skies": columns,
        "figures": figures_of(run),
        **{f"sky-{i}": Json(text) for i, text in sorted(texts.items())},
    }
    name = run.path.resolve().name
    figures = {"headline": headline(run.metrics, run.oracle), "metrics": run.metrics, "n_labelled": _n_labelled(run)}
    again = {
        "file": FILE, "file_text": settings_file(run), "commands": commands(run),
        "unrecorded": run.cnn not in (None, "off") and run.cnn_config is None,
    }  # fmt: skip
    origin = {"provenance": provenance(run), "settings": settings(run), **again}
    return make_page(
        "run.html", data=data, title=f"Run {name}", name=name, version=__version__, counts=list(counts(columns)),
        run=run, notes=notes, served=served, **figures, **origin,
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
        SkyTask(file, run.catalogs.get(name), run.model.config, template, is_unlike)
        for file, name, is_unlike in zip(run.images(), run.judged["sky"], unlike, strict=True)
    ]


def extras(run: RunData) -> list[dict[str, Any]]:
    """Return the contributions to the verdict on each validation sky."""
    table = by_name(run.contributions)
    return [{"contributions": contributions_of(table, name)} for name in run.judged["sky"]]


def _details(run: RunData, budget: int, **options: Any) -> tuple[Details, tuple[str, ...]]:
    """Return the data of the skies, and a note if there are none."""
    try:
        tasks = sky_tasks(run)
    except DarkmatterError as error:
        return Details({}, (), 0), (f"no images or maps: {error}",)
    if not tasks:
        return Details({}, (), 0), ("no skies: the run has no validation skies",)
    names, order = run.judged["sky"].tolist(), most_important(run.judged)
    return details(tasks, names, extras(run), order=order, max_bytes=budget, **options), ()


def _n_labelled(run: RunData) -> int:
    return int(run.judged["label"].notna().sum())
