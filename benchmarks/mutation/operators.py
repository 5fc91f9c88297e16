"""Mutants of kernels: copies of a function with one operator, number, index or statement changed."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
NEGATION = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}  # fmt: skip
CALLS = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "floor": "ceil", "ceil": "floor",
    "sin": "cos", "cos": "sin",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of a kernel.

    Attributes
    ----------
    path : Path
        File of the kernel.
    function : str
        Name of the kernel.
    line : int
        Line of the changed expression.
    statement : int
        Line of the statement that contains it.
    before, after : str
        Source of the expression.
    original : ast.FunctionDef
        The function.
    index : int
        Place of the expression in a walk through the function.
    changed : ast.AST
        The expression after the change.
    """

    path: Path
    function: str
    line: int
    statement: int
    before: str
    after: str
    original: ast.FunctionDef
    index: int
    changed: ast.AST

    def tree(self) -> ast.FunctionDef:
        """Return the mutated function."""
        tree = copy.deepcopy(self.original)
        target = next(each for i, each in enumerate(ast.walk(tree)) if i == self.index)
        mutated: ast.FunctionDef = _Replaced(target, copy.deepcopy(self.changed)).visit(tree)
        return ast.fix_missing_locations(mutated)


def kernels_of(path: Path) -> Iterator[ast.FunctionDef]:
    """Yield the compiled functions of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(each) == "compiled" for each in node.decorator_list):
            yield node


def statements_of(path: Path) -> set[int]:
    """Return the lines of the statements in the kernels of a module."""
    return {line for function in kernels_of(path) for line in _statements(function).values()}


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Yield all mutants of the kernels of a module, in the order of its lines."""
    for function in kernels_of(path):
        statements = _statements(function)
        for index, node in enumerate(ast.walk(function)):
            statement = statements.get(id(node))
            for changed in _changes(node) if statement is not None else ():
                line = getattr(node, "lineno", statement)
                after = ast.copy_location(changed, node)
                yield Mutant(
                    path, function.name, line, statement, ast.unparse(node), ast.unparse(after), function, index, after
                )


class _Replaced(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().generic_visit(node)


def _statements(function: ast.FunctionDef) -> dict[int, int]:
    """Return the line of the innermost statement about each node, by its id, without signature and docstring."""
    lines: dict[int, int] = {}
    for each in ast.walk(function):  # outer statements come first
        if isinstance(each, ast.stmt) and each is not function and not _is_docstring(each):
            lines |= {id(node): each.lineno for node in ast.walk(each)}
    return lines


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the changed copies of a node."""
    match node:
        case ast.Compare(left, [operator], comparators):
            for table in (BOUNDARY, NEGATION):
                if type(operator) in table:
                    yield ast.Compare(left, [table[type(operator)]()], comparators)
        case ast.BinOp(left, operator, right) if type(operator) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(operator)](), right)
        case ast.AugAssign(target, operator, value) if type(operator) in ARITHMETIC:
            yield ast.AugAssign(target, ARITHMETIC[type(operator)](), value)
            yield ast.Pass()
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(float(value)):
            yield ast.Constant(1.5 * value if value else 1.0)
        case ast.Call(ast.Name(name), arguments) if name in CALLS:
            yield ast.Call(ast.Name(CALLS[name], ast.Load()), arguments, [])
        case ast.Call(ast.Attribute(value, name), arguments) if name in CALLS:
            yield ast.Call(ast.Attribute(value, CALLS[name], ast.Load()), arguments, [])
        case ast.Call(ast.Name("range"), [*first, last]) if not isinstance(last, ast.Constant):
            yield ast.Call(node.func, [*first, ast.BinOp(last, ast.Sub(), ast.Constant(1))], [])
        case ast.Subscript(value, ast.Tuple([ast.Name() as one, ast.Name() as other]), context) if one.id != other.id:
            yield ast.Subscript(value, ast.Tuple([other, one], ast.Load()), context)
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Expr(ast.Call()):
            yield ast.Pass()
