"""Web servers on the loopback interface that serve a folder, with and without ranges, listings and failures."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


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
        Number of bytes, by file name, after which the connection breaks; at each request.
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
        self.send_header("Content-Length", str(len(content)))
        if self.served.has_dates:
            self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.end_headers()
        if out is not None:
            out.write(content[: self.served.cut.get(path.name, size)])


@contextmanager
def serve(folder: Path, **behaviour) -> Iterator[Served]:
    """Serve a folder on a free port until the end of the block."""
    served = Served(folder, **behaviour)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, served)) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
