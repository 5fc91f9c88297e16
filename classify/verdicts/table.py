"""Tables of verdicts: columns, decimals and writing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classify.verdicts.verdict import Verdict
from darkmatter_features.errors import path_text
from darkmatter_features.features.extract import SkyRow
from darkmatter_features.io.table import written_whole

COLUMNS = (
    "image", "label", "probability", "likeness", "unlike", "row", "column", "snr", "decided_by", "reason", "error",
)  # fmt: skip
"""Columns of a table of verdicts; positions in pixels."""
WCS_COLUMNS = ("ra", "dec")
"""Columns for skies with a WCS, degrees."""
NOTE = "note"
"""Column of the choices that were made in reading an image, such as the extension of a FITS file."""
POSITIONS = ("row", "column", "lens_row", "lens_column")
"""Columns in pixels."""
DECIMALS = {"probability": 6, "likeness": 6, "snr": 4, "ra": 7, "dec": 7, "offset_px": 2} | dict.fromkeys(POSITIONS, 2)
"""Decimals in CSV files: degrees to better than a milliarcsecond, pixels to a hundredth."""


def verdict_table(measured: Sequence[SkyRow], verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return a row for each sky.

    Parameters
    ----------
    measured : (n,) sequence of SkyRow
        Results of the measurement; failed skies have no values.
    verdicts : sequence of Verdict
        Verdicts on the skies that have values, in their order.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, `WCS_COLUMNS` if a sky has a WCS, and `NOTE` if there is one. A failed sky has its ``image`` and its
        ``error``; a sky whose verdict is withheld has all but ``label`` and ``probability``, and the ``reason``.
    """
    each = iter(verdicts)
    records = [_record(row, None if row.values is None else next(each)) for row in measured]
    table = pd.DataFrame(records, columns=[*COLUMNS, *WCS_COLUMNS, NOTE])
    for name in ("label", "unlike"):
        table[name] = table[name].astype("Int8")
    extra = [name for name in (*WCS_COLUMNS, NOTE) if table[name].notna().any()]
    return table[[*COLUMNS, *extra]]


def write_verdicts(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table of verdicts as CSV with `DECIMALS`; unknown values are empty."""
    text = table.copy()
    for name, decimals in DECIMALS.items():
        if name in text:
            text[name] = ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in text[name]]
    with written_whole(path) as temporary:
        text.to_csv(temporary, index=False, lineterminator="\n")


def _record(row: SkyRow, verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {"image": path_text(row.path), "error": row.error}
    return {
        "image": verdict.name,
        "label": verdict.label,
        "probability": verdict.probability,
        "likeness": verdict.likeness,
        "unlike": int(verdict.unlike),
        "row": verdict.row,
        "column": verdict.column,
        "snr": verdict.snr,
        "decided_by": verdict.decided_by,
        "reason": verdict.reason or None,
        "ra": row.ra,
        "dec": row.dec,
        "note": "; ".join(row.notes) or None,
    }
