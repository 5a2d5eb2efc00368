"""Scored candidates of each prompt, and those worse than its best: what the rules for preference pairs share."""

import polars as pl


def scored(prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series) -> pl.DataFrame:
    """Return the candidates with a finite score, those of a prompt together, the best first, equal scores by id.

    Returns:
        ``slot`` (the prompt's number, Int64), ``id`` and ``score``.
    """
    rows = pl.DataFrame({"prompt": prompt_id, "id": completion_id, "score": score.cast(pl.Float64)})
    # A number for each prompt: sorting by it first, few ids (text) are ever compared.
    rows = rows.with_row_index("row").with_columns(slot=pl.col("row").cast(pl.Int64).min().over("prompt"))
    rows = rows.filter(pl.col("score").is_finite()).select("slot", "id", "score")
    return rows.sort("slot", "score", "id", descending=[False, True, False])


def with_best(rows: pl.DataFrame) -> pl.DataFrame:
    """Add to rows of ``scored`` the best of their prompt: ``id_best``, ``score_best``, and the ``gap`` to its score."""
    best = rows.filter(pl.col("slot") != pl.col("slot").shift(1).fill_null(-1))
    rows = rows.join(best, on="slot", suffix="_best", maintain_order="left")
    return rows.with_columns(gap=pl.col("score_best") - pl.col("score"))


def best_and_worse(
    prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, margin: float = 0.0
) -> pl.DataFrame:
    """Return the candidates that may be rejected in favour of their prompt's best, as rows of ``with_best``.

    The best has the highest finite score, and of those with it the lowest id. A candidate may be rejected if its score
    is lower, and by at least ``margin``.
    """
    rows = with_best(scored(prompt_id, completion_id, score))
    return rows.filter(pl.col("gap") > 0, pl.col("gap") >= margin)


def proposed(worse: pl.DataFrame) -> pl.DataFrame:
    """Return rows of ``with_best`` as pairs in their order; the pairs of one slot are alternatives."""
    return worse.select("slot", chosen_id="id_best", rejected_id="id").select("chosen_id", "rejected_id", "slot")
