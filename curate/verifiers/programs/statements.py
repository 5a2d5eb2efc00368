"""The statements of a piece of Python code, and the names that each binds, changes and uses. Runs nothing."""

import ast
import symtable
import warnings
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 1_000_000  # characters of code that is parsed
# Calls that set how the rest of a program runs, so that they belong to it wherever they stand.
SETTINGS = ("setrecursionlimit", "stack_size", "set_int_max_str_digits")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom)
TOO_DEEP = (SyntaxError, ValueError, RecursionError, MemoryError)  # the last two: nested too deeply


class Statement(NamedTuple):
    """One or more statements of a module that share their lines.

    Attributes:
        text: Their lines.
        binds: The names of the module that they give a value: functions, classes, imports, variables.
        changes: The names whose objects they change in place: by an item, an attribute, a method called by itself.
        uses: The names of the module that they read, inside functions too.
        defines: Whether they are only definitions and imports.
        serves: Whether a program may need them for what they bind or change: no assert, no call by itself, no
            ``if __name__ == "__main__"``.
        sets: Whether they set how the whole program runs, or import every name of a module.
        stub: Whether they only define functions and classes without a body: ``pass``, ``...``, a docstring.
    """

    text: str
    binds: frozenset[str]
    changes: frozenset[str]
    uses: frozenset[str]
    defines: bool
    serves: bool
    sets: bool
    stub: bool


def parsed(text: str) -> ast.Module | None:
    """Return the tree of a text, or None if it is no Python or is too long."""
    return tree if isinstance(tree := _tree(text), ast.Module) else None


def unterminated(text: str) -> bool:
    """Return whether a text is no Python because a bracket or a string is open at its end."""
    error = _tree(text)
    return isinstance(error, SyntaxError) and any(
        words in str(error) for words in ("was never closed", "unterminated triple-quoted", "unexpected EOF")
    )


def _tree(text: str) -> ast.Module | BaseException:
    if len(text) > LONGEST:
        return ValueError("too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in code that is not ours
            return ast.parse(text)
    except TOO_DEEP as error:
        return error


def compiles(text: str) -> bool:
    """Return whether a text is Python without a ``return``, ``yield`` or ``await`` outside functions."""
    tree = parsed(text)
    waiting: list[ast.AST] = [tree] if tree else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom | ast.Await | ast.AsyncFor | ast.AsyncWith):
            return False
        if not isinstance(node, (*FUNCTIONS, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return tree is not None


def is_code(text: str) -> bool:
    """Return whether a text is Python with a statement or a call: a lone word or number is an expression only."""
    tree = parsed(text)
    return tree is not None and any(
        not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body
    )


def statements(text: str) -> list[Statement] | None:
    """Return the statements of a module in order, or None if the text is no Python."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    tree = parsed(text)
    if tree is None:
        return None
    lines = text.split("\n")
    try:
        return [_statement("\n".join(lines[begin:end]) + "\n", nodes) for nodes, begin, end in _by_lines(tree)]
    except TOO_DEEP:
        return None


def _by_lines(tree: ast.Module) -> Iterator[tuple[list[ast.stmt], int, int]]:
    """Yield the statements of a module that share lines, with their first line (from 0) and the line behind them."""
    nodes: list[ast.stmt] = []
    begin = end = 0
    for node in tree.body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]) - 1
        if nodes and first >= end:
            yield nodes, begin, end
            nodes = []
        begin = begin if nodes else first
        nodes.append(node)
        end = node.end_lineno or node.lineno
    if nodes:
        yield nodes, begin, end


def _statement(text: str, nodes: list[ast.stmt]) -> Statement:
    """Return the names in statements. Raises one of ``TOO_DEEP``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = symtable.symtable(text, "response.py", "exec")
    added = {
        target.id for node in nodes if isinstance(node, ast.AugAssign) and isinstance(target := node.target, ast.Name)
    }
    own = table.get_symbols()
    binds = {one.get_name() for one in own if one.is_assigned() or one.is_imported()} - added
    uses = {one.get_name() for one in own if one.is_referenced()} | added
    inner = list(table.get_children())
    while inner:
        scope = inner.pop()
        inner += scope.get_children()
        uses |= {one.get_name() for one in scope.get_symbols() if one.is_global() and one.is_referenced()}
    changes = set(added)
    for node in nodes:
        changes |= _changes(node)
    acts = any(isinstance(node, ast.Assert) or (isinstance(node, ast.Expr) and not changes) for node in nodes)
    return Statement(
        text=text,
        binds=frozenset(binds),
        changes=frozenset(changes),
        uses=frozenset(uses),
        defines=all(isinstance(node, DEFINITIONS) for node in nodes),
        serves=not acts and "__name__" not in uses,
        sets=any(map(_sets, nodes)),
        stub=all(isinstance(node, (*FUNCTIONS, ast.ClassDef)) and _is_stub(node) for node in nodes),
    )


def _is_stub(node: ast.stmt) -> bool:
    """Return whether a statement does nothing, or defines only what does nothing."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return all(map(_is_stub, node.body))
    if isinstance(node, ast.Raise):
        return node.exc is not None and "NotImplementedError" in ast.dump(node.exc)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _sets(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "*" for alias in node.names)
    function = node.value.func if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
    return isinstance(function, ast.Attribute) and function.attr in SETTINGS


def _changes(node: ast.stmt) -> set[str]:
    """Return the names whose items, attributes or contents a statement changes, outside functions."""
    found: set[str] = set()
    waiting: list[ast.AST] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(one, ast.Subscript | ast.Attribute) and isinstance(one.ctx, ast.Store | ast.Del):
            found.add(_root(one))
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Call):
            function, args = one.value.func, one.value.args
            if isinstance(function, ast.Attribute):
                found.add(_root(function, calls=False))
            elif isinstance(function, ast.Name) and function.id in ("setattr", "delattr") and args:
                found.add(_root(args[0]))
        waiting += ast.iter_child_nodes(one)
    return found - {""}


def _root(node: ast.expr, calls: bool = True) -> str:
    """Return the name that an item, an attribute and, with ``calls``, a call lead back to, or an empty text."""
    while isinstance(node, ast.Subscript | ast.Attribute) or (calls and isinstance(node, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
