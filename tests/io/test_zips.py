"""Data sets whose images are in zip files."""

import io
import os
import stat
import subprocess
import sys
import warnings
import zipfile
from contextlib import suppress

import pytest
from numpy.testing import assert_array_equal

from darkmatter_features.errors import DatasetError
from darkmatter_features.io import zips
from darkmatter_features.io.dataset import Dataset
from darkmatter_features.io.layouts import image_files
from darkmatter_features.io.zips import BESIDE, extracted
from tests.support.data_sets import FOLDERS, IMAGES, contents, write_data_set, write_zip


@pytest.fixture(autouse=True)
def user_cache(tmp_path, monkeypatch):
    """Keep the cache of the user out of the tests."""
    monkeypatch.delenv("DARKMATTER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, **_: tmp_path / "user-cache" / name)
    return tmp_path / "user-cache"


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


# Valid data sets


@pytest.mark.parametrize("number", FOLDERS)
@pytest.mark.parametrize("zipped", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("top", [True, False], ids=["in a folder", "at the root"])
def test_zip_files_are_read_as_folders_are(tmp_path, number, zipped, top):
    plain = Dataset.open(write_data_set(tmp_path / "plain", number))
    dataset = Dataset.open(write_data_set(tmp_path / "zipped", number, zipped=zipped, top=top))
    assert dataset.layout == number
    assert contents(dataset) == contents(plain)
    assert list(contents(dataset)) == list(contents(plain))
    for split, other in zip(dataset.splits, plain.splits, strict=True):
        assert_array_equal(split.labels, other.labels)
        assert_array_equal(split.lens_rows, other.lens_rows)


def test_files_of_the_user_stay_as_they_are(tmp_path):
    root = write_data_set(tmp_path / "data", zipped=(True, True))
    before = {path: path.read_bytes() for path in files_below(root)}
    Dataset.open(root)
    assert set(root.iterdir()) == {*before, root / BESIDE}
    assert all(path.read_bytes() == content for path, content in before.items())


def test_other_members_are_left_out(tmp_path):
    others = dict.fromkeys(
        [
            "__MACOSX/training/._a.png",
            "training/.hidden.png",
            ".git/b.png",
            "training/notes.txt",
            "training/small/a.png",
        ],
        b"",
    )
    archive = write_zip(tmp_path / "training.zip", {"training/": b"", "training/a.png": b"a", **others})
    assert [path.name for path in extracted(archive).iterdir()] == ["a.png"]


def test_an_image_folder_precedes_a_zip_file(tmp_path):
    root = write_data_set(tmp_path / "data")
    (root / "training.zip").write_bytes(b"no zip file")
    assert Dataset.open(root).training.files[0] == root / "training" / "a.png"


def test_an_empty_folder_does_not_hide_a_zip_file(tmp_path):
    root = write_data_set(tmp_path / "data", zipped=(True, False))
    (root / "training").mkdir()
    assert len(Dataset.open(root).training) == 3


def test_a_zip_file_of_another_layout_does_not_precede_folders(tmp_path):
    root = write_data_set(tmp_path / "data", 3)
    write_zip(root / "train.zip", {"a.png": b""})
    assert Dataset.open(root).layout == 3


def test_images_of_skies_are_found_by_name(tmp_path):
    root = write_data_set(tmp_path / "data", zipped=(True, False))
    found = image_files(root, ["validation/e.png", "training/b.png", "training/missing.png"])
    assert [path.read_bytes() for path in found[:2]] == [b"e", b"b" * 2000]
    assert not found[2].exists()


def test_progress_is_that_of_the_extraction_alone(tmp_path):
    archive, seen = write_zip(tmp_path / "training.zip", IMAGES[0]), []
    extracted(archive, progress=lambda *done: seen.append(done))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    extracted(archive, progress=lambda *done: pytest.fail("extracted twice"))


# The cache


def test_images_are_extracted_once(tmp_path):
    archive = write_zip(tmp_path / "training.zip", IMAGES[0])
    first = {path: path.stat().st_ino for path in files_below(extracted(archive))}
    assert {path: path.stat().st_ino for path in files_below(extracted(archive))} == first


def test_a_changed_zip_file_is_extracted_again_and_the_old_images_are_removed(tmp_path):
    archive = write_zip(tmp_path / "training.zip", IMAGES[0])
    old = extracted(archive)
    write_zip(archive, {"z.png": b"z"})
    new = extracted(archive)
    assert [path.name for path in new.iterdir()] == ["z.png"]
    assert not old.exists()


def test_images_have_the_time_of_the_zip_file(tmp_path):
    """So that measurements of them are kept where the cache is made again, and not where the zip file changes."""
    archive = write_zip(tmp_path / "training.zip", IMAGES[0])
    os.utime(archive, ns=(10**18, 10**18 + 7))
    assert {path.stat().st_mtime_ns for path in extracted(archive).iterdir()} == {10**18 + 7}


def test_images_that_are_lost_from_the_cache_are_extracted_again(tmp_path):
    archive = write_zip(tmp_path / "training.zip", IMAGES[0])
    folder = extracted(archive)
    (folder / "a.png").unlink()
    (folder / "b.png").write_bytes(b"")
    assert {path.name: path.read_bytes() for path in extracted(archive).iterdir()} == IMAGES[0]


def test_the_cache_of_the_user_is_used_where_the_data_set_cannot_be_written(tmp_path, user_cache):
    archive = write_zip(tmp_path / "data" / "training.zip", IMAGES[0])
    (tmp_path / "data" / BESIDE).write_text("no folder")
    assert user_cache in extracted(archive).parents
    assert (tmp_path / "data" / BESIDE).read_text() == "no folder"


def test_the_variable_gives_the_folder_of_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DARKMATTER_CACHE", str(tmp_path / "scratch"))
    archive = write_zip(tmp_path / "data" / "training.zip", IMAGES[0])
    assert tmp_path / "scratch" in extracted(archive).parents
    assert list((tmp_path / "data").iterdir()) == [archive]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "scratch").write_text("a file")
    monkeypatch.setenv("DARKMATTER_CACHE", str(tmp_path / "scratch"))
    with pytest.raises(DatasetError, match=r"cannot be written; set DARKMATTER_CACHE"):
        extracted(write_zip(tmp_path / "training.zip", IMAGES[0]))


KILLED = """
import os, sys
from pathlib import Path
from darkmatter_features.io.zips import extracted

def progress(done, total):
    if done == 2:
        os._exit(9)

extracted(Path(sys.argv[1]), progress=progress)
"""


def test_a_killed_extraction_is_resumed_and_shows_nothing_before_the_end(tmp_path):
    archive = write_zip(tmp_path / "training.zip", IMAGES[0])
    assert subprocess.run([sys.executable, "-c", KILLED, str(archive)], check=False).returncode == 9
    (part,) = (tmp_path / BESIDE / archive.name).glob("*.part")
    kept = {path.name: path.stat().st_ino for path in (part / "training").iterdir()}
    assert len(kept) == 2
    (part / "training" / ".b.png.1.tmp").write_bytes(b"half")
    seen = []
    folder = extracted(archive, progress=lambda done, _: seen.append(done))
    assert seen == [2, 3]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == IMAGES[0]
    assert kept.items() <= {path.name: path.stat().st_ino for path in folder.iterdir()}.items()
    assert not part.exists()


# Damaged and hostile zip files: one line each, and no file outside the cache


def assert_refused(archive, *parts):
    root = archive.parents[1]
    before = set(files_below(root))
    with pytest.raises(DatasetError) as error:
        extracted(archive)
    message = str(error.value)
    assert message.startswith(str(archive))
    assert "\n" not in message
    assert ";" in message
    for part in parts:
        assert part in message
    cache = archive.parent / BESIDE
    written = [path for path in files_below(root) if path not in before and cache not in path.parents]
    assert written == []
    assert not [path for path in files_below(cache) if path.suffix == ".png" and ".part" not in str(path)]


def member(name, mode=0, **attributes):
    info = zipfile.ZipInfo("placeholder")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    ("name", "mode", "defect"),
    [
        ("/etc/a.png", 0, "absolute path"),
        ("//host/a.png", 0, "absolute path"),
        ("C:/a.png", 0, "absolute path"),
        ("c:a.png", 0, "absolute path"),
        ("training/c:a.png", 0, "colon"),
        ("../a.png", 0, "'..'"),
        ("training/../../a.png", 0, "'..'"),
        ("..\\a.png", 0, "'..'"),
        ("training\\a.png", 0, "backslash"),
        ("../notes.txt", 0, "'..'"),
        ("training/a.png", stat.S_IFLNK | 0o777, "symbolic link"),
        ("training", stat.S_IFLNK | 0o777, "symbolic link"),
        ("training/a.png", stat.S_IFIFO, "no plain file"),
    ],
)
def test_unsafe_members_are_refused(tmp_path, name, mode, defect):
    archive = write_zip(tmp_path / "data" / "training.zip", {"training/ok.png": b"ok", member(name, mode): b"/etc"})
    assert_refused(archive, "unsafe", ascii(name)[1:8], defect, "make the zip file again")


