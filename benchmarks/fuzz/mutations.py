"""Mutations of files: of bytes, and of the structure of each format. Each takes the content and returns another."""

import gzip
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from fuzz.odd_values import FITS_KEYWORDS, FITS_VALUES, NUMBERS, TOML_LINES, WORDS

Rng = np.random.Generator
Mutation = Callable[[bytes, Rng], bytes]


def _choice(rng: Rng, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def _span(data: bytes, rng: Rng, longest: int = 200) -> tuple[int, int]:
    start = int(rng.integers(len(data) + 1))
    return start, min(start + int(rng.integers(1, longest)), len(data))


def flip(data: bytes, rng: Rng) -> bytes:
    """Change some bytes."""
    changed = bytearray(data)
    for place in rng.integers(0, max(len(data), 1), int(rng.integers(1, 20)) if data else 0):
        changed[place] = _choice(
            rng, (0, 255, 127, 128, changed[place] ^ 1 << int(rng.integers(8)), int(rng.integers(256)))
        )
    return bytes(changed)


def truncate(data: bytes, rng: Rng) -> bytes:
    """Remove the end."""
    return data[: int(rng.integers(len(data) + 1))]


def splice(data: bytes, rng: Rng) -> bytes:
    """Copy a part over or into another place."""
    (a, b), (start, stop) = _span(data, rng), _span(data, rng)
    return data[:start] + data[a:b] + data[_choice(rng, (start, stop)) :]


def repeat(data: bytes, rng: Rng) -> bytes:
    """Repeat a part many times."""
    start, stop = _span(data, rng)
    return data[:stop] + data[start:stop] * int(rng.integers(2, 300)) + data[stop:]


def integers(data: bytes, rng: Rng) -> bytes:
    """Replace four or eight bytes by an extreme integer."""
    form = _choice(rng, ("<i", ">i", "<q", ">q"))
    number = _choice(rng, (-1, 0, 1, 2**31 - 1, -(2**31), 2**16, 2**24))
    start = int(rng.integers(len(data) + 1))
    return data[:start] + struct.pack(form, number) + data[start + struct.calcsize(form) :]


def words(data: bytes, rng: Rng) -> bytes:
    """Replace a number or a word of a text by an extreme one."""
    found = list(re.finditer(rb"[-+\w.]+", data[:2_000_000]))
    if not found:
        return flip(data, rng)
    match = _choice(rng, found)
    word = _choice(rng, _choice(rng, (NUMBERS, WORDS))).encode()
    return data[: match.start()] + word + data[match.end() :]


def lines(data: bytes, rng: Rng) -> bytes:
    """Remove, repeat, swap or empty lines of a text."""
    own = data.split(b"\n")
    k, j = int(rng.integers(len(own))), int(rng.integers(len(own)))
    own[k : k + 1] = _choice(rng, ([], [own[k]] * 2, [own[j]], [b""], [own[k] * 20], [own[k] + b"," + own[j]]))
    return b"\n".join(own)


def toml_lines(data: bytes, rng: Rng) -> bytes:
    """Insert an odd line into TOML."""
    own = data.split(b"\n")
    own.insert(int(rng.integers(len(own) + 1)), _choice(rng, TOML_LINES).encode())
    return b"\n".join(own)


def columns(data: bytes, rng: Rng) -> bytes:
    """Change a column of CSV: constant, tiny, removed, doubled or renamed."""
    rows = [line.split(b",") for line in data.split(b"\n") if line]
    k, j = (int(rng.integers(len(rows[0]))) for _ in range(2))
    word, way = _choice(rng, NUMBERS).encode(), int(rng.integers(5))
    for number, row in enumerate(rows):
        if max(k, j) >= len(row) or (way < 3 and number == 0):
            continue
        cell = (word, row[k] + b"e-300", b"1.%015d" % number, b"", row[j])[way]
        row[k : k + 1] = [] if way == 3 else [cell]
    return b"\n".join(b",".join(row) for row in rows) + b"\n"


def fits_card(data: bytes, rng: Rng) -> bytes:
    """Replace, insert, remove or repeat a line of a FITS header."""
    starts = [k for k in range(0, len(data), 80) if re.match(rb"[A-Z][A-Z0-9_-]{1,7} *=", data[k : k + 80])]
    if not starts:
        return flip(data, rng)
    at, way = _choice(rng, starts), int(rng.integers(6))
    keyword = data[at : at + 8].decode("latin-1") if way < 3 else _choice(rng, FITS_KEYWORDS)
    value = _choice(rng, _choice(rng, (NUMBERS, NUMBERS, NUMBERS, FITS_VALUES, WORDS)))[:70]
    card = f"{keyword:8}= {value:>20}".encode("latin-1", "replace")[:80].ljust(80)
    if way == 5:  # without moving the blocks
        return data[:at] + card + data[at : at + 2800] + data[at + 2880 :]
    return data[:at] + card + data[at + 80 :]


def png_chunk(data: bytes, rng: Rng) -> bytes:
    """Change a chunk of a PNG, and mend its checksum."""
    chunks, start = [], 8
    while start + 12 <= len(data):
        stop = start + 8 + int.from_bytes(data[start : start + 4])
        chunks.append((data[start + 4 : start + 8], data[start + 8 : stop]))
        start = stop + 4
    k = int(rng.integers(len(chunks)))
    kind, body = chunks[k]
    body = _choice(rng, (flip, integers, truncate, splice))(body, rng)
    kind = _choice(rng, (kind, kind, kind, b"PLTE", b"tRNS", b"gAMA", b"IDAT", b"zTXt", b"iCCP"))
    chunks[k : k + 1] = _choice(rng, ([(kind, body)], [(kind, body)], [chunks[k], (kind, body)], []))
    return data[:8] + b"".join(
        len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4) for kind, body in chunks
    )


