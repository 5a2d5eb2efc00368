"""Random candidates, drawn without replacement, better ones more often: ``n`` of each prompt, or ``keep`` overall.

A candidate's weight is exp(score / temperature): at temperature 1.0, a score higher by 1.0 makes a candidate e times as
likely to be drawn first. A low temperature nearly takes the best, a high one nearly draws evenly. Each candidate gets
score / temperature plus Gumbel noise, and the highest are kept: the same as drawing one after another by those weights
(Efraimidis and Spirakis 2006; Gumbel-top-k, Kool et al. 2019). The noise depends on the candidate's id and the seed
alone, not on the order of the rows. A candidate without a finite score is never drawn.
"""

import numpy as np
import polars as pl

from curate.algorithms.random_order import id_draws, uniform
from curate.select._keep import rows_to_keep
from schemas.errors import UserError


def select(
    prompt_id: pl.Series,
    completion_id: pl.Series,
    score: pl.Series,
    *,
    n: int | None = None,
    keep: int | float | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> pl.DataFrame:
    """Draw candidates by their scores.

    Args:
        prompt_id: The prompt of each candidate.
        completion_id: The id of each candidate.
        score: The score of each candidate, or null.
        n: How many are drawn of each prompt; 1 if neither ``n`` nor ``keep`` is given.
        keep: How many are drawn of all: a number of candidates, or a share of them all. Give either this or ``n``.
        temperature: How far the draw departs from the best, above 0.
        seed: The seed of the draw.

    Returns:
        A row per candidate: ``kept``; ``reason``, null when kept; and ``evidence``, always null.

    Raises:
        UserError: For both ``n`` and ``keep``, and for a setting out of range.
    """
    if n is not None and keep is not None:
        raise UserError("select weighted: 'n' draws from each prompt and 'keep' from all; give one of them")
    if n is not None and n < 1:
        raise UserError(f"select weighted: n must be at least 1, found {n}")
    if not 0 < temperature < float("inf"):
        raise UserError(f"select weighted: temperature must be above 0, found {temperature}")
    rows = pl.DataFrame({"prompt": prompt_id, "id": completion_id, "score": score.cast(pl.Float64)})
    noise = -np.log(-np.log(uniform(id_draws(rows["id"], seed, "weighted"))))
    rows = rows.with_columns(row=pl.int_range(pl.len()), noise=pl.Series(noise), known=pl.col("score").is_finite())
    rows = rows.with_columns(draw=pl.col("score") / temperature + pl.col("noise"))
    drawn = rows.filter("known").sort("draw", "id", descending=[True, False])
    if keep is not None:
        drawn = drawn.head(rows_to_keep(keep, rows.height, "select weighted"))
    else:
        drawn = drawn.filter(pl.int_range(pl.len()).over("prompt") < (n or 1))
    kept = pl.col("row").is_in(drawn["row"].implode())
    reason = (
        pl.when(kept)
        .then(None)
        .when(pl.col("known").fill_null(False))
        .then(pl.lit("not drawn"))
        .otherwise(pl.lit("no score"))
    )
    return rows.select(kept=kept, reason=reason, evidence=pl.lit(None, pl.String))