def test_a_zero_byte_in_a_name_is_refused(tmp_path):
    archive = write_zip(tmp_path / "data" / "training.zip", {"training/aXb.png": b""})
    archive.write_bytes(archive.read_bytes().replace(b"aXb", b"a\0b"))
    assert_refused(archive, "zero byte")


@pytest.mark.parametrize("other", ["training/a.png", "training/A.PNG"])
def test_repeated_names_are_refused(tmp_path, other):
    archive = tmp_path / "data" / "training.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile itself warns of the repeated name
        file.writestr("training/a.png", b"1")
        file.writestr(other, b"2")
    assert_refused(archive, "more than once", "keep one")


def test_images_in_several_folders_are_refused(tmp_path):
    archive = write_zip(tmp_path / "data" / "training.zip", {"one/a.png": b"", "two/b.png": b""})
    assert_refused(archive, "several folders: one, two")


def test_a_zip_file_without_images_is_refused(tmp_path):
    assert_refused(write_zip(tmp_path / "data" / "training.zip", {"training/a.txt": b""}), "no images", ".png")


def test_an_encrypted_zip_file_is_refused(tmp_path):
    archive = write_zip(tmp_path / "data" / "training.zip", {"training/a.png": b"a"})
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    archive.write_bytes(content)
    assert_refused(archive, "is encrypted", "password")


