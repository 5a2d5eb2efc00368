"""How near the response's meaning is to a reference's: the cosine of their embeddings."""

from typing import Literal

import numpy as np
import polars as pl

from curate.score import _asks
from curate.steps.model_calls import Embed, Scoring


def score(
    response: pl.Series,
    ground_truth: pl.Series,
    prompt: pl.Series,
    *,
    to: Literal["ground_truth", "prompt"] = "ground_truth",
    model: str = "minilm",
) -> Scoring:
    """Return ``value`` (-1 to 1, higher is nearer) and ``error`` where one of the texts is missing or empty.

    Embedding models read the beginning of a long text only.
    """
    reference = ground_truth if to == "ground_truth" else prompt
    reference = reference.set(reference == "", None)
    why = _asks.unasked(response, (reference, f"no {to}"))
    ours = yield Embed(response.set(why.is_not_null(), None), model)
    theirs = yield Embed(reference.set(why.is_not_null(), None), model)
    cosine = np.einsum("ij,ij->i", ours.to_numpy().astype(np.float64), theirs.to_numpy().astype(np.float64))
    value = pl.Series(np.clip(cosine, -1, 1), dtype=pl.Float64).set(why.is_not_null(), None)
    return pl.DataFrame({"value": value, "error": why})
