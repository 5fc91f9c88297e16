"""Data sets behind the URL of a web server, which lists its folders and answers range requests, or does not."""

import os
import shutil
import socket
import subprocess
import sys

import pytest

from darkmatter_features.errors import DatasetError
from darkmatter_features.io import download
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.remote import fetch
from darkmatter_features.urls import is_url, without_password
from tests.support.data_sets import FOLDERS, contents, write_data_set, write_zip
from tests.support.servers import serve

pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DARKMATTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.01)
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path):
    with serve(write_data_set(tmp_path / "data", zipped=(True, True))) as served:
        yield served


def refused(url, *parts):
    """Check that a URL is refused in one line."""
    with pytest.raises(DatasetError) as error:
        fetch(url)
    message = str(error.value)
    assert message.startswith(url)
    assert "\n" not in message
    assert ";" in message
    for part in parts:
        assert part in message
    return message


# Valid data sets


@pytest.mark.parametrize("number", FOLDERS)
@pytest.mark.parametrize("has_listing", [True, False])
def test_zip_files_are_read_from_a_web_server(tmp_path, number, has_listing):
    root = write_data_set(tmp_path / "data", number, zipped=(True, True))
    (root / "huge.bin").write_bytes(b"not needed")
    with serve(root, has_listing=has_listing) as served:
        dataset = Dataset.open(served.url)
        assert served.gets("huge.bin") == []
    assert dataset.layout == number
    assert contents(dataset) == contents(Dataset.open(root))
    assert dataset.training.labels.tolist() == [1, 0, 1]
    assert dataset.training.lens_columns[2] == 0


@pytest.mark.parametrize("number", FOLDERS)
def test_folders_are_read_where_they_are_listed(tmp_path, number):
    root = write_data_set(tmp_path / "data", number, zipped=(False, True))
    with serve(root) as served:
        dataset = Dataset.open(f"{served.url}/")
    assert contents(dataset) == contents(Dataset.open(root))


def test_folders_precede_zip_files(tmp_path):
    root = write_data_set(tmp_path / "data")
    write_zip(root / "training.zip", {"z.png": b"z"})
    with serve(root) as served:
        assert next(iter(contents(Dataset.open(served.url)))) == "training/a.png"
        assert served.gets("training.zip") == []


def test_a_server_without_lengths_and_dates_is_read(tmp_path):
    root = write_data_set(tmp_path / "data", zipped=(True, True))
    with serve(root, has_ranges=False, has_dates=False, has_listing=False) as served:
        assert len(Dataset.open(served.url).training) == 3


def test_a_complete_copy_needs_no_network(server):
    root = fetch(server.url)
    n_requests = len(server.requests)
    assert fetch(server.url, progress=lambda *_: pytest.fail("downloaded twice")) == root
    assert fetch(f"{server.url}/") == root
    assert len(server.requests) == n_requests


def test_a_lost_file_is_downloaded_again_and_no_other(server):
    root = fetch(server.url)
    (root / "validation.zip").unlink()
    server.requests.clear()
    fetch(server.url)
    assert server.gets("validation.zip") == [None]
    assert server.gets("training.zip") == []


def test_progress_reaches_the_total_once(tmp_path):
    root = write_data_set(tmp_path / "data", zipped=(False, True))
    write_zip(root / "training.zip", {f"{i}.png": os.urandom(10**6) for i in range(3)})
    for file in (root / "training").iterdir():
        file.unlink()
    seen = []
    with serve(root) as served:
        fetch(served.url, progress=lambda *done: seen.append(done))
    assert seen[0] == (0, 4)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen.count((4, 4)) == 1
    assert seen[-1] == (4, 4)


def test_names_of_copies_have_no_password(server, cache):
    with pytest.raises(DatasetError):
        fetch("http://user:secret@127.0.0.1:9/skies")
    assert "secret" not in str(list(cache.rglob("*")))


def test_what_is_a_url():
    assert [is_url(text) for text in ("s3://a", "memory://a", "https://a/b")] == [True] * 3
    assert [is_url(text) for text in ("data", "/data", "C:\\data", "s3:/a")] == [False] * 4


def test_nothing_of_the_network_is_imported_for_a_folder(tmp_path):
    root = write_data_set(tmp_path / "data", zipped=(True, False))
    code = "import sys; from darkmatter_features.io.dataset import Dataset; Dataset.open(sys.argv[1]); "
    code += "print({'fsspec', 'aiohttp', 's3fs', 'gcsfs'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# Interrupted downloads


@pytest.fixture
def large(tmp_path):
    """Serve a data set with 5 MB of training images in a zip file that breaks off after 2 MB."""
    root = write_data_set(tmp_path / "data", zipped=(True, True))
    write_zip(root / "training.zip", {f"{i}.png": os.urandom(10**6) for i in range(3)})
    with serve(root, cut={"training.zip": 2 * 10**6}) as served:
        yield served


def first_byte(range_):
    return int(range_.removeprefix("bytes=").partition("-")[0])


def test_a_broken_download_goes_on_with_a_range_request(large, monkeypatch):
    monkeypatch.setattr(download, "N_ATTEMPTS", 1)
    refused(large.url, "training.zip cannot be downloaded", "what was downloaded is kept")
    large.cut.clear()
    large.requests.clear()
    root = fetch(large.url)
    (asked,) = large.gets("training.zip")
    assert 0 < first_byte(asked) <= 2 * 10**6
    assert large.gets("validation.zip") == []
    assert (root / "training.zip").read_bytes() == (large.folder / "training.zip").read_bytes()
    assert not list(root.glob(".*.part"))