@pytest.mark.parametrize("kept", [0, 10, 0.3, 0.99])
def test_a_truncated_zip_file_is_refused(tmp_path, kept):
    archive = write_zip(tmp_path / "data" / "training.zip", {"training/a.png": os.urandom(10_000)})
    content = archive.read_bytes()
    archive.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    assert_refused(archive, "damaged or not complete", "copy or download it again")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_bytes_are_found(tmp_path, method):
    images = {f"training/{name}": os.urandom(3000) for name in ("a.png", "b.png")}
    archive = write_zip(tmp_path / "data" / "training.zip", images, compression=method)
    content = bytearray(archive.read_bytes())
    content[4500:4600] = bytes(100)
    archive.write_bytes(content)
    assert_refused(archive, "damaged")


def test_random_damage_raises_no_other_error(tmp_path, rng):
    archive = write_zip(tmp_path / "data" / "training.zip", {f"training/{i}.png": bytes(300) for i in range(5)})
    content = archive.read_bytes()
    for _ in range(300):
        damaged = bytearray(content)
        for position in rng.integers(len(content), size=3):
            damaged[position] = rng.integers(256)
        archive.write_bytes(damaged)
        with suppress(DatasetError):
            extracted(archive)


def test_an_unknown_compression_is_one_line(tmp_path):
    archive = write_zip(tmp_path / "data" / "training.zip", {"training/a.png": b"a" * 100})
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(signature) + offset] = 9
    archive.write_bytes(content)
    assert_refused(archive, "cannot be extracted", "compression", "make the zip file again")


def test_a_zip_bomb_with_declared_sizes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "SMALL_BYTES", 10**6)
    archive = write_zip(tmp_path / "data" / "training.zip", {"training/a.png": bytes(10**7)})
    assert_refused(archive, "unsafe", "would expand to 10000000", "200 times its size")


def test_declared_sizes_beyond_all_disks_are_refused(tmp_path):
    archive = write_zip(tmp_path / "data" / "training.zip", {"training/a.png": b"a"})
    content = bytearray(archive.read_bytes())
    position = content.index(b"PK\x01\x02") + 24
    content[position : position + 4] = (2**32 - 2).to_bytes(4, "little")
    archive.write_bytes(content)
    assert_refused(archive, "would expand to 4294967294")


@pytest.mark.parametrize("declared", [1000, 20_000])
def test_a_member_of_another_size_than_declared_is_refused(tmp_path, declared):
    """A zip bomb that hides its size: no more than the declared bytes are written."""
    archive = write_zip(tmp_path / "data" / "training.zip", {"training/a.png": bytes(10_000)})
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        position = content.index(signature) + offset
        content[position : position + 4] = declared.to_bytes(4, "little")
    archive.write_bytes(content)
    assert_refused(archive, "damaged")


def test_overlapping_members_are_refused(tmp_path, monkeypatch):
    """Many entries of the index that share the bytes of one: the sum of their sizes counts."""
    monkeypatch.setattr(zips, "SMALL_BYTES", 10**6)
    single = io.BytesIO()
    with zipfile.ZipFile(single, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("000.png", bytes(100_000))
        (info,) = file.infolist()
        for number in range(1, 500):
            copy = member(f"{number:03d}.png")
            for name in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(copy, name, getattr(info, name))
            file.filelist.append(copy)
            file._didModify = True
    archive = tmp_path / "data" / "training.zip"
    archive.parent.mkdir()
    archive.write_bytes(single.getvalue())
    assert_refused(archive, "would expand to 50000000")


def test_a_full_disk_is_one_line_before_any_work(tmp_path, monkeypatch):
    archive = write_zip(tmp_path / "data" / "training.zip", IMAGES[0])
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": 10})())
    assert_refused(archive, "needs", "GB", "DARKMATTER_CACHE")


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "MAX_MEMBERS", 2)
    assert_refused(write_zip(tmp_path / "data" / "training.zip", IMAGES[0]), "3 members, more than 2")


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    archive = write_zip(tmp_path / "data" / "training.zip", {f"{'a' * 300}.png": b""})
    assert_refused(archive, "cannot be extracted", "name too long")


def test_two_processes_extract_the_same_file_at_once(tmp_path):
    archive = write_zip(tmp_path / "training.zip", {f"{i:03d}.png": os.urandom(5000) for i in range(200)})
    code = "import sys; from pathlib import Path; from darkmatter_features.io.zips import extracted; "
    code += "print(len(list(extracted(Path(sys.argv[1])).iterdir())))"
    command = [sys.executable, "-c", code, str(archive)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        out, errors = process.communicate(timeout=60)
        assert (out.strip(), errors) == ("200", "")
