"""Compiles a chat template in a sandbox with bounds: what is printed, and the work that it takes.

A template comes from anywhere. It can't reach what is outside (jinja2's sandbox), but could loop for good, or print
more than the memory holds. So each pass of a loop, each call of a macro and each text that is put together is work.
The bounds are far above what the longest conversations need. They depend on no clock.
"""

import functools
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.compiler import CodeGenerator
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MOST_STEPS = 4_000_000  # passes of loops, and texts that are put together, by 256 characters
MACRO_STEPS = 16  # what a call of a macro takes, by measurement
MOST_CHARACTERS = 1 << 26  # of a text
MOST_NUMBER = 100_000  # a width, a count, a number of digits
MOST_BITS = 1 << 15  # of a number
# A width or a precision in a format: %1000000s, %.1000000f, {:>1000000}, {:.1000000f}.
WIDE = re.compile(r"%(?:\(\w*\))?[-+ #0]*\d*\.?\d{6}|\{[^{}]*:(?:.?[<>=^])?[-+ z#0,_]*\d*\.?\d{6}")
WIDENING = ("center", "ljust", "rjust", "zfill", "expandtabs")  # methods of texts whose numbers are sizes
BY_NUMBER = ("center", "indent", "batch", "slice", "wordwrap", "round", "tojson")  # filters whose numbers are sizes


class TooMuch(Exception):
    """A template takes too much work, or prints too much."""


class _Work(threading.local):
    """The work that a rendering in this thread may still do."""

    left = MOST_STEPS


_work = _Work()


def _spend(steps: int) -> None:
    _work.left -= steps
    if _work.left < 0:
        raise TooMuch(f"it takes more than {MOST_STEPS:,} steps")


@pass_context  # so that jinja2 does not call it when it compiles
def _step(_context: Any, steps: int) -> bool:
    _work.left -= steps
    if _work.left < 0:
        _spend(0)
    return True


def _text(size: int) -> None:
    """Count a text of this many characters."""
    if size > MOST_CHARACTERS:
        raise TooMuch(f"it makes a text of more than {MOST_CHARACTERS:,} characters")
    _spend(size >> 8)


def _join(parts: Iterable[str]) -> str:
    found = list(parts)
    _text(sum(map(len, found)))
    return "".join(found)


def _numbers(values: Iterable[Any]) -> None:
    """Refuse numbers that would make long texts."""
    for value in values:
        if isinstance(value, int) and value > MOST_NUMBER:
            raise TooMuch(f"it asks for a text or a list of {min(value, 10**18):,} parts")


def _read(value: Any) -> None:
    """Count the work of a filter or a method on a value."""
    if isinstance(value, str):
        _spend(len(value) >> 8)
    elif isinstance(value, list | tuple | range):
        _spend(len(value) >> 4)


def _counted(made: Callable[..., Any], *, by_number: bool = False) -> Callable[..., Any]:
    """Return a filter that counts the work on its value; one whose numbers are sizes refuses large ones."""

    @functools.wraps(made)
    def counted(*args: Any, **given: Any) -> Any:
        for value in args[:2]:  # jinja2 may put a context first
            _read(value)
        if by_number:
            _numbers(args[1:])
            _numbers(given.values())
        return made(*args, **given)

    return counted


class _Counted(NodeTransformer):
    """Makes each pass of a loop and each call of a macro a step, and ``~`` a filter that counts its text."""

    def _with_step(self, node: Any, *args: Any, **given: Any) -> Any:
        self.generic_visit(node, *args, **given)
        steps = 1 if isinstance(node, nodes.For) and not node.recursive else MACRO_STEPS
        node.body.insert(0, nodes.ExprStmt(_filter("step", nodes.Const(steps), node.lineno), lineno=node.lineno))
        if isinstance(node, nodes.For) and node.test is not None:  # the body sees only what passes the test
            node.test = nodes.And(_filter("step", nodes.Const(1), node.lineno), node.test, lineno=node.lineno)
        return node

    visit_For = visit_Macro = visit_CallBlock = _with_step

    def visit_Concat(self, node: Any, *args: Any, **given: Any) -> Any:
        self.generic_visit(node, *args, **given)
        return _filter("joined", nodes.List(node.nodes, lineno=node.lineno), node.lineno)


