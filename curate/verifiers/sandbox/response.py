"""Run a response's code in its sandbox: as a program on inputs, by calls of a function, or serving a checker's tests.

Stdlib only; runs inside. Nothing that this process reports is trusted, except as what the program printed or its
functions returned: no verdict is made here. The process runs one program and is thrown away.
"""

import atexit
import builtins
import contextlib
import importlib
import operator
import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from curate.verifiers.sandbox.values import LIBRARY, MAX_JOB, Gone, decode, encode, error_line, receive, send

OPERATORS = (
    "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift neg pos invert abs eq ne lt le gt ge "
    "getitem setitem delitem contains"
).split()
OPERATIONS: dict[str, Callable] = {name: getattr(operator, name) for name in OPERATORS} | {
    name: getattr(builtins, name)
    for name in (
        "getattr",
        "setattr",
        "len",
        "iter",
        "next",
        "bool",
        "str",
        "repr",
        "hash",
        "isinstance",
        "issubclass",
        "round",
        "int",
        "float",
    )
}
CONTAINERS = (list, dict, set, bytearray)
MOST_INNER = 10_000  # items that are looked at for containers
OPERATIONS["run"] = lambda coroutine: importlib.import_module("asyncio").run(coroutine)
OPERATIONS["enter"] = lambda it: type(it).__enter__(it)
OPERATIONS["exit"] = lambda it, kind, text: bool(type(it).__exit__(it, kind, kind and kind(text), None))


def main(control: int, link: int) -> None:
    """Do the one job that the parent sends, then end the process."""
    job = receive(control, MAX_JOB)
    how = job["how"]
    if how == "stdio":
        printed = os.dup(1)
        with contextlib.suppress(Gone):
            while True:  # the parent sends an input once it has read the output for the last one
                send(control, {"done": _feed(job["code"], receive(control, MAX_JOB)["input"])})
                os.dup2(printed, 1)  # in case the program has closed it
    elif how == "call":
        _calls(control, job)
    else:
        _silence()
        Served(job["code"], link).serve()
    os._exit(0)


def load(code: str, name: str) -> dict[str, Any]:
    """Run code as the module ``name``; return the module's namespace."""
    module = types.ModuleType(name)
    module.__file__ = "response.py"
    sys.modules[name] = module
    sys.argv = ["response.py"]
    exec(compile(code, "response.py", "exec"), module.__dict__)  # noqa: S102 (this is what the sandbox is for)
    return module.__dict__


def _feed(code: str, stdin: str) -> str | None:
    """Run the program once on an input, with its output to descriptor 1, a pipe. Return its error, or None."""
    with open("/tmp/.stdin", "wb") as file:  # noqa: S108 (a tmpfs of its own)
        file.write(stdin.encode("utf-8", "surrogatepass"))
    fd = os.open("/tmp/.stdin", os.O_RDONLY)  # noqa: S108
    if fd != 0:  # it is 0 where the last run has closed descriptor 0
        os.dup2(fd, 0)
        os.close(fd)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)
    if "fileinput" in sys.modules:  # it may be in the middle of the last input
        vars(sys.modules["fileinput"])["_state"] = None
    try:
        load(code, "__main__")
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
    except SystemExit as end:
        return None if end.code in (None, 0) else f"SystemExit: {end.code}"[:200]
    except BaseException as error:
        return error_line(error)
    finally:
        with contextlib.suppress(Exception):
            atexit._run_exitfuncs()
            sys.stdout.flush()
    return None


def _calls(control: int, job: dict[str, Any]) -> None:
    """Call one function on each of the inputs and report each result; it may be a method of ``Solution`` (LeetCode)."""
    _silence()
    try:
        names = load(job["code"], "solution")
    except BaseException as error:
        send(control, {"load": error_line(error)})
        return
    send(control, {"load": None})
    for args in job["inputs"]:
        try:
            name = job["function"]
            own = name in names and getattr(names[name], "__module__", "solution") == "solution"
            method = not own and hasattr(names.get("Solution"), name)  # ``from heapq import *`` has a ``merge``
            function = getattr(names["Solution"](), name) if method or name not in names else names[name]
            message = {"value": encode(function(*args), _no_reference)}
            send(control, message)
        except KeyError as error:
            send(
                control,
                {
                    "raised": f"NameError: the response defines no {error}"
                    if error.args[0] in (name, "Solution")
                    else error_line(error)
                },
            )
        except Gone:
            raise
        except BaseException as error:
            send(control, {"raised": error_line(error)})


def _no_reference(value: Any) -> dict[str, Any]:
    if hasattr(value, "__next__"):
        return {"set": []}  # JSON has no sets, so no expected value equals it
    raise TypeError(f"the result is an object of the type {type(value).__name__}")


def _silence() -> None:
    """Discard what the response prints, where only its results count."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stderr = open(1, "w", encoding="utf-8", closefd=False)


def _names(kind: type) -> list[str]:
    """Return the names of a class and of its bases; one of the response's that is called as a builtin has another."""
    own = [(one.__name__, one.__module__ != "builtins" and hasattr(builtins, one.__name__)) for one in kind.__mro__]
    return [f"response.{name}" if posing else name for name, posing in own]


