"""Self-consistency: the share of a prompt's answers that are the same as this one (arXiv 2203.11171).

``answer: math`` compares final answers, found as ``math`` finds them and spelled in one way (18 = 18.00 = $18); nothing
is computed, so ``1/2`` is another answer than ``0.5``. ``answer: text`` compares whole texts, but for case, white space
and punctuation at the ends. ``best_of_n`` by this score is majority voting.
"""

from typing import Literal

import polars as pl

from curate.verifiers.math.final_answer import answers

LONGEST = 300  # characters of an answer that ``detail`` shows


def score(prompt_id: pl.Series, response: pl.Series, *, answer: Literal["math", "text"] = "math") -> pl.DataFrame:
    """Return ``value`` (above 0, up to 1), ``detail`` (the answer in its one spelling) and ``error``.

    The share is of the prompt's candidates that have an answer; one without is null.
    """
    text = response.cast(pl.String)
    found = answers(text) if answer == "math" else level(text)
    rows = pl.DataFrame({"prompt": prompt_id, "response": text, "answer": found})
    answered = pl.col("answer").is_not_null()
    return rows.select(
        value=pl.when(answered).then(pl.len().over("prompt", "answer") / answered.sum().over("prompt")),
        detail=pl.col("answer").str.head(LONGEST),
        error=pl.when(pl.col("response").is_null())
        .then(pl.lit("no response"))
        .when(~answered)
        .then(pl.lit("no answer found")),
    )


def level(text: pl.Series) -> pl.Series:
    """Return texts without case, white space and punctuation at the ends; null where nothing is left."""
    flat = text.str.to_lowercase().str.replace_all(r"\s{2,}|[^\S ]", " ").str.strip_chars(" .,;:!?\"'`*")
    return flat.set(flat == "", None)
