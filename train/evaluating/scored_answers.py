"""The answers of an evaluation's models as scorers read them, and their scores."""

import polars as pl

from curate.models.scorer_requests import ScorerRequests
from schemas.messages import assistant_messages
from train.answer_scorers import AnswerScorer


def with_prompts(answers: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return a model's answers with their messages as ``completion``, and the columns of their prompts."""
    nothing = pl.lit(None, pl.String)
    columns = ("reasoning_content", "tool_calls", "error")
    table = answers.with_columns(nothing.alias(name) for name in columns if name not in answers.columns)
    table = table.with_columns(tokens=pl.col("completion_tokens"))
    replies = table.select("response", "reasoning_content", "tool_calls")
    messages = [assistant_messages(*reply) for reply in replies.iter_rows()]
    table = table.with_columns(completion=pl.Series(messages, dtype=pl.String))
    return table.join(rows.with_row_index("row").cast({"row": pl.Int64}), on="row", how="left", maintain_order="left")


def score_answers(
    tables: dict[str, pl.DataFrame], scorers: dict[str, AnswerScorer], requests: ScorerRequests
) -> dict[str, pl.DataFrame]:
    """Score every model's answers with every scorer; return the rows of ``evaluations`` of each model.

    All models' answers are scored together, so that a score that depends on the whole set (a z-score, a slope on
    length) is comparable. Each model's answers to a prompt are a group of their own.
    """
    columns = ["split", "row_id", "prompt_id", "sample_index", "prompt", "response", "finish_reason", "tokens"]
    every = pl.concat([table.with_columns(model=pl.lit(name)) for name, table in tables.items()]).with_row_index("at")
    failed = pl.col("response").is_null()  # the request failed for good: there is no answer to score
    answers = every.filter(~failed)
    grouped = answers.with_columns(prompt_id=pl.concat_str("model", "prompt_id", separator=" "))
    rows = every.rename({"error": "request_error"}).select("at", "model", *columns, "request_error")
    parts = []
    for name, scorer in scorers.items():
        values = pl.concat([answers.select("at"), scorer.values(grouped, requests.answer)], how="horizontal")
        scored = rows.join(values, on="at", how="left", maintain_order="left")
        parts.append(
            scored.select(
                "model",
                *columns,
                "value",
                "detail",
                scorer=pl.lit(name),
                error=pl.when(failed).then("request_error").otherwise("error"),
            )
        )
    table = pl.concat(parts)
    return {name: table.filter(pl.col("model") == name) for name in tables}
