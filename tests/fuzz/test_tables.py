"""Feature tables with other columns or metadata than those written are refused when they are read."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classify.tables.columns import FEATURE_NAMES
from classify.tables.feature_table import FeatureTable
from darkmatter_features.errors import TableError
from darkmatter_features.io.catalogs import read_catalog
from darkmatter_features.io.table import read_table, write_table
from darkmatter_features.lens.template import LensTemplate
from tests.support.synthetic import write_features

KEY = b"darkmatter"


@pytest.fixture
def folder(tmp_path):
    return write_features(tmp_path / "features", tmp_path, n_training=6, n_validation=4)


def rewrite(folder, change) -> None:
    """Replace the feature table by a changed one."""
    path = folder / "features.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def assert_refused(folder, found: str) -> None:
    with pytest.raises(TableError, match=found) as refused:
        FeatureTable.read(folder)
    message = str(refused.value)
    assert str(folder) in message
    assert "\n" not in message
    assert len(message) < 1000


def with_metadata(folder, note) -> None:
    rewrite(folder, lambda table: table.replace_schema_metadata({**table.schema.metadata, KEY: note}))


@pytest.mark.parametrize("name", ["label", "split", "sky", "lens_row", "lens_column", FEATURE_NAMES[5]])
@pytest.mark.parametrize(
    "values", [lambda n: [[1.0]] * n, lambda n: [{"a": 1}] * n, lambda n: [b"x"] * n, lambda n: None, lambda n: "odd"]
)
def test_a_column_of_another_type_is_refused(folder, name, values):
    def change(table: pa.Table) -> pa.Table:
        odd, k = values(len(table)), table.column_names.index(name)
        if odd is None:
            return table.drop_columns([name])
        if odd == "odd":
            odd = [1] * len(table) if name in ("split", "sky") else ["1"] * len(table)
        return table.set_column(k, name, pa.array(odd))

    rewrite(folder, change)
    assert_refused(folder, name)


@pytest.mark.parametrize("name", ["label", FEATURE_NAMES[5]])
def test_a_column_that_occurs_twice_is_refused(folder, name):
    rewrite(folder, lambda table: table.append_column(name, table[name]))
    assert_refused(folder, f"column {name} twice")


@pytest.mark.parametrize("label", [2, -1, 0.5, np.inf])
def test_a_label_that_is_none_is_refused(folder, label):
    rewrite(folder, lambda table: table.set_column(2, "label", pa.array([label] * len(table))))
    assert_refused(folder, "label")


@pytest.mark.parametrize(
    "note",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"kind": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b"[]",
        b'{"kind": "features"}',
        b'{"kind": "features", "metadata": [1]}',
        b'{"kind": "features", "metadata": {}}',
        b'{"kind": "features", "metadata": null}',
    ],
)
def test_damaged_metadata_are_refused(folder, note):
    with_metadata(folder, note)
    assert_refused(folder, "features.parquet")


@pytest.mark.parametrize("key", ["dataset", "config", "config_fingerprint", "template_fingerprint", "version"])
@pytest.mark.parametrize("value", [None, 1, [], {"odd": 1}])
def test_metadata_of_another_type_are_refused(folder, key, value):
    note = json.loads(pq.read_schema(folder / "features.parquet").metadata[KEY])
    note["metadata"][key] = value
    with_metadata(folder, json.dumps(note).encode())
    assert_refused(folder, "features.parquet")


def test_metadata_of_pandas_that_nest_without_end_are_refused(folder):
    rewrite(folder, lambda table: table.replace_schema_metadata({**table.schema.metadata, b"pandas": b"[" * 100_000}))
    assert_refused(folder, "features.parquet is damaged")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"log_p0": ' + "9" * 5000 + "}", "[]", "null", "\0"])
def test_a_template_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "template.json").write_text(text)
    with pytest.raises(TableError, match=r"template\.json: no template") as refused:
        LensTemplate.read(tmp_path / "template.json")
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("read", [read_catalog, lambda path: read_table(path, kind="features")])
def test_a_table_of_many_equal_rows_in_some_bytes_is_refused(tmp_path, read):
    table, path = pa.table({name: np.zeros(2_000_000) for name in ("x", "y", "e1", "e2")}), tmp_path / "bomb.parquet"
    note = json.dumps({"kind": "features", "metadata": {}})
    table = table.replace_schema_metadata({KEY: note.encode()})
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(3):
            writer.write_table(table)
    with pytest.raises(TableError, match="declares 6000000 rows"):
        read(path)


def test_a_table_of_texts_and_numbers_is_read(tmp_path):
    frame = pd.DataFrame({"a": ["x", None], "b": [1.0, None], "c": [True, False]})
    write_table(tmp_path / "own.parquet", frame, kind="odd", metadata={})
    assert len(read_table(tmp_path / "own.parquet", kind="odd")[0]) == 2
