"""A step that asks several times (a generator of ``Ask``, see ``curate.steps.model_calls``), over rows in batches.

There is one pass over the rows for each exchange: a batch's generator is run from its start with the replies that are
there, up to its first question without one; that is asked, and the next pass comes one exchange further. Running a pure
function again costs little; no reply is ever asked for twice.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from curate.models.engine import engine_of
from curate.models.failures import Failures
from curate.models.gateway import replies_frame
from curate.models.model_ref import ModelRef
from curate.pipeline.generate.generate_step import GenerateStep, checked_messages, rows_to_ask
from curate.pipeline.missing import missing_note
from curate.pipeline.stage_spec import KNOWN_LATER, Estimate, ModelRequests, RunContext
from curate.steps.model_calls import Ask
from curate.storage.reply_log import ReplyLog
from curate.storage.stage import StageWriter
from schemas.counted import counted
from schemas.errors import UserError
from schemas.finish_reasons import finish_reason
from schemas.requests import Reply, Request, make_request, writes_user_turn

ReadReplies = Callable[[Iterable[str]], dict[str, Reply]]
MOST_EXCHANGES = 100  # that a plan looks through


@dataclass(frozen=True)
class MultiTurn:
    """A ``generate`` step of several exchanges. Each row is taken ``n`` times, with ``__sample`` from 0 to n - 1.

    Attributes:
        generation: The step.
        carried: Columns that the results need beside those the step reads.
        models: The step's further models, by the setting that names each (``user_model`` ...).
    """

    generation: GenerateStep
    carried: tuple[str, ...]
    models: dict[str, ModelRef]

    def key(self) -> dict[str, Any]:
        """Return what the stage depends on beside the code."""
        return self.generation.key() | {"others": {name: ref.identity for name, ref in self.models.items()}}


@dataclass(frozen=True)
class Exchange:
    """One question of a step: a request for each row (None where it asks nothing), and the replies so far."""

    ask: Ask
    requests: list[tuple[ModelRef, Request | None]]
    read: ReadReplies

    @cached_property
    def replies(self) -> dict[str, Reply]:
        """The replies that there are to the requests, by key."""
        return self.read(request.key for _, request in self.requests if request)

    def texts(self) -> pl.Series:
        """Return what the step is sent: each reply's text; null without one, or where it is cut but must not be."""
        replies = [self.replies.get(request.key) if request else None for _, request in self.requests]
        texts = [None if reply is None or self._cut(reply) else reply.text for reply in replies]
        return pl.Series(texts, dtype=pl.String)

    def _cut(self, reply: Reply) -> bool:
        return self.ask.whole and finish_reason(reply.finish_reason) == "length"


def read_multi_turn(generation: GenerateStep, carried: tuple[str, ...]) -> MultiTurn:
    """Return a step of several exchanges with its further models. Raises ``UserError`` for one that is not there."""
    named = {k: v for k, v in generation.settings.items() if k.endswith("_model") and v is not None}
    models = {name: generation.state.model(value, generation.where) for name, value in named.items()}
    return MultiTurn(generation, carried, models)


def ask_all(turns: MultiTurn, run: RunContext) -> str:
    """Answer exchange after exchange; return what is missing where a budget ended it or requests failed for now."""
    gateway, generation = run.models, turns.generation
    failures = generation.failures(0)
    number = 0
    transient: list[str] = []
    while True:
        reached, total, refs = _requests_of_exchange(turns, number, gateway.read)
        if not reached:
            return missing_note(0, transient)
        may_fail = generation.failures(total)
        failures.allowed += may_fail.allowed
        failures.refusable += may_fail.refusable
        run.progress.begin(f"{generation.label}, exchange {number + 1}", total, "replies")
        complete = True
        for ref in refs:
            gateway.unload_except([ref])
            complete &= gateway.answer_all(ref, _groups(turns, number, gateway.read, ref), failures)
        made = [
            (request.key, exchange.replies.get(request.key))
            for exchange in exchanges(turns, number, gateway.read)
            for _, request in exchange.requests
            if request
        ]
        if not complete:
            unasked = sum(reply is None for _, reply in made)
            return f"{missing_note(unasked, transient)} in exchange {number + 1}"
        transient += [key for key, reply in made if reply and reply.transient]
        number += 1


def results(
    turns: MultiTurn, writer: StageWriter, read: ReadReplies
) -> Iterator[tuple[pl.DataFrame, Any, pl.DataFrame]]:
    """Yield, batch by batch, the rows, what the step returned, and each row's last reply (key, model, tokens ...).

    A row whose reply is missing (a budget is used up) is to the step as one whose request failed. Failed requests are
    counted in the ``info`` of ``writer``.
    """
    failures = Failures(turns.generation.label, 0, writer.info.setdefault("failed", Counter()))
    occurrences: Counter[str] = Counter()
    for rows in sampled_rows(turns):
        last: list[Reply | None] = [None] * rows.height
        models: list[str | None] = [None] * rows.height
        replayed = Replay(turns, rows, occurrences, read)
        for exchange in replayed:
            failures.count(reply.error for reply in exchange.replies.values() if reply.error is not None)
            if exchange.ask.model in turns.models:  # who criticises a candidate, or plays the user, has not made it
                continue
            for index, (ref, request) in enumerate(exchange.requests):
                if request and request.key in exchange.replies:
                    last[index], models[index] = exchange.replies[request.key], ref.short_name
        made_by = pl.Series(models, dtype=pl.String)
        columns = replies_frame(last).with_columns(model=made_by, error=pl.lit(None, pl.String))
        yield rows, replayed.result, columns


