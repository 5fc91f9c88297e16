"""The sites of `darkmatter view`: of a run, and of any images."""

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from classify.evaluate import JUDGED_COLUMNS
from classify.model import LensModel
from classify.predict import predict
from classify.report.colors import color_tables
from classify.report.page import make_page, to_json
from classify.report.run_data import RunData
from classify.report.run_report import extras, page_of, sky_tasks
from classify.report.server import Site
from classify.report.skies import by_name, contributions_of, counts, listed
from classify.report.sky import SkyTask, describe_sky, sky_image
from classify.tables.columns import FEATURE_NAMES
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import SkyError
from darkmatter_features.features.extract import SkyRow, extract_rows
from darkmatter_features.io.image_paths import find_skies
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.compiled import CompiledTemplate

N_KEPT = 128
"""Number of skies and of images that are kept in memory."""
Progress = Callable[[int, int], None]


def site_of_run(run: str | Path, *, data: str | Path | None = None) -> Site:
    """Return the report of a run, whose skies are made as they are asked for.

    Raises
    ------
    ModelError, DatasetError
        If there is no usable run, or its data set has moved.
    """
    read = RunData.read(run, data=data)
    return _site(page_of(read, {}, notes=(), served=True), sky_tasks(read), extras(read))


def site_of_skies(
    skies: Sequence[str | Path],
    run: str | Path | None = None,
    *,
    cnn: str = "auto",
    part: str | None = None,
    n_jobs: int = -1,
    progress: Progress | None = None,
    debug: bool = False,
) -> Site:
    """Return a page of images, with the verdicts of a run if there is one.

    Parameters
    ----------
    skies : sequence of str or Path
        Files, folders or glob patterns.
    run : str or Path, optional
        Folder of a training run.
    cnn, part, n_jobs, progress, debug
        As in :func:`classify.predict.predict`.

    Raises
    ------
    SkyError
        If none of the images can be measured.
    """
    options: dict[str, Any] = {"n_jobs": n_jobs, "progress": progress, "debug": debug}
    if run is None:
        rows = extract_rows(find_skies(skies, part=part), **options)
        paths = [row.path for row in rows if row.values is not None]
        judged, failures = _measured(rows)
        explained, config, template = None, MeasureConfig(), None
    else:
        model = LensModel.load(run)
        done = predict(run, skies, cnn=cnn, explain=True, part=part, **options)
        judged, failures = _as_judged(done.table[done.table["error"].isna()]), done.failures
        paths = [Path(name) for name in judged["sky"]]
        explained, config, template = by_name(done.explained), model.config, CompiledTemplate(model.template)
    if not len(judged):
        raise SkyError(f"no sky can be shown; the first: {failures[0][1]}")
    unlike = (judged["unlike"] == 1).tolist()
    tasks = [SkyTask(path, None, config, template, own) for path, own in zip(paths, unlike, strict=True)]
    extra = [{"contributions": contributions_of(explained, name)} for name in judged["sky"]]
    return _site(_page(judged, failures, run), tasks, extra)


def _page(judged: pd.DataFrame, failures: Sequence[tuple[str, str]], run: str | Path | None) -> str:
    columns = listed(judged)
    data = {"page": {"served": True, "detailed": [], **color_tables()}, "skies": columns}
    title = f"{len(judged)} {'sky' if len(judged) == 1 else 'skies'}"
    return make_page(
        "skies_page.html", data=data, title=title, name="darkmatter", version=__version__, served=True,
        failures=failures, run=None if run is None else str(run), counts=list(counts(columns)),
    )  # fmt: skip


def _measured(rows: Sequence[SkyRow]) -> tuple[pd.DataFrame, tuple[tuple[str, str], ...]]:
    """Return the table of measured skies without verdicts, and the failures."""
    known = [(_text(row.path), dict(zip(FEATURE_NAMES, row.values.tolist(), strict=True)))
             for row in rows if row.values is not None]  # fmt: skip
    table = pd.DataFrame(
        [{"image": name, "row": own["row"], "column": own["column"], "snr": own["peak_snr"]} for name, own in known],
        columns=["image", "row", "column", "snr"],
    )
    failures = tuple((str(row.path), row.error) for row in rows if row.error is not None)
    return _as_judged(table), failures


def _text(path: Path) -> str:
    """Return a path as text; a replacement character for each byte in another encoding, which tables cannot hold."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _as_judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of verdicts with the columns of a table with the truth, which is unknown."""
    own = table.rename(columns={"image": "sky"}).assign(label=np.nan).reindex(columns=[*JUDGED_COLUMNS, "reason"])
    return own.reset_index(drop=True)


def _site(page: str, tasks: Sequence[SkyTask], extra: Sequence[Mapping[str, Any]]) -> Site:
    lock = Lock()  # one sky at a time: a page asks for many at once

    @lru_cache(maxsize=N_KEPT)
    def sky(index: int) -> str:
        with lock:
            return to_json({**describe_sky(tasks[index]), **extra[index]})

    @lru_cache(maxsize=N_KEPT)
    def image(index: int) -> bytes:
        return base64.b64decode(sky_image(read_sky(tasks[index].path))[1])

    return Site(page, len(tasks), sky, image)
