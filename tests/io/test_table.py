import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from darkmatter_features.errors import OutputError, TableError, failure_reason
from darkmatter_features.io.table import read_table, write_table, written_whole


@pytest.fixture
def frame(rng):
    return pd.DataFrame(
        {
            "split": ["training", "training", "validation"],
            "label": pd.array([1, None, 0], dtype="Int8"),
            "peak_snr": [3.5, np.nan, -1e-300],
            "n_pixels": np.array([12, 400, 7], dtype=np.int32),
            "flags": np.array([0, 255, 1], dtype=np.uint8),
        }
    )


@pytest.fixture
def features(tmp_path, frame):
    path = tmp_path / "features" / "features.parquet"
    write_table(path, frame, kind="features", metadata={"version": "1.0", "config": {"n_pixels": 5}})
    return path


def test_written_table_is_read_with_its_types_and_metadata(features, frame):
    read, metadata = read_table(features, kind="features")
    assert_frame_equal(read, frame)
    assert metadata == {"version": "1.0", "config": {"n_pixels": 5}}


def test_empty_table_is_read(tmp_path, frame):
    write_table(tmp_path / "none.parquet", frame.iloc[:0], kind="features", metadata={})
    assert_frame_equal(read_table(tmp_path / "none.parquet", kind="features")[0], frame.iloc[:0])


def test_chosen_columns_are_in_the_given_order(features, frame):
    read, _ = read_table(features, kind="features", columns=("flags", "split"))
    assert_frame_equal(read, frame[["flags", "split"]])


def test_same_content_gives_the_same_bytes(tmp_path, frame):
    write_table(tmp_path / "a.parquet", frame, kind="features", metadata={"b": 1, "a": 2})
    shuffled = frame.set_index(pd.Index([5, 7, 9]))
    write_table(tmp_path / "b.parquet", shuffled, kind="features", metadata={"a": 2, "b": 1})
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_failed_write_keeps_the_old_table_and_leaves_no_other_file(features, frame):
    before = features.read_bytes()
    with pytest.raises(pa.ArrowException):
        write_table(features, pd.DataFrame({"x": [1, "a", object()]}), kind="features", metadata={})
    with pytest.raises(TypeError):
        write_table(features, frame, kind="features", metadata={"config": object()})
    assert features.read_bytes() == before
    assert os.listdir(features.parent) == ["features.parquet"]


def test_file_appears_at_the_end_of_its_block(tmp_path):
    target = tmp_path / "new" / "verdicts.csv"
    with written_whole(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
    assert target.read_text() == "half"
    assert os.listdir(target.parent) == ["verdicts.csv"]


def test_interrupted_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "verdicts.csv"
    target.write_text("old")

    def interrupted():
        with written_whole(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["verdicts.csv"]


def test_import_loads_neither_pandas_nor_pyarrow():
    script = "import sys, darkmatter_features.io.table; print({'pandas', 'pyarrow'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout == "set()\n"


# Rejected tables: each error is one line with the file and the remedy


def assert_rejected(path, found, remedy, *, kind="features", columns=None):
    with pytest.raises(TableError) as error:
        read_table(path, kind=kind, columns=columns)
    message = str(error.value)
    assert message.startswith(f"{path} ")
    assert "\n" not in message
    assert found in message
    assert remedy in message


def test_missing_table_is_rejected(tmp_path):
    assert_rejected(tmp_path / "features.parquet", "is not a file", "darkmatter features")


def test_folder_is_rejected(tmp_path):
    assert_rejected(tmp_path, "is not a file", "darkmatter features")


@pytest.mark.parametrize("content", [b"", b"split,label\n", b"PAR1" + bytes(100)])
def test_file_in_another_format_is_rejected(tmp_path, content):
    (tmp_path / "features.parquet").write_bytes(content)
    assert_rejected(tmp_path / "features.parquet", "not a Parquet file", "make it again")


def test_table_cut_short_is_rejected(features):
    features.write_bytes(features.read_bytes()[:-100])
    assert_rejected(features, "damaged", "make it again")


def test_flipped_bit_in_a_column_is_detected(tmp_path, rng):
    frame = pd.DataFrame({"x": rng.normal(size=5000)})
    write_table(tmp_path / "x.parquet", frame, kind="features", metadata={})
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "x.parquet").write_bytes(content)
    assert_rejected(tmp_path / "x.parquet", "damaged", "make it again")


def test_table_of_another_kind_is_rejected(features):
    assert_rejected(features, "contains features", "give a table of catalogs", kind="catalogs")


def test_table_of_another_program_is_rejected(tmp_path, frame):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    assert_rejected(tmp_path / "x.parquet", "not written by darkmatter", "give a table of features")


def test_missing_columns_are_named(features):
    columns = ["split", "m_ap", "theta_e"]
    assert_rejected(features, "lacks 2 columns: m_ap, theta_e", "make it again", columns=columns)


def test_a_write_that_the_system_refuses_names_the_file(tmp_path):
    """Writing to a full disk raises an error without a name; no half file stays."""
    target = tmp_path / "verdicts.csv"

    def filled():
        with written_whole(target) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError) as found:
        filled()
    remedy = f"{target}: No space left on device; check the path, its permissions and the free disk space"
    assert str(found.value) == remedy
    with pytest.raises(OutputError):  # no failure of the sky at which it happened
        failure_reason(found.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk_is_one_line_with_the_file_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "with_name", lambda path, name: Path("/dev/full"))
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok: None)
    with (
        pytest.raises(OutputError, match=rf"^{tmp_path.as_posix()}/a\.csv: No space left on device; check the path"),
        written_whole(tmp_path / "a.csv") as temporary,
    ):
        temporary.write_text("x" * 100_000)


def test_an_error_with_another_file_is_no_error_of_the_output(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "a.csv") as temporary:
        temporary.write_bytes((tmp_path / "missing" / "source.csv").read_bytes())


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with (
        pytest.raises(OutputError, match=r"a\.csv: Is a directory; check the path"),
        written_whole(tmp_path / "a.csv") as new,
    ):
        new.write_text("x")
