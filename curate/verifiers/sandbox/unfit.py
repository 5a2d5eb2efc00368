"""Find what tests do that can't reach a response in another process, so that their failure says nothing about it.

Stdlib only; runs inside.
"""

import ast
from collections.abc import Callable, Iterable
from typing import Any

STREAMS = ("sys.stdout", "sys.stdin", "builtins.input", "builtins.print")
# Calls that act on files, the environment or time, as far as the last two names of them say.
CALLS = frozenset(
    "open io.open os.open os.putenv os.mkdir os.makedirs os.remove os.unlink os.listdir path.exists path.isfile "
    "path.isdir environ.update environ.setdefault environ.pop environ.clear".split()
)
METHODS = frozenset("write_text write_bytes read_text read_bytes setenv delenv NamedTemporaryFile mkdtemp".split())
SEEDED = ("random", "randint", "choice", "shuffle", "sample", "randrange", "uniform")


def unfit(trees: Iterable[ast.Module], look_up: Callable[[str], Any]) -> str | None:
    """Return what in the tests can't reach the response, or None; ``look_up`` finds a name of the response."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    if any(map(_replaces, nodes)):
        return "the tests replace what the response prints to or reads from"
    if any("patch" in _names(node) for node in nodes):
        return "the tests patch what the response uses"
    calls = [ast.unparse(node.func).split(".")[-2:] for node in nodes if isinstance(node, ast.Call)]
    if any(".".join(call) in CALLS or call[-1] in METHODS for call in calls):
        return "the tests share files or the environment with the response"
    if any(isinstance(node, ast.Subscript) and _stores(node, "environ") for node in nodes):
        return "the tests share files or the environment with the response"
    if any(call[-1] == "seed" for call in calls) and any(map(look_up, SEEDED)):
        return "the tests seed the random numbers of the response"
    return None


def compares_identity(trees: Iterable[ast.Module]) -> bool:
    """Return whether tests ask if two objects are the same one, or for the class of an object."""
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.Is | ast.IsNot) for one in node.ops):
            if not any(isinstance(one, ast.Constant) for one in (node.left, *node.comparators)):
                return True
        if {"assertIs", "assertIsNot"} & set(_names(node)):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "id":
            return True
    return False


def reflects(trees: Iterable[ast.Module]) -> tuple[bool, bool]:
    """Return whether tests ask for an object's class or attributes, and whether they inspect functions or classes."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    calls = [
        (node.func.id, [ast.unparse(arg) for arg in node.args])
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    objects = any(name in ("type", "vars") and len(args) == 1 for name, args in calls)
    objects = objects or any({"__class__", "__dict__"} & set(_names(node)) for node in nodes)
    classes = any((name, args[1:]) in (("isinstance", ["type"]), ("issubclass", ["object"])) for name, args in calls)
    inspects = any(isinstance(node, ast.Attribute) and ast.unparse(node.value) == "inspect" for node in nodes)
    return objects, classes or inspects


def _names(node: ast.AST) -> tuple[Any, ...]:
    return tuple(getattr(node, name, None) for name in ("id", "attr", "name"))


def _stores(node: ast.Subscript, name: str) -> bool:
    return isinstance(node.ctx, ast.Store | ast.Del) and name in _names(node.value)


def _replaces(node: ast.AST) -> bool:
    """Return whether a node replaces a stream or function that the response would use."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in STREAMS:
        return True
    if "redirect_stdout" in _names(node):
        return True
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node) in STREAMS