def _inner(value: Any) -> set[int]:
    """Return the ids of the containers that can be changed in a value, itself included."""
    found: set[int] = set()
    waiting, seen = [value], 0
    while waiting and seen < MOST_INNER:
        one = waiting.pop()
        seen += 1
        if isinstance(one, CONTAINERS):
            if id(one) in found:
                continue
            found.add(id(one))
        if isinstance(one, dict):
            waiting += dict.values(one)
        elif isinstance(one, list | tuple):
            waiting += one
    return found


class Served:
    """Serves the response's names and objects to the checker at the other end of ``link``."""

    def __init__(self, code: str, link: int) -> None:
        """Keep the code; it runs when the checker asks to load it."""
        self.code, self.link = code, link
        self.names: dict[str, Any] = {}
        self.held: list[Any] = []  # objects sent by reference; an object's number is its index
        self.numbers: dict[int, int] = {}  # id() of a held object -> its number

    def serve(self) -> None:
        """Answer requests until the checker is gone."""
        with contextlib.suppress(Gone):
            while True:
                self._answer(receive(self.link))

    def _answer(self, asked: dict[str, Any]) -> None:
        try:
            reply = self._reply(asked)
            send(self.link, reply)
        except Gone:
            raise
        except BaseException as error:
            raised = {"raised": _names(type(error)), "message": error_line(error)}
            with contextlib.suppress(Exception):
                raised["args"] = [encode(a, _no_reference) for a in error.args[:4]]
            try:
                send(self.link, raised)
            except ValueError:
                send(self.link, raised | {"args": []})

    def _reply(self, asked: dict[str, Any]) -> dict[str, Any]:
        does, args, named = asked["ask"], asked["args"], asked.get("named", {})
        if does == "load":
            self.names = load(self.code, "solution")
            return {"value": None}
        if does == "name":
            return self._named(args[0])
        given = [decode(arg, self._resolve) for arg in args]
        given_named = {name: decode(arg, self._resolve) for name, arg in named.items()}
        value = given[0](*given[1:], **given_named) if does == "call" else OPERATIONS[does](*given)
        reply = {"value": encode(value, self._reference)}
        if does in ("call", "getattr", "getitem") and isinstance(value, CONTAINERS):
            same = next((n for n, arg in enumerate(given) if n and arg is value), None)
            # A container that something else holds beside this function (2: the name and the argument).
            kept = sys.getrefcount(value) > 2 or bool(_inner(value) & set().union(*map(_inner, given[1:])))
            reply |= {"kept": True} if same is None and kept else {}
            reply |= {"same": same} if same is not None else {}
        # Arguments came by value: those that the call has changed are sent back.
        after = [encode(arg, self._reference) for arg in given[1:]]
        if does == "call" and after != args[1:]:
            reply["changed"] = after
        return reply

    def _named(self, name: str) -> dict[str, Any]:
        """Return what a name refers to in the response: a module, a library object, a value or a reference."""
        if name not in self.names:
            return {"missing": name}
        value = self.names[name]
        if isinstance(value, types.ModuleType):
            return {"module": value.__name__}
        for module in LIBRARY:
            if module in sys.modules and getattr(sys.modules[module], name, self) is value:
                return {"shared": module}
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"exception": _names(value), "value": self._reference(value)}
        return {"value": encode(value, self._reference)}

    def _reference(self, value: Any) -> dict[str, Any]:
        if isinstance(value, _CheckerObject):
            return {"yours": value._number}
        number = self.numbers.setdefault(id(value), len(self.held))
        if number == len(self.held):
            self.held.append(value)
        return {"object": number, "class": isinstance(value, type), "type": type(value).__name__}

    def _resolve(self, reference: dict[str, Any]) -> Any:
        return self.held[reference["yours"]] if "yours" in reference else _CheckerObject(self, reference)

    def ask(self, does: str, *args: Any, **named: Any) -> Any:
        """Ask the checker to call a function that a test passed (``call``), or to advance its iterator (``next``)."""
        send(
            self.link,
            {
                "ask": does,
                "args": [encode(arg, self._reference) for arg in args],
                "named": {name: encode(arg, self._reference) for name, arg in named.items()},
            },
        )
        while "ask" in (reply := receive(self.link)):
            self._answer(reply)
        if "raised" in reply:
            kind = getattr(builtins, reply["raised"], RuntimeError)
            raise kind(reply["message"])
        return decode(reply["value"], self._resolve)


class _CheckerObject:
    """A proxy of a function or an iterator that a test has passed."""

    def __init__(self, served: Served, reference: dict[str, Any]) -> None:
        self._served, self._number = served, reference["object"]
        if name := reference.get("name"):
            self.__name__ = self.__qualname__ = name
            self.__doc__ = reference.get("doc")

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._served.ask("call", self, *args, **named)

    def __iter__(self) -> "_CheckerObject":
        return self

    def __next__(self) -> Any:
        return self._served.ask("next", self)
