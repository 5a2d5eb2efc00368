"""The checker's connection to the response's process: sends what the tests do to it, and builds what comes back.

Stdlib only; runs inside, in the tests' process. A plain value comes back as a value, any other object as a ``Remote``.
"""

import builtins
import importlib
import types
from typing import Any

from curate.verifiers.sandbox.remote import Remote, Unsupported
from curate.verifiers.sandbox.values import LIBRARY, Gone, decode, encode, error_line, receive, send

SHARED = frozenset(LIBRARY)
CALLABLE = ("function", "type", "ABCMeta", "EnumType", "builtin_function_or_method", "method")
MOST_HANDED = 50  # containers that are watched for changes, in one test
BY_RESPONSE = "by_response"  # the attribute that marks an exception which the response raised


class Link:
    """The connection to the response's process."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.passed: list[Any] = []  # what the tests have passed to the response by reference
        self.errors: dict[str, type[BaseException]] = {}
        # One object is one proxy; but one that a test has constructed, and may use as a plain value, is another.
        self.remotes: dict[tuple[int, bool], Remote] = {}
        # Whether the tests compare by ``is``, ask for classes of objects, and inspect functions or classes.
        self.asked = (False, False, False)
        self.handed: list[tuple[Any, Any]] = []  # copies of containers that the response keeps, and how they came

    def look_up(self, name: str) -> tuple[Any] | None:
        """Return what the response's ``name`` refers to, as a tuple of one; None if it defines no such name."""
        reply = self._exchange("name", [name])
        if "missing" in reply:
            return None
        if "module" in reply:  # import numpy as np, import math as m
            if reply["module"] in SHARED:
                return (importlib.import_module(reply["module"]),)
            raise NameError(f"{name!r} is a module that the response has imported, and nothing of its own")
        if reply.get("shared") in SHARED and hasattr(shared := importlib.import_module(reply["shared"]), name):
            return (getattr(shared, name),)
        if "exception" in reply:
            return (self._error(reply["exception"]),)
        found = decode(reply.get("value"), self._resolve)
        if type(found) is Remote and name[0].isupper():  # by convention a class
            found = Remote(self, found._number, found._kind, constructed=False)
            object.__setattr__(found, "_constructor", reply["value"].get("class") is True)
        return (found,)

    def ask(self, does: str, *args: Any, constructed: bool = False, **named: Any) -> Any:
        """Have the response's process do something; return the value, or raise what it raised.

        Args:
            does: ``load``, ``call``, or a name in ``response.OPERATIONS``.
            *args: The operands; arguments that a call changes in place are changed here too.
            constructed: Whether an object that comes back counts as constructed by the test.
            **named: Keyword arguments of a call.
        """
        if why := self.changed_handed():
            raise Unsupported(why)
        given = [encode(arg, self._reference) for arg in args]
        reply = self._exchange(does, given, {k: encode(v, self._reference) for k, v in named.items()})
        for arg, changed in zip(args[1:], reply.get("changed", ()), strict=False):
            _put_back(arg, decode(changed, self._resolve))
        if type(same := reply.get("same")) is int and 0 < same < len(args):
            return args[same]
        value = decode(reply.get("value"), lambda reference: self._resolve(reference, constructed))
        if reply.get("kept") is True and len(self.handed) < MOST_HANDED:
            self.handed.append((value, encode(value, _by_id)))
        return value

    def is_split(self) -> bool:
        """Return whether an object has two proxies, so that ``is`` does not say whether two are the same object."""
        return any((number, not constructed) in self.remotes for number, constructed in self.remotes)

    def changed_handed(self) -> str | None:
        """Return what the tests do, if they have changed a container that the response keeps; the copy is theirs."""
        if any(encode(value, _by_id) != came for value, came in self.handed):
            return "the test changes a container that the response keeps, of which it has a copy"
        return None

    def unclear(self) -> str | None:
        """Return why the outcome of a test that has ended says nothing about the response, or None."""
        why = self.changed_handed()
        self.handed.clear()
        identity, objects, classes = self.asked
        if identity and self.is_split():
            return "the test asks whether two objects of the response are the same one, which is not known here"
        if classes or (objects and any(one._kind not in CALLABLE for one in self.remotes.values())):
            return "the test asks for the class or the attributes of an object of the response, which are not here"
        return why

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
        """Answer the response: call a function that a test passed, or advance its iterator. Nothing else."""
        try:
            function, *args = [decode(arg, self._resolve) for arg in asked["args"]]
            if not any(function is one for one in self.passed) or asked["ask"] not in ("call", "next"):
                raise Gone("the response asks for what it was not given")
            named = {str(k): decode(v, self._resolve) for k, v in _mapping(asked.get("named", {})).items()}
            value = function(*args, **named) if asked["ask"] == "call" else next(function)
            send(self.fd, {"value": encode(value, self._reference)})
        except (Exception, Unsupported) as error:
            send(self.fd, {"raised": type(error).__name__, "message": error_line(error)})

    def _raised(self, reply: dict[str, Any], does: str) -> BaseException:
        """Return what the response raised, as the same builtin exception where there is one."""
        kind = self._error(reply["raised"])
        if issubclass(kind, StopIteration | StopAsyncIteration | GeneratorExit) and does != "next":
            kind = RuntimeError  # it would end a map() in the test too early
        try:
            error = kind(*[decode(arg, self._resolve) for arg in reply.get("args", [])])
        except Exception:  # some, such as UnicodeDecodeError, take other arguments
            error = RuntimeError(str(reply.get("message"))[:200])
        setattr(error, BY_RESPONSE, True)
        return error

    def _error(self, names: Any) -> type[BaseException]:
        """Return the exception class with these names (its own, then its bases'): a builtin, or one made here."""
        if not isinstance(names, list) or not names or len(names) > 50 or not all(isinstance(n, str) for n in names):
            raise Gone("not an exception")
        own = getattr(builtins, names[0], None)
        if isinstance(own, type) and issubclass(own, BaseException):
            return own
        if len(names) == 1:
            return Exception
        key = "\n".join(names)
        if key not in self.errors:
            self.errors[key] = type(names[0], (self._error(names[1:]),), {})
        return self.errors[key]

    def _reference(self, value: Any) -> dict[str, Any]:
        if type(value) is Remote:
            return {"yours": object.__getattribute__(value, "_number")}
        if (not callable(value) and not hasattr(value, "__next__")) or hasattr(value, "write"):
            raise Unsupported(f"the test passes a {type(value).__name__} to the response")
        self.passed.append(value)
        names = {"name": value.__name__, "doc": value.__doc__} if isinstance(value, types.FunctionType) else {}
        return {"object": len(self.passed) - 1} | names

    def _resolve(self, reference: dict[str, Any], constructed: bool = False) -> Any:
        number = reference.get("yours", reference.get("object"))
        if type(number) is not int or number < 0:
            raise Gone("not a reference")
        if "yours" in reference:
            if number >= len(self.passed):
                raise Gone("a reference to nothing")
            return self.passed[number]
        found = self.remotes.get((number, constructed))
        if found is None:
            found = self.remotes[number, constructed] = Remote(
                self, number, str(reference.get("type"))[:100], constructed
            )
        return _awaited(found) if found._kind == "coroutine" else found


async def _awaited(coroutine: Remote) -> Any:
    """Run a coroutine of the response's to its end, over there, when it is awaited here."""
    return coroutine._link.ask("run", coroutine)


def _mapping(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise Gone("not a message")
    return message


def _put_back(argument: Any, changed: Any) -> None:
    """Change a test's argument in place, as the response has changed its copy."""
    if type(argument) is not type(changed):
        return
    if isinstance(argument, list | bytearray):
        if argument != changed:
            argument[:] = changed
    elif isinstance(argument, dict | set) or type(argument).__name__ == "deque":
        if argument != changed:
            argument.clear()
            (argument.extend if hasattr(argument, "extend") else argument.update)(changed)


def _by_id(value: Any) -> dict[str, Any]:
    return {"object": id(value)}
