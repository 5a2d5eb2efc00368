"""1.0 where the response equals the ground truth after normalisation, 0.0 where it does not.

Normalisation applies Unicode NFKC and collapses white space; by setting it also ignores case, and punctuation around
and inside. A text of punctuation only is compared as it is.
"""

import polars as pl

from curate.algorithms.text.ngrams import nfkc, one_space


def score(
    response: pl.Series, ground_truth: pl.Series, *, ignore_case: bool = True, ignore_punctuation: bool = True
) -> pl.DataFrame:
    """Return ``value`` (1.0 or 0.0, null where there is nothing to compare) and ``error`` (the missing column)."""
    answer, truth = (_normalise(text, ignore_case, ignore_punctuation) for text in (response, ground_truth))
    rows = pl.DataFrame({"answer": answer, "truth": truth})
    missing = (
        pl.when(pl.col("truth").is_null() | (pl.col("truth") == ""))
        .then(pl.lit("no ground_truth"))
        .when(pl.col("answer").is_null())
        .then(pl.lit("no response"))
    )
    rows = rows.with_columns(error=missing)
    value = pl.when(pl.col("error").is_null()).then((pl.col("answer") == pl.col("truth")).cast(pl.Float64))
    return rows.select(value=value, error="error")


def _normalise(text: pl.Series, ignore_case: bool, ignore_punctuation: bool) -> pl.Series:
    text = one_space(nfkc(text.cast(pl.String)))
    text = text.str.to_lowercase() if ignore_case else text
    if not ignore_punctuation:
        return text
    bare = one_space(text.str.replace_all(r"\p{P}", " "))
    return text.set((bare != "").fill_null(False), None).fill_null(bare)
