"""Names and signatures of the public interface, and the options of the commands, against a stored list.

A change of ``tests/data/public-interface.txt`` is a change for users: it belongs into CHANGELOG.md, and a name that
goes needs a deprecation first (docs/stability.md). ``python -m tests.test_public_interface`` writes the list again.
"""

import argparse
import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

import darkmatter_features as dm
from classify.cli import COMMANDS, build_parser
from classify.model import LensModel

STORED = Path(__file__).parent / "data" / "public-interface.txt"


def signature(name, function) -> str:
    """Return a name with its parameters and their defaults, without types."""
    parameters = inspect.signature(function).parameters.values()
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return f"{name}{inspect.Signature(plain)}"


def members(name, kind) -> Iterator[str]:
    """Yield a class with its public attributes and methods, a line for each."""
    yield signature(name, kind) if is_dataclass(kind) else name
    for each, value in sorted(vars(kind).items()):
        if each.startswith("_") or each in getattr(kind, "__dataclass_fields__", {}):
            continue
        function = getattr(value, "__func__", value)
        yield f"{name}.{signature(each, function)}" if inspect.isfunction(function) else f"{name}.{each}"


def interface() -> Iterator[str]:
    """Yield the lines of the interface."""
    for name in dm.__all__:
        value = getattr(dm, name)
        if inspect.isclass(value):
            yield from members(name, value)
        else:
            yield signature(name, value) if callable(value) else name
    yield from members("LensModel", LensModel)
    for command in COMMANDS:
        yield f"darkmatter {command} {' '.join(sorted(options(command)))}"


def options(command) -> Iterator[str]:
    """Yield the options of a command, those with a value as ``--name=``, and its arguments."""
    actions = build_parser(command)._actions
    (subparsers,) = (each for each in actions if isinstance(each, argparse._SubParsersAction))
    for action in subparsers.choices[command]._actions:
        takes = "" if action.nargs == 0 else "="
        yield from (f"{name}{takes}" for name in action.option_strings if name.startswith("--"))
        if not action.option_strings:
            yield action.dest


def test_the_public_interface_is_the_stored_one():
    assert list(interface()) == STORED.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    STORED.write_text("\n".join(interface()) + "\n", encoding="utf-8")
