"""Conditions on the columns of a table, such as ``z > 0.4 & mag < 24.5``, evaluated without running any code."""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.config import nearest
from darkmatter_features.errors import ConfigError, shown
from darkmatter_features.io.shape_tables.raw import RawTable

MAX_LENGTH = 2000
"""Maximum length of a condition, characters."""

MAX_DEPTH = 60
"""Maximum depth of brackets and operations."""

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "sqrt": np.sqrt, "log10": np.log10, "log": np.log, "exp": np.exp, "hypot": np.hypot,
    "isfinite": np.isfinite, "isnan": np.isnan,
}  # fmt: skip
"""Functions of a condition."""

_TOKENS = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"|&&?|\|\|?|~|!=|!|.", re.DOTALL)
_WORDS = {"&": " and ", "&&": " and ", "|": " or ", "||": " or ", "~": " not ", "!": " not "}
_HELP = "write conditions such as 'z > 0.4 & mag < 24.5', with & | ~, brackets, + - * / ** % and " + ", ".join(
    FUNCTIONS
)


@dataclass(frozen=True)
class Selection:
    """Condition on the columns of a table.

    Attributes
    ----------
    text : str
        Condition as it was given.
    tree : ast.expr
        Checked expression.
    columns : dict
        Column of the table by the name in the expression.
    """

    text: str
    tree: ast.expr
    columns: dict[str, str]

    @classmethod
    def of(cls, text: str, path: Path, names: Sequence[str]) -> "Selection":
        """Return a condition on a table with the given columns.

        Raises
        ------
        ConfigError
            If it is no condition, or names an unknown column.
        """
        tree, quoted = parse(text)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - _function_names(tree)
        columns = {name: _column(quoted.get(name, name), text, path, names) for name in sorted(used)}
        if not columns:
            raise ConfigError(f"--select {shown(text)!r} names no column; {_HELP}")
        return cls(text, tree, columns)

    def holds(self, path: Path, table: RawTable) -> NDArray[np.bool_]:
        """Return where the condition holds; not where a column has no value.

        Raises
        ------
        ConfigError
            If numbers are compared with words, or the condition is a number.
        """
        values = {name: table.column(path, column) for name, column in self.columns.items()}
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(_value(self.tree, values))
        except (TypeError, ValueError, OverflowError, np.exceptions.DTypePromotionError) as error:
            raise ConfigError(f"--select {shown(self.text)!r} cannot be evaluated for {path}: {shown(error)}") from None
        if found.dtype != np.bool_:
            raise ConfigError(f"--select {shown(self.text)!r} is a number, not a condition; {_HELP}")
        return np.broadcast_to(found, (table.n_rows,))


def parse(text: str) -> tuple[ast.expr, dict[str, str]]:
    """Return the checked expression of a condition, and the columns in backquotes by their names in it.

    Parameters
    ----------
    text : str
        Comparisons of columns, numbers and words, joined by ``&``, ``|`` and ``~`` (``and``, ``or``, ``not``), with
        ``+ - * / ** %``, brackets and :data:`FUNCTIONS`. Names with other characters stand in backquotes.

    Raises
    ------
    ConfigError
        If it contains anything else.
    """
    quoted: dict[str, str] = {}
    try:
        if len(text) > MAX_LENGTH:
            raise ValueError(f"longer than {MAX_LENGTH} characters")
        words = [_word(token, quoted) for token in _TOKENS.findall(text)]
        tree = ast.parse("".join(words).strip(), mode="eval").body
        _check(tree, MAX_DEPTH)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = "no expression" if isinstance(error, (SyntaxError, MemoryError)) else str(error)
        raise ConfigError(f"--select {shown(text)!r}: {reason}; {_HELP}") from None
    return tree, quoted


def _word(token: str, quoted: dict[str, str]) -> str:
    if token.startswith("`") and len(token) > 2:
        name = f"_quoted_{len(quoted)}"
        quoted[name] = token[1:-1]
        return f" {name} "
    return _WORDS.get(token, token)


def _check(node: ast.AST, depth: int) -> None:
    """Raise an error unless an expression consists of what a condition may contain."""
    if depth == 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    if isinstance(node, ast.BoolOp):
        parts: list[Any] = node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.UAdd)):
        parts = [node.operand]
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        parts = [node.left, node.right]
    elif isinstance(node, ast.Compare) and all(type(each) in _COMPARISONS for each in node.ops):
        parts = [node.left, *node.comparators]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in FUNCTIONS:
            raise ValueError(f"no function {node.func.id}")
        parts = node.args
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        raise ValueError(f"put the component in backquotes, as `{ast.unparse(node)}`")
    elif isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str))):
        parts = []
    else:
        raise ValueError(f"{ast.unparse(node)[:60]!r} is not allowed")
    for part in parts:
        _check(part, depth - 1)


def _function_names(tree: ast.expr) -> set[str]:
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def _column(name: str, text: str, path: Path, names: Sequence[str]) -> str:
    """Return the column of a name, exactly or up to case."""
    found = [name] if name in names else [each for each in names if each.lower() == name.lower()]
    if len(found) == 1:
        return found[0]
    close = nearest(name, list(names)) or nearest(name.lower(), [each.lower() for each in names])
    raise ConfigError(
        f"--select {shown(text)!r}: {path} has no column {shown(name)}; {close}its columns are "
        f"{', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
    )


def _value(node: ast.expr, values: dict[str, Any]) -> Any:
    """Return the value of a checked expression."""
    match node:
        case ast.BoolOp():
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return join.reduce([_condition(each, values) for each in node.values])
        case ast.UnaryOp(op=ast.Not()):
            return ~_condition(node.operand, values)
        case ast.UnaryOp():
            value = _value(node.operand, values)
            return -value if isinstance(node.op, ast.USub) else value
        case ast.BinOp():
            return _OPERATIONS[type(node.op)](_value(node.left, values), _value(node.right, values))
        case ast.Compare():
            terms = [_value(each, values) for each in (node.left, *node.comparators)]
            pairs = zip(node.ops, terms, terms[1:])
            return np.logical_and.reduce([_compared(type(op), one, two) for op, one, two in pairs])
        case ast.Call(func=ast.Name(id=name)):
            return FUNCTIONS[name](*[_value(each, values) for each in node.args])
        case ast.Name():
            return values[node.id]
        case ast.Constant():
            return node.value if isinstance(node.value, str) else float(node.value)  # type: ignore[arg-type]
    raise TypeError(f"{type(node).__name__} is not allowed")


def _condition(node: ast.expr, values: dict[str, Any]) -> NDArray[np.bool_]:
    """Return a condition; a column of numbers holds where it is not 0."""
    value = np.asarray(_value(node, values))
    if value.dtype.kind not in "bf":
        raise TypeError("words are no condition")
    return value.astype(np.bool_) if value.dtype == np.bool_ else np.isfinite(value) & (value != 0.0)


def _compared(op: type[ast.cmpop], one: Any, two: Any) -> NDArray[np.bool_]:
    """Return where a comparison holds: nowhere for numbers that are missing."""
    kinds = {np.asarray(each).dtype.kind == "U" for each in (one, two)}
    if len(kinds) > 1:
        raise TypeError("numbers are compared with words")
    known = np.ones(np.broadcast(one, two).shape, dtype=bool)
    for each in (one, two):
        known &= True if np.asarray(each).dtype.kind == "U" else ~np.isnan(each)
    return np.asarray(_COMPARISONS[op](np.asarray(one), np.asarray(two)) & known)
