"""Tables of columns and settings, generated from the code at build time, so that they cannot differ from it.

Directives
----------
features-table
    Every column of a feature row, from `darkmatter_features.FEATURES`.
attributes-table
    The attributes of a class, from the numpydoc section of its docstring; the option `names` gives the tuple of the
    columns that must all be described.
described
    A hand-written table, one line `name | unit | meaning` for each row, whose names must be those of a tuple in the
    code, in its order; another name fails the build.
settings-table
    One section of the configuration file, from the text of `darkmatter config --show`.
module-table
    The modules of a package, floor by floor, with the first line of each docstring.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from numpydoc.docscrape import ClassDoc
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
ELEMENT = re.compile(r"^\(n,\) (\w+) arrays?")
"""Type of a column of n rows in a docstring: the table gives that of one element."""
ROLE = re.compile(r":[a-z:]+:`~?(?:[\w.]+\.)?([\w]+)`")


def look_up(path: str) -> Any:
    """Return the object that a dotted path names, such as ``classify.predict.COLUMNS``."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def plain(text: str) -> str:
    """Return a docstring's text for a cell of a Markdown table: roles become code, line breaks become spaces."""
    text = ROLE.sub(r"`\1`", " ".join(text.split())).replace("``", "`").replace("|", r"\|")
    parts = text.split("`")  # the odd ones are code, in which a backslash would be shown
    parts[::2] = [part.replace("*", r"\*").replace("<", r"\<").replace("_", r"\_") for part in parts[::2]]
    return "`".join(parts)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


class TableDirective(SphinxDirective):
    """A directive that renders Markdown."""

    def render(self, markdown: str) -> list[nodes.Node]:
        """Return the nodes of a Markdown text."""
        return list(self.parse_text_to_nodes(markdown))


class FeaturesTable(TableDirective):
    """Table of the columns of a feature row."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        features = look_up("darkmatter_features.FEATURES")
        rows = [(str(k), f"`{f.name}`", f.role, plain(f.description)) for k, f in enumerate(features)]
        return self.render(markdown_table(("index", "column", "role", "meaning"), rows))


class AttributesTable(TableDirective):
    """Table of the attributes of a class."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"names": directives.unchanged, "header": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        described = dict(_described_attributes(look_up(self.arguments[0])))
        names = look_up(self.options["names"]) if "names" in self.options else tuple(described)
        missing = [name for name in names if name not in described]
        if missing:
            raise self.severe(f"{self.arguments[0]}: its docstring describes no {', '.join(missing)}")
        rows = [(f"`{name}`", *described[name]) for name in names]
        header = self.options.get("header", "name, type and unit, meaning").split(", ")
        return self.render(markdown_table(header, rows))


def _described_attributes(cls: type) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each attribute's name with its type and meaning; attributes described together are parted."""
    doc = ClassDoc(cls, config={"show_class_members": False})
    for section in ("Parameters", "Attributes"):
        for attribute in doc[section]:
            kind = ELEMENT.sub(r"\1", attribute.type)
            for name in attribute.name.split(","):
                yield name.strip(), (plain(kind), plain(" ".join(attribute.desc)))


class Described(TableDirective):
    """Table whose names are checked against a tuple in the code."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [[cell.strip() for cell in line.split("|")] for line in self.content if line.strip()]
        written, expected = [row[0] for row in rows], list(look_up(self.arguments[0]))
        if written != expected:
            raise self.severe(f"{self.arguments[0]} is {expected}, the page describes {written}")
        cells = [(f"`{row[0]}`", *row[1:]) for row in rows]
        return self.render(markdown_table(("column", "unit", "meaning"), cells))


class SettingsTable(TableDirective):
    """Table of one section of the configuration file."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table, below the remark that stands over the section in the file."""
        sections = dict(_sections(look_up("classify.config_file.Config")().to_toml()))
        if self.arguments[0] not in sections:
            raise self.severe(f"no section [{self.arguments[0]}]; there are {', '.join(sections)}")
        about, settings = sections[self.arguments[0]]
        rows = [(f"`{name}`", f"`{value}`", plain(meaning)) for name, value, meaning in settings]
        return self.render(plain(about) + "\n\n" + markdown_table(("setting", "default", "meaning and range"), rows))


def _sections(text: str) -> Iterator[tuple[str, tuple[str, list[tuple[str, str, str]]]]]:
    """Yield each section of a commented TOML file: its remark, and (name, value, remark) of its settings."""
    remarks: list[str] = []
    settings: list[tuple[str, str, str]] = []
    for line in text.splitlines():
        if line.startswith("#"):
            remarks.append(line.lstrip("# "))
        elif line.startswith("["):
            settings = []
            yield line.strip("[] "), (" ".join(remarks), settings)
            remarks = []
        elif " = " in line:
            name, value = line.split("#")[0].strip().split(" = ")
            settings.append((name, value, " ".join(remarks)))
            remarks = []
        elif settings == []:
            remarks = []  # the head of the file


class SettingsFile(TableDirective):
    """The configuration file with all defaults."""

    def run(self) -> list[nodes.Node]:
        """Return the file as a block of TOML."""
        return self.render("```toml\n" + look_up("classify.config_file.Config")().to_toml() + "```")


class ModuleTable(TableDirective):
    """Table of the modules of a package, in the order of its floors."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        package = ROOT / self.arguments[0]
        floors = _floors(ROOT / "tests" / "test_layers.py")[self.arguments[0]]
        rows = []
        for floor in floors:
            paths = sorted((package / floor).rglob("*.py")) or [package / f"{floor}.py"]
            found = [(path, _first_line(path)) for path in paths if path.name != "__init__.py"]
            rows += [(f"`{_below(package, path)}`", text) for path, text in found if text]
        return self.render(markdown_table(("module", "contents"), rows))


def _floors(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the dictionary FLOORS of the test that holds the order of imports."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FLOORS":
            return dict(ast.literal_eval(node.value))
    raise ValueError(f"{path} defines no FLOORS")


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return plain(docstring.split("\n\n")[0])


def _below(package: Path, path: Path) -> str:
    """Return the dotted name of a module below its package: the first part is its floor."""
    return ".".join(path.relative_to(package).with_suffix("").parts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("features-table", FeaturesTable)
    app.add_directive("attributes-table", AttributesTable)
    app.add_directive("described", Described)
    app.add_directive("settings-table", SettingsTable)
    app.add_directive("settings-file", SettingsFile)
    app.add_directive("module-table", ModuleTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
