"""Find the names that a piece of code reads before it gives them a value itself. Runs nothing.

``add = cache(add)`` and ``class Calc(Calc): ...`` read what code before them has bound. The bodies of functions count
as run later. A name that is bound in a branch or a loop counts as bound behind it.
"""

import ast
from collections.abc import Iterable, Iterator

from curate.verifiers.programs.statements import FUNCTIONS, parsed

BODIES = ("body", "handlers", "cases", "orelse", "finalbody")  # of a compound statement, in their order
SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def early_reads(text: str) -> set[str]:
    """Return the names of a module that its code reads, outside functions, before it binds them."""
    tree = parsed(text)
    try:
        return set(_early(tree.body, set())) if tree else set()
    except RecursionError:
        return set()


def _early(nodes: Iterable[ast.AST], bound: set[str]) -> Iterator[str]:
    """Yield the names that statements read before they are bound; add to ``bound`` what the statements bind."""
    for node in nodes:
        bodies = [part for name in BODIES if isinstance(part := getattr(node, name, None), list)]
        inner = {id(one) for part in bodies for one in part}
        heads = [one for one in ast.iter_child_nodes(node) if id(one) not in inner]
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield from (name for head in heads for name in _reads(head) if name not in bound)
            if isinstance(node, ast.ClassDef):
                yield from _early(node.body, set(bound))
            bound.add(node.name)
            continue
        if isinstance(node, ast.match_case):  # its guard comes after its pattern
            bound |= _named(node)
        yield from (name for head in heads for name in _reads(head) if name not in bound)
        if isinstance(node, ast.AugAssign):
            yield from (name for name in _names(node.target, ast.Store) if name not in bound)
        bound |= {name for head in heads for name in _names(head, ast.Store)} | _named(node)
        for part in bodies:
            yield from _early(part, bound)


def _named(node: ast.AST) -> set[str]:
    """Return the names that a statement binds by an import, as an exception or in a pattern."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, ast.ExceptHandler):
        return {node.name} if node.name else set()
    if isinstance(node, ast.match_case):
        parts = ast.walk(node.pattern)
        return {str(name) for one in parts if (name := getattr(one, "name", None) or getattr(one, "rest", None))}
    return set()


def _reads(expression: ast.AST) -> set[str]:
    """Return the names that an expression reads, without those that its comprehensions and lambdas bind."""
    found: set[str] = set()
    named = {one.target.id for one in ast.walk(expression) if isinstance(one, ast.NamedExpr)}
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.arguments):  # of a function: its defaults and annotations
            waiting += [one for one in ast.iter_child_nodes(node) if not isinstance(one, ast.arg)]
        elif isinstance(node, SCOPES):
            own = {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)} | _names(node, ast.Store)
            found |= set() if isinstance(node, ast.Lambda) else _names(node, ast.Load) - own
        else:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
            waiting += ast.iter_child_nodes(node)
    return found - named


def _names(node: ast.AST, kind: type[ast.expr_context]) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, kind)}
