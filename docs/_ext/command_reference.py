"""The reference of the commands, generated from the parsers that the commands use."""

import argparse
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from reference_tables import TableDirective, markdown_table, plain
from sphinx.application import Sphinx

from classify.cli import COMMANDS, build_parser


class CommandReference(TableDirective):
    """A section for every command: usage, arguments, options with their defaults, examples."""

    def run(self) -> list[nodes.Node]:
        """Return the sections, in the order of `darkmatter --help`."""
        return [self._section(name) for name in COMMANDS]

    def _section(self, name: str) -> nodes.section:
        section = nodes.section(ids=[f"darkmatter-{name}"], names=[f"darkmatter {name}"])
        section += nodes.title("", "", nodes.Text(f"darkmatter {name}"))
        section += self.render("\n\n".join(_described(parser_of(name))))
        self.state.document.note_explicit_target(section, section)
        return section


def parser_of(command: str) -> argparse.ArgumentParser:
    """Return the parser of one command, with its arguments."""
    actions = build_parser(command)._actions
    subparsers = next(action for action in actions if isinstance(action, argparse._SubParsersAction))
    parser: argparse.ArgumentParser = subparsers.choices[command]
    return parser


def _described(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the parts of a command's section as Markdown."""
    yield plain(parser.description or "")
    yield f":::{{container}} usage\n```text\n{parser.format_usage().removeprefix('usage: ').rstrip()}\n```\n:::"
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
        if actions:
            rows = [(_name(action), _default(action), _meaning(action, parser)) for action in actions]
            yield markdown_table((group.title or "", "default", "meaning"), rows)
    if parser.epilog:
        heading, _, lines = parser.epilog.partition("\n")
        yield f"{heading.capitalize()}\n\n```sh\n" + "\n".join(line.strip() for line in lines.splitlines()) + "\n```"


def _name(action: argparse.Action) -> str:
    """Return an option's flags with the name of its value, or an argument's name, as code."""
    value = str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())
    words = [value] if not action.option_strings else [", ".join(action.option_strings)]
    if action.option_strings and action.nargs != 0:
        words.append(value)
    return f"`{' '.join(words)}`".replace("|", r"\|")


def _default(action: argparse.Action) -> str:
    if action.default in (None, argparse.SUPPRESS) or action.nargs == 0:
        return ""
    return f"`{action.default}`"


def _meaning(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """Return the help of an argument; its default has a column of its own."""
    text = (action.help or "").replace(" (%(default)s)", "")
    return plain(text % {**vars(action), "prog": parser.prog})


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