def test_a_broken_connection_is_tried_again(large):
    assert (fetch(large.url) / "training.zip").read_bytes() == (large.folder / "training.zip").read_bytes()
    assert large.gets("training.zip")[0] is None
    assert 0 < first_byte(large.gets("training.zip")[1]) <= 2 * 10**6


@pytest.mark.parametrize("lacks", ["has_ranges", "has_dates"])
def test_a_download_begins_again_where_it_cannot_go_on(large, monkeypatch, lacks):
    """Without range requests, or without a date that shows that the file is the same."""
    monkeypatch.setattr(download, "N_ATTEMPTS", 1)
    setattr(large, lacks, False)
    refused(large.url, "training.zip")
    large.cut.clear()
    large.requests.clear()
    root = fetch(large.url)
    assert (root / "training.zip").read_bytes() == (large.folder / "training.zip").read_bytes()
    assert large.gets("training.zip")[-1] is None


def test_a_file_that_has_changed_meanwhile_is_downloaded_as_a_whole(large, monkeypatch):
    monkeypatch.setattr(download, "N_ATTEMPTS", 1)
    refused(large.url, "training.zip")
    large.cut.clear()
    write_zip(large.folder / "training.zip", {f"{i}.png": os.urandom(10**6) for i in range(3)})
    os.utime(large.folder / "training.zip", (10**9, 10**9))
    (large.folder / "validation-labels.csv").write_text("sky-id,n-lenses\n0,1\n1,1\n")
    os.utime(large.folder / "validation-labels.csv", (10**9, 10**9))
    dataset = Dataset.open(large.url)
    assert (dataset.root / "training.zip").read_bytes() == (large.folder / "training.zip").read_bytes()
    assert dataset.validation.labels.tolist() == [1, 1]
    assert not list(dataset.root.glob(".*.part"))


KILLED = """
import os, sys
from darkmatter_features.io import download
from darkmatter_features.io.remote import fetch

def progress(done, total):
    if done >= 1:
        os._exit(9)

download.CHUNK_BYTES = 10**5
fetch(sys.argv[1], progress=progress)
"""


def test_a_killed_download_goes_on(large):
    large.cut.clear()
    assert subprocess.run([sys.executable, "-c", KILLED, large.url], check=False).returncode == 9
    large.requests.clear()
    root = fetch(large.url)
    (asked,) = large.gets("training.zip")
    assert first_byte(asked) >= 10**5
    assert (root / "training.zip").read_bytes() == (large.folder / "training.zip").read_bytes()


def test_an_interrupted_download_stops_soon(large):
    large.cut.clear()

    def progress(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(large.url, progress=progress)
    assert len(Dataset.open(large.url).training) == 3


# Errors


def test_no_data_set_behind_a_url(tmp_path):
    with serve(tmp_path) as served:
        refused(served.url, "is not a data set", "training/, validation/, train/", "zip file", "check the URL")
        refused(f"{served.url}/none", "is not a data set")


def test_no_error_has_a_password(tmp_path):
    with serve(tmp_path) as served, pytest.raises(DatasetError) as raised:
        fetch(served.url.replace("://", "://someone:secret@"))
    assert "secret" not in str(raised.value)
    text = "https://a:b@host/x and s3://key:word@bucket, not a@b.c"
    assert without_password(text) == "https://host/x and s3://bucket, not a@b.c"


def test_no_permission(server):
    server.status.update({"": 403, "training.zip": 403, "training-labels.csv": 403, "validation.zip": 403})
    refused(server.url, "no permission", "403", "FSSPEC_S3")


def test_a_folder_that_may_not_be_listed_but_read_is_read(server):
    server.status[""] = 403
    assert len(Dataset.open(server.url).training) == 3


def test_a_file_that_may_not_be_read_is_named(server):
    server.status["training.zip"] = 403
    refused(server.url, "no permission")


def test_a_failing_server_is_no_missing_data_set(server):
    server.status[""] = 500
    refused(server.url, "cannot be downloaded", "500", "check the network")


def test_a_failing_file_is_no_missing_file(server):
    server.has_listing = False
    server.status["training.zip"] = 500
    refused(server.url, "cannot be downloaded", "500", "check the network")


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_file_of_another_size_than_announced_is_not_kept(server, difference):
    size = (server.folder / "training.zip").stat().st_size
    server.head_size["training.zip"] = size + difference
    refused(server.url, f"training.zip cannot be downloaded ({size} bytes came, {size + difference} were expected)")
    server.head_size.clear()
    assert len(Dataset.open(server.url).training) == 3


def test_no_network(cache):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused(f"http://127.0.0.1:{port}", "cannot be downloaded", "check the network")


def test_unknown_host():
    refused("http://no-such-host.invalid/skies", "cannot be downloaded", "check the network")


def test_unknown_kind_of_url():
    refused("sky://data", "Protocol not known: sky", "gs://")


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    refused("https://127.0.0.1/skies", "pip install 'darkmatter-lensing[remote]'")


def test_a_damaged_zip_file_is_one_line(server):
    (server.folder / "training.zip").write_bytes(b"<html>sorry</html>")
    with pytest.raises(DatasetError, match=r"training\.zip is damaged or not complete.*download it again"):
        Dataset.open(server.url)


def test_a_full_disk_is_one_line(server, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": 10})())
    refused(server.url, "needs", "GB", "DARKMATTER_CACHE")


def test_a_file_in_the_way_of_the_copy_is_one_line(server, cache):
    root = fetch(server.url)
    shutil.rmtree(root)
    root.write_text("a file")
    refused(server.url, f"cannot be copied to {root}: File exists", "check permissions and disk space")


def test_a_copy_that_cannot_be_written_is_one_line(server, cache):
    cache.write_text("a file")
    with pytest.raises(DatasetError, match="cannot be written; set DARKMATTER_CACHE"):
        fetch(server.url)
