"""Statistics of the response's words: mean length, the longest, share with letters, stop words, # and ellipses.

Words are separated by white space and stripped of marks at their ends; in scripts without spaces every character is a
word. Lengths and English stop words mean nothing in such scripts: where most words are of one, they are null.
"""

from typing import Literal

import polars as pl

from curate.algorithms.text.text_counts import MOST_STOPS, words
from schemas.errors import UserError, unknown

MEASURES = ("mean_length", "longest", "lettered", "stop_words", "hashes", "ellipses")
STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]  # Gopher's (arXiv 2112.11446)


def score(
    response: pl.Series,
    *,
    measure: Literal["mean_length", "longest", "lettered", "stop_words", "hashes", "ellipses"] = "mean_length",
    stop_words: list[str] = STOP_WORDS,
) -> pl.DataFrame:
    """Return ``value`` and ``error`` ("no response", "no words" ...).

    Args:
        response: The texts.
        measure: ``mean_length`` and ``longest`` are in characters; ``lettered`` is the share of words with a letter;
            ``stop_words`` is the number of different stop words that occur, in any case; ``hashes`` and ``ellipses``
            are the number of # signs, and of "..." or "…", per word.
        stop_words: Words to count, at most 64.

    Raises:
        UserError: For a measure that does not exist, or too many stop words.
    """
    if measure not in MEASURES:
        raise unknown("measure", measure, MEASURES, "score words")
    if len(set(stop_words)) > MOST_STOPS:
        raise UserError(f"score words: stop_words: expected at most {MOST_STOPS}, found {len(set(stop_words))}")
    text = response.cast(pl.String)
    spaced = measure in ("mean_length", "longest", "stop_words")
    of_spaced = {
        "mean_length": pl.col("characters") / pl.col("spaced"),
        "longest": pl.col("longest"),
        "stop_words": pl.col("stop_words"),
    }
    value = of_spaced[measure] if spaced else pl.col(measure) / pl.col("words")
    error = (
        pl.when(text.is_null())
        .then(pl.lit("no response"))
        .when(pl.col("words") == 0)
        .then(pl.lit("no words"))
        .when(spaced & (2 * pl.col("alone") >= pl.col("words")))
        .then(pl.lit("most words are of scripts without spaces"))
        .when((measure in ("mean_length", "longest")) & (pl.col("spaced") == 0))
        .then(pl.lit("no words"))
    )
    counted = words(text, sorted(set(stop_words)) if measure == "stop_words" else [])
    return counted.select(value=pl.when(error.is_null()).then(value.cast(pl.Float64)), error=error)
