"""Files that appear whole or not at all; feature and catalogue tables as Parquet."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkmatter_features.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

_KEY = b"darkmatter"
"""Where in the Parquet schema's metadata the kind of a table is told, and what it was made from."""

_AGAIN = "make it again with `darkmatter features`"


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    r"""Give a temporary name beside `path` to write to, and rename it to `path` when all went well.

    Parameters
    ----------
    path : str or Path
        The file to write; its folder is made when missing, and what stood there stays until the end.

    Yields
    ------
    Path
        The temporary name. It is removed when the block raises.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "verdicts.csv"
    >>> with written_whole(target) as temporary:
    ...     _ = temporary.write_text("sky,lens\n")
    >>> target.read_text()
    'sky,lens\n'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(path: str | Path, frame: "pd.DataFrame", *, kind: str, metadata: Mapping[str, Any]) -> None:
    """Write a table as Parquet, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made when missing.
    frame : DataFrame
        The columns; the index is not kept.
    kind : str
        What the rows are, such as "features"; the reader must ask for the same.
    metadata : mapping
        What the table was made from, of JSON's types.

    Notes
    -----
    The same frame, kind and metadata give the same bytes. Every page carries a check sum.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    note = json.dumps({"kind": kind, "metadata": dict(metadata)}, sort_keys=True)
    table = table.replace_schema_metadata({**table.schema.metadata, _KEY: note.encode()})
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_table(
    path: str | Path, *, kind: str, columns: Sequence[str] | None = None
) -> tuple["pd.DataFrame", dict[str, Any]]:
    """Read a table that `write_table` wrote.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : str
        What the rows must be.
    columns : sequence of str, optional
        Those to read, in this order; all where None.

    Returns
    -------
    frame : DataFrame
        With the types it was written with.
    metadata : dict
        What the table was made from.

    Raises
    ------
    TableError
        Where the file is missing, damaged or no such table, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise TableError(f"{path} is no file; look at the spelling, or make it with `darkmatter features`")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            metadata = _checked(path, file.schema_arrow, kind, columns)
            frame = file.read(columns=columns).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise TableError(f"{path} is damaged or no Parquet file: {reason}; {_AGAIN}") from None
    return frame, metadata


def _checked(path: str | Path, schema: Any, kind: str, columns: Sequence[str] | None) -> dict[str, Any]:
    """Check a table's kind and columns, and give its metadata."""
    note = json.loads((schema.metadata or {}).get(_KEY, b"{}"))
    if note.get("kind") != kind:
        found = f"holds {note['kind']}" if "kind" in note else "was not written by darkmatter"
        raise TableError(f"{path} {found}, a table of {kind} is wanted; give that one")
    missing = [name for name in columns or () if name not in schema.names]
    if missing:
        raise TableError(f"{path} lacks {len(missing)} columns: {', '.join(missing)}; {_AGAIN}")
    return dict(note["metadata"])
