"""URLs and the paths of their copies: the path alone gives the URL, without what is secret."""

from pathlib import Path, PureWindowsPath

import pytest

from darkmatter_features.errors import path_text
from darkmatter_features.urls import MAX_NAME, name_of, path_of_url, url_of_path, with_urls, without_password

URLS = [
    "https://host/a.png",
    "http://127.0.0.1:8000/fields/deep/a.fits.fz",
    "https://host/cut-out?ra=10.5&dec=-3&format=fits",
    "https://host/a%20field/a%20sky.png",
    "https://host/50%25.png",
    "https://host/a%2Fb.png",
    "s3://bucket/fields/a b, 50%.png",
    "gs://bucket/fields/ä.png",
    "memory://a.png",
    "s3://bucket//a.png",
    "https://host/../a.png",
    "https://host/D:a.png",
    "https://host/%3Fa%22.png",
    "s3://bucket/a:b*%3A%25.png",
]


@pytest.mark.parametrize("url", URLS)
def test_a_path_gives_the_url(url):
    path = Path("cache") / path_of_url(url)
    assert url_of_path(path) == url
    assert ".." not in path.parts
    assert not set(r':*?"<>|') & set("".join(path.parts))
    assert PureWindowsPath(path_of_url(url)).drive == ""
    assert path_text(path) == url


def test_names_are_those_of_local_files():
    assert path_of_url("https://host/a%20sky.png?n=1").name == "a sky.png"
    assert path_of_url("s3://bucket/a%20sky.png").name == "a%20sky.png"
    assert path_of_url("https://host/.listing.json").name == "%2Elisting.json"
    folder = path_of_url("s3://bucket/survey/part-0.parquet").parent
    assert name_of(folder) == "survey"
    assert path_text(folder) == "s3://bucket/survey"


def test_a_file_and_a_folder_of_one_name_have_two_copies():
    assert path_of_url("s3://b/a") not in path_of_url("s3://b/a/b.png").parents


def test_long_names_are_cut_and_stay_apart():
    one, two = (path_of_url(f"s3://bucket/{'x' * 300}{k}/{'y' * 300}{k}.fits") for k in range(2))
    assert one != two
    assert max(map(len, one.parts)) < MAX_NAME + 10
    assert one.suffix == ".fits"


def test_no_path_and_no_text_has_a_password():
    path = path_of_url("https://me:secret@host/a.png")
    assert "secret" not in str(path)
    assert url_of_path(path) == "https://host/a.png"
    signed = path_of_url("https://host/a.png?X-Amz-Signature=secret&n=1")
    assert path_text(signed) == "https://host/a.png?X-Amz-Signature=***&n=1"
    text = "https://a:b@host/x and s3://key:word@bucket, not a@b.c"
    assert without_password(text) == "https://host/x and s3://bucket, not a@b.c"
    assert without_password("https://me:se@cret@host/a@b.png?auth=x") == "https://host/a@b.png?auth=***"
    assert "secret" not in str(path_of_url("zip://a.png::https://me:secret@host/x.zip"))
    assert "se" not in path_of_url("https://me:se@cret@host/a.png").parts[1]


def test_messages_name_the_url():
    folder = Path("/home/me/Library of mine/files") / path_of_url("https://host/fields/a b.png?n=1").parent
    assert with_urls(f"{folder}/a b.png is empty; copy it") == "https://host/fields/a b.png is empty; copy it"
    assert with_urls(f"cannot open {folder}/x.png: no") == "cannot open https://host/fields/x.png: no"
    assert with_urls(f"a, {folder}/x.png, {folder}/y") == "a, https://host/fields/x.png, https://host/fields/y"


@pytest.mark.parametrize("path", ["a.png", "/data/a.png", "https:/host/a.png", "s3%3A%2F%2F", ""])
def test_other_paths_are_no_copies(path):
    assert url_of_path(Path(path)) is None
    assert with_urls(path) == path
