"""A worker of ``spread``: calls the functions that its input names, with their tasks, until the input ends.

The input comes from the process that started it. A function is one of our own modules.
"""

import importlib
import os
import signal
import sys
import traceback
import typing

import msgspec

from curate.pipeline.spread import ERRORS, decoded, receive, send

OURS = ("curate.", "train.")


def main() -> None:
    """Answer each call on the standard input with its result, or its error, on the standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started us ends us
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while (body := receive(sys.stdin.buffer)) is not None:
        name, task = msgspec.msgpack.decode(body, type=tuple[str, msgspec.Raw])
        try:
            send(answers, ["", _call(name, task)])
        except BrokenPipeError:
            return
        except tuple(ERRORS.values()) as error:
            send(answers, [type(error).__name__, str(error)])
        except Exception:
            send(answers, ["Exception", f"a bug in {name}:\n{traceback.format_exc()}"])


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
