"""Requests a second of the engine ``openai``, beside the official client, both straight to the stub server.

``python -m benchmarks.client 10000`` prints one line. Both keep 64 requests in flight; the server waits 5 ms.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import time

from benchmarks.measure import Row, medians
from curate.models.engine import engine_of
from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from schemas.requests import Reply, Request, Sampling, Spent, make_request
from tests.stub_server import Stub

CONCURRENCY, DELAY, TIMES = 64, 0.005, 3
HOW = Sampling(temperature=1.0, max_tokens=32)


def measure(count: int = 10_000) -> list[Row]:
    """Medians of 3, taking turns."""
    with Stub(delay=DELAY) as stub:
        prompts, asked = _prompts(count), asked_prompts(count)
        ours, peer = medians(
            lambda: _engine(stub.url, asked), lambda: _official(stub.url, prompts), times=TIMES, warm=False
        )
    return [
        Row(
            f"client, {count:,} short requests, {CONCURRENCY} at once, {DELAY * 1000:g} ms",
            ours,
            "requests/s",
            "3x",
            "official client",
            peer,
        )
    ]


def _prompts(count: int) -> list[str]:
    return [f"Question {i}: what is {i} times {i + 1}?" for i in range(count)]


def asked_prompts(count: int) -> list[Request]:
    """Return requests for so many short prompts."""
    texts = _prompts(count)
    return [make_request("stub", json.dumps([{"role": "user", "content": text}]), None, HOW, 0) for text in texts]


def _engine(url: str, asked: list[Request]) -> float:
    settings = (("base_url", url), ("concurrency", CONCURRENCY))
    ref = ModelRef("stub", "stub", "stub", "openai", settings=settings)
    engine = engine_of(ref).tasks["generate"](ref, Progress())
    left, arrived = iter(asked), {}

    def take() -> list[Request] | None:
        found = next(left, None)
        return None if found is None else [found]

    def give(replies: list[Reply], spent: Spent) -> None:
        arrived.update((reply.key, reply.text) for reply in replies)

    gc.collect()
    started = time.perf_counter()
    engine.answer(take, give)
    seconds = time.perf_counter() - started
    assert len(arrived) == len(asked) and all(arrived.values())
    return len(asked) / seconds


def _official(url: str, prompts: list[str]) -> float:
    gc.collect()
    started = time.perf_counter()
    arrived = asyncio.run(_ask(url, prompts))
    seconds = time.perf_counter() - started
    assert arrived == len(prompts)
    return len(prompts) / seconds


async def _ask(url: str, prompts: list[str]) -> int:
    from openai import AsyncOpenAI

    left, arrived = iter(prompts), 0

    async def worker(client: AsyncOpenAI) -> None:
        nonlocal arrived
        for prompt in left:
            answer = await client.chat.completions.create(
                model="stub",
                messages=[{"role": "user", "content": prompt}],
                temperature=HOW.temperature,
                max_tokens=HOW.max_tokens,
                seed=arrived,
            )
            arrived += len(answer.choices)

    key = os.environ.get("BENCH_KEY", "none")
    async with AsyncOpenAI(base_url=url, api_key=key) as client, asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker(client))
    return arrived


if __name__ == "__main__":
    logging.disable()
    (row,) = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    print(f"{row.name}: {row.figure:.0f} {row.unit}, {row.peer} {row.peer_figure:.0f}: {row.ratio:.2f} times")
