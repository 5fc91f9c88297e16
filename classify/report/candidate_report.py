"""The report of a list of candidates: one HTML file with its table, maps, profiles and null tests."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from classify.report.candidate_data import CandidateData
from classify.report.candidate_facts import (
    columns_of,
    headline,
    neighbors,
    null_curve,
    null_of,
    profile_of,
    unit_of,
)
from classify.report.candidate_maps import encoded_pair, homes
from classify.report.colors import page_constants
from classify.report.north_up import north_up
from classify.report.page import Json, make_page, parts_of, to_bytes, to_json
from darkmatter_features import __version__
from darkmatter_features.errors import ConfigError
from darkmatter_features.io.table import written_whole

NAME = "report.html"
"""Name of the page in the folder of its candidates."""
STYLES = ("base.css", "charts.css", "gallery.css", "viewer.css", "candidates.css")
SCRIPTS = (
    "core.js", "theme.js", "state.js", "decode.js", "contours.js", "charts.js", "panels.js", "viewer.js",
    "candidate_list.js", "candidate_maps.js", "candidates.js",
)  # fmt: skip
STATE_KEYS = ("snr", "pmax", "purity", "edge", "known", "q", "sort", "candidate")
"""Entries of the address of the page."""
SETTINGS = {"n_randomizations": "randomizations", "n_of_z": "redshift distribution"}
"""Names of settings on the page that differ from their own."""
MB = 1_000_000


@dataclass(frozen=True)
class CandidateReport:
    """A report that was written.

    Attributes
    ----------
    path : Path
        The page.
    n_bytes : int
        Its size.
    n_candidates, n_maps : int
        Candidates, and pairs of maps in the page.
    notes : tuple of str
        What is left out, with the reasons.
    """

    path: Path
    n_bytes: int
    n_candidates: int
    n_maps: int
    notes: tuple[str, ...]


def write_candidate_report(
    folder: str | Path, out: str | Path | None = None, *, max_mb: float = 15.0
) -> CandidateReport:
    """Write the report of a list of candidates as one HTML file, which needs nothing outside itself.

    Parameters
    ----------
    folder : str or Path
        Folder that `darkmatter candidates` wrote, of one field or of a survey.
    out : str or Path, optional
        The page; ``report.html`` in that folder by default.
    max_mb : float
        Maximum size of the page, MB; maps of patches without strong candidates are left out beyond.

    Returns
    -------
    CandidateReport

    Raises
    ------
    TableError
        If a file of the folder cannot be read.
    ConfigError
        If the table alone is larger than the page may be.
    """
    data = CandidateData.read(folder)
    if data.is_survey:
        data = replace(data, maps=tuple(map(north_up, data.maps)))
    path = Path(folder) / NAME if out is None else Path(out)
    texts = [to_json(encoded_pair(data, pair)) for pair in data.maps]
    notes = _lacking(data)
    base = len(to_bytes(candidate_page(data, {}, notes))) + 1000
    if base > max_mb * MB:
        least = math.ceil(10 * base / MB) / 10
        raise ConfigError(
            f"the table of {len(data.table)} candidates alone takes {least:g} MB, more than --max-mb {max_mb:g}; give "
            f"--max-mb {least:g} or more, or a higher --threshold to `darkmatter candidates`"
        )
    kept = _within(data, texts, int(max_mb * MB) - base)
    if len(kept) < len(texts):
        notes = (
            *notes,
            f"maps of {len(texts) - len(kept)} of {len(texts)} patches, to keep the page below {max_mb:g} MB",
        )
    text = to_bytes(candidate_page(data, {k: texts[k] for k in kept}, notes))
    with written_whole(path) as temporary:
        temporary.write_bytes(text)
    return CandidateReport(path, len(text), len(data.table), len(kept), notes)


def _lacking(data: CandidateData) -> tuple[str, ...]:
    """Return notes on what a folder of an earlier version lacks."""
    wanted = {"maps": data.maps or None, "radial profiles": data.profiles}
    lacking = [name for name, found in wanted.items() if found is None]
    return tuple(f"{name}: the folder has none; make it again with `darkmatter candidates`" for name in lacking)


def _within(data: CandidateData, texts: list[str], budget: int) -> list[int]:
    """Return the indices of the maps that fit, those of the best candidates first."""
    home = homes(data.table, data.maps)
    ranks = [home.index(k) if k in home else len(home) for k in range(len(data.maps))]
    kept: list[int] = []
    for k in np.argsort(ranks, kind="stable").tolist():
        budget -= len(texts[k]) + 100
        if budget < 0:
            break
        kept.append(k)
    return sorted(kept)


def candidate_page(data: CandidateData, maps: dict[int, str], notes: tuple[str, ...]) -> str:
    """Return the page of a list of candidates.

    Parameters
    ----------
    data : CandidateData
        The list.
    maps : dict of int to str
        JSON of the maps, by their index, that the page contains.
    notes : tuple of str
        What the page leaves out.
    """
    meta, unit = data.table.meta, unit_of(data)
    n = range(1, len(data.table) + 1)
    content: dict[str, Any] = {
        "page": {"served": False, "state_keys": STATE_KEYS, "unit": unit, "is_survey": data.is_survey,
                 "maps": sorted(maps), "homes": homes(data.table, data.maps), **page_constants()},
        "columns": columns_of(data),
        "details": [
            {"profile": profile_of(data, k), "null": null_of(data, k), "near": neighbors(data, k - 1)} for k in n
        ],
        "known": [] if data.known is None else [str(name) for name in data.known["name"]],
        "curve": null_curve(data),
        **{f"map-{k}": Json(text) for k, text in maps.items()},
    }  # fmt: skip
    settings = [(SETTINGS.get(key, key), _plain(value)) for key, value in meta.get("settings", {}).items()]
    return make_page(
        "candidates.html", data=content, **parts_of(STYLES, SCRIPTS, curves=True),
        title=f"Candidates of {meta['catalog']}",
        name=Path(str(meta["catalog"])).name, version=__version__, served=False, notes=notes,
        headline=headline(data), reading=list(meta.get("notes", [])), settings=settings,
        command=str(meta.get("command", "")), tests=list(meta.get("null_tests", [])), is_survey=data.is_survey,
        has_sky=data.has_sky, n_candidates=len(data.table), has_maps=bool(maps), columns=content["columns"],
        has_known="known_name" in data.table.colnames, has_purity="expected_purity" in data.table.colnames,
    )  # fmt: skip


def _plain(value: Any) -> str:
    """Return a setting as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(str(each) for each in value) if isinstance(value, list | tuple) else str(value)
