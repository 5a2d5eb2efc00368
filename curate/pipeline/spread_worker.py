"""A worker of ``spread``: calls the functions that its input names, with their tasks, until the input ends.

The input comes from the process that started it. A function is one of our own modules.
"""

import importlib
import os
import sys
import typing

import msgspec

from curate.pipeline.spread import decoded, receive, send

OURS = ("curate.", "train.")


def main() -> None:
    """Answer each call on the standard input, on the standard output: whether it succeeded, and its result."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while (body := receive(sys.stdin.buffer)) is not None:
        name, task = msgspec.msgpack.decode(body, type=tuple[str, msgspec.Raw])
        try:
            _answer(answers, name, task)
        except BrokenPipeError:
            os._exit(1)  # the process that started us is gone: there is nobody to tell


def _answer(answers: typing.BinaryIO, name: str, task: msgspec.Raw) -> None:
    try:
        answer = msgspec.msgpack.encode([True, _call(name, task)])
    except Exception:  # the process that started us does the task again, and raises it
        answer = msgspec.msgpack.encode([False, None])
    send(answers, msgspec.Raw(answer))


def _call(name: str, task: msgspec.Raw) -> object:
    module, _, function = name.partition(":")
    if not module.startswith(OURS):
        raise ValueError(f"no module of ours: {module}")
    called = getattr(importlib.import_module(module), function)
    hints = typing.get_type_hints(called)
    hints.pop("return")
    return called(decoded(task, next(iter(hints.values()))))


if __name__ == "__main__":
    main()
