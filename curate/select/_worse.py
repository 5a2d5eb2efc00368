"""What the rules that pair a prompt's best candidate with a worse one have in common."""

import polars as pl


def best_and_worse(
    prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, response: pl.Series, margin: float
) -> pl.DataFrame:
    """Return a row for every candidate that may be rejected: ``group`` (the prompt's number), ``id``, ``id_best`` ...

    The best of a prompt has the highest finite score, and of those with it the lowest id. A candidate may be rejected
    in its favour if its score is lower, by at least ``margin``, and its text is another after stripping.
    """
    score = score.cast(pl.Float64)
    rows = pl.DataFrame({"prompt": prompt_id, "id": completion_id, "score": score, "text": response.cast(pl.String)})
    rows = rows.filter(pl.col("score").is_finite()).with_columns(pl.col("text").fill_null("").str.strip_chars())
    # A number for each prompt: sorting by it first, few ids (text) are ever compared.
    rows = rows.with_row_index("row").with_columns(group=pl.col("row").min().over("prompt"))
    best = rows.sort("group", "score", "id", descending=[False, True, False])
    best = best.unique("group", keep="first", maintain_order=True)
    return rows.join(best, on="group", suffix="_best").filter(
        pl.col("score") < pl.col("score_best"),
        pl.col("score_best") - pl.col("score") >= margin,
        pl.col("text") != pl.col("text_best"),
    )
