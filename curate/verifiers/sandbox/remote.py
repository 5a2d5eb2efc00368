"""Proxies, in the tests' process, of objects that stay in the response's process. Stdlib only; runs inside.

A plain value arrives as a value and is compared here, without running any code of the response. For any other object
the tests get a ``Remote``, which forwards attributes, calls, items and iteration to the response's process. So that an
object can't pose as the plain value that a test expects:

- it equals no plain value; whether it equals another such object, the response says;
- an operator on it and a plain value returns no plain value, and the truth and length of the result are not asked for;
- ``in`` compares the items of an iteration, unless the test has constructed the object and used it as an object;
- it has the methods of the plain types (``startswith``, ``get``) only if the test has constructed it, by calling a
  class whose name begins with a capital.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

PLAIN = {name for kind in (str, bytes, int, float, complex, list, tuple, dict, set) for name in dir(kind)}
TEXT = ("__name__", "__doc__", "__qualname__")


class Unsupported(BaseException):
    """The tests do what can't be done across processes, so that their failure says nothing about the response.

    ``except Exception`` in a test does not catch it: it would take it for an error of the response.
    """


class Asker(Protocol):
    """The connection that a ``Remote`` uses (``link.Link``)."""

    def ask(self, does: str, *args: Any, constructed: bool = False, **named: Any) -> Any:
        """Have the response's process do something; return the value, or raise what it raised."""


class Remote:
    """A proxy of an object in the response's process.

    Its state is in attributes that begin with an underscore: ``_number`` is the object's number there, ``_kind`` its
    type's name, ``_constructor`` whether it is a class that the test means to call, ``_constructed`` whether the test
    has made it by such a call, ``_used`` whether an attribute was read. ``_mixed`` is 0, or 1 or 2 for the result of an
    operator on a plain value: from 1 on it has no truth, at 2 no length either.
    """

    def __init__(self, link: Asker, number: int, kind: str, constructed: bool) -> None:
        for name, value in (
            ("_link", link),
            ("_number", number),
            ("_constructor", False),
            ("_kind", kind),
            ("_constructed", constructed),
            ("_used", False),
            ("_mixed", 0),
        ):
            object.__setattr__(self, name, value)

    def __call__(self, *args: Any, **named: Any) -> Any:  # noqa: D102
        return self._link.ask("call", self, *args, constructed=self._constructor, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in TEXT:
            raise AttributeError(f"{self._kind!r} object has no {name!r} here")
        if name in PLAIN and not self._constructed and not self._constructor and name not in TEXT:
            raise AttributeError(f"{self._kind!r} object is no plain value, so its {name!r} is not taken for one's")
        object.__setattr__(self, "_used", True)
        return self._link.ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._link.ask("setattr", self, name, value)

    if TYPE_CHECKING:  # made below, with the other operations that are only forwarded

        def __iter__(self) -> Iterator[Any]: ...

    def __contains__(self, item: Any) -> bool:
        if self._constructed and self._used:
            return self._link.ask("contains", self, item) is True
        return any(item == mine for mine in self)

    def __enter__(self) -> Any:
        return self._link.ask("enter", self)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> bool:
        if kind is not None and not issubclass(kind, Exception):
            return False
        shown = next((k for k in kind.__mro__ if k.__module__ == "builtins"), None) if kind else None
        ended = self._link.ask("exit", self, shown, error and str(error))
        # A response may suppress neither a failing test nor what is refused here.
        return ended is True and shown not in (AssertionError, TypeError, AttributeError)

    def __bool__(self) -> bool:
        self._unmixed(1)
        return self._link.ask("bool", self)

    def __len__(self) -> int:
        self._unmixed(2)
        return self._link.ask("len", self)

    def _unmixed(self, level: int) -> None:
        if self._mixed >= level:
            raise TypeError(f"{self._kind!r} object knows what the test has added to it, so this is not asked of it")

    def __mro_entries__(self, bases: Any) -> Any:
        raise Unsupported("the tests derive a class from one of the response's")

    def __subclasscheck__(self, other: Any) -> bool:
        return type(other) is Remote and self._link.ask("issubclass", other, self) is True

    def __instancecheck__(self, other: Any) -> bool:
        return type(other) is Remote and self._link.ask("isinstance", other, self) is True

    def __hash__(self) -> int:
        return self._link.ask("hash", self)

    def __eq__(self, other: Any) -> Any:
        if type(other) is not Remote:
            return NotImplemented
        return self._number == other._number or self._link.ask("eq", self, other) is True

    def __ne__(self, other: Any) -> Any:
        if type(other) is not Remote:
            return NotImplemented
        return self._link.ask("ne", self, other) is True


def _forward(does: str) -> Callable:
    """A method that asks the response's process for the same operation."""

    def method(self: Remote, *args: Any) -> Any:
        return self._link.ask(does, self, *args)

    return method


def _operator(does: str, reflected: bool) -> Callable:
    """A binary operator; ``reflected`` is the one with the operands swapped."""

    def method(self: Remote, other: Any) -> Any:
        result = self._link.ask(does, *((other, self) if reflected else (self, other)))
        if type(other) is not Remote and type(result) is not Remote:
            raise TypeError(f"{self._kind!r} object is no plain value, so {does} with one gives none")
        if type(result) is Remote:
            result = Remote(self._link, result._number, result._kind, constructed=False)
            level = other._mixed if type(other) is Remote else 1 if self._constructed or self._mixed == 1 else 2
            object.__setattr__(result, "_mixed", max(level, self._mixed))
        return result

    return method


def _if_constructed(does: str) -> Callable:
    """A method that only objects constructed by the test have."""

    def method(self: Remote, *args: Any) -> Any:
        if not self._constructed:
            raise TypeError(f"{self._kind!r} object is no plain value, so {does} of it is none")
        return self._link.ask(does, self, *args)

    return method


# typeshed has only text as a class's docstring, but its objects may each have their own.
Remote.__doc__ = property(lambda self: self._link.ask("getattr", self, "__doc__"))  # ty: ignore[invalid-assignment]
for _name in ("abs", "round", "int", "float"):
    setattr(Remote, f"__{_name}__", _if_constructed(_name))
for _name in ("iter", "next", "str", "repr", "getitem", "setitem", "delitem", "neg", "pos", "invert"):
    setattr(Remote, f"__{_name}__", _forward(_name))
for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
):
    setattr(Remote, f"__{_name.strip('_')}__", _operator(_name, reflected=False))
    setattr(Remote, f"__r{_name.strip('_')}__", _operator(_name, reflected=True))
for _name in ("lt", "le", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _operator(_name, reflected=False))
