"""Options of fsspec for a URL."""

from typing import Any

TIMEOUT_SECONDS = 60
"""Time without any data after which a connection is given up, seconds."""

_S3, _GOOGLE = ("s3", "s3a"), ("gs", "gcs")
_ALIASES = (_S3, _GOOGLE)


def options_of(url: str) -> dict[str, Any]:
    """Return options of fsspec for a URL: no credentials, and no limit to the time of a download.

    The user's configuration of fsspec (environment variables `FSSPEC_S3` and so on) precedes.
    """
    from fsspec.config import conf

    protocol = url.partition("://")[0].lower()
    options: dict[str, Any] = {}
    if protocol in _S3:
        options = {"anon": True}
    elif protocol in _GOOGLE:
        options = {"token": "anon"}
    elif protocol in ("http", "https"):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS, sock_read=TIMEOUT_SECONDS)
        options = {
            "client_kwargs": {"timeout": timeout, "trust_env": True},
            "headers": {"Accept-Encoding": "identity"},
        }
    names = next((names for names in _ALIASES if protocol in names), (protocol,))
    given = {option for name in names for option in conf.get(name, {})}
    return {name: value for name, value in options.items() if name not in given}
