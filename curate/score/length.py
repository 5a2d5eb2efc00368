"""How long the response is, in characters, words or tokens.

A word is what stands between white space; in scripts that are written without spaces every character is one. Tokens
are those the model counted when it answered; a response that was not counted (one from a file) has none. The
``estimated_tokens`` are for such: what a tokenizer of about 130,000 tokens makes of a text, by its words, letters,
digits, line breaks and characters of scripts without spaces (within 5% for half and 25% for 19 of 20 answers, English
and Chinese, beside DeepSeek-V3's; one of 65,000 tokens takes twice as many for Chinese).
"""

from typing import Literal

import polars as pl

from curate.algorithms.text.text_counts import estimated_tokens
from curate.algorithms.text.word_bytes import counts
from schemas.errors import unknown

UNITS = ("characters", "words", "tokens", "estimated_tokens")


def score(
    response: pl.Series,
    completion_tokens: pl.Series,
    *,
    unit: Literal["characters", "words", "tokens", "estimated_tokens"] = "words",
) -> pl.DataFrame:
    """Return ``value``, the length of each response in ``unit`` (0 and up), and ``error`` where it has none."""
    text = response.cast(pl.String)
    if unit == "characters":
        length = text.str.len_chars()
    elif unit == "words":
        length = pl.Series(counts(text)).set(text.is_null(), None)
    elif unit == "tokens":
        length = completion_tokens
    elif unit == "estimated_tokens":
        length = estimated_tokens(text)
    else:
        raise unknown("unit", unit, UNITS, "score length")
    missing = "no token count" if unit == "tokens" else "no response"
    length = length.cast(pl.Float64).alias("value")
    return pl.DataFrame([length]).with_columns(error=pl.when(pl.col("value").is_null()).then(pl.lit(missing)))
