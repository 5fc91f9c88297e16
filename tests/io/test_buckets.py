"""Data sets in buckets: s3 by a server on the loopback interface, gs by a file system in memory."""

import json
import os
import subprocess
import sys

import pytest

from darkmatter_features.errors import DatasetError
from darkmatter_features.io import download
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.remote import fetch
from darkmatter_features.io.url_options import options_of
from tests.support.data_sets import FOLDERS, contents, write_data_set
from tests.support.servers import serve_buckets

fsspec = pytest.importorskip("fsspec", reason="the extra `remote` is not installed")
MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DARKMATTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.01)


def upload(filesystem, root, path, **options):
    """Copy a data set to a folder of a file system."""
    for file in root.rglob("*"):
        if file.is_file():
            filesystem.pipe_file(f"{path}/{file.relative_to(root).as_posix()}", file.read_bytes(), **options)


# gs


class Buckets(MemoryFileSystem):
    """Buckets in memory with the protocol of Google; a bucket `private` is for others than anonymous users."""

    protocol = ("gs", "gcs")
    cachable = False

    def __init__(self, token=None, **options):
        super().__init__(**options)
        self.token = token

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("gs://").removeprefix("gcs://"))

    def ls(self, path, detail=True, **options):
        if self._strip_protocol(path).startswith("/private") and self.token == "anon":
            raise PermissionError("Anonymous caller does not have storage.objects.list access")
        return super().ls(path, detail=detail, **options)

    def info(self, path, **options):
        if self._strip_protocol(path).startswith("/private") and self.token == "anon":
            raise PermissionError("Anonymous caller does not have storage.objects.get access")
        return super().info(path, **options)


@pytest.fixture
def buckets(monkeypatch):
    monkeypatch.setattr(Buckets, "store", {})
    monkeypatch.setattr(Buckets, "pseudo_dirs", [""])
    pytest.importorskip("gcsfs", reason="the extra `remote` is not installed")
    monkeypatch.setattr("gcsfs.core.GCSFileSystem", Buckets)
    return Buckets()


@pytest.mark.parametrize("number", FOLDERS)
@pytest.mark.parametrize("zipped", [(True, True), (False, False), (True, False)])
@pytest.mark.parametrize("place", ["skies", "skies/of/2020"])
def test_a_bucket_is_read_without_credentials(tmp_path, buckets, number, zipped, place):
    root = write_data_set(tmp_path / "data", number, zipped=zipped)
    upload(buckets, root, f"gs://{place}")
    dataset = Dataset.open(f"gs://{place}")
    assert contents(dataset) == contents(Dataset.open(root))
    assert dataset.training.labels.tolist() == [1, 0, 1]


def test_other_objects_are_left_where_they_are(tmp_path, buckets):
    upload(buckets, write_data_set(tmp_path / "data"), "gs://skies")
    for name in ("huge.bin", "training/.a.png", "training/notes.txt", "training/x\\evil.png", "truth/a.csv"):
        buckets.pipe_file(f"gs://skies/{name}", b"")
    root = fetch("gs://skies")
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    images = {"training/a.png", "training/b.png", "training/c.png", "validation/d.png", "validation/e.png"}
    assert found == images | {"training-labels.csv", "training-lenses.csv", "validation-labels.csv"}


def test_an_unknown_bucket(buckets):
    with pytest.raises(DatasetError, match=r"^gs://none does not exist: no such bucket, .*; check the URL$"):
        fetch("gs://none")


def test_a_bucket_without_images(buckets):
    buckets.pipe_file("gs://skies/readme.txt", b"")
    with pytest.raises(DatasetError, match=r"^gs://skies is not a data set: no images in training/.*zip"):
        fetch("gs://skies")


def test_a_private_bucket_needs_credentials_which_may_be_configured(tmp_path, buckets, monkeypatch):
    upload(Buckets("mine"), write_data_set(tmp_path / "data"), "gs://private")
    with pytest.raises(DatasetError, match=r"^gs://private cannot be read: no permission .*FSSPEC_GS="):
        fetch("gs://private")
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "mine"})
    assert len(Dataset.open("gs://private").training) == 3


def test_other_kinds_of_urls_are_left_to_fsspec(tmp_path):
    root = write_data_set(tmp_path / "data", zipped=(True, False))
    assert contents(Dataset.open(root.as_uri())) == contents(Dataset.open(root))


def test_without_the_package_of_google_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs.core", None)
    with pytest.raises(DatasetError, match=r"gs://skies needs .*pip install 'darkmatter-lensing\[remote\]'"):
        fetch("gs://skies")


@pytest.mark.parametrize("number", FOLDERS)
@pytest.mark.parametrize("zipped", [(True, True), (False, True)])
def test_the_package_of_google_reads_a_bucket(tmp_path, monkeypatch, number, zipped):
    pytest.importorskip("gcsfs", reason="the extra `remote` is not installed")
    root = write_data_set(tmp_path / "buckets" / "skies", number, zipped=zipped)
    with serve_buckets(tmp_path / "buckets") as endpoint:
        monkeypatch.setitem(fsspec.config.conf, "gs", {"endpoint_url": endpoint})
        dataset = Dataset.open("gs://skies")
        with pytest.raises(DatasetError, match=r"^gs://none does not exist: no such bucket.*; check the URL$"):
            fetch("gs://none")
    assert contents(dataset) == contents(Dataset.open(root))


