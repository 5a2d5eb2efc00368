"""Pair a teacher's answers with the student's own: the teacher's is chosen, the student's rejected.

Delta learning (arXiv 2507.06187) is the same rule: a strong model's answers over a weaker one's, whichever model is
trained; no score is needed. The answers of each model to a prompt are put in random order (by id and seed) and paired
first with first, second with second: no answer is in two pairs, and where one model has more answers the rest is left
over.
"""

import polars as pl

from curate.algorithms.random_order import id_draws
from schemas.errors import UserError

WITHIN_PROMPTS = True


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
    """Return a row per pair: ``chosen_id`` and ``rejected_id``.

    Args:
        prompt_id: The prompt of each candidate.
        completion_id: The id of each candidate.
        model: The model that wrote each candidate.
        score: The score of each candidate, or null; not needed without a ``margin``.
        teacher: The teacher's name in the recipe, or as in ``model``.
        student: The student's name, likewise.
        margin: If given, both answers of a pair must have a score, the teacher's higher by at least so much (0: not
            lower).
        seed: The seed of the random order.

    Raises:
        UserError: For a teacher that is the student.
    """
    if teacher == student:
        raise UserError(f"select own_vs_teacher: teacher and student are the same model, {teacher!r}")
    rows = pl.DataFrame({"prompt": prompt_id, "id": completion_id, "model": model.cast(pl.String)})
    rows = rows.with_columns(score=pl.lit(None, pl.Float64) if score is None else score.cast(pl.Float64))
    rows = rows.with_columns(draw=id_draws(rows["id"], seed, "own_vs_teacher")).sort("draw", "id")
    number = pl.int_range(pl.len()).over("prompt")
    answers = [rows.filter(pl.col("model") == name).with_columns(number=number) for name in (teacher, student)]
    pairs = answers[0].join(answers[1], on=["prompt", "number"], suffix="_own").sort("id", "id_own")
    if margin is not None:
        gap = pl.col("score") - pl.col("score_own")
        pairs = pairs.filter(pl.col("score").is_finite(), pl.col("score_own").is_finite(), gap >= margin)
    return pairs.select(chosen_id="id", rejected_id="id_own")
