"""Run a scorer to its end, with replies to its model calls given by the test, as a pipeline does with real ones."""

import math
import zlib

import polars as pl

from curate.models.gateway import replies_frame
from curate.steps.model_calls import Embed
from schemas.requests import Reply


def scored(result, reply=None):
    """Run a scorer's result to its end; return its frame (a Series is the column ``value``) and its model calls.

    ``reply`` returns the ``Reply`` (or a dict of its fields) to a request, from the request's text and the
    ``ModelCalls``; by default one that depends on the request alone, as a cached reply does.
    """
    all_calls, answer = [], None
    if hasattr(result, "send"):
        try:
            while True:
                calls = result.send(answer)
                all_calls.append(calls)
                answer = embedded(calls.texts) if isinstance(calls, Embed) else answers(calls, reply or default_reply)
        except StopIteration as end:
            result = end.value
    return (result if isinstance(result, pl.DataFrame) else pl.DataFrame({"value": result})), all_calls


def answers(calls, reply):
    """The frame of replies to model calls: all null where there is no request."""
    made = [None if ask is None else reply(ask, calls) for ask in calls.requests]
    return replies_frame([Reply("", **one) if isinstance(one, dict) else one for one in made])


def default_reply(ask, calls):
    """A reply that depends on the request alone: sometimes a good one, sometimes a useless one, sometimes a failure."""
    number = zlib.crc32(ask.encode("utf-8", "replace"))
    if number % 7 == 0:
        return {"error": "HTTP 400: no"}
    if calls.task in ("reward", "loss"):
        return {"value": number % 100 / 25, "completion_tokens": 1 + number % 9}
    if calls.task == "run":
        return {"text": '{"tests": []}'}
    texts = ("Good.\nScore: 7", "[[A]]", "[[B]]", "It is fine.", "", "Rating: [[9]]", '{"score": 3}')
    return {"text": texts[number % len(texts)], "finish_reason": "stop"}


def embedded(texts):
    """Unit vectors, each a function of its text alone."""
    angles = [zlib.crc32((text or "").encode("utf-8", "replace")) for text in texts]
    return pl.Series("embedding", [[math.cos(a), math.sin(a)] for a in angles], dtype=pl.Array(pl.Float32, 2))
