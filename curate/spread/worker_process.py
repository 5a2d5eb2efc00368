"""A worker process of ``spread``: makes the calls on its input until the input ends.

The input comes from the process that started it.
"""

import os
import sys

import msgspec

from curate.spread.task_calls import Call, make
from curate.spread.worker_processes import receive, send


def main() -> None:
    """Answer each call on the standard input, on the standard output: with its result, or None where it failed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while (body := receive(sys.stdin.buffer)) is not None:
        try:
            answer = make(msgspec.msgpack.decode(body, type=Call))
        except Exception:  # the process that started us does the task again, and raises it
            answer = None
        try:
            send(answers, answer)
        except BrokenPipeError:
            os._exit(1)  # the process that started us is gone: there is nobody to tell


if __name__ == "__main__":
    main()
