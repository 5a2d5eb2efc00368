"""The samples of a step that asks once about each prompt: what is asked, and the replies to it as candidates."""

from collections.abc import Iterable, Iterator

import polars as pl

from curate.models.gateway import replies_frame
from curate.models.model_ref import ModelRef
from curate.pipeline.generate.generate_step import Generation, lacking, shown, write_candidates
from curate.storage.store import StageWriter
from schemas.requests import Request

SLICE = 5_000  # replies that are in memory at a time


def asked_rows(generation: Generation) -> Iterator[pl.DataFrame]:
    """What is asked: row_id, ask (messages to send), tools; and the columns the condition reads."""
    found = generation.found
    for batch in generation.read_batches("tools"):
        ask = found.call({name: batch[name] for name in found.reads}, generation.settings)
        ask = generation.checked(ask, batch.height)
        yield batch.with_columns(ask=ask, row_id="prompt_id").drop_nulls("ask")


def replied(generation: Generation, rows: pl.DataFrame) -> pl.DataFrame:
    """The replies there are to rows of ``asked_rows``, as ``write_candidates`` takes them: by row, then by sample."""
    who = [
        (place, request.sample_index, request.key, shown(ref))
        for place, ref, group in generation.ask.requests(rows)
        for request in group
    ]
    found = generation.walk.answers.read(key for _, _, key, _ in who)
    held = sorted(one for one in who if one[2] in found)
    places = pl.DataFrame(
        held,
        schema=["place", "sample_index", "key", "model"],
        orient="row",
        schema_overrides={"place": pl.UInt32, "sample_index": pl.Int64, "key": pl.String, "model": pl.String},
    )
    places = places.select("sample_index", "model", prompt_id=rows["row_id"].gather(places["place"]))
    return pl.concat([places, replies_frame([found[one[2]] for one in held])], how="horizontal")


def missing(generation: Generation, frames: Iterable[pl.DataFrame]) -> str:
    """What is missing of the replies to rows of ``asked_rows``, in words; empty if nothing."""
    unasked, transient = 0, []
    for part in _slices(generation, frames):
        keys = [request.key for _, _, group in generation.ask.requests(part) for request in group]
        found = generation.walk.answers.read(keys)
        unasked += sum(key not in found for key in keys)
        transient += [key for key, reply in found.items() if reply.transient]
    return lacking(unasked, transient)


def write_replies(generation: Generation, writer: StageWriter, frames: Iterable[pl.DataFrame]) -> tuple[int, int]:
    """Write the replies to rows of ``asked_rows`` as candidates; returns how many, and how many tokens they took."""
    made = tokens = 0
    for part in _slices(generation, frames):
        counts = write_candidates(
            writer, replied(generation, part), generation.label, logprobs=generation.ask.sampling.logprobs
        )
        made, tokens = made + counts[0], tokens + counts[1]
    return made, tokens


def _slices(generation: Generation, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows in parts whose replies fit into memory."""
    for rows in frames:
        yield from rows.iter_slices(max(1, SLICE // generation.ask.n))


def groups(generation: Generation, rows: Iterator[pl.DataFrame], ref: ModelRef) -> Iterator[list[Request]]:
    """What is asked of one model about rows of ``asked_rows``."""
    for part in rows:
        for _, model, group in generation.ask.requests(part):
            if model is ref:
                yield group
