"""Images and tables behind URLs: what a URL stands for, and its copies, which follow the files on the server."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from darkmatter_features.errors import DatasetError, path_text
from darkmatter_features.io import download
from darkmatter_features.io.copies import fetch_places, present
from darkmatter_features.io.url_places import IMAGES, TABLES
from tests.support.servers import serve

fsspec = pytest.importorskip("fsspec", reason="the extra `remote` is not installed")
pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")

FILES = {
    "a.png": b"first", "b.fits.fz": b"second", ".c.png": b"hidden", "notes.txt": b"words", "deep/d.png": b"third",
    "deep/t.parquet": b"rows", "with space.png": b"fourth",
}  # fmt: skip
NAMES = ["a.png", "b.fits.fz", "with space.png"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DARKMATTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.01)
    return tmp_path / "cache"


def write(root):
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture
def server(tmp_path):
    with serve(write(tmp_path / "data")) as served:
        yield served


@pytest.fixture
def memory():
    filesystem = fsspec.filesystem("memory")
    for name, content in FILES.items():
        filesystem.pipe(f"/bucket/{name}", content)
    yield "memory://bucket"
    filesystem.rm("/bucket", recursive=True)


def contents(paths):
    return {Path(path).name: Path(path).read_bytes() for path in paths}


def expected(*names):
    return {Path(name).name: FILES[name] for name in names}


# What a URL stands for


def test_a_file_of_each_kind_of_url(server, memory):
    places = [f"{server.url}/a.png", f"{memory}/b.fits.fz", f"{server.url}/with%20space.png?n=1", "here.png"]
    *found, here = fetch_places(places, IMAGES)
    assert contents(found) == expected(*NAMES)
    assert here == "here.png"
    assert [path_text(path) for path in found] == places[:3]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_folder_is_its_images(server, memory, end):
    for url in (server.url, memory):
        assert contents(fetch_places([f"{url}{end}"], IMAGES)) == expected(*NAMES)


def test_a_folder_of_tables_is_one_place(memory):
    (folder,) = fetch_places([memory], TABLES)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")] == ["deep%2F/t.parquet"]
    fsspec.filesystem("memory").mv("/bucket/deep/t.parquet", "/bucket/deep/u.parquet")
    (folder,) = fetch_places([memory], TABLES)
    assert [path.name for path in folder.rglob("*.parquet")] == ["u.parquet"]


def test_patterns_stand_for_what_matches(server, memory):
    for url in (server.url, memory):
        assert contents(fetch_places([f"{url}/[ab].*"], IMAGES)) == expected("a.png", "b.fits.fz")
        assert contents(fetch_places([f"{url}/n*"], TABLES)) == expected("notes.txt")


def test_a_part_is_behind_the_copy(server):
    places = fetch_places([f"{server.url}/b.fits.fz[SCI,2]", f"{server.url}/*.fz[1]"], IMAGES)
    assert [path.name for path in places] == ["b.fits.fz[SCI,2]", "b.fits.fz[1]"]
    assert (places[0].parent / "b.fits.fz").read_bytes() == FILES["b.fits.fz"]
    assert [present(path) for path in places] == places


def test_a_file_on_this_machine_needs_no_copy(tmp_path, cache):
    root = write(tmp_path / "data")
    assert fetch_places([f"file://{root}/a.png", f"file://{root}/*.png"], IMAGES) == [root / "a.png", root / "*.png"]
    assert not cache.exists()


def test_nothing_of_the_network_is_imported_for_files_here(tmp_path):
    code = "import sys; from darkmatter_features.io.image_paths import find_skies; find_skies(sys.argv[1:]); "
    code += "print({'fsspec', 'aiohttp', 's3fs', 'gcsfs'} & set(sys.modules))"
    words = [sys.executable, "-c", code, str(write(tmp_path / "data")), f"file://{tmp_path}/data/a.png"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "set()\n"


# Copies


def test_a_copy_is_kept_while_its_file_is_the_same(server):
    (path,) = fetch_places([f"{server.url}/a.png"], IMAGES)
    fetch_places([f"{server.url}/a.png", server.url], IMAGES, progress=lambda *_: None)
    assert server.gets("a.png") == [None]
    (server.folder / "a.png").write_bytes(b"other")
    os.utime(server.folder / "a.png", (10**9, 10**9))
    assert fetch_places([f"{server.url}/a.png"], IMAGES) == [path]
    assert path.read_bytes() == b"other"


def test_a_copy_of_another_size_is_replaced(server):
    (path,) = fetch_places([f"{server.url}/a.png"], IMAGES)
    path.write_bytes(b"cut")
    fetch_places([f"{server.url}/a.png"], IMAGES)
    assert path.read_bytes() == FILES["a.png"]


def test_a_copy_is_used_where_the_server_does_not_respond(tmp_path):
    with serve(write(tmp_path / "data")) as served:
        (path,) = fetch_places([f"{served.url}/a.png"], IMAGES)
    assert fetch_places([f"{served.url}/a.png"], IMAGES) == [path]
    with pytest.raises(DatasetError, match=r"b\.fits\.fz cannot be downloaded .*; check the network and the URL"):
        fetch_places([f"{served.url}/b.fits.fz"], IMAGES)


def test_a_file_that_is_gone_has_no_copy(server):
    (path,) = fetch_places([f"{server.url}/a.png"], IMAGES)
    (server.folder / "a.png").unlink()
    assert fetch_places([f"{server.url}/a.png"], IMAGES) == [path]
    assert not path.exists()


@pytest.mark.parametrize(("status", "words"), [(404, "does not exist"), (403, "cannot be read: no permission")])
def test_a_file_that_cannot_be_read_costs_no_other(server, status, words):
    """Whether it is given by its own URL, or listed in its folder."""
    server.status["b.fits.fz"] = status
    for places in ([f"{server.url}/{name}" for name in ("a.png", "b.fits.fz")], [f"{server.url}/[ab].*"]):
        first, second = fetch_places(places, IMAGES)
        assert first.exists()
        with pytest.raises(DatasetError, match=rf"^{server.url}/b\.fits\.fz {words}.*; check the URL") as error:
            present(second)
        assert "\n" not in str(error.value)


def test_a_missing_copy_is_made_in_the_cache_of_the_machine(server, tmp_path, monkeypatch):
    (path,) = fetch_places([f"{server.url}/a.png"], IMAGES)
    monkeypatch.setenv("DARKMATTER_CACHE", str(tmp_path / "other"))
    assert present(path) == path
    path.unlink()
    path.parent.rename(tmp_path / "elsewhere")
    own = present(path)
    assert own.is_relative_to(tmp_path / "other")
    assert own.read_bytes() == FILES["a.png"]
    assert present(f"{path}[1]") == own.with_name("a.png[1]")


def test_a_url_of_one_file_is_present(server, memory):
    assert present(f"{server.url}/a.png").read_bytes() == FILES["a.png"]
    with pytest.raises(DatasetError, match=r"stands for 4 files; give the URL of one$"):
        present(f"{memory}/*.*")


# Errors


def refused(url, content, *parts):
    with pytest.raises(DatasetError) as error:
        fetch_places([url], content)
    message = str(error.value)
    assert message.startswith(url)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_folder_without_images_is_one_line(server, memory):
    (server.folder / "empty").mkdir()
    refused(f"{server.url}/empty/", IMAGES, "no images there", "check the URL")
    refused(f"{server.url}/x*.png", IMAGES, "no images match", "check the URL")
    refused(f"{memory}/x*.png", TABLES, "no tables match", "check the URL")
    server.has_listing = False
    refused(f"{server.url}/", IMAGES, "does not exist", "check the URL")


def test_no_network_no_package_and_no_such_kind_are_one_line(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        refused(f"http://127.0.0.1:{free.getsockname()[1]}/a.png", IMAGES, "cannot be downloaded", "check the network")
    refused("sky://a.png", IMAGES, "Protocol not known: sky", "gs://")
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    refused("https://127.0.0.1/a.png", IMAGES, "pip install 'darkmatter-lensing[remote]'")
