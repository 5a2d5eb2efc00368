"""Answers requests: from the log of replies where they have been answered before, else by the model's engine.

A ``Gateway`` does it for one run: it holds the log, the loaded engines and the budgets.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import polars as pl

from curate.models.allocator import give_back_freed_memory
from curate.models.budget import LIMITS, Budget, spending_limit
from curate.models.engine import Engine, engine_of
from curate.models.failures import Failures
from curate.models.model_ref import ModelRef
from curate.models.spread_engine import SpreadEngine
from curate.spread.spread import model_runner
from curate.storage.reply_log import ReplyLog, Spender
from curate.storage.store import Store
from schemas.errors import Stopped
from schemas.finish_reasons import finish_reason
from schemas.progress import Progress
from schemas.requests import NO_BUDGET, Reply, Request, Sampling, Spent, Task, make_request

FEW_UNCLEAR = 2  # prompts that may be refused without a word why: of more, the server itself may be the reason
REPLY_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "response": pl.String,
    "reasoning_content": pl.String,
    "tool_calls": pl.String,
    "finish_reason": pl.String,
    "prompt_tokens": pl.Int64,
    "completion_tokens": pl.Int64,
    "logprobs": pl.List(pl.Float64),
    "error": pl.String,
    "transient": pl.Boolean,
    "value": pl.Float64,
    "top_logprobs": pl.String,
    "answered_by": pl.String,
}


@dataclass
class Usage:
    """A run's requests: answered and reused ones, the tokens of those answered, and their cost in dollars."""

    requests: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


