"""Answers what a server's clients ask, by a run's gateway: from the log of replies, else by the model's engine."""

from collections.abc import Callable
from itertools import groupby

from curate.models.failures import Failures
from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.models.serving.server import ModelServer, Waiting
from schemas.errors import Stopped
from schemas.requests import Reply

POLL = 0.2  # seconds between two looks at whether the client still runs
ANY = 1 << 60  # requests that may fail: the client goes on without them, and they are counted


def answer_requests(
    server: ModelServer, gateway: Gateway, ref: ModelRef, running: Callable[[], bool], label: str
) -> list[tuple[str, Reply]]:
    """Answer requests, all that wait together, until the client has ended.

    Args:
        server: Takes the requests.
        gateway: Answers them.
        ref: The model.
        running: Returns whether the client still runs.
        label: The stage's name, for errors.

    Returns:
        The messages and the reply of each request that failed.

    Raises:
        Stopped: A budget is used up.
    """
    failed: list[tuple[str, Reply]] = []
    failures = Failures(label, ANY)
    gateway.unload_except([ref])
    while running():
        for asked, group in groupby(sorted(server.take(POLL), key=_task), key=_task):
            waiting = list(group)
            if any(task != asked for _, task in gateway.engines):  # the weights are in memory once
                gateway.unload_except([])
            if not gateway.answer_all(ref, [[one.request] for one in waiting], failures):
                raise Stopped("; ".join(gateway.stopped.values()))
            replies = gateway.read({one.request.key for one in waiting})
            for one in waiting:
                reply = replies[one.request.key]
                if reply.error is not None:
                    failed.append((one.request.messages, reply))
                server.give(one, reply)
    return failed


def _task(waiting: Waiting) -> str:
    return waiting.request.task
