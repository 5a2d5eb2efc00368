"""Renders a Go template as Ollama does, for the part of Go's ``text/template`` that our templates use.

That is: text; ``if``, ``else if``, ``else``, ``range $i, $m := ...``, ``end``; variables; fields; texts and numbers;
and the functions ``eq``, ``ne``, ``and``, ``or``, ``not``, ``len``, ``index``, ``slice``. Anything else is an error, so
that nothing is rendered in another way than Go would.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

ACTION = re.compile(r'\{\{(-\s)?((?:"(?:\\.|[^"\\])*"|[^"])*?)(\s-)?\}\}', re.DOTALL)
TOKEN = re.compile(r'\s*(?:("(?:\\.|[^"\\])*")|(-?\d+)|(\$\w*(?:\.\w+)*|(?:\.\w+)+|\.)|(:=|=|[(),])|(\w+))')
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "eq": lambda first, *others: any(first == one for one in others),
    "ne": lambda first, other: first != other,
    "not": lambda value: not value,
    "len": len,
    "index": lambda value, *keys: _index(value, keys),
    "slice": lambda value, *bounds: value[slice(*bounds)] if bounds[1:] else value[bounds[0] :],
}


class GoTemplateError(ValueError):
    """A template has something that is not of this part of the language, or is not whole."""


def ollama_prompt(template: str, messages: Sequence[dict[str, str]]) -> str:
    """Return what Ollama makes of a conversation with a TEMPLATE.

    Ollama joins messages of one role that follow each other, and all system messages as ``.System``
    (``template/template.go``, ``collate``).

    Args:
        template: The text of TEMPLATE.
        messages: The conversation, ``role`` and ``content`` each.

    Raises:
        GoTemplateError: The template is not of the part of Go's that this renders.
    """
    joined: list[dict[str, str]] = []
    for message in messages:
        if joined and joined[-1]["Role"] == message["role"]:
            joined[-1]["Content"] += "\n\n" + message["content"]
        else:
            joined.append({"Role": message["role"], "Content": message["content"]})
    system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
    return render(template, {"System": system, "Messages": joined})


def render(template: str, data: dict[str, Any]) -> str:
    """Return a Go template's text for data.

    Raises:
        GoTemplateError: The template is not of the part of Go's that this renders.
    """
    try:
        parts, rest = _parse(_pieces(template), nested=False)
        return _Run(data).write(parts, data) if not rest else _refuse("an end without a beginning")
    except (TypeError, LookupError, AttributeError) as error:
        raise GoTemplateError(f"{type(error).__name__}: {error}") from error


def _refuse(what: str) -> Any:
    raise GoTemplateError(what)


def _pieces(template: str) -> list[Any]:
    """Return the texts of a template and, as lists of tokens, its actions; white space trimmed as they say."""
    pieces: list[Any] = []
    at, trim = 0, False
    for match in ACTION.finditer(template):
        text = template[at : match.start()]
        text = text.lstrip(" \t\r\n") if trim else text
        pieces += [text.rstrip(" \t\r\n") if match[1] else text, _tokens(match[2])]
        at, trim = match.end(), bool(match[3])
    last = template[at:].lstrip(" \t\r\n") if trim else template[at:]
    return [*pieces, last if "{{" not in last else _refuse("an action that does not end")]


def _tokens(action: str) -> list[str]:
    tokens, at = [], 0
    while action[at:].strip():
        match = TOKEN.match(action, at)
        if match is None:
            raise GoTemplateError(f"cannot read {action[at:].strip()[:40]!r}")
        tokens.append(match[match.lastindex or 0])
        at = match.end()
    return tokens


def _parse(pieces: list[Any], *, nested: bool) -> tuple[list[Any], list[Any]]:
    """Return the nodes up to an ``else`` or ``end`` (of a block that is ``nested``), and the pieces from there on."""
    nodes: list[Any] = []
    while pieces:
        piece, pieces = pieces[0], pieces[1:]
        word = piece[0] if isinstance(piece, list) and piece else ""
        if isinstance(piece, str):
            nodes.append(piece)
        elif word in ("if", "range"):
            node, pieces = _block(word, piece[1:], pieces)
            nodes.append(node)
        elif word in ("else", "end"):
            return (nodes, [piece, *pieces]) if nested else _refuse(f"{word} without a beginning")
        else:
            nodes.append(("print", piece))
    return (nodes, []) if not nested else _refuse("a block without an end")


def _block(kind: str, head: list[str], pieces: list[Any]) -> tuple[Any, list[Any]]:
    """Return the node of an ``if`` or a ``range``, and the pieces behind its end."""
    inner, pieces = _parse(pieces, nested=True)
    closing, pieces = pieces[0], pieces[1:]
    other: list[Any] = []
    if closing[0] == "else" and closing[1:2] == ["if"]:
        node, pieces = _block("if", closing[2:], pieces)
        return (kind, head, inner, [node]), pieces
    if closing[0] == "else":
        other, pieces = _parse(pieces, nested=True)
        closing, pieces = pieces[0], pieces[1:]
    return ((kind, head, inner, other), pieces) if closing == ["end"] else _refuse("two else of one block")


class _Run:
    """One rendering: the values of variables, by scope."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.scopes: list[dict[str, Any]] = [{"$": data}]

    def write(self, nodes: list[Any], dot: Any) -> str:
        """Return the text of nodes, with the value of the dot."""
        return "".join(node if isinstance(node, str) else self._node(node, dot) for node in nodes)

    def _node(self, node: tuple[Any, ...], dot: Any) -> str:
        if node[0] == "print":
            return self._statement(node[1], dot)
        kind, head, inner, other = node
        if kind == "if":
            chosen = inner if self.value(head, dot) else other
            return self._inside(chosen, dot, {})
        names = []
        if ":=" in head:
            names, head = head[: head.index(":=")], head[head.index(":=") + 1 :]
            names = [name for name in names if name != ","]
        items = self.value(head, dot)
        if not items:
            return self._inside(other, dot, {})
        return "".join(
            self._inside(inner, one, dict(zip(names, (i, one), strict=False))) for i, one in enumerate(items)
        )

    def _inside(self, nodes: list[Any], dot: Any, variables: dict[str, Any]) -> str:
        self.scopes.append(variables)
        try:
            return self.write(nodes, dot)
        finally:
            self.scopes.pop()

    def _statement(self, tokens: list[str], dot: Any) -> str:
        if tokens[1:2] == [":="]:
            self.scopes[-1][tokens[0]] = self.value(tokens[2:], dot)
            return ""
        if tokens[1:2] == ["="]:
            scope = next(scope for scope in reversed(self.scopes) if tokens[0] in scope)
            scope[tokens[0]] = self.value(tokens[2:], dot)
            return ""
        found = self.value(tokens, dot)
        return found if isinstance(found, str) else _refuse(f"prints no text but {type(found).__name__}")

    def value(self, tokens: list[str], dot: Any) -> Any:
        """Return the value of a pipeline of one command."""
        found, rest = self._command(tokens, dot)
        return found if not rest else _refuse(f"cannot read {' '.join(rest)[:40]!r}")

    def _command(self, tokens: list[str], dot: Any) -> tuple[Any, list[str]]:
        """Return the value of a command, and the tokens behind it (from a closing parenthesis on)."""
        if not tokens:
            raise GoTemplateError("an empty action")
        name, rest = tokens[0], tokens[1:]
        if not re.fullmatch(r"[a-z]\w*", name) or name in ("true", "false"):
            return self._operand(tokens, dot)
        arguments = []
        while rest and rest[0] != ")":
            found, rest = self._operand(rest, dot)
            arguments.append(found)
        if name in ("and", "or"):  # the first that decides, else the last
            decides = [one for one in arguments if bool(one) == (name == "or")]
            return (decides or arguments[-1:])[0], rest
        return FUNCTIONS[name](*arguments), rest

    def _operand(self, tokens: list[str], dot: Any) -> tuple[Any, list[str]]:
        word, rest = tokens[0], tokens[1:]
        if word == "(":
            found, rest = self._command(rest, dot)
            if rest[:1] != [")"]:
                raise GoTemplateError("a parenthesis without an end")
            return found, rest[1:]
        if word.startswith('"'):
            return json.loads(word), rest
        if word in ("true", "false"):
            return word == "true", rest
        if re.fullmatch(r"-?\d+", word):
            return int(word), rest
        if word.startswith("$"):
            variable, _, names = word.partition(".")
            scope = next(scope for scope in reversed(self.scopes) if variable in scope)
            return _fields(scope[variable], names), rest
        return (_fields(dot, word), rest) if word.startswith(".") else _refuse(f"an unknown word {word!r}")


def _index(value: Any, keys: Sequence[Any]) -> Any:
    for key in keys:
        value = value[key]
    return value


def _fields(value: Any, names: str) -> Any:
    for name in filter(None, names.split(".")):
        value = value[name]
    return value
