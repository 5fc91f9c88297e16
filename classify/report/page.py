"""One HTML page without anything outside itself: templates, styles, scripts and data. It does not depend on runs."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from classify.report.colors import CONSTANTS

STYLES = ("uPlot.min.css", "base.css", "charts.css", "gallery.css", "viewer.css")
"""Style sheets, in the order in which they apply."""
SCRIPTS = (
    "uPlot.iife.min.js", "core.js", "theme.js", "state.js", "decode.js", "contours.js", "charts.js", "panels.js",
    "viewer.js", "sky.js", "measure.js", "filters.js", "gallery.js", "main.js",
)  # fmt: skip
"""Scripts, each after those that it uses."""
LICENCE = "uPlot.LICENSE.txt"
"""Licence of the library of curves, which each page contains with it."""
_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}
_SURROGATE = re.compile("[\ud800-\udfff]")


def make_page(template: str, *, data: Mapping[str, Any], **context: Any) -> str:
    """Return a page that needs nothing outside itself.

    Parameters
    ----------
    template : str
        Name of a template of ``classify/report/templates``: ``base.html``, or one that extends it.
    data : mapping of str to object
        Data for the scripts: each value becomes a JSON element whose id is ``data-`` and the key. Text that is JSON
        already is given as :class:`Json`.
    **context
        Values for the template, escaped by it: those of ``base.html`` are ``title, name``, for the head of the page,
        ``version`` and ``served``, whether the page may ask its own server for data. A page without curves and skies
        has :func:`parts_of` among them.

    Returns
    -------
    str
        HTML. Equal arguments give equal pages.
    """
    texts = {name: value.text if isinstance(value, Json) else to_json(value) for name, value in data.items()}
    elements = {name: Markup(text) for name, text in texts.items()}
    return _environment().get_template(template).render(data=elements, **context)


def parts_of(styles: Sequence[str], scripts: Sequence[str], *, curves: bool = False) -> dict[str, Markup]:
    """Return style sheets and scripts, by file name, in the place of all others.

    Parameters
    ----------
    styles, scripts : sequence of str
        Names of files in ``classify/report/static``.
    curves : bool
        Whether the page has curves, and with them the library that draws them, its styles and its licence.

    Returns
    -------
    dict
        Values for :func:`make_page`.
    """
    if not curves:
        return {"styles": _styles(styles), "scripts": _own_scripts(scripts), "licence": Markup("")}
    return {
        "styles": _styles((STYLES[0], *styles)),
        "scripts": Markup(f"{_static(SCRIPTS[0])}\n{_own_scripts(scripts)}"),
        "licence": Markup(_static(LICENCE)),
    }


class Json:
    """Text that :func:`to_json` returned, such as that of a worker.

    Parameters
    ----------
    text : str
        The text.
    """

    def __init__(self, text: str) -> None:
        self.text = text


def to_json(value: Any) -> str:
    """Return a value as JSON that is safe inside an HTML element: no ``<``, ``>`` or ``&``; nan becomes null.

    Bytes of a file name that are no UTF-8, which Python reads as lone surrogates, are escaped, too.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text.translate(_ESCAPED))


def to_bytes(text: str) -> bytes:
    """Return a page as UTF-8; a question mark for a byte of a file name in another encoding."""
    return text.encode("utf-8", "replace")


def _finite(value: Any) -> Any:
    """Return a value with None in the place of numbers that are not finite, which JSON does not have."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("classify.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(styles=_styles(), scripts=_scripts(), licence=_static(LICENCE), constants=CONSTANTS)
    return environment


def _styles(names: Sequence[str] = STYLES) -> Markup:
    return Markup("\n".join(_static(name) for name in names))


def _scripts() -> Markup:
    """Return the scripts, the library first."""
    library, *own = SCRIPTS
    return Markup(f"{_static(library)}\n{_own_scripts(own)}")


def _own_scripts(names: Sequence[str]) -> Markup:
    """Return scripts of the package in one function, which shares their names."""
    return Markup('(() => {\n"use strict";\n' + "\n".join(map(_static, names)) + "\n})();")


def _static(name: str) -> str:
    return (files("classify.report") / "static" / name).read_text(encoding="utf-8")
