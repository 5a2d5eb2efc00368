"""Objects of the response, as the checker's tests see them. Stdlib only; runs inside, in the tests' process.

What is plain comes as a value, and is compared here: no code of the response's has a say. What is not plain stays with
the response, and a ``Remote`` stands for it: its attributes, calls, items and iteration are asked for. So that an
object can't pose as the plain value a test expects,

- it equals no plain value, and another object only as the response says;
- an operator that takes it and a plain value gives no plain value, nor one that is asked for its truth or length;
- ``in`` looks for what iterating over it gives, unless the test has made it and used it as an object;
- it has methods of the plain types (``startswith``, ``get``) only where the test has made it, by calling a class by a
  name with a capital.
"""

import builtins
import importlib
import types
from collections.abc import Callable
from typing import Any

from curate.verifiers.sandbox.values import Gone, decode, encode, receive, said, send

PLAIN = {name for kind in (str, bytes, int, float, complex, list, tuple, dict, set) for name in dir(kind)}
TEXT = ("__name__", "__doc__", "__qualname__")
SHARED_BY = frozenset(
    (
        "math",
        "cmath",
        "collections",
        "itertools",
        "functools",
        "heapq",
        "bisect",
        "typing",
        "string",
        "random",
        "datetime",
        "copy",
        "re",
        "decimal",
        "fractions",
        "statistics",
        "dataclasses",
        "enum",
        "abc",
    )
)


class Unsupported(BaseException):
    """The tests do what can't be done across processes: their failing says nothing of the response.

    No ``except Exception`` of a test takes it for the response's own failing.
    """


