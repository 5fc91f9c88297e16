"""Numbers of the report of candidates: columns, profiles, null distributions, neighbours, and the headline."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.report.candidate_data import CandidateData
from classify.report.encoding import rounded

Array = NDArray[np.float64]

MAX_CHANCE = 0.05
"""Probability of a known lens as near by chance, below which a candidate counts as known."""
N_NEIGHBORS = 5
"""Number of known lenses that are listed for a candidate."""
N_BINS = 24
"""Number of bins of the null distribution."""
TITLES = {
    "ra": "RA", "dec": "Dec", "snr": "S/N", "snr_cross": "cross S/N", "log_bayes_factor": "ln Bayes factor",
    "false_alarm_probability": "false alarm", "n_galaxies": "galaxies", "empty_fraction": "empty",
    "position_error": "error", "known_name": "known lens", "known_separation": "distance from it",
    "known_chance": "by chance", "expected_purity": "purity",
    "local_completeness": "completeness",
}  # fmt: skip
"""Heads of columns that differ from their names."""


def unit_of(data: CandidateData) -> str:
    """Return the unit of x and y, "" if unknown."""
    return str(data.table["x"].unit or "")


def columns_of(data: CandidateData) -> list[dict[str, Any]]:
    """Return the columns of the table: name, title, unit, description, kind and values; and whether it is known."""
    columns = [_column(data.table, name) for name in data.table.colnames]
    if "known_chance" in data.table.colnames:
        columns.append({"name": "matched", "kind": "hidden", "values": _matched(data.table)})
    return columns


def _column(table: Any, name: str) -> dict[str, Any]:
    own = table[name]
    kind = {"U": "text", "S": "text", "O": "text", "b": "flag"}.get(own.dtype.kind, "number")
    values: list[Any] = [str(each) if kind == "text" else bool(each) for each in own]
    if kind == "number":
        values = rounded(np.asarray(own, np.float64), 9)
    head = {"name": name, "title": TITLES.get(name, name.replace("_", " ")), "unit": str(own.unit or "")}
    return head | {"kind": kind, "description": own.description or "", "values": values}


def _matched(table: Any) -> list[bool]:
    """Return whether the known lens of each candidate is not there by chance, or within three position errors."""
    chance, separation = (np.asarray(table[name], np.float64) for name in ("known_chance", "known_separation"))
    near = np.isnan(chance) & (separation <= 3.0 * np.asarray(table["position_error"]))
    return [bool(each) for each in (chance < MAX_CHANCE) | near]


def profile_of(data: CandidateData, number: int) -> dict[str, Any] | None:
    """Return the radial profile of a candidate, numbered from 1, as a chart takes it."""
    if data.profiles is None:
        return None
    own = data.profiles[data.profiles["candidate"] == number]
    columns = {name: rounded(np.asarray(own[name])) for name in ("radius", "gamma_t", "gamma_x", "error")}
    return columns | {"n": np.asarray(own["n_galaxies"]).tolist()}


def null_of(data: CandidateData, number: int) -> dict[str, Any] | None:
    """Return the Bayes factors of the randomized skies of a candidate as a histogram, and that of the sky."""
    if data.null is None or "log_bayes_factor" not in data.null.colnames:
        return None
    randomized = np.asarray(data.null["log_bayes_factor"])[data.null["candidate"] == number]
    observed = data.null.meta.get("observed", {}).get(str(number))
    if not randomized.size or observed is None:
        return None
    counts, edges = np.histogram(randomized, bins=N_BINS)
    middle = rounded(0.5 * (edges[1:] + edges[:-1]))
    return {"x": middle, "y": counts.tolist(), "n": int(randomized.size), "observed": float(observed),
            "above": int((randomized >= observed).sum())}  # fmt: skip


def null_curve(data: CandidateData) -> dict[str, Any] | None:
    """Return log10 of the expected number of false candidates of a survey, and of its peaks of cross shear, by S/N."""
    if data.null is None or "expected" not in data.null.colnames:
        return None
    expected = np.log10(np.maximum(np.asarray(data.null["expected"], np.float64), 1e-300))
    peaks = np.sort(np.asarray(data.null.meta.get("cross_peaks", []), np.float64))
    counts = np.log10(np.arange(peaks.size, 0, -1))
    return {
        "x": rounded(np.asarray(data.null["snr"])),
        "y": rounded(expected),
        "cross": [rounded(peaks), rounded(counts)],
    }


def neighbors(data: CandidateData, index: int) -> list[dict[str, Any]]:
    """Return the known lenses nearest to a candidate within the field: name, distance, unit."""
    if data.known is None or not len(data.known):
        return []
    row = data.table[index]
    on_sky = data.has_sky and "ra" in data.known.colnames and np.isfinite(row["ra"])
    distance, unit = (_angles(data.known, row), "arcmin") if on_sky else (_lengths(data.known, row), unit_of(data))
    order = np.argsort(distance, kind="stable")[:N_NEIGHBORS].tolist()
    return [{"name": str(data.known["name"][k]), "distance": float(f"{distance[k]:.4g}"), "unit": unit} for k in order]


def _angles(known: Any, row: Any) -> Array:
    """Return the angles of known lenses from a candidate, arcmin."""
    from astropy.coordinates import angular_separation

    own = np.deg2rad([row["ra"], row["dec"]])
    angles = angular_separation(*own, *(np.deg2rad(np.asarray(known[key])) for key in ("ra", "dec")))
    return np.asarray(60.0 * np.rad2deg(angles))


def _lengths(known: Any, row: Any) -> Array:
    return np.asarray(np.hypot(np.asarray(known["x"]) - row["x"], np.asarray(known["y"]) - row["y"]))


def headline(data: CandidateData) -> list[dict[str, str]]:
    """Return the cards of the page: name, value and a remark."""
    meta, table = data.table.meta, data.table
    threshold = meta.get("threshold", meta.get("settings", {}).get("threshold"))
    limit = "" if threshold is None else f"of S/N {float(threshold):.3g} or more"
    n_galaxies = f"{int(meta.get('n', 0)):,}".replace(",", "\u202f")
    cards = [("candidates", str(len(table)), limit), ("galaxies", n_galaxies, _area(meta)), *_strongest(data)]
    if meta.get("expected_false") is not None:
        cards.append(("expected false candidates", f"{meta['expected_false']:.2g}", "noise of shapes alone"))
    if "known_name" in table.colnames:
        n = f"{sum(_matched(table))} of {len(table)}"
        cards.append(("near known lenses", n, f"fewer than {MAX_CHANCE:.0%} by chance"))
    if tests := meta.get("null_tests", []):
        cards.append(
            ("null tests passed", f"{sum(bool(each['passes']) for each in tests)} of {len(tests)}", "see below")
        )
    return [dict(zip(("name", "value", "note"), each, strict=True)) for each in cards]


def _strongest(data: CandidateData) -> list[tuple[str, str, str]]:
    """Return the cards of the highest S/N and of the lowest false-alarm probability."""
    table = data.table
    if not len(table):
        return []
    first = table[int(np.argmax(table["snr"]))]
    cross = f"cross S/N {first['snr_cross']:+.1f}".replace("-", "\u2212")
    cards = [("highest S/N", f"{first['snr']:.1f}", cross)]
    if _has(table):
        best = float(np.nanmin(table["false_alarm_probability"]))
        cards.append(("lowest false-alarm probability", f"{best:.2g}", _skies(table.meta)))
    return cards


def _has(table: Any) -> bool:
    return bool(np.isfinite(np.asarray(table["false_alarm_probability"], np.float64)).any())


def _area(meta: Any) -> str:
    return f"on {meta['area_deg2']:.3g} square degrees" if "area_deg2" in meta else "in one field"


def _skies(meta: Any) -> str:
    n = meta.get("n_randomizations", meta.get("settings", {}).get("n_randomizations"))
    return f"by {n} randomized skies" if n else ""
