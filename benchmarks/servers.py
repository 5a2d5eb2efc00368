"""Requests a second with four servers, beside one: ``python -m benchmarks.servers 512``.

Each stub server answers after half a second and gets 16 requests at once, so that the servers, and not this
process, are what takes the time. The whole engine is measured, with the look at each server at its start.
"""

import contextlib
import sys
import time

from benchmarks.client import asked_prompts
from benchmarks.measure import Row, medians
from curate.models.engine import engine_of
from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from schemas.requests import Reply, Request, Spent
from tests.stub_server import Stub

CONCURRENCY, DELAY, SERVERS, TIMES = 16, 0.5, 4, 3


def measure(count: int = 512) -> list[Row]:
    """Medians of 3, taking turns."""
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(Stub(delay=DELAY)).url for _ in range(SERVERS)]
        asked = asked_prompts(count)
        four, one = medians(lambda: rate(urls, asked), lambda: rate(urls[:1], asked), times=TIMES, warm=False)
    name = f"{SERVERS} servers, {count:,} requests, {CONCURRENCY} at once at each, {DELAY:g} s"
    return [Row(name, four, "requests/s", "3.5x", "1 server", one)]


def rate(urls: list[str], asked: list[Request]) -> float:
    """Have all requests answered; return how many a second."""
    settings = (("base_url", urls), ("concurrency", CONCURRENCY))
    ref = ModelRef("stub", "stub", "stub", "openai", settings=settings)
    engine = engine_of(ref).tasks["generate"](ref, Progress())
    left, arrived = iter(asked), {}

    def take() -> list[Request] | None:
        found = next(left, None)
        return None if found is None else [found]

    def give(replies: list[Reply], spent: Spent) -> None:
        arrived.update((reply.key, reply.text) for reply in replies)

    started = time.perf_counter()
    engine.answer(take, give)
    seconds = time.perf_counter() - started
    engine.close()
    assert len(arrived) == len(asked) and all(arrived.values())
    return len(asked) / seconds


if __name__ == "__main__":
    (row,) = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
    print(f"{row.name}: {row.figure:.0f} {row.unit}, {row.peer} {row.peer_figure:.0f}: {row.ratio:.2f} times")