class Link:
    """The connection to the response's process."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.ours: list[Any] = []  # what the tests have passed to the response by reference
        self.errors: dict[str, type] = {}

    def named(self, name: str) -> tuple[Any] | None:
        """What the response means by a name, in a tuple, or None if it has none."""
        reply = self._exchange("name", [name])
        if "missing" in reply:
            return None
        if "module" in reply:  # import numpy as np, import math as m
            if reply["module"] in SHARED_BY:
                return (importlib.import_module(reply["module"]),)
            raise NameError(f"{name!r} is a module that the response has imported, and nothing of its own")
        if reply.get("shared") in SHARED_BY and hasattr(shared := importlib.import_module(reply["shared"]), name):
            return (getattr(shared, name),)
        if "exception" in reply:
            return (self._error(reply["exception"]),)
        found = decode(reply.get("value"), self._found)
        if type(found) is Remote and name[0].isupper():  # the test means a class by it, as names go
            object.__setattr__(found, "_maker", reply["value"].get("class") is True)
        return (found,)

    def ask(self, does: str, *args: Any, made: bool = False, **named: Any) -> Any:
        """Have the response's process do something; return the value, or raise what it raised."""
        given = [encode(arg, self._refer) for arg in args]
        reply = self._exchange(does, given, {k: encode(v, self._refer) for k, v in named.items()})
        for arg, changed in zip(args[1:], reply.get("changed", ()), strict=False):
            _put_back(arg, decode(changed, self._found))
        return decode(reply.get("value"), lambda reference: self._found(reference, made))

    def _exchange(self, does: str, args: list[Any], named: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            send(self.fd, {"ask": does, "args": args, "named": named or {}})
        except ValueError as error:
            raise Unsupported(f"the test passes too much to the response: {error}") from error
        while "ask" in (reply := _mapping(receive(self.fd))):
            self._answer(reply)
        if "raised" in reply:
            raise self._raised(reply, does)
        return reply

    def _answer(self, asked: dict[str, Any]) -> None:
        """Serve the response: call a function that a test passed, or go on with its iterator. Nothing else."""
        try:
            function, *args = [decode(arg, self._found) for arg in asked["args"]]
            if not any(function is ours for ours in self.ours) or asked["ask"] not in ("call", "next"):
                raise Gone("the response asks for what it was not given")
            named = {str(k): decode(v, self._found) for k, v in _mapping(asked.get("named", {})).items()}
            value = function(*args, **named) if asked["ask"] == "call" else next(function)
            send(self.fd, {"value": encode(value, self._refer)})
        except (Exception, Unsupported) as error:
            send(self.fd, {"raised": type(error).__name__, "said": said(error)})

    def _raised(self, reply: dict[str, Any], does: str) -> BaseException:
        """What the response raised, as the same builtin exception."""
        kind = self._error(reply["raised"])
        if issubclass(kind, StopIteration | StopAsyncIteration | GeneratorExit) and does != "next":
            kind = RuntimeError  # it would end a map() of the test's before it has seen all
        try:
            error = kind(*[decode(arg, self._found) for arg in reply.get("args", [])])
        except Exception:  # UnicodeDecodeError and the like want arguments of their own
            error = RuntimeError(str(reply.get("said"))[:200])
        error.by_response = True
        return error

    def _error(self, names: Any) -> type:
        """The exception class of these names (its own, its bases'): a builtin, or one that is made here."""
        if not isinstance(names, list) or not names or len(names) > 50 or not all(isinstance(n, str) for n in names):
            raise Gone("an exception that is none")
        own = getattr(builtins, names[0], None)
        if isinstance(own, type) and issubclass(own, BaseException):
            return own
        if len(names) == 1:
            return Exception
        key = "\n".join(names)
        if key not in self.errors:
            self.errors[key] = type(names[0], (self._error(names[1:]),), {})
        return self.errors[key]

    def _refer(self, value: Any) -> dict[str, Any]:
        if type(value) is Remote:
            return {"yours": object.__getattribute__(value, "_number")}
        if not callable(value) and not hasattr(value, "__next__"):
            raise Unsupported(f"the test passes a {type(value).__name__} to the response")
        self.ours.append(value)
        said_of = {"name": value.__name__, "doc": value.__doc__} if isinstance(value, types.FunctionType) else {}
        return {"object": len(self.ours) - 1} | said_of

    def _found(self, reference: dict[str, Any], made: bool = False) -> Any:
        number = reference.get("yours", reference.get("object"))
        if type(number) is not int or number < 0:
            raise Gone("a reference that is none")
        if "yours" in reference:
            if number >= len(self.ours):
                raise Gone("a reference to nothing")
            return self.ours[number]
        found = Remote(self, number, str(reference.get("type"))[:100], made)
        return _awaited(found) if found._kind == "coroutine" else found


async def _awaited(coroutine: "Remote") -> Any:
    """A coroutine that the response's runs to its end where it is awaited."""
    return coroutine._link.ask("run", coroutine)


def _mapping(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise Gone("a message that is none")
    return message


def _put_back(argument: Any, changed: Any) -> None:
    """Change a test's argument in place as the response has changed its copy."""
    if type(argument) is not type(changed):
        return
    if isinstance(argument, list | bytearray):
        if argument != changed:
            argument[:] = changed
    elif isinstance(argument, dict | set) or type(argument).__name__ == "deque":
        if argument != changed:
            argument.clear()
            (argument.extend if hasattr(argument, "extend") else argument.update)(changed)


class Remote:
    """An object that lives with the response."""

    def __init__(self, link: Link, number: int, kind: str, made: bool) -> None:
        for name, value in (
            ("_link", link),
            ("_number", number),
            ("_maker", False),
            ("_kind", kind),
            ("_made", made),
            ("_used", False),
            ("_mixed", 0),
        ):
            object.__setattr__(self, name, value)

    def __call__(self, *args: Any, **named: Any) -> Any:  # noqa: D102
        return self._link.ask("call", self, *args, made=self._maker, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in TEXT:
            raise AttributeError(f"{self._kind!r} object has no {name!r} here")
        if name in PLAIN and not self._made and not self._maker and name not in TEXT:
            raise AttributeError(f"{self._kind!r} object is no plain value, so its {name!r} is not taken for one's")
        object.__setattr__(self, "_used", True)
        return self._link.ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._link.ask("setattr", self, name, value)

    def __contains__(self, item: Any) -> bool:
        if self._made and self._used:
            return self._link.ask("contains", self, item) is True
        return any(item == mine for mine in self)

    def __enter__(self) -> Any:
        return self._link.ask("enter", self)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> bool:
        if kind is not None and not issubclass(kind, Exception):
            return False
        told = next((k for k in kind.__mro__ if k.__module__ == "builtins"), None) if kind else None
        ended = self._link.ask("exit", self, told, error and str(error))
        # No failing test, and nothing that is refused here, is what a response may suppress.
        return ended is True and told not in (AssertionError, TypeError, AttributeError)

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


def _asked(does: str) -> Callable:
    def method(self: Remote, *args: Any) -> Any:
        return self._link.ask(does, self, *args)

    return method


def _operator(does: str, turned: bool) -> Callable:
    def method(self: Remote, other: Any) -> Any:
        result = self._link.ask(does, *((other, self) if turned else (self, other)))
        if type(other) is not Remote and type(result) is not Remote:
            raise TypeError(f"{self._kind!r} object is no plain value, so {does} with one gives none")
        if type(result) is Remote:
            level = other._mixed if type(other) is Remote else 1 if self._made or self._mixed == 1 else 2
            object.__setattr__(result, "_mixed", max(level, self._mixed))
        return result

    return method


def _of_made(does: str) -> Callable:
    def method(self: Remote, *args: Any) -> Any:
        if not self._made:
            raise TypeError(f"{self._kind!r} object is no plain value, so {does} of it is none")
        return self._link.ask(does, self, *args)

    return method


Remote.__doc__ = property(lambda self: self._link.ask("getattr", self, "__doc__"))
for _name in ("abs", "round", "int", "float"):
    setattr(Remote, f"__{_name}__", _of_made(_name))
for _name in ("iter", "next", "str", "repr", "getitem", "setitem", "delitem", "neg", "pos", "invert"):
    setattr(Remote, f"__{_name}__", _asked(_name))
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
    setattr(Remote, f"__{_name.strip('_')}__", _operator(_name, turned=False))
    setattr(Remote, f"__r{_name.strip('_')}__", _operator(_name, turned=True))
for _name in ("lt", "le", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _operator(_name, turned=False))
