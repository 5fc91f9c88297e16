"""Files that are written atomically; feature and catalogue tables as Parquet."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from darkmatter_features.errors import OutputError, TableError, file_error, path_text, shown
from darkmatter_features.io.packed import check_rows

if TYPE_CHECKING:
    import pandas as pd

_KEY = b"darkmatter"
"""Key of the Parquet schema's metadata under which a table's kind and its origin stand."""

_AGAIN = "make it again with `darkmatter features`"
"""Remedy for a damaged table."""


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    r"""Yield a temporary path to write to, and rename it to `path` if the block succeeds.

    Parameters
    ----------
    path : str or Path
        File to write. A missing folder is created; an existing file stays until the end of the block.

    Yields
    ------
    Path
        Temporary path in the same folder. It is removed if the block raises an error.

    Raises
    ------
    OutputError
        If the system refuses a write, as to a full disk.

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
    # Processes of several machines, which may have the same number, write to a folder that they share.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex[:8]}.tmp")
    with refusals_of(path, temporary):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def refusals_of(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Raise an :class:`OutputError` that names an output where the system refuses to write it.

    Parameters
    ----------
    path : Path
        File or folder that the block writes.
    temporary : Path, optional
        File that stands for it until the end.

    Raises
    ------
    OutputError
        For an error of the system with `path`, the folders above it, `temporary` or a file without a name; others pass.
    """
    try:
        yield
    except OSError as error:
        named = None if error.filename is None else Path(os.fsdecode(error.filename))
        is_of_decoder = named is None and temporary is None and error.errno is None
        if is_of_decoder or named not in (None, temporary, path, *path.parents):
            raise
        place = path if named in (None, temporary) else named
        reason = file_error(OSError(error.errno, error.strerror or shown(error), str(place)))
        raise OutputError(reason) from error


def make_folder(folder: str | Path) -> Path:
    """Make the output folder of a command, if it is missing, and return it.

    Raises
    ------
    OutputError
        If the system refuses it.
    """
    with refusals_of(Path(folder)):
        Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


def check_made(folder: str | Path) -> None:
    """Raise an error if the output folder, which was made when the command began, is no longer there.

    Raises
    ------
    OutputError
        If it was removed, or its place is not seen by this process.
    """
    if not Path(folder).is_dir():
        raise OutputError(
            f"{path_text(Path(folder))}: the folder was removed while the command wrote to it; run the command again"
        )


def write_table(path: str | Path, frame: "pd.DataFrame", *, kind: str, metadata: Mapping[str, Any]) -> None:
    """Write a table as Parquet, atomically.

    Parameters
    ----------
    path : str or Path
        File to write. A missing folder is created.
    frame : DataFrame
        Columns of the table. The index is not written.
    kind : str
        Content of the rows, such as "features". :func:`read_table` checks it.
    metadata : mapping
        Origin of the table, in types of JSON.

    Notes
    -----
    The same frame, kind and metadata give the same bytes. Every page has a checksum.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    note = json.dumps({"kind": kind, "metadata": dict(metadata)}, sort_keys=True)
    table = table.replace_schema_metadata({**table.schema.metadata, _KEY: note.encode()})
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_table(
    path: str | Path, *, kind: str, columns: Sequence[str] | None = None, texts: Sequence[str] | None = None
) -> tuple["pd.DataFrame", dict[str, Any]]:
    """Read a table written by :func:`write_table`.

    Parameters
    ----------
    path : str or Path
        File to read.
    kind : str
        Required content of the rows.
    columns : sequence of str, optional
        Columns to read, in this order. Default: all.
    texts : sequence of str, optional
        Columns that must contain text, while all others contain numbers. Default: each may contain either.

    Returns
    -------
    frame : DataFrame
        Table with the types with which it was written.
    metadata : dict
        Origin of the table.

    Raises
    ------
    TableError
        If the file is missing or damaged, has another kind, lacks a column, or has one twice or of another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise TableError(f"{path} is not a file; check the path, or make it with `darkmatter features`")
    try:
        with Path(path).open("rb") as own, pq.ParquetFile(own, page_checksum_verification=True) as file:
            check_rows(own, file.metadata.num_rows, len(columns or file.schema_arrow))
            metadata = _checked(path, file.schema_arrow, kind, columns)
            _check_types(path, file.schema_arrow, texts)
            frame = file.read(columns=columns).to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = shown(error)
        raise TableError(f"{path} is damaged or not a Parquet file: {reason}; {_AGAIN}") from None
    return frame, metadata


def _checked(path: str | Path, schema: Any, kind: str, columns: Sequence[str] | None) -> dict[str, Any]:
    """Check a table's kind and columns, and return its metadata."""
    note = json.loads((schema.metadata or {}).get(_KEY, b"{}"))
    if not isinstance(note, dict) or not isinstance(note.get("metadata", {}), dict):
        raise TableError(f"{path} has damaged metadata: no origin by name; {_AGAIN}")
    if note.get("kind") != kind:
        found = f"contains {shown(note['kind'])}" if "kind" in note else "was not written by darkmatter"
        raise TableError(f"{path} {found}; give a table of {kind}")
    missing = [name for name in columns or () if name not in schema.names]
    if missing:
        raise TableError(f"{path} lacks {len(missing)} columns: {', '.join(missing)}; {_AGAIN}")
    return dict(note.get("metadata", {}))


def _check_types(path: str | Path, schema: Any, texts: Sequence[str] | None) -> None:
    """Check that no name occurs twice, and that each column contains numbers or text."""
    import pyarrow.types as kinds

    for field in schema:
        is_text = kinds.is_string(field.type) or kinds.is_large_string(field.type)
        is_number = kinds.is_integer(field.type) or kinds.is_floating(field.type) or kinds.is_boolean(field.type)
        if schema.names.count(field.name) > 1:
            raise TableError(f"{path} has the column {shown(field.name)} twice; {_AGAIN}")
        allowed = is_text or is_number if texts is None else is_text if field.name in texts else is_number
        if not (allowed or kinds.is_null(field.type)):
            expected = "numbers or text" if texts is None else "text" if field.name in texts else "numbers"
            found = f"the column {shown(field.name)} contains {shown(field.type)}, not {expected}"
            raise TableError(f"{path}: {found}; {_AGAIN}")
