"""Has a judge compare each model's answers with the first model's, by the scorer ``judge_pairwise``."""

import polars as pl

from curate.models.model_ref import ModelRef
from curate.pipeline.scorer import Answer
from curate.score._answer_turns import EMPTY
from schemas.errors import UserError
from schemas.recipe import Recipe, Step
from train.answer_scorers import AnswerScorer, scorer_of_step
from train.evaluating.own_rows import WIN_RATE

NOT_HERE = ("against", "rounds")  # settings of ``judge_pairwise`` that choose whom it compares


def answer_judge(recipe: Recipe, models: dict[str, ModelRef] | None = None) -> AnswerScorer | None:
    """Return the scorer ``judge_pairwise`` with the settings of ``evaluate.judge``; None where there is no judge.

    Args:
        recipe: The recipe.
        models: The models that trainings made, by name.

    Raises:
        UserError: A setting is wrong, or the judge is not known.
    """
    evaluation = recipe.evaluate
    if evaluation is None or evaluation.judge is None:
        return None
    where = recipe.where("evaluate", "judge")
    settings = evaluation.judge.settings
    for name in settings:
        if name in NOT_HERE:
            raise UserError(f"{where}: judge: {name!r} has no use here: each answer is compared with the first model's")
    step = Step(verb="score", use="judge_pairwise", settings={"model": evaluation.judge.model, **settings})
    return scorer_of_step(recipe, step, where, models)


def win_rows(tables: dict[str, pl.DataFrame], judge: AnswerScorer, answer: Answer) -> pl.DataFrame:
    """Compare the answers of all models but the first with the first one's, to the same prompt and sample.

    An empty answer loses against one that is not, and the judge is not asked. An answer whose request failed is not
    compared.

    Args:
        tables: Each model's answers, a row for each prompt and sample, with the columns that the judge reads.
        judge: The scorer of ``answer_judge``.
        answer: Runs the judge's model calls.

    Returns:
        The rows of ``evaluations`` with the scorer ``judge/win_rate``: ``value`` is 1 where the model's answer won, 0
        where the first model's did and 0.5 for a tie; ``detail`` is that of ``judge_pairwise``.
    """
    first, *others = tables
    sides = [
        tables[side].with_columns(model=pl.lit(name), own=pl.lit(side == name))
        for name in others
        for side in (first, name)
    ]
    every = pl.concat(sides).rename({"error": "request_error"}).with_row_index("at")
    answered = every.filter(pl.col("response").is_not_null())
    pair = pl.concat_str("model", "prompt_id", "sample_index", separator=" ")
    values = judge.values(answered.with_columns(prompt_id=pair), answer)
    values = pl.concat([answered.select("at"), values], how="horizontal")
    every = (
        every.drop("value", "detail", strict=False)
        .join(values, on="at", how="left", maintain_order="left")
        .with_columns(error=pl.coalesce("request_error", "error"))
    )
    keys = ["model", "row", "sample_index"]
    base = every.filter(~pl.col("own")).select(*keys, base_error="error", base_failed="request_error")
    return _decided(every.filter("own").join(base, on=keys, how="left", maintain_order="left"), first)


def _decided(rows: pl.DataFrame, first: str) -> pl.DataFrame:
    """Return the rows of the models with their values, those of empty answers too, and why a row has none."""
    empty, base_empty = (pl.col(name).eq_missing(EMPTY) for name in ("error", "base_error"))
    failed = pl.col("request_error").is_not_null() | pl.col("base_failed").is_not_null()
    undecided = pl.when(failed | ~(empty | base_empty)).then(pl.col("value"))
    value = undecided.when(empty & base_empty).then(pl.lit(0.5)).otherwise(base_empty.cast(pl.Float64))
    whose = pl.format("the answer of {} failed: {}", pl.lit(first), "base_failed")
    why = pl.when(pl.col("request_error").is_null() & pl.col("base_failed").is_not_null()).then(whose)
    return rows.with_columns(value=value).select(
        "model",
        "split",
        "row_id",
        "prompt_id",
        "sample_index",
        "prompt",
        "response",
        "finish_reason",
        "tokens",
        "value",
        "detail",
        scorer=pl.lit(WIN_RATE),
        error=pl.when(pl.col("value").is_null()).then(why.otherwise("error")),
    )
