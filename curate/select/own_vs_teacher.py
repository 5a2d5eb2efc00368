"""Pair a teacher's answers with the student's own: the teacher's is chosen, the student's rejected.

Delta learning (arXiv 2507.06187) is the same rule: a strong model's answers over a weaker one's, whoever is trained;
no score is needed. ``teacher`` and ``student`` are names of models in the recipe, or names as in the column ``model``
of the candidates. Several samples of each are drawn up in random order (by id and seed) and paired first with first,
second with second: no answer is in two pairs, and the rest of the longer row is left over. With ``margin`` a pair must
have a score on both sides, the teacher's higher by at least that much (0: not lower).
"""

import polars as pl

from curate.algorithms.random_order import id_draws
from schemas.errors import UserError


def pair(
    prompt_id: pl.Series,
    completion_id: pl.Series,
    model: pl.Series,
    score: pl.Series | None = None,
    *,
    teacher: str,
    student: str,
    margin: float | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Return a row per pair: ``chosen_id`` and ``rejected_id``. Raises ``UserError`` for a teacher that is the student.

    ``score`` may be left out where there is no ``margin``.
    """
    if teacher == student:
        raise UserError(f"select own_vs_teacher: teacher and student are the same model, {teacher!r}")
    rows = pl.DataFrame({"prompt": prompt_id, "id": completion_id, "model": model.cast(pl.String)})
    rows = rows.with_columns(score=pl.lit(None, pl.Float64) if score is None else score.cast(pl.Float64))
    rows = rows.with_columns(lot=id_draws(rows["id"], seed, "own_vs_teacher")).sort("lot", "id")
    turn = pl.int_range(pl.len()).over("prompt")
    sides = [rows.filter(pl.col("model") == name).with_columns(turn=turn) for name in (teacher, student)]
    pairs = sides[0].join(sides[1], on=["prompt", "turn"], suffix="_own").sort("id", "id_own")
    if margin is not None:
        gap = pl.col("score") - pl.col("score_own")
        pairs = pairs.filter(pl.col("score").is_finite(), pl.col("score_own").is_finite(), gap >= margin)
    return pairs.select(chosen_id="id", rejected_id="id_own")
