"""How the losses of an evaluation's models differ from the start model's, on general answers and texts."""

import math
from typing import Any

import numpy as np
import polars as pl

from curate.algorithms.statistics.intervals import clustered_interval
from curate.storage.stage import Stage
from train.evaluating.own_rows import RECORDED, START_ANSWERS, TEXTS, scored_rows

MOST_CHANGE = 0.05  # of a perplexity: what is more, and clear of 0, is a warning
ON = {START_ANSWERS: "{start}'s answers", TEXTS: "general texts", RECORDED: "recorded answers"}
SCHEMA = {
    "on": pl.String, "model": pl.String, "n": pl.Int64, "failed": pl.Int64, "loss": pl.Float64,
    "perplexity": pl.Float64, "change": pl.Float64, "low": pl.Float64, "high": pl.Float64, "why": pl.String,
}  # fmt: skip


def start_of(stage: Stage) -> str | None:
    """Return the name of the model that the others of an evaluation are compared with for damage.

    It is the start model, or where no losses are known the first one; None of an evaluation without rows.
    """
    start = stage.manifest.get("damage", {}).get("start")
    rows = scored_rows(stage.read("evaluations", ["model", "scorer"]))
    return start or (rows["model"][0] if rows.height else None)


def retention_changes(stage: Stage) -> pl.DataFrame:
    """Compare the losses of an evaluation's models with those of its start model.

    Every text counts the same, whatever its length: the loss is the mean over texts of the mean loss of a token, the
    perplexity its exponential. A change is that of the perplexity, of the texts that both models read; its 95% interval
    is Student's t over texts, of the differences of losses.

    Args:
        stage: A stage with the table ``evaluations``.

    Returns:
        A row for each kind of text and model, in the recipe's order; none where retention is switched off. ``n``
        counts the texts read, ``failed`` those that could not be; ``loss`` is in nats a token; ``change``, ``low`` and
        ``high`` are shares (0.05: 5% more), null for the start model and where ``why`` says so.
    """
    rows, start = stage.read("evaluations"), start_of(stage)
    found = []
    for scorer, on in ON.items():
        of_texts = rows.filter(pl.col("scorer") == scorer)
        own = of_texts.filter(pl.col("model") == pl.lit(start, pl.String))
        for (model,), part in of_texts.group_by("model", maintain_order=True):
            read = part["value"].drop_nulls().to_numpy()
            loss = float(read.mean()) if len(read) else None
            found.append(
                {
                    "on": on.format(start=start),
                    "model": model,
                    "n": len(read),
                    "failed": part["value"].null_count(),
                    "loss": loss,
                    "perplexity": None if loss is None else _exp(loss),
                    **({} if model == start else _change(own, part)),
                }
            )
    return pl.DataFrame(found, schema=SCHEMA)


def retention_warnings(changes: pl.DataFrame, start: str) -> list[tuple[str, str]]:
    """Return each model whose perplexity rose by more than ``MOST_CHANGE``, clear of 0, with the figures in words."""
    lines = []
    for row in changes.iter_rows(named=True):
        if row["change"] is not None and row["change"] > MOST_CHANGE and (row["low"] or 0.0) > 0:
            interval = f"{row['low']:+.1%} to {row['high']:+.1%}, {row['n']} texts"
            text = f"its perplexity on {row['on']} is {row['change']:.1%} above {start}'s ({interval})"
            lines.append((row["model"], f"{text}: it has lost some of what {start} could do"))
    return lines


def _change(own: pl.DataFrame, part: pl.DataFrame) -> dict[str, Any]:
    """Return the change of the perplexity from the start model's rows to another model's, or why there is none."""
    base = own.select("row_id", base="value", base_tokens="tokens")
    both = part.join(base, on="row_id").drop_nulls(["value", "base"])
    if both.is_empty():
        return {"why": "no text was read by both"}
    if (both["tokens"] != both["base_tokens"]).any():
        return {"why": "another vocabulary: its losses a token are not comparable"}
    difference = (both["value"] - both["base"]).to_numpy()
    interval = clustered_interval(difference, np.arange(len(difference)))
    ends = {"low": interval.low, "high": interval.high}
    shares = {name: None if end is None else _exp(end) - 1 for name, end in ends.items()}
    return {"change": _exp(float(difference.mean())) - 1, **shares, "why": interval.why or None}


def _exp(loss: float) -> float:
    """Return the perplexity of a loss; one too large for a number is infinite."""
    return math.exp(loss) if loss < 700 else math.inf