def _filter(name: str, value: Any, line: int) -> Any:
    """Return a call of a filter of ours; its name is none that a template could write."""
    return nodes.Filter(value, f" {name}", [], [], None, None, lineno=line)


class _Generator(CodeGenerator):
    def visit_Template(self, node: Any, frame: Any = None) -> None:
        super().visit_Template(_Counted().visit(node), frame)


class Generation(Extension):
    """``{% generation %}`` marks the assistant's text, which is passed through here."""

    tags = {"generation"}

    def parse(self, parser: Any) -> Any:
        """Return the marked nodes in a scope of their own, as transformers has them."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


class Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox of transformers (``utils.chat_template_utils``), with bounds."""

    code_generator_class = _Generator
    concat = staticmethod(_join)
    intercepted_binops = frozenset(("+", "*", "**", "%"))  # the compiler folds no constants of these

    def __init__(self, **filters: Callable[..., Any]) -> None:
        """Set the sandbox up, with further filters."""
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
        self.filters |= filters
        self.filters = {name: _counted(made, by_number=name in BY_NUMBER) for name, made in self.filters.items()}
        self.filters |= {" step": _step, " joined": lambda parts: _join(map(str, parts))}
        self.filters["join"] = _bounded_join(self.filters["join"])
        self.filters["replace"] = _bounded_replace(self.filters["replace"])
        self.filters["format"] = _bounded_format(self.filters["format"])

    def begin(self) -> None:
        """Begin to count the work of a rendering in this thread."""
        _work.left = MOST_STEPS

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Return what an operator of ``intercepted_binops`` makes, if it is not too large."""
        if operator == "+":
            if isinstance(left, str) and isinstance(right, str):
                _text(len(left) + len(right))
            elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
                _text((len(left) + len(right)) * 8)
        elif operator == "*":
            _product(left, right)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * right > MOST_BITS:
                raise TooMuch("it computes a number of too many digits")
        elif operator == "%" and isinstance(left, str):
            _width(left, right if isinstance(right, tuple) else (right,))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **given: Any) -> Any:  # noqa: N805  (as jinja2 has it)
        """Return what a function or a method returns, if it is not too large."""
        if isinstance(getattr(__obj, "__self__", None), str):
            _read(__obj.__self__)
            if __obj.__name__ in WIDENING:
                _numbers([*args, *given.values()])
            if __obj.__name__ == "replace" and len(args) > 1:
                _replaced(__obj.__self__, *args[:2])
            if __obj.__name__ == "join" and len(__obj.__self__) > MOST_NUMBER:
                raise TooMuch("it joins texts by a very long one")
        elif getattr(__obj, "__name__", "") in ("format", "format_map", "generate_lorem_ipsum"):
            _numbers([*args, *given.values()])
        return super().call(__context, __obj, *args, **given)

    def wrap_str_format(self, value: Any) -> Any:
        """Return ``str.format`` as the sandbox has it; None for any other value."""
        found = super().wrap_str_format(value)
        if found is not None:
            _width(value.__self__, ())
        return found


def _product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > MOST_BITS:
            raise TooMuch("it computes a number of too many digits")
    for many, count in ((left, right), (right, left)):
        if isinstance(many, str | list | tuple) and isinstance(count, int):
            _text(len(many) * max(count, 0) * (1 if isinstance(many, str) else 8))


def _width(form: str, values: tuple[Any, ...]) -> None:
    if WIDE.search(form):
        raise TooMuch("it asks for a text of a width of over 100,000")
    if "*" in form:
        _numbers(values)


def _replaced(text: Any, old: Any, new: Any) -> None:
    text, old, new = str(text), str(old), str(new)
    if len(new) * (len(text) + 1) > MOST_CHARACTERS:
        _text(len(new) * text.count(old))


def _bounded_join(made: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(made)
    def join(context: Any, value: Any, d: Any = "", attribute: Any = None) -> Any:
        if len(str(d)) > MOST_NUMBER:
            raise TooMuch("it joins texts by a very long one")
        return made(context, value, d, attribute)

    return join


def _bounded_replace(made: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(made)
    def replace(context: Any, s: Any, old: Any, new: Any, *count: Any, **given: Any) -> Any:
        _replaced(s, old, new)
        return made(context, s, old, new, *count, **given)

    return replace


def _bounded_format(made: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(made)
    def form(value: Any, *args: Any, **given: Any) -> Any:
        _width(str(value), args)
        return made(value, *args, **given)

    return form
