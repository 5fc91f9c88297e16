"""The server of `darkmatter view`: what it gives, and what it refuses."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

import classify
from classify.cli import build_parser, main
from classify.commands.view import address_of
from classify.report.server import LOOPBACK, Site, make_server
from classify.report.view import site_of_run, site_of_skies
from darkmatter_features.errors import ConfigError, SkyError
from tests.classify.report.conftest import N_SKIES, shown


@contextmanager
def served(site, **options):
    with make_server(site, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def port():
    def sky(index):
        if index == 1:
            raise SkyError("sky.png is damaged; copy it again")
        return json.dumps({"index": index})

    with served(Site("<p>page</p>", 3, sky, lambda index: b"image")) as port:
        yield port


def answer(port, path, *, method="GET", **headers):
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    for name, value in ({"Host": f"127.0.0.1:{port}"} | headers).items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body, response.headers


def test_page_data_and_image_are_given(port):
    assert answer(port, "/")[:2] == (200, b"<p>page</p>")
    assert answer(port, "/sky/2.json")[:2] == (200, b'{"index": 2}')
    assert answer(port, "/image/0.webp")[:2] == (200, b"image")
    assert answer(port, "/", method="HEAD")[:2] == (200, b"")


HOSTILE = (
    "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/etc/passwd",
    "/sky/../../etc/passwd", "/sky/%2e%2e%2f0.json", "/sky/0.json/../../x", "/sky/0.json%00.png", "/sky/0%00.json",
    "/sky/-1.json", "/sky/3.json", "/sky/00.json", "/sky/1e0.json", "/sky/0x1.json", "/sky/99999999999999999999.json",
    "/sky/0.webp", "/image/0.json", "/sky/%30.json", "/sky/٣.json".encode().decode("latin-1"), "/sky/0.json;x", "/file:///etc/passwd",
    "http://127.0.0.1/etc/passwd", "/sky/", "/static/../server.py", "/favicon.ico", "\\..\\windows",
    "/sky/0.json\\..",
)  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_no_other_path_is_given(port, path):
    with socket.create_connection((LOOPBACK, port), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1"))
        received = b"".join(iter(lambda: raw.recv(65536), b""))
    assert received.split(b"\r\n")[0].split()[1] in (b"404", b"400")
    assert b"root:" not in received


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "evil.example:80", "127.0.0.1.evil.example", "0.0.0.0", "localhost@evil"]
)
def test_requests_for_another_host_are_refused(port, host):
    """A page from elsewhere can point its own name at this machine: its requests still have that name."""
    status, body, _ = answer(port, "/", Host=host)
    assert status == 403
    assert b"page</p>" not in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:80"])
def test_requests_for_this_machine_are_answered(port, host):
    assert answer(port, "/", Host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_reading_is_possible(port, method):
    assert answer(port, "/", method=method)[0] == 501


def test_a_sky_that_fails_has_its_reason(port):
    status, body, _ = answer(port, "/sky/1.json")
    assert status == 422
    assert json.loads(body) == {"error": "sky.png is damaged; copy it again"}


def test_pages_from_elsewhere_cannot_read_the_data(port):
    headers = answer(port, "/sky/0.json")[2]
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_default_address_is_that_of_this_machine_alone():
    assert build_parser("view").parse_args(["view"]).host == LOOPBACK
    with make_server(Site("", 0, str, bytes)) as server:
        assert server.server_address[0] == LOOPBACK


def test_an_address_of_all_interfaces_answers_any_host():
    with served(Site("page", 0, str, bytes), host="0.0.0.0") as port:
        assert answer(port, "/", Host="survey.example")[0] == 200


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_port_that_cannot_be_used_is_named(port):
    with pytest.raises(ConfigError, match=f"cannot serve at 127.0.0.1:{port}.*--port"):
        make_server(Site("", 0, str, bytes), port=port)


def test_a_port_in_use_is_named():
    with make_server(Site("", 0, str, bytes)) as server, pytest.raises(ConfigError, match="choose another --port"):
        make_server(Site("", 0, str, bytes), port=server.server_address[1])


def test_a_port_in_use_is_named_before_any_sky_is_measured(capsys):
    with make_server(Site("", 0, str, bytes)) as server:
        assert main(["view", "missing.png", "--port", str(server.server_address[1])]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_a_run_gives_the_skies_of_its_report(trained):
    site = site_of_run(trained)
    assert site.n_skies == N_SKIES
    assert set(json.loads(site.sky(0))) > {"image", "snr", "cross", "posterior", "galaxies", "profile"}
    assert site.image(0)[8:12] == b"WEBP"


@pytest.mark.parametrize("with_run", [True, False])
def test_images_have_the_verdicts_of_a_run_if_there_is_one(trained, with_run, tmp_path):
    skies = [trained.parent / "data" / "validation", tmp_path / "missing.png"]
    site = site_of_skies(skies, trained if with_run else None)
    assert site.n_skies == N_SKIES + 1
    assert "missing.png" in site.page
    own = json.loads(site.sky(0))
    assert (own["facts"]["contributions"] is not None) == (own["listed"]["probability"] is not None) == with_run
    with pytest.raises(SkyError, match=r"missing\.png"):
        site.verdict(N_SKIES)


def test_a_link_to_a_file_that_is_no_image_shows_nothing_of_it(trained, tmp_path):
    (tmp_path / "secret.txt").write_text("root:x:0:0")
    (tmp_path / "link.png").symlink_to(tmp_path / "secret.txt")
    site = site_of_skies([tmp_path / "link.png"], trained)
    with pytest.raises(SkyError) as raised:
        site.sky(0)
    assert "root:x:0:0" not in str(raised.value)


@pytest.mark.parametrize("host", ["", "0", "000.0.0.0"])
def test_a_host_that_stands_for_all_interfaces_unsaid_is_refused(host):
    with pytest.raises(ConfigError, match=r"stands for all addresses|cannot serve"):
        make_server(Site("page", 0, str, bytes), host=host).server_close()


def test_a_page_is_served_at_an_address_of_version_6():
    try:
        server = make_server(Site("page", 0, str, bytes), host="::1")
    except ConfigError:
        pytest.skip("this machine has no address of version 6")
    with server:
        assert server.socket.family == socket.AF_INET6
        assert address_of(server) == f"http://[::1]:{server.server_address[1]}/"


def test_a_file_name_in_another_encoding_is_shown(trained, tmp_path, visit):
    image = next((trained.parent / "data" / "validation").iterdir())
    path = tmp_path / os.fsdecode(b"sky-\xff\xfe.png")
    try:
        path.write_bytes(image.read_bytes())
    except OSError:
        pytest.skip("this file system has names of text alone")
    with served(site_of_skies([path])) as port:
        tab = visit(f"http://127.0.0.1:{port}/")
        tab.locator(".tile").click()
        shown(tab)


def test_the_command_serves_until_it_is_interrupted(trained):
    """The signal is set to its default first: a shell lets processes in the background ignore it."""
    words = [sys.executable, "-m", "classify", "view", str(trained), "--port", "0"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, cwd=Path(classify.__file__).parents[1],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        try:
            address = process.stdout.readline().split()[0]
            port = int(address.rstrip("/").rpartition(":")[2])
            assert address == f"http://127.0.0.1:{port}/"
            assert b"<h1" in answer(port, "/")[1]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60.0) == 0
            assert process.stdout.read() == "ended\n"
        finally:
            process.kill()