def exchanges(turns: MultiTurn, number: int, read: ReadReplies) -> Iterator[Exchange]:
    """Yield the exchange ``number`` of each batch; a batch that ends before it is left out."""
    occurrences: Counter[str] = Counter()
    for rows in sampled_rows(turns):
        yield from islice(Replay(turns, rows, occurrences, read), number, number + 1)


class Replay:
    """A batch's step, run from its start: yields its exchanges; the step goes on with the replies that are there.

    ``result`` is what the step returned, once it has ended.
    """

    def __init__(self, turns: MultiTurn, rows: pl.DataFrame, occurrences: Counter[str], read: ReadReplies) -> None:
        """Prepare to run the step over ``rows``.

        Args:
            turns: The step.
            rows: A batch of ``sampled_rows``.
            occurrences: How often each user's turn was asked for by earlier batches; counted on.
            read: Reads the replies that there are.
        """
        self.turns, self.rows, self.occurrences, self.read = turns, rows, occurrences, read
        self.result: Any = None

    def __iter__(self) -> Iterator[Exchange]:
        """Yield exchange after exchange."""
        steps = _run_step(self.turns.generation, self.rows)
        try:
            asked = next(steps)
            while True:
                ask = asked if isinstance(asked, Ask) else Ask(asked)
                exchange = Exchange(ask, _requests(self.turns, ask, self.rows, self.occurrences), self.read)
                yield exchange
                asked = steps.send(exchange.texts())
        except StopIteration as end:
            self.result = end.value


def sampled_rows(turns: MultiTurn) -> Iterator[pl.DataFrame]:
    """Yield the rows that the step asks about, each ``n`` times."""
    generation, n = turns.generation, turns.generation.sampling.n
    more = [name for name in turns.carried if name not in generation.reads]
    for batch in rows_to_ask(generation, *more):
        samples = pl.Series("__sample", list(range(n)) * batch.height, dtype=pl.Int64)
        rows = np.repeat(np.arange(batch.height), n)
        yield batch[rows].with_columns(samples)


def _run_step(generation: GenerateStep, rows: pl.DataFrame) -> Generator[Any, pl.Series, Any]:
    """Run the step's generator; an error of its own code names the step."""
    step = generation.found
    columns = {name: rows["__sample" if name not in rows.columns else name] for name in step.reads}
    try:
        return (yield from step.call(columns, generation.settings))
    except UserError:
        raise
    except Exception as error:
        what = f"{generation.where}: generate {step.name!r} failed"
        raise UserError(f"{what}: {type(error).__name__}: {error}") from error


def _requests(
    turns: MultiTurn, ask: Ask, rows: pl.DataFrame, occurrences: Counter[str]
) -> list[tuple[ModelRef, Request | None]]:
    """Return the request of every row with its model; None where nothing is asked."""
    generation, sampling = turns.generation, turns.generation.sampling
    made: list[tuple[ModelRef, Request | None]] = []
    messages = checked_messages(generation, ask.messages, rows.height)
    for text, row_id, sample in zip(messages, rows[generation.rows.id], rows["__sample"], strict=True):
        model_index = sampling.model_index(row_id, sample) if len(sampling.models) > 1 else 0
        ref = turns.models.get(ask.model) or sampling.models[model_index][0]
        if text is None:
            made.append((ref, None))
            continue
        index = sample
        if writes_user_turn(text):
            # A user's turn is asked for in the same words for many rows: each needs a sample of its own.
            if not engine_of(ref).writes_user_turn(ref):
                raise UserError(
                    f"{generation.where}: generate {generation.found.name!r} lets the model write the user's turn: "
                    f"set models.{ref.name}.user_prefix to what comes before it in the model's chat template, such "
                    f"as '<|im_start|>user\\n'"
                )
            index = occurrences[text]
            occurrences[text] += 1
        made.append((ref, make_request(ref.identity, text, None, sampling.sampling_of(index), index)))
    return made


def _requests_of_exchange(turns: MultiTurn, number: int, read: ReadReplies) -> tuple[bool, int, list[ModelRef]]:
    """Return whether any batch comes as far as an exchange, how many requests it has, and to which models."""
    reached, total = False, 0
    refs: dict[str, ModelRef] = {}
    for exchange in exchanges(turns, number, read):
        reached = True
        for ref, request in exchange.requests:
            if request:
                total += 1
                refs[ref.name] = ref
    return reached, total, list(refs.values())


def _groups(turns: MultiTurn, number: int, read: ReadReplies, model: ModelRef) -> Iterator[list[Request]]:
    for exchange in exchanges(turns, number, read):
        for ref, request in exchange.requests:
            if request and ref is model:
                yield [request]


def estimate_multi_turn(turns: MultiTurn, log: ReplyLog) -> Estimate:
    """Say how many requests the first exchange makes that is not answered yet."""
    generation = turns.generation
    if not generation.rows.stages or generation.unknown_scores:
        return Estimate(KNOWN_LATER)
    unanswered: Counter[str] = Counter()
    sample: list[str] = []
    for number in range(MOST_EXCHANGES):
        reached = False
        for exchange in exchanges(turns, number, log.read):
            reached = True
            for ref, request in exchange.requests:
                if request and request.key not in log:
                    unanswered[ref.name] += 1
                    sample += [request.messages] if len(sample) < 200 else []
        if unanswered or not reached:
            break
    if not unanswered:
        return Estimate("")
    most = generation.sampling.sampling.max_tokens
    requests = [
        ModelRequests(generation.state.model(name, generation.where), sample, count, most)
        for name, count in unanswered.items()
    ]
    counts = ", ".join(f"{counted(count, 'request')} to {name}" for name, count in unanswered.items())
    return Estimate(f"{counts} in exchange {number + 1}; further requests depend on the replies", requests)
