"""Pages on a loopback address: they are made as they are asked for, and nothing else can be asked for."""

import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

from classify.report.page import to_bytes
from darkmatter_features.errors import ConfigError, failure_reason

LOOPBACK = "127.0.0.1"
"""Default address: other machines cannot reach it."""
LOCAL_NAMES = frozenset({"localhost", LOOPBACK, "[::1]"})
"""Names of this machine in the header Host."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY", "Cache-Control": "no-store",
}  # fmt: skip
_SKY = re.compile(r"/(sky|verdict|image)/(0|[1-9][0-9]{0,8})\.(json|webp)", re.ASCII)
_SUFFIXES = {"sky": "json", "verdict": "json", "image": "webp"}


@dataclass(frozen=True)
class Site:
    """What a server gives.

    Attributes
    ----------
    page : str
        The page, HTML.
    n_skies : int
        Number of skies of the page.
    sky : callable
        Function from the index of a sky to its data, JSON.
    image : callable
        Function from the index of a sky to its image, WebP.
    verdict : callable or None
        Function from the index of a sky to its row of the list, JSON, where the page has none before it is asked for.
    """

    page: str
    n_skies: int
    sky: Callable[[int], str]
    image: Callable[[int], bytes]
    verdict: Callable[[int], str] | None = None


def make_server(site: Site, *, host: str = LOOPBACK, port: int = 0) -> ThreadingHTTPServer:
    """Return a server that is bound to an address; ``serve_forever`` starts it.

    Parameters
    ----------
    site : Site
        What it gives: the page at ``/``, data at ``/sky/N.json`` and images at ``/image/N.webp``, where N is the
        index of a sky, and rows of the list at ``/verdict/N.json``. A request has no other part: no name of a file
        comes from it.
    host : str
        Address to bind. On the default one, requests for another host are refused, such as those that a page from
        elsewhere makes after it has changed the address of its own name.
    port : int
        Port; 0 for any that is free.

    Raises
    ------
    ConfigError
        If the address cannot be used.
    """
    handler = type("Handler", (_Handler,), {"site": site, "hosts": _allowed(host)})
    kind = type("Server", (_Server,), {"address_family": socket.AF_INET6 if ":" in host else socket.AF_INET})
    try:
        server: _Server = kind((host, port), handler)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot serve at {host}:{port}: {reason}; choose another --port, or 0 for a free one"
        ) from None
    if _is_unspecified(str(server.server_address[0])) and not _is_unspecified(host):
        server.server_close()
        raise ConfigError(f"the host {host!r} stands for all addresses of this machine; give --host 0.0.0.0 for these")
    return server


def check_address(host: str, port: int) -> None:
    """Raise an error, before any work, if an address cannot be used.

    Raises
    ------
    ConfigError
        As in :func:`make_server`.
    """
    make_server(Site("", 0, str, bytes), host=host, port=port).server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _allowed(host: str) -> frozenset[str] | None:
    """Return the names of the server in the header Host; None for any, on an address of all interfaces."""
    return None if _is_unspecified(host) else LOCAL_NAMES | {host.lower()}


def _is_unspecified(host: str) -> bool:
    """Return whether an address is that of all interfaces, written in full."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


class _Handler(BaseHTTPRequestHandler):
    """Handler of the requests; `site` and `hosts` are set by :func:`make_server`."""

    site: Site
    hosts: frozenset[str] | None
    server_version, sys_version = "darkmatter", ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Answer a request."""
        status, kind, body = self._answer()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def _answer(self) -> tuple[int, str, bytes]:
        if not self._is_for_us():
            return _error(403, "this server gives its page to this machine alone; --host names another address")
        path = self.path.partition("?")[0]
        if path == "/":
            return 200, "text/html; charset=utf-8", to_bytes(self.site.page)
        found = _SKY.fullmatch(path)
        if found is None or _SUFFIXES[found[1]] != found[3] or int(found[2]) >= self.site.n_skies:
            return _error(404, "there is no such page")
        texts = {"sky": self.site.sky, "verdict": self.site.verdict}.get(found[1])
        if texts is None and found[1] != "image":
            return _error(404, "there is no such page")
        try:
            if texts is not None:
                return 200, "application/json", texts(int(found[2])).encode()
            return 200, "image/webp", self.site.image(int(found[2]))
        except Exception as error:  # the sky alone cannot be shown
            return _error(422, failure_reason(error))

    def _is_for_us(self) -> bool:
        if self.hosts is None:
            return True
        host = self.headers.get_all("Host", [])
        return len(host) == 1 and re.sub(r":[0-9]*$", "", host[0].strip().lower()) in self.hosts

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing."""


def _error(status: int, reason: str) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps({"error": reason}).encode()