class Gateway:
    """Answers requests for one run, under the store's lock. Use it as a context manager.

    ``stopped`` has a line for each budget that was reached, with how to go on, by the budget's name.
    """

    def __init__(
        self, store: Store, progress: Progress, run_id: str = "", recipe: str = "", limits: dict[str, Any] | None = None
    ) -> None:
        """Prepare to ask; nothing is opened yet.

        Args:
            store: Where replies are kept.
            progress: Shows how far the requests are.
            run_id: The run that the costs are counted for.
            recipe: The recipe's name.
            limits: The recipe's own budget (``max_cost`` ...).
        """
        self.store, self.progress = store, progress
        self.run_id, self.recipe = run_id, recipe
        self.limits = limits or {}
        self.usage = Usage()
        self.engines: dict[tuple[str, Task], Engine] = {}  # loaded, by the model's name and the task
        self.remote: set[str] = set()  # names of the remote models among them
        self.stopped: dict[str, str] = {}

    def __enter__(self) -> "Gateway":
        """Open the log."""
        self.log = ReplyLog(self.store)
        self.answered_before = self.log.newest()  # the place of the newest reply, in the log's order
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Free the engines and close the log."""
        self.remote.clear()
        self.unload_except([])
        self.log.__exit__(kind, error, trace)

    def unload_except(self, refs: list[ModelRef]) -> None:
        """Free the engines of all models but these, so that their memory is there for the next model.

        Those of remote models hold no memory here, and what they have learnt of their servers: they stay to the end.
        """
        names = {ref.name for ref in refs} | self.remote
        unneeded = [key for key in self.engines if key[0] not in names]
        for key in unneeded:
            self.engines.pop(key).close()
        if unneeded:
            give_back_freed_memory()

    def budget(self, ref: ModelRef) -> Budget:
        """Return what may still be spent on a model."""
        limits = {name: ref.setting(name) for name in LIMITS}
        limits_of_owners = [
            spending_limit(f"models.{ref.name}", limits, self.log.spent(identity=ref.identity)),
            spending_limit("budget", self.limits, self.log.spent(recipe=self.recipe)),
        ]
        return Budget(limits_of_owners, ref.setting("prompt_price", 0.0), ref.setting("completion_price", 0.0))

    def answer_all(self, ref: ModelRef, groups: Iterable[list[Request]], failures: Failures) -> bool:
        """Answer groups of requests; each reply is on disk as soon as it arrives.

        The engine is loaded only if something is left to ask.

        Args:
            ref: The model.
            groups: Samples of one prompt each; all requests are of one task.
            failures: Counts the requests that fail.

        Returns:
            Whether every request was asked: False if a budget is used up.

        Raises:
            Failed: Too many requests failed.
        """
        asking = _Asking(self, ref, iter(groups), failures)
        first = asking.take()
        if first is not None:
            engine = self._engine(ref, first[0].task)
            asking.waiting = first
            engine.answer(asking.take, asking.give)
        if refused := asking.cut or (asking.budget.refused if asking.left else None):
            self.stopped[refused.split(" ")[0]] = refused
            return False
        return True

    def _engine(self, ref: ModelRef, task: Task) -> Engine:
        """Return the engine that serves a task of a model; start it if it is not loaded."""
        key = ref.name, task
        if key not in self.engines:
            spec = engine_of(ref)
            if not spec.remote:
                self.progress.advance(0, f"loading {ref.name}")
            workers = model_runner() if task in spec.spreads else None
            start = spec.tasks[task]
            self.engines[key] = SpreadEngine(ref, self.progress, workers) if workers else start(ref, self.progress)
            self.remote |= {ref.name} if spec.remote else set()
        return self.engines[key]

    def read(self, keys: Iterable[str]) -> dict[str, Reply]:
        """Return the replies that the log has for these requests, failed ones too, by key."""
        return self.log.read(keys)

    def ask(
        self,
        ref: ModelRef,
        messages: list[str],
        *,
        n: int,
        sampling: dict[str, Any],
        seed: int,
        label: str,
        tools: list[str | None] | None = None,
    ) -> pl.DataFrame:
        """Answer each conversation ``n`` times; any of the requests may fail.

        Args:
            ref: The model.
            messages: Conversations, as JSON text.
            n: Samples of each conversation.
            sampling: Keywords of ``Sampling``.
            seed: The seed for sampling.
            label: The stage's name, for progress.
            tools: The tools of each conversation, as JSON text or None.

        Returns:
            One row a sample, in order: ``row`` (the index into ``messages``), ``sample_index``, ``key``, and the
            columns of ``REPLY_COLUMNS``.

        Raises:
            Stopped: A budget is used up before all is answered.
        """
        how = Sampling(**sampling, seed=seed)
        tools = tools or [None] * len(messages)
        groups = [
            [make_request(ref.identity, m, t, how, i) for i in range(n)] for m, t in zip(messages, tools, strict=True)
        ]
        self.progress.begin(label, len(messages) * n, "replies")
        self.unload_except([ref])
        if not self.answer_all(ref, groups, Failures(label, len(messages) * n)):
            raise Stopped("; ".join(self.stopped.values()))
        requests = [request for group in groups for request in group]
        replies = self.read(request.key for request in requests)
        indices = pl.DataFrame(
            {
                "row": [i for i, group in enumerate(groups) for _ in group],
                "sample_index": [request.sample_index for request in requests],
            }
        )
        return pl.concat([indices, replies_frame([replies[request.key] for request in requests])], how="horizontal")


class _Asking:
    """One call of ``Gateway.answer_all``: hands out requests (``take``) and stores replies (``give``)."""

    def __init__(self, gateway: Gateway, ref: ModelRef, groups: Iterator[list[Request]], failures: Failures) -> None:
        self.groups, self.failures, self.answered_before = groups, failures, gateway.answered_before
        self.log, self.progress, self.usage = gateway.log, gateway.progress, gateway.usage
        self.budget = gateway.budget(ref)
        self.spender = Spender(gateway.run_id, gateway.recipe, ref.name, ref.identity)
        self.in_flight: dict[str, Request] = {}  # by key
        self.failed: set[str] = set()  # keys, of this call: an equal request is not tried again at once
        self.unclear: set[str] = set()  # prompts that were refused without a word about them
        self.waiting: list[Request] | None = None  # taken already, to be handed out first
        self.left: list[Request] | None = None  # held back by the budget
        self.cut: str | None = None  # why a request that failed was not tried again, where that is a budget
        self.begun = self.budget.clock
        self.tokens = 0

    def take(self) -> list[Request] | None:
        """Return the next requests of one prompt that have no reply yet and that the budget lets through."""
        if self.waiting is not None:
            first, self.waiting = self.waiting, None
            return first
        while True:
            group = self.left or next(self.groups, None)
            if group is None:
                return None
            self.left = None
            # Two prompts may ask the same words (their ground truths differ): that is one request.
            places = [0 if r.key in self.in_flight or r.key in self.failed else self.log.place(r.key) for r in group]
            new = [r for r, place in zip(group, places, strict=True) if place is None]
            if len(new) < len(group):
                self.usage.reused += sum(0 < (place or 0) <= self.answered_before for place in places)
                self.progress.advance(len(group) - len(new))
            if not new:
                continue
            if not self.in_flight:
                self.budget.lap()  # the time spent on requests that are in the log does not count as asking
            if not self.budget.reserve(new):
                self.left = new
                return None
            self.in_flight.update((r.key, r) for r in new)
            return new

    def give(self, replies: list[Reply], spent: Spent) -> bool:
        """Store and count replies and their cost; return False if no budget is left for another attempt."""
        cost, seconds = self.budget.record(replies, spent)
        asked = [self.in_flight.pop(r.key, None) for r in replies]
        failed = next((one for one, r in zip(asked, replies, strict=True) if one and r.error is not None), None)
        self.failures.first = self.failures.first or (failed.excerpt if failed else "")
        self.failed.update(r.key for r in replies if r.error is not None)
        self.unclear.update(one.messages for one, r in zip(asked, replies, strict=True) if one and r.unclear)
        replies = [r for r in replies if r.error != NO_BUDGET]
        self.log.append(replies, self.spender, spent, cost, seconds)
        self.usage.requests += len(replies)
        self.usage.prompt_tokens += spent.prompt_tokens
        self.usage.completion_tokens += spent.completion_tokens
        self.usage.cost += cost
        self.tokens += spent.completion_tokens
        rate = f"{self.tokens / max(self.budget.clock - self.begun, 1e-3):,.0f} tokens/s"
        self.progress.advance(len(replies), rate + (f", ${self.usage.cost:,.2f}" if self.usage.cost else ""))
        errors = [r for r in replies if r.error is not None]
        many = len(self.unclear) > FEW_UNCLEAR
        passing = [r.transient or (many and r.unclear) for r in errors]
        self.failures.add(
            [r.error or "" for r, passes in zip(errors, passing, strict=True) if passes],
            [r.error or "" for r, passes in zip(errors, passing, strict=True) if not passes],
        )
        if not replies and (overdrawn := self.budget.overdrawn()):
            self.cut = overdrawn
            return False
        return True


def replies_frame(replies: list[Reply | None]) -> pl.DataFrame:
    """Return replies as a table of ``key`` and ``REPLY_COLUMNS``, a row each; all null where there is no reply."""
    none = Reply("")
    rows = [reply or none for reply in replies]
    columns = {name: [getattr(r, "text" if name == "response" else name) for r in rows] for name in REPLY_COLUMNS}
    # A log of an older version has the names of other servers.
    columns["finish_reason"] = [finish_reason(reason) for reason in columns["finish_reason"]]
    return pl.DataFrame({"key": [r.key or None for r in rows], **columns}, schema={"key": pl.String, **REPLY_COLUMNS})
