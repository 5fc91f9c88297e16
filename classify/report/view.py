"""The sites of `darkmatter view`: of a run, and of any images, each of which is measured when it is asked for."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classify.cnn.inputs import FieldInput
from classify.evaluate import JUDGED_COLUMNS, judged_table
from classify.explain.contributions import contributions, explained_table
from classify.model import LensModel
from classify.predict import load_model
from classify.report.colors import page_constants
from classify.report.page import make_page, to_json
from classify.report.run_data import RunData
from classify.report.run_report import facts_of, page_of, sky_tasks
from classify.report.server import Site
from classify.report.skies import by_name, contributions_of, listed
from classify.report.sky import MeasuredImage, SkyTask, describe_sky, described, measured_image, sky_image
from classify.tables.columns import FEATURE_NAMES
from darkmatter_features import __version__
from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import path_text
from darkmatter_features.features.statistics import feature_row
from darkmatter_features.io.image_paths import find_skies
from darkmatter_features.io.sky import read_sky
from darkmatter_features.lens.compiled import CompiledTemplate
from darkmatter_features.maps.shear import shear_maps

N_KEPT = 128
"""Number of skies and of images that are kept in memory."""
NOT_MEASURED = "unmeasured"
"""Outcome of a sky in the list before it is measured."""
MEASURED_NUMBERS = {"row": "row", "column": "column", "snr": "peak_snr"}
"""Columns of the list that need no verdict, and their features."""


def site_of_run(run: str | Path, *, data: str | Path | None = None) -> Site:
    """Return the report of a run, whose skies are made as they are asked for.

    Raises
    ------
    ModelError, DatasetError
        If there is no usable run, or its data set has moved.
    """
    read = RunData.read(run, data=data)
    tasks = sky_tasks(read)
    page = page_of(read, {}, facts=facts_of(read), notes=(), served=True)
    return _site(page, [task.path for task in tasks], lambda index: describe_sky(tasks[index]))


def site_of_skies(
    skies: Sequence[str | Path], run: str | Path | None = None, *, cnn: str = "auto", part: str | None = None
) -> Site:
    """Return a page of images, with the verdicts of a run if there is one; no image is read before it is asked for.

    Parameters
    ----------
    skies : sequence of str or Path
        Files, folders or glob patterns.
    run : str or Path, optional
        Folder of a training run.
    cnn, part
        As in :func:`classify.predict.predict`.

    Raises
    ------
    SkyError
        If a folder or a pattern contains no image.
    ModelError, ConfigError
        If there is no usable run, or no CNN stage with ``cnn="on"``.
    """
    model = None if run is None else load_model(run, cnn=cnn)
    paths = find_skies(skies, part=part)
    names = [path_text(path) for path in paths]
    config, template = (MeasureConfig(), None) if model is None else (model.config, CompiledTemplate(model.template))
    tasks = [SkyTask(path, None, config, template) for path in paths]
    page = _page(names, None if run is None else path_text(Path(run)))
    return _site(page, paths, lambda index: _judged_sky(tasks[index], names[index], model), has_verdicts=True)


def _page(names: Sequence[str], run: str | None) -> str:
    columns = listed(_as_judged(pd.DataFrame({"sky": list(names)})))
    columns["outcome"] = [NOT_MEASURED] * len(names)
    data = {"page": {"served": True, "measures": True, "detailed": [], **page_constants()}, "skies": columns}
    title = f"{len(names)} {'sky' if len(names) == 1 else 'skies'}"
    return make_page(
        "skies_page.html", data=data, title=title, name="darkmatter", version=__version__, served=True, run=run
    )


def _judged_sky(task: SkyTask, name: str, model: LensModel | None) -> dict[str, Any]:
    """Return the data of a sky, with its row of the list and the contributions to its verdict."""
    measured = measured_image(task)
    maps = shear_maps(measured.galaxies, config=task.config)
    row = feature_row(measured.galaxies, maps, measured.evidence)
    if model is None:
        numbers = {column: row[FEATURE_NAMES.index(feature)] for column, feature in MEASURED_NUMBERS.items()}
        judged, explained = _as_judged(pd.DataFrame([{"sky": name, **numbers}])), None
    else:
        judged = _verdict(measured, row, name, model)
        explained = by_name(explained_table([name], contributions(model, row[None]), judged))
    is_unlike = bool((judged["unlike"] == 1).any())
    return {
        **described(measured, replace(task, is_unlike=is_unlike)),
        "listed": {key: values[0] for key, values in listed(judged).items()},
        "facts": {"contributions": contributions_of(explained, name)},
    }


def _verdict(measured: MeasuredImage, row: NDArray[np.float64], name: str, model: LensModel) -> pd.DataFrame:
    """Return the verdict on a sky, as a table of verdicts whose truth is unknown."""
    field = lambda _: [FieldInput.of(measured.sky, measured.galaxies, measured.evidence)]  # noqa: E731
    verdict = model.verdicts([name], row[None], inputs=field)[0]
    return judged_table([verdict], [np.nan], [np.nan], [np.nan]).assign(reason=verdict.reason)


def _as_judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns of a table of verdicts, unknown where it lacks them."""
    return table.reindex(columns=[*JUDGED_COLUMNS, "reason"])


def _site(
    page: str, paths: Sequence[Path], describe: Callable[[int], dict[str, Any]], *, has_verdicts: bool = False
) -> Site:
    lock = Lock()  # one sky at a time: a page asks for many at once
    made: dict[int, str] = {}
    rows: dict[int, str] = {}

    def sky(index: int) -> str:
        if (text := made.get(index)) is not None:
            return text
        with lock:
            if index not in made:
                own = describe(index)
                if has_verdicts:
                    rows[index] = to_json({key: own[key] for key in ("listed", "facts")})
                if len(made) >= N_KEPT:
                    del made[next(iter(made))]
                made[index] = to_json(own)
            return made[index]

    @lru_cache(maxsize=N_KEPT)
    def image(index: int) -> bytes:
        return base64.b64decode(sky_image(read_sky(paths[index]))[1])

    def verdict(index: int) -> str:
        if index not in rows:
            sky(index)
        return rows[index]

    return Site(page, len(paths), sky, image, verdict if has_verdicts else None)
