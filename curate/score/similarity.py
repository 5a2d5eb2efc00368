"""The similarity in meaning of the response and a reference: the cosine of their embeddings."""

from typing import Literal

import numpy as np
import polars as pl

from curate.score._reading_models import skip_reasons
from curate.steps.model_calls import Embed, EmbeddingScoring


def score(
    response: pl.Series,
    ground_truth: pl.Series,
    prompt: pl.Series,
    *,
    to: Literal["ground_truth", "prompt"] = "ground_truth",
    model: str = "minilm",
) -> EmbeddingScoring:
    """Return ``value`` (-1 to 1, higher is nearer) and ``error`` where one of the texts is missing or empty.

    Embedding models read only the beginning of a long text. ``to`` is the column that holds the reference.
    """
    reference = ground_truth if to == "ground_truth" else prompt
    reference = reference.set(reference == "", None)
    why = skip_reasons(response, (reference, f"no {to}"))
    vectors = yield Embed(response.set(why.is_not_null(), None), model)
    reference_vectors = yield Embed(reference.set(why.is_not_null(), None), model)
    cosine = np.einsum(
        "ij,ij->i", vectors.to_numpy().astype(np.float64), reference_vectors.to_numpy().astype(np.float64)
    )
    value = pl.Series(np.clip(cosine, -1, 1), dtype=pl.Float64).set(why.is_not_null(), None)
    return pl.DataFrame({"value": value, "error": why})
