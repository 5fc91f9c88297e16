"""Web servers on the loopback interface that serve a folder, with and without ranges, listings and failures."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Served:
    """Behaviour of a server, which a test may change while it runs, and the requests that came.

    Attributes
    ----------
    folder : Path
        Folder that is served.
    url : str
        URL of the folder.
    has_ranges, has_listing, has_dates : bool
        Whether range requests are answered in part, folders are listed, and files have dates.
    cut : dict of str to int
        Number of bytes, by file name, after which the connection breaks; once.
    head_size : dict of str to int
        Size that HEAD requests give instead of the true one, by file name.
    status : dict of str to int
        Status instead of an answer, by file name; "" stands for the folders.
    requests : list of (str, str, str or None)
        Method, path and range of each request.
    """

    folder: Path
    url: str = ""
    has_ranges: bool = True
    has_listing: bool = True
    has_dates: bool = True
    cut: dict[str, int] = field(default_factory=dict)
    head_size: dict[str, int] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    def gets(self, name: str) -> list[str | None]:
        """Return the ranges of the GET requests of a file."""
        return [range_ for method, path, range_ in self.requests if method == "GET" and path.endswith(f"/{name}")]


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def __init__(self, served, *args):
        self.served = served
        super().__init__(*args, directory=str(served.folder))

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._answer(None)

    def do_GET(self):
        self._answer(self.wfile)

    def _answer(self, out):
        self.served.requests.append((self.command, self.path, self.headers.get("Range")))
        path = Path(self.translate_path(self.path))
        name = "" if path.is_dir() else path.name
        status = self.served.status.get(name, 404 if path.is_dir() and not self.served.has_listing else None)
        if status is not None or not path.exists():
            self.send_error(status or HTTPStatus.NOT_FOUND)
        elif path.is_dir():
            (super().do_GET if out is not None else super().do_HEAD)()
        else:
            self._send(path, out)

    def _send(self, path, out):
        content, first = path.read_bytes(), 0
        size = len(content)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted and self.served.has_ranges:
            first, last = int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)
            content = content[first : last + 1]
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(HTTPStatus.OK)
        given = {} if out is not None else self.served.head_size
        self.send_header("Content-Length", str(given.get(path.name, len(content))))
        if self.served.has_dates:
            self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.end_headers()
        if out is not None:
            n_bytes = self.served.cut.pop(path.name, None)
            out.write(content[:n_bytes])
            if n_bytes is not None:
                out.flush()
                time.sleep(0.3)  # so that the client has read them before the connection breaks


@contextmanager
def serve(folder: Path, **behaviour) -> Iterator[Served]:
    """Serve a folder on a free port until the end of the block."""
    served = Served(folder, **behaviour)
    with _running(partial(_Handler, served)) as url:
        served.url = url
        yield served


@contextmanager
def _running(handler) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _BucketHandler(BaseHTTPRequestHandler):
    """The three requests of Google's JSON interface that reading needs: list, describe, and download a range."""

    def __init__(self, folder, *args):
        self.folder = folder
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        bucket, _, name = url.path.partition("/b/")[2].partition("/o")
        name, root = unquote(name.removeprefix("/")), self.folder / bucket
        if not root.is_dir() or (name and not (root / name).is_file()):
            self.send_error(HTTPStatus.NOT_FOUND)
        elif query.get("alt") == "media":
            self._send((root / name).read_bytes())
        else:
            content = self._described(root, root / name) if name else self._listed(root, query.get("prefix", ""))
            self._send(json.dumps(content).encode(), kind="application/json")

    def _described(self, root, path):
        return {
            "kind": "storage#object", "name": path.relative_to(root).as_posix(), "bucket": root.name,
            "size": str(path.stat().st_size), "etag": str(path.stat().st_mtime_ns), "generation": "1",
            "updated": "2020-01-01T00:00:00.000Z", "timeCreated": "2020-01-01T00:00:00.000Z",
        }  # fmt: skip

    def _listed(self, root, prefix):
        folder = root / prefix
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        items = [self._described(root, path) for path in entries if path.is_file()]
        folders = [f"{path.relative_to(root).as_posix()}/" for path in entries if path.is_dir()]
        return {"kind": "storage#objects", "items": items, "prefixes": folders}

    def _send(self, content, kind="application/octet-stream"):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            content = content[int(wanted[1]) : int(wanted[2] or len(content)) + 1]
        self.send_response(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serve_buckets(folder: Path) -> Iterator[str]:
    """Serve the folders in a folder as Google's buckets until the end of the block; give the URL of the server."""
    with _running(partial(_BucketHandler, folder)) as url:
        yield url