def in_gzip(mutation: Mutation) -> Mutation:
    """Return a mutation of the content of a gzipped file."""

    def mutate(data: bytes, rng: Rng) -> bytes:
        return gzip.compress(mutation(gzip.decompress(data), rng), compresslevel=1)

    return mutate


def gzip_bomb(data: bytes, rng: Rng) -> bytes:
    """Append much of one byte to the content of a gzipped file."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(gzip.decompress(data))] + [packer.compress(_choice(rng, (b"\0", b"\n")) * 2**24)] * 80
    return b"".join(parts) + packer.flush()


def json_value(data: bytes, rng: Rng) -> bytes:
    """Replace, remove or add an entry of JSON."""
    content = json.loads(data)
    here: Any = content
    while isinstance(here, (dict, list)) and here:
        key = _choice(rng, list(here) if isinstance(here, dict) else range(len(here)))
        if not isinstance(here[key], (dict, list)) or not here[key] or rng.random() < 0.3:
            break
        here = here[key]
    way = rng.random()
    if way < 0.15:
        del here[key]
    elif way < 0.3:
        here = here.update({"odd": 1}) if isinstance(here, dict) else here.append("odd")
    else:
        here[key] = _odd(here[key], rng)
    return json.dumps(content).encode("utf-8", "surrogatepass")


def _odd(value: Any, rng: Rng) -> Any:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    options = [
        None,
        True,
        "",
        "x" * 3000,
        [],
        {},
        [value],
        {"a": value},
        -1,
        0,
        2**70,
        1e300,
        float("nan"),
        deep,
        "\ud800",
    ]
    if isinstance(value, float):
        options += [value + 8.0, -value, value * 1e10, int(value)] * 2
    return _choice(rng, options)


def sealed(mutation: Mutation) -> Mutation:
    """Return a mutation of ``model.json`` whose checksum is made to fit."""

    def mutate(data: bytes, rng: Rng) -> bytes:
        changed = mutation(data, rng)
        try:
            return reseal(changed)
        except (ValueError, RecursionError, TypeError):
            return changed

    return mutate


def reseal(description: bytes) -> bytes:
    """Return a description of a model with a checksum that fits."""
    content = json.loads(description)
    content.pop("checksum", None)
    content["checksum"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps(content).encode()


def tensors(data: bytes, rng: Rng) -> bytes:
    """Change the description of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    description = _choice(rng, (json_value, words, flip))(data[8 : 8 + size], rng)
    return len(description).to_bytes(8, "little") + description + data[8 + size :]


def parquet_table(data: bytes, rng: Rng) -> bytes:
    """Change columns or metadata of a Parquet table, with all checksums right."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(data))
    k = int(rng.integers(table.num_columns))
    k = _choice(rng, (k, min(2, table.num_columns - 1)))
    name, n = table.column_names[k], len(table)
    way = int(rng.integers(8))
    metadata = dict(table.schema.metadata or {})
    if way == 0:
        table = table.remove_column(k)
    elif way == 1:
        table = table.append_column(name, table.column(k))
    elif way < 5:
        columns = (["x"] * n, [[1.0]] * n, [None] * n, [2**40] * n, [float("nan")] * n, [b"\xff"] * n, [{"a": 1}] * n)
        table = table.set_column(k, name, pa.array(_choice(rng, columns)))
    else:
        key = _choice(rng, list(metadata) or [b"x"])
        value = metadata.get(key, b"{}")
        metadata[key] = _choice(rng, (json_value, words, flip, truncate, lambda *_: b"[" * 100_000))(
            value or b"{}", rng
        )
    out = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), out, write_page_checksum=True)
    return out.getvalue().to_pybytes()


BYTES: tuple[Mutation, ...] = (flip, truncate, splice, repeat, integers)
TEXT: tuple[Mutation, ...] = (flip, truncate, splice, repeat, words, words, words, lines, lines)
MUTATIONS: dict[str, tuple[Mutation, ...]] = {
    "png": (*BYTES, *[png_chunk] * 8),
    "jpeg": BYTES,
    "tiff": (*BYTES, flip, integers, integers),
    "fits": (*BYTES, *[fits_card] * 12),
    "fits.gz": (*BYTES, *[in_gzip(each) for each in (flip, truncate, integers, *[fits_card] * 6)], gzip_bomb),
    "csv": (*TEXT, *[columns] * 5),
    "ecsv": TEXT,
    "toml": (*TEXT, *[toml_lines] * 5),
    "parquet": (*BYTES, *[parquet_table] * 5),
    "json": (*TEXT, *[json_value] * 6, *[sealed(json_value)] * 6),
    "lightgbm": (*TEXT, words, words, words),
    "safetensors": (*BYTES, *[tensors] * 5),
}
"""Mutations of each format, the more frequent ones several times."""


def mutated(form: str, data: bytes, rng: Rng) -> bytes:
    """Return the content of a file of a format after one to three mutations."""
    for _ in range(int(rng.integers(1, 4))):
        try:
            data = _choice(rng, MUTATIONS[form])(data, rng)
        except (
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            EOFError,
            OSError,
            zlib.error,
            RecursionError,
            AttributeError,
        ):
            data = flip(data, rng)  # an earlier mutation left no such structure
    return data
