"""Self-consistency: the share of a prompt's answers that are the same as this one (arXiv 2203.11171).

``answer: math`` compares final answers, which are found as the scorer ``math`` finds them and normalised (18 = 18.00 =
$18). Nothing is computed, so ``1/2`` and ``0.5`` are different answers. ``answer: text`` compares whole texts, apart
from case, white space and punctuation at the ends. ``best_of_n`` by this score is majority voting.
"""

from typing import Literal

import polars as pl

from curate.verifiers.math.final_answers.answer_spelling import answers

LONGEST = 300  # characters of an answer that ``detail`` shows


def score(prompt_id: pl.Series, response: pl.Series, *, answer: Literal["math", "text"] = "math") -> pl.DataFrame:
    """Return ``value`` (above 0, up to 1), ``detail`` (the normalised answer) and ``error``.

    Args:
        prompt_id: The prompt of each candidate.
        response: The candidates.
        answer: What to compare: final answers (``math``) or whole texts (``text``).

    Returns:
        The share among the prompt's candidates that have an answer. A candidate without an answer has no value.
    """
    text = response.cast(pl.String)
    found = answers(text) if answer == "math" else normalised(text)
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


def normalised(text: pl.Series) -> pl.Series:
    """Return texts in lower case, with single spaces and no punctuation at the ends; null where nothing is left."""
    flat = text.str.to_lowercase().str.replace_all(r"\s{2,}|[^\S ]", " ").str.strip_chars(" .,;:!?\"'`*")
    return flat.set(flat == "", None)
