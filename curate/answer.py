"""Getting requests answered: from the log of replies where they have been asked before, else by the model's engine."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.clients.requests import Reply, Request, Sampling, request
from curate.models import ModelRef
from curate.replies import ReplyLog
from curate.report import Report
from curate.store import Store
from schemas.errors import unknown

ENGINES = Path(__file__).parent / "clients"
NOT_ENGINES = ("requests", "weights", "embedder")


@dataclass
class Usage:
    """What answering cost: requests asked and found, and the tokens of those asked."""

    requests: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, replies: Iterable[Reply]) -> None:
        """Count replies that were just made."""
        for reply in replies:
            self.requests += 1
            self.prompt_tokens += reply.prompt_tokens or 0
            self.completion_tokens += reply.completion_tokens or 0


def engines() -> list[str]:
    """The engines there are, by file name in ``curate/clients``."""
    return sorted(p.stem for p in ENGINES.glob("*.py") if p.stem not in (*NOT_ENGINES, "__init__"))


def check_engine(ref: ModelRef, where: str) -> None:
    """Raise ``UserError`` if the model's engine does not exist."""
    if ref.engine not in engines():
        raise unknown("engine", ref.engine, engines(), where)


def answer_all(ref: ModelRef, requests: list[Request], store: Store, report: Report, usage: Usage) -> dict[str, Reply]:
    """Answer requests and return the replies by key. Each batch is on disk before the next one is begun.

    The engine is loaded only if something is left to ask.
    """
    with ReplyLog(store, ref.identity) as log:
        # Two prompts may ask the same words (their ground truths differ): that is one request.
        distinct = {r.key: r for r in requests}
        missing = [r for key, r in distinct.items() if key not in log]
        usage.reused += len(distinct) - len(missing)
        report.advance(len(requests) - len(missing))
        if missing:
            engine = importlib.import_module(f"curate.clients.{ref.engine}").Engine(ref, report)
            try:
                for replies in engine.generate(missing):
                    log.append(replies)
                    usage.add(replies)
            finally:
                engine.close()
        return log.read(r.key for r in requests)


def answer(
    ref: ModelRef,
    messages: list[str],
    *,
    n: int,
    sampling: dict[str, Any],
    seed: int,
    store: Store,
    report: Report,
    label: str,
    tools: list[str | None] | None = None,
    usage: Usage | None = None,
) -> pl.DataFrame:
    """Answer each conversation ``n`` times.

    ``messages`` are JSON texts; ``sampling`` holds temperature, top_p, top_k, max_tokens. Returns one row an answer,
    in order: row (the index into ``messages``), sample_index, key, response, reasoning_content, finish_reason,
    prompt_tokens, completion_tokens, error.
    """
    how = Sampling(**sampling, seed=seed)
    tools = tools or [None] * len(messages)
    requests = [request(ref.identity, m, t, how, i) for m, t in zip(messages, tools, strict=True) for i in range(n)]
    report.begin(label, len(requests), "replies")
    replies = answer_all(ref, requests, store, report, usage or Usage())
    rows = [replies[r.key] for r in requests]
    return pl.DataFrame(
        {
            "row": [i for i in range(len(messages)) for _ in range(n)],
            "sample_index": [r.sample_index for r in requests],
            "key": [r.key for r in requests],
            "response": [r.text for r in rows],
            "reasoning_content": [r.reasoning_content for r in rows],
            "finish_reason": [r.finish_reason for r in rows],
            "prompt_tokens": [r.prompt_tokens for r in rows],
            "completion_tokens": [r.completion_tokens for r in rows],
            "error": [r.error for r in rows],
        },
        schema={"row": pl.Int64, "sample_index": pl.Int64, "key": pl.String, "response": pl.String,
                "reasoning_content": pl.String, "finish_reason": pl.String, "prompt_tokens": pl.Int64,
                "completion_tokens": pl.Int64, "error": pl.String},
    )  # fmt: skip