@pytest.mark.parametrize("protocol", ["s3", "s3a"])
def test_the_configuration_of_s3_is_that_of_its_other_name(monkeypatch, protocol):
    monkeypatch.setitem(fsspec.config.conf, "s3", {"anon": False})
    assert options_of(f"{protocol}://bucket") == {}


def test_the_package_of_google_is_anonymous_by_default():
    pytest.importorskip("gcsfs", reason="the extra `remote` is not installed")
    assert fsspec.filesystem("gs", **options_of("gs://skies")).credentials.token == "anon"


# s3

PUBLIC = "public-read"


@pytest.fixture(scope="module")
def s3():
    """Start a server of buckets; return a file system that may write, and the options of one that may not."""
    pytest.importorskip("s3fs", reason="the extra `remote` is not installed")
    server = pytest.importorskip("moto.server", reason="moto, of the extra `dev`, is not installed")
    threaded = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    threaded.start()
    endpoint = f"http://127.0.0.1:{threaded.get_host_and_port()[1]}"
    yield fsspec.filesystem("s3", key="a", secret="b", endpoint_url=endpoint), endpoint
    threaded.stop()


@pytest.fixture
def bucket(s3, monkeypatch):
    """Return a file system and the name of an empty public bucket."""
    filesystem, endpoint = s3
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": endpoint})
    name = f"skies-{os.urandom(4).hex()}"
    filesystem.mkdir(name, acl=PUBLIC)
    return filesystem, name


@pytest.mark.parametrize("number", FOLDERS)
@pytest.mark.parametrize("zipped", [(True, True), (False, True)])
def test_an_s3_bucket_is_read(tmp_path, bucket, number, zipped):
    filesystem, name = bucket
    root = write_data_set(tmp_path / "data", number, zipped=zipped)
    upload(filesystem, root, f"{name}/inside", ACL=PUBLIC)
    dataset = Dataset.open(f"s3://{name}/inside/")
    assert contents(dataset) == contents(Dataset.open(root))
    assert dataset.training.lens_columns[0] == 511


def test_private_objects_need_credentials(tmp_path, bucket, monkeypatch):
    filesystem, name = bucket
    upload(filesystem, write_data_set(tmp_path / "data", zipped=(True, True)), name, ACL="private")
    with pytest.raises(DatasetError, match=rf"^s3://{name}/.* cannot be read: no permission .*FSSPEC_S3="):
        fetch(f"s3://{name}")
    options = {**fsspec.config.conf["s3"], "anon": False, "key": "a", "secret": "b"}
    monkeypatch.setitem(fsspec.config.conf, "s3", options)
    assert len(Dataset.open(f"s3://{name}").training) == 3


def test_an_unknown_s3_bucket(bucket):
    with pytest.raises(DatasetError, match=r"^s3://no-such-bucket does not exist: no such bucket.*check the URL$"):
        fetch("s3://no-such-bucket")


def test_an_s3_bucket_without_a_server(bucket, monkeypatch):
    monkeypatch.setitem(
        fsspec.config.conf,
        "s3",
        {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}},
    )
    with pytest.raises(DatasetError, match=r"^s3://skies cannot be downloaded .*check the network and the URL$"):
        fetch("s3://skies")


KILLED = """
import json, os, sys
import fsspec.config
from darkmatter_features.io import download
from darkmatter_features.io.remote import fetch
from darkmatter_features.io.url_options import options_of

def progress(done, total):
    if done >= 1:
        os._exit(9)

fsspec.config.conf["s3"] = json.loads(sys.argv[2])
download.CHUNK_BYTES = 10**5
fetch(sys.argv[1], progress=progress)
"""


def test_a_killed_download_from_s3_goes_on(tmp_path, bucket, monkeypatch):
    filesystem, name = bucket
    root = write_data_set(tmp_path / "data", zipped=(True, True))
    upload(filesystem, root, name, ACL=PUBLIC)
    large = os.urandom(3 * 10**6)
    filesystem.pipe_file(f"{name}/training/large.png", large, ACL=PUBLIC)
    filesystem.pipe_file(f"{name}/training-labels.csv", b"id,n\n0,1\n", ACL=PUBLIC)
    filesystem.rm(f"{name}/training-lenses.csv")
    command = [sys.executable, "-c", KILLED, f"s3://{name}", json.dumps(fsspec.config.conf["s3"])]
    assert subprocess.run(command, check=False).returncode == 9
    (part,) = (tmp_path / "cache").rglob(".large.png.*.part")
    n_bytes = part.stat().st_size
    assert 10**5 <= n_bytes < len(large)
    part.write_bytes(large[:n_bytes])  # as it is, since the content is whole chunks
    offsets = []
    append = download._append
    monkeypatch.setattr(download, "_append", lambda *args: (offsets.append(args[3]), append(*args)))
    dataset = Dataset.open(f"s3://{name}")
    assert n_bytes in offsets
    assert dataset.training.files[0].read_bytes() == large
