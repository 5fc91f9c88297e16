"""URLs of data, and the paths of their copies, from which the URLs can be read again.

A copy has a folder for each part of its URL, whose slash is in its name: ``https%3A%2F%2F/host%2F/fields%2F/a.png`` is
the copy of ``https://host/fields/a.png``. No folder has the name of a file, and the path alone gives the URL.
"""

import hashlib
import re
from pathlib import PurePath
from urllib.parse import quote, unquote

WEB = ("http", "https")
"""Kinds of URLs whose paths are percent-encoded and may have a query."""

LOCAL = ("file", "local")
"""Kinds of URLs of files on this machine, which need no copy."""

MAX_NAME = 150
"""Maximum length of the name of a file or folder of a copy, characters; longer ones are cut, with a digest."""

_SAFE = "!$%&'()*+,;=:@[]~"
"""Characters that a URL has as they are, beside letters, digits and ``-._``."""

_SLASH, _QUERY = "%2F", "%3F"

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*%3A%2F%2F")

_IN_TEXT = re.compile(
    r"(?:(?<![^\s'(\"])(?:/|[A-Za-z]:[\\/])[^:;,\n]*?[\\/])?"
    r"(?P<scheme>[a-z][a-z0-9+.-]*%3A%2F%2F)[\\/](?P<folders>(?:[^\s\\/]+%2F[\\/])+)(?:%3F[^\s\\/]*[\\/])?"
)
"""Path of a copy in a text, up to its last folder."""

_USER = re.compile(r"(?<=://)[^/?#\s]*@")
"""User and password of a URL, or of a part of a chain of them."""

_SECRET = re.compile(
    r"(?<=[?&])(?P<name>[^=&\s]*(?:signature|token|key|credential|passw|pwd|secret|sig|auth|code|jwt)[^=&\s]*)=[^&\s]*",
    re.IGNORECASE,
)

_CODE = "%([01][0-9A-F]|7F|5C|2F|3A|2A|3F|22|3C|3E|7C|2E|25)"
"""Code in the place of a character that a file name may not have on some system."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\/:*?"<>|]|^\.|%(?=' + _CODE[1:] + ")")
"""Such a character, or one that begins a code."""


def is_url(data: str | PurePath) -> bool:
    """Return whether a place of data is a URL, not a path.

    Examples
    --------
    >>> is_url("gs://bucket/skies"), is_url("data"), is_url(PurePath("data"))
    (True, False, False)
    """
    return isinstance(data, str) and "://" in data


def kind_of(url: str) -> str:
    """Return the kind of a URL, in lower case: "https", "s3" ..."""
    return url.partition("://")[0].lower()


def without_password(text: str) -> str:
    """Return a text in which URLs have neither user nor password, nor keys and signatures in their queries.

    Examples
    --------
    >>> without_password("https://me:secret@host/a.png?token=123&n=2")
    'https://host/a.png?token=***&n=2'
    """
    return _SECRET.sub(r"\g<name>=***", _USER.sub("", text))


def path_of_url(url: str) -> PurePath:
    """Return the relative path of the copy of the file behind a URL.

    Examples
    --------
    >>> path_of_url("s3://bucket/fields/a.png").as_posix()
    's3%3A%2F%2F/bucket%2F/fields%2F/a.png'
    """
    kind, rest = kind_of(url), _USER.sub("", url).partition("://")[2]
    rest, mark, query = rest.partition("?") if kind in WEB else (rest, "", "")
    *folders, name = rest.split("/")
    parts = [f"{kind}%3A%2F%2F", *(_limited(quote(folder, safe=""), _SLASH) for folder in folders)]
    parts += [_limited(quote(mark + query, safe="=&,"), "")] if mark else []
    return PurePath(*parts, _file_name(name, kind))


def url_of_path(path: PurePath) -> str | None:
    """Return the URL of a copy, without user and password; None for any other path.

    Examples
    --------
    >>> url_of_path(PurePath("cache", path_of_url("https://host/a%20b.png?n=1")))
    'https://host/a%20b.png?n=1'
    >>> url_of_path(PurePath("a.png")) is None
    True
    """
    *folders, name = path.parts or ("",)
    start = next((k for k, part in enumerate(folders) if _SCHEME.fullmatch(part)), None)
    if start is None:
        return None
    texts = [part if part.startswith(_QUERY) else unquote(part) for part in folders[start:]]
    query = unquote(texts.pop()) if texts[-1].startswith(_QUERY) else ""
    if name.endswith(_SLASH):
        return "".join([*texts, unquote(name)]).rstrip("/")
    name = re.sub(_CODE, lambda found: chr(int(found[1], 16)), name)
    name = quote(name, safe=_SAFE) if folders[start].removesuffix("%3A%2F%2F") in WEB else name
    return "".join([*texts, name, query])


def name_of(path: PurePath) -> str:
    """Return the name of a file or folder; that of a copy as its URL has it.

    Examples
    --------
    >>> name_of(PurePath("cache", "s3%3A%2F%2F", "bucket%2F", "fields%2F")), name_of(PurePath("a.png"))
    ('fields', 'a.png')
    """
    is_folder = path.name.endswith(_SLASH) and url_of_path(path) is not None
    return unquote(path.name.removesuffix(_SLASH)) if is_folder else path.name


def with_urls(text: str) -> str:
    """Return a text in which the paths of copies are replaced by their URLs, without queries.

    Examples
    --------
    >>> with_urls("/home/me/my cache/https%3A%2F%2F/host%2F/a.png is empty; copy it again")
    'https://host/a.png is empty; copy it again'
    """
    return _IN_TEXT.sub(lambda found: without_password(unquote(found["scheme"]) + _joined(found["folders"])), text)


def _joined(folders: str) -> str:
    return "".join(unquote(part) for part in re.split(r"[\\/]", folders))


def _file_name(name: str, kind: str) -> str:
    """Return the name of the file of a copy: that of the URL, decoded where it can be encoded again."""
    if kind in WEB and quote(decoded := unquote(name), safe=_SAFE) == name:
        name = decoded
    name = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)
    return _limited(name, "", keep=name[-20:])


def _limited(name: str, end: str, keep: str = "") -> str:
    """Return a name of a limited length with an end; of a longer one, its beginning, a digest and `keep`."""
    if len(name) <= MAX_NAME:
        return name + end
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{name[: MAX_NAME - 40]}-{digest}{keep}{end}"
