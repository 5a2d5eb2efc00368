"""Gets a scorer what it wants, as a run's edge does, with answers given by the test."""

import math
import zlib

import polars as pl

from curate.models.gateway import replies_frame
from curate.steps.model_calls import Embed
from schemas.requests import Reply


def scored(result, reply=None):
    """Drive what a scorer returned to its end; returns the frame (a Series is its column ``value``) and its wants.

    ``reply`` gives the ``Reply`` (or a dict of its fields) to an ask, from the ask's text and the want; by default one
    that depends on the ask alone, as a kept one does.
    """
    wants, answer = [], None
    if hasattr(result, "send"):
        try:
            while True:
                want = result.send(answer)
                wants.append(want)
                answer = embedded(want.texts) if isinstance(want, Embed) else answers(want, reply or plausible)
        except StopIteration as end:
            result = end.value
    return (result if isinstance(result, pl.DataFrame) else pl.DataFrame({"value": result})), wants


def answers(want, reply):
    """The frame of replies to a want: all null where nothing is asked."""
    made = [None if ask is None else reply(ask, want) for ask in want.asks]
    return replies_frame([Reply("", **one) if isinstance(one, dict) else one for one in made])


def plausible(ask, want):
    """A reply that depends on the ask alone: sometimes what was asked for, sometimes not, sometimes a failure."""
    lot = zlib.crc32(ask.encode("utf-8", "replace"))
    if lot % 7 == 0:
        return {"error": "HTTP 400: no"}
    if want.task in ("reward", "loss"):
        return {"value": lot % 100 / 25, "completion_tokens": 1 + lot % 9}
    if want.task == "run":
        return {"text": '{"tests": []}'}
    texts = ("Good.\nScore: 7", "[[A]]", "[[B]]", "It is fine.", "", "Rating: [[9]]", '{"score": 3}')
    return {"text": texts[lot % len(texts)], "finish_reason": "stop"}


def embedded(texts):
    """Unit vectors, each of its text alone."""
    angles = [zlib.crc32((text or "").encode("utf-8", "replace")) for text in texts]
    return pl.Series("embedding", [[math.cos(a), math.sin(a)] for a in angles], dtype=pl.Array(pl.Float32, 2))
