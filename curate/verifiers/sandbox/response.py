"""The response's side of the sandbox: runs its code, feeds it or serves calls to it. Stdlib only; runs inside.

Nothing that this process says is believed beyond what it says of itself: what it printed, and what its functions
returned. It is thrown away after one program.
"""

import atexit
import builtins
import contextlib
import importlib
import io
import operator
import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from curate.verifiers.sandbox.values import JOB, Gone, decode, encode, receive, said, send

# From these a test may use a name that the response has imported, as it is in the library.
SHARED = (
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
OPERATORS = (
    "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift neg pos invert abs eq ne lt le gt ge "
    "getitem setitem delitem contains"
).split()
APPLIED: dict[str, Callable] = {name: getattr(operator, name) for name in OPERATORS} | {
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
APPLIED["run"] = lambda coroutine: importlib.import_module("asyncio").run(coroutine)
APPLIED["enter"] = lambda it: type(it).__enter__(it)
APPLIED["exit"] = lambda it, kind, text: bool(type(it).__exit__(it, kind, kind and kind(text), None))


def main(control: int, link: int) -> None:
    """Do the one job that the parent sends, then end."""
    job = receive(control, JOB)
    how = job["how"]
    if how == "stdio":
        printed = os.dup(1)
        with contextlib.suppress(Gone):
            while True:  # the next comes when the output of the last has been read
                send(control, {"done": _feed(job["code"], receive(control, JOB)["input"])})
                os.dup2(printed, 1)  # for a program that has closed it
    elif how == "call":
        _calls(control, job)
    else:
        _silence()
        Served(job["code"], link).serve()
    os._exit(0)


def load(code: str, name: str) -> dict[str, Any]:
    """Run code as the module ``name``; return its names."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(code, "response.py", "exec"), module.__dict__)  # noqa: S102 (this is what the sandbox is for)
    return module.__dict__


def _feed(code: str, stdin: str) -> str | None:
    """Run the program once on an input. Its output goes to file descriptor 1, a pipe; returns what it raised."""
    with open("/tmp/.stdin", "wb") as file:  # noqa: S108 (a tmpfs of its own)
        file.write(stdin.encode("utf-8", "surrogatepass"))
    fd = os.open("/tmp/.stdin", os.O_RDONLY)  # noqa: S108
    if fd != 0:  # it is where open(0) of the last time has closed it
        os.dup2(fd, 0)
        os.close(fd)
    sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding="utf-8", line_buffering=False)
    try:
        load(code, "__main__")
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
    except SystemExit as end:
        return None if end.code in (None, 0) else f"SystemExit: {end.code}"[:200]
    except BaseException as error:
        return said(error)
    finally:
        with contextlib.suppress(Exception):
            atexit._run_exitfuncs()
            sys.stdout.flush()
    return None


def _calls(control: int, job: dict[str, Any]) -> None:
    """Call one function on each of the inputs; a class ``Solution`` (LeetCode) may hold it."""
    _silence()
    try:
        names = load(job["code"], "solution")
    except BaseException as error:
        send(control, {"load": said(error)})
        return
    send(control, {"load": None})
    for args in job["inputs"]:
        try:
            name = job["function"]
            function = names[name] if name in names else getattr(names["Solution"](), name)
            message = {"value": encode(function(*args), _no_reference)}
            send(control, message)
        except KeyError as error:
            send(
                control,
                {
                    "raised": f"NameError: the response defines no {error}"
                    if error.args[0] in (name, "Solution")
                    else said(error)
                },
            )
        except Gone:
            raise
        except BaseException as error:
            send(control, {"raised": said(error)})


def _no_reference(value: Any) -> dict[str, Any]:
    if hasattr(value, "__next__"):
        return {"set": []}  # no JSON has it, so nothing equals it
    raise TypeError(f"the result is an object of the type {type(value).__name__}")


def _silence() -> None:
    """What the response prints is nobody's business where its results are asked for."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stderr = open(1, "w", encoding="utf-8", closefd=False)


class Served:
    """The response's names, to a checker at the other end of ``link``."""

    def __init__(self, code: str, link: int) -> None:
        """Nothing runs before the checker asks to load it."""
        self.code, self.link = code, link
        self.names: dict[str, Any] = {}
        self.held: list[Any] = []  # what was referred to, by its number
        self.numbers: dict[int, int] = {}  # by id(), which is an object's own for as long as it is held

    def serve(self) -> None:
        """Answer until the checker is gone."""
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
            raised = {"raised": [kind.__name__ for kind in type(error).__mro__], "said": said(error)}
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
        given = [decode(arg, self._found) for arg in args]
        given_named = {name: decode(arg, self._found) for name, arg in named.items()}
        value = given[0](*given[1:], **given_named) if does == "call" else APPLIED[does](*given)
        reply = {"value": encode(value, self._refer)}
        # Arguments went by value: what the call has changed in them goes back.
        after = [encode(arg, self._refer) for arg in given[1:]]
        if does == "call" and after != args[1:]:
            reply["changed"] = after
        return reply

    def _named(self, name: str) -> dict[str, Any]:
        """What a name stands for in the response."""
        if name not in self.names:
            return {"missing": name}
        value = self.names[name]
        if isinstance(value, types.ModuleType):
            return {"module": value.__name__}
        for module in SHARED:
            if module in sys.modules and getattr(sys.modules[module], name, self) is value:
                return {"shared": module}
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"exception": [kind.__name__ for kind in value.__mro__], "value": self._refer(value)}
        return {"value": encode(value, self._refer)}

    def _refer(self, value: Any) -> dict[str, Any]:
        if isinstance(value, _Theirs):
            return {"yours": value._number}
        number = self.numbers.setdefault(id(value), len(self.held))
        if number == len(self.held):
            self.held.append(value)
        return {"object": number, "class": isinstance(value, type), "type": type(value).__name__}

    def _found(self, reference: dict[str, Any]) -> Any:
        return self.held[reference["yours"]] if "yours" in reference else _Theirs(self, reference)

    def ask(self, does: str, *args: Any, **named: Any) -> Any:
        """Ask the checker: to call a function that a test passed, or to go on with its iterator."""
        send(
            self.link,
            {
                "ask": does,
                "args": [encode(arg, self._refer) for arg in args],
                "named": {name: encode(arg, self._refer) for name, arg in named.items()},
            },
        )
        while "ask" in (reply := receive(self.link)):
            self._answer(reply)
        if "raised" in reply:
            kind = getattr(builtins, reply["raised"], RuntimeError)
            raise kind(reply["said"])
        return decode(reply["value"], self._found)


class _Theirs:
    """A function or an iterator of the test's."""

    def __init__(self, served: Served, reference: dict[str, Any]) -> None:
        self._served, self._number = served, reference["object"]
        if name := reference.get("name"):
            self.__name__ = self.__qualname__ = name
            self.__doc__ = reference.get("doc")

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._served.ask("call", self, *args, **named)

    def __iter__(self) -> "_Theirs":
        return self

    def __next__(self) -> Any:
        return self._served.ask("next", self)
