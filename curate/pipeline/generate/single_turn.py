"""A step that asks once about each row: the rows with their messages, and the replies as candidates."""

from collections import Counter
from collections.abc import Iterable, Iterator

import polars as pl

from curate.models.gateway import Gateway, replies_frame
from curate.models.model_ref import ModelRef
from curate.pipeline.generate.generate_step import GenerateStep, checked_messages, rows_to_ask, write_candidates
from curate.pipeline.generate.reply_messages import with_messages
from curate.pipeline.missing import missing_note
from curate.storage.stage import StageWriter
from schemas.requests import Request

SLICE = 5_000  # replies in memory at a time


def prompts_to_ask(generation: GenerateStep) -> Iterator[pl.DataFrame]:
    """Yield the rows to ask about: row_id, ask (messages to send), tools, and the columns the step reads."""
    step = generation.found
    for batch in rows_to_ask(generation, "tools"):
        messages = step.call({name: batch[name] for name in step.reads}, generation.settings)
        messages = checked_messages(generation, messages, batch.height)
        yield batch.with_columns(ask=messages, row_id="prompt_id").drop_nulls("ask")


def replies_to(
    generation: GenerateStep, rows: pl.DataFrame, gateway: Gateway, counts: Counter[str] | None = None
) -> pl.DataFrame:
    """Return the replies that there are to rows of ``prompts_to_ask``, as ``write_candidates`` takes them.

    They are in the order of the rows, and within a row of the samples.

    Args:
        generation: The step.
        rows: The rows.
        gateway: Has the replies.
        counts: Counts what a user is told of the replies' tool calls.
    """
    asked = [
        (index, request.sample_index, request.key, ref.short_name)
        for index, ref, requests in generation.sampling.requests(rows)
        for request in requests
    ]
    replies = gateway.read(key for _, _, key, _ in asked)
    answered = sorted(one for one in asked if one[2] in replies)
    schema = {"index": pl.UInt32, "sample_index": pl.Int64, "key": pl.String, "model": pl.String}
    frame = pl.DataFrame(answered, schema=schema, orient="row")
    index = frame["index"]
    frame = frame.select("sample_index", "model", prompt_id=rows["row_id"].gather(index))
    frame = pl.concat([frame, replies_frame([replies[key] for _, _, key, _ in answered])], how="horizontal")
    return with_messages(frame, rows["tools"].gather(index), rows["ask"].gather(index), counts)


def missing_replies(generation: GenerateStep, frames: Iterable[pl.DataFrame], gateway: Gateway) -> str:
    """Return what is missing of the replies to rows of ``prompts_to_ask``, in words; empty if nothing is."""
    unasked, transient = 0, []
    for part in _slices(generation, frames):
        keys = [request.key for _, _, requests in generation.sampling.requests(part) for request in requests]
        replies = gateway.read(keys)
        unasked += sum(key not in replies for key in keys)
        transient += [key for key, reply in replies.items() if reply.transient]
    return missing_note(unasked, transient)


def write_replies(
    generation: GenerateStep, writer: StageWriter, frames: Iterable[pl.DataFrame], gateway: Gateway
) -> tuple[int, int]:
    """Write the replies to rows of ``prompts_to_ask`` as candidates; return how many, and how many tokens they took."""
    candidates = tokens = 0
    found: Counter[str] = Counter()
    for part in _slices(generation, frames):
        replies = replies_to(generation, part, gateway, found)
        logprobs = generation.sampling.sampling.logprobs
        counts = write_candidates(writer, replies, generation.label, logprobs=logprobs)
        candidates, tokens = candidates + counts[0], tokens + counts[1]
    if found:
        writer.info["counts"] = found
    return candidates, tokens


def request_groups(generation: GenerateStep, frames: Iterable[pl.DataFrame], ref: ModelRef) -> Iterator[list[Request]]:
    """Yield the requests to one model about rows of ``prompts_to_ask``, those of a row together."""
    for part in frames:
        for _, model, requests in generation.sampling.requests(part):
            if model is ref:
                yield requests


def _slices(generation: GenerateStep, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield rows in parts whose replies fit into memory."""
    for rows in frames:
        yield from rows.iter_slices(max(1, SLICE // generation.sampling.n))
