"""The rows of an evaluation as one value for each model and prompt, beside the first model's value."""

import polars as pl

from curate.algorithms.statistics.intervals import Interval, Span, clustered_interval
from curate.storage.stage import Stage, conform
from train.evaluating.own_rows import WIN_RATE, scored_rows

IS_VERDICT = pl.col("scorer") == WIN_RATE
NO_WINNER = 0.5
FEWEST = 10  # clusters of prompts of which an interval is given: below it, t has an interval, but of hardly any prompt


def evaluation_rows(stage: Stage) -> pl.DataFrame:
    """Return the scores and verdicts of a stage's table ``evaluations``; columns of later versions are null.

    ``cluster`` is the prompt's family, or where that is not known the prompt itself. ``prompt_length`` of an old row
    is that of the last turn.
    """
    rows = conform("evaluations", stage.read("evaluations"))
    rows = rows.filter(pl.col("scorer").is_in(scored_rows(rows)["scorer"].implode()) | IS_VERDICT)
    family = pl.col("family").cast(pl.String) if "family" in rows.columns else pl.lit(None, pl.String)
    return rows.with_columns(
        pl.col("value").fill_nan(None),
        cluster=pl.coalesce(family, "prompt_id"),
        prompt_length=pl.coalesce("prompt_length", pl.col("prompt").str.len_chars().cast(pl.Int64)),
    )


def first_model(rows: pl.DataFrame) -> str:
    """Return the model that the others are compared with; "" of no rows."""
    return rows["model"][0] if rows.height else ""


def paired_values(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each model's mean score of a prompt, with the first model's.

    Args:
        rows: As ``evaluation_rows`` returns them.

    Returns:
        A row for each split, scorer, model and prompt, in the order of ``rows``: split, scorer, model, prompt_id,
        cluster, ``value`` (the mean over the samples that have a score; null for none), and ``base``, the first
        model's value. The base of a win rate is 0.5, as if neither model were better.
    """
    keys = ["split", "scorer", "model", "prompt_id"]
    values = rows.group_by(*keys, maintain_order=True).agg(pl.col("cluster").first(), pl.col("value").mean())
    paired = with_base(values, first_model(rows))
    return paired.with_columns(base=pl.when(IS_VERDICT).then(pl.lit(NO_WINNER)).otherwise("base"))


def with_base(values: pl.DataFrame, first: str) -> pl.DataFrame:
    """Return one value for each split, scorer, model and prompt with ``base``, the value of the model ``first``."""
    keys = ["split", "scorer", "prompt_id"]
    base = values.filter(pl.col("model") == first).select(*keys, base="value")
    return values.join(base, on=keys, how="left", maintain_order="left", nulls_equal=True)


def change(pairs: pl.DataFrame, span: Span | None) -> Interval:
    """Return the mean change from the first model, with its 95% interval; no interval of fewer clusters than FEWEST.

    Args:
        pairs: Rows of ``paired_values`` of one split, scorer and model, or some of them.
        span: The range of a change (``spans``).
    """
    both = pairs.select("cluster", change=pl.col("value") - pl.col("base")).drop_nulls("change")
    clusters = both["cluster"].rank("dense").to_numpy()
    found = clustered_interval(both["change"].to_numpy(), clusters, span)
    if found.value is None or both["cluster"].n_unique() >= FEWEST:
        return found
    return Interval(found.value, why=f"too few to tell: fewer than {FEWEST} prompts, or families of them")


def spans(rows: pl.DataFrame) -> dict[str, Span | None]:
    """Return the range of a change of each scorer: -1 to 1 where all scores are from 0 to 1; None where it has none.

    A win rate changes from 0.5.
    """
    within = rows.group_by("scorer").agg(pl.col("value").is_between(0, 1).all())
    found: dict[str, Span | None] = {scorer: (-1.0, 1.0) if all_in else None for scorer, all_in in within.iter_rows()}
    return found | {WIN_RATE: (-NO_WINNER, NO_WINNER)}


def yes_or_no_scorers(rows: pl.DataFrame) -> set[str]:
    """Return the scorers of which all scores are 0 or 1: a wrong answer or a right one."""
    known = rows.drop_nulls("value").group_by("scorer").agg(yes_or_no=pl.col("value").is_in([0.0, 1.0]).all())
    return set(known.filter("yes_or_no")["scorer"])
