"""Candidates drawn at random without replacement, better ones more often: ``n`` of each prompt, or ``keep`` overall.

A candidate's weight is exp(score / temperature): 1.0 apart at temperature 1.0 is e times as likely to be drawn first; a
low temperature comes near to taking the best, a high one to an even draw. The draw gives each candidate
score / temperature plus Gumbel noise and keeps the highest, which is drawing one after another by those weights
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
    """Return, a row per candidate, ``kept``, ``reason`` (null when kept) and ``evidence`` (null).

    ``keep`` is a number of candidates or a share of them all; without it, ``n`` (1 unless given) are drawn a prompt.
    Raises ``UserError`` for both, for ``n`` below 1 and for a ``temperature`` that is not above 0.
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
