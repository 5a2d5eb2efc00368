"""How often each model's answers win against the first model's, as a judge sees it (``train.evaluating.win_rows``)."""

import json
from typing import Any

import numpy as np
import polars as pl

from curate.algorithms.statistics.intervals import Interval, clustered_interval
from train.evaluating.paired_values import FEWEST, IS_VERDICT, NO_WINNER, change, first_model, paired_values

COLUMNS = {
    "split": pl.String, "model": pl.String, "against": pl.String, "won": pl.Int64, "tied": pl.Int64, "lost": pl.Int64,
    "not_compared": pl.Int64, "win_rate": pl.Float64, "low": pl.Float64, "high": pl.Float64, "verdict": pl.String,
    "flips": pl.Int64, "longer_won": pl.Float64, "longer_low": pl.Float64, "longer_high": pl.Float64,
    "decided": pl.Int64, "why": pl.String,
}  # fmt: skip
SPAN = (-NO_WINNER, NO_WINNER)
WINS, LOSES, UNCLEAR, FEW = "wins more often", "loses more often", "no difference shown", "too few to tell"


def win_rates(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each model's win rate against the first one.

    Args:
        rows: Rows of an evaluation (``train.evaluating.paired_values.evaluation_rows``).

    Returns:
        A row for each split and model that was compared: ``won``, ``tied`` and ``lost`` count comparisons, a flip being
        a tie; ``not_compared`` those without a verdict. ``win_rate`` is the mean over prompts, a tie counting half,
        with its 95% interval by families of prompts, and ``verdict`` is what that says of 0.5. ``flips`` counts the
        verdicts that changed with the order of the two answers. ``longer_won`` is the share of the ``decided``
        comparisons of answers of different length that the longer one won, with its interval: 0.5 without a bias,
        if length says nothing of quality. ``why`` is the most common reason why there is no verdict.
    """
    first = first_model(rows)
    verdicts = rows.filter(IS_VERDICT)
    base = rows.filter(pl.col("model") == first).select(
        "split", "prompt_id", "sample_index", base_length=pl.col("response").str.len_chars()
    )
    keys = ["split", "prompt_id", "sample_index"]
    verdicts = verdicts.join(
        base.unique(keys), on=keys, how="left", maintain_order="left", nulls_equal=True
    ).with_columns(length=pl.col("response").str.len_chars())
    means = paired_values(rows).filter(IS_VERDICT)
    found = []
    for (split, model), answers in verdicts.group_by("split", "model", maintain_order=True):
        told = change(means.filter(pl.col("split").eq_missing(split), pl.col("model") == model), SPAN)
        found.append(
            (split, model, first, *_counts(answers), *_rate(told), _flips(answers), *_longer(answers), _why(answers))
        )
    return pl.DataFrame(found, schema=COLUMNS, orient="row")


def _counts(answers: pl.DataFrame) -> tuple[int, ...]:
    value = answers["value"]
    won, lost = int((value > NO_WINNER).sum()), int((value < NO_WINNER).sum())
    return won, value.count() - won - lost, lost, value.null_count()


def _rate(told: Interval) -> tuple[float | None, float | None, float | None, str]:
    """Return the win rate, the ends of its interval, and what these say, of the change from 0.5."""
    if told.value is None or told.low is None or told.high is None:
        return None if told.value is None else NO_WINNER + told.value, None, None, FEW
    verdict = WINS if told.low > 0 else LOSES if told.high < 0 else UNCLEAR
    return NO_WINNER + told.value, NO_WINNER + told.low, NO_WINNER + told.high, verdict


def _flips(answers: pl.DataFrame) -> int:
    return sum(json.loads(text).get("flips", 0) for text in answers["detail"].drop_nulls())


def _why(answers: pl.DataFrame) -> str | None:
    errors = answers.filter(pl.col("value").is_null())["error"].drop_nulls()
    return errors.mode().sort()[0] if len(errors) else None


def _longer(answers: pl.DataFrame) -> tuple[Any, ...]:
    """Return the share of decided comparisons that the longer answer won, its interval, and their number."""
    decided = answers.filter(pl.col("value") != NO_WINNER, pl.col("length") != pl.col("base_length"))
    won = decided.select((pl.col("value") > NO_WINNER) == (pl.col("length") > pl.col("base_length"))).to_series()
    if not len(won):
        return None, None, None, 0
    share = won.cast(pl.Float64).to_numpy()
    clusters = decided["cluster"].rank("dense").to_numpy()
    if len(np.unique(clusters)) < FEWEST:
        return float(share.mean()), None, None, len(won)
    told = clustered_interval(share - NO_WINNER, clusters, SPAN)
    low, high = (None if end is None else NO_WINNER + end for end in (told.low, told.high))
    return float(share.mean()), low, high, len(won)
