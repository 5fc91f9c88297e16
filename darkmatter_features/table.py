"""Files that appear whole or not at all; feature and catalogue tables as Parquet."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
