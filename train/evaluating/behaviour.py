"""How the models of an evaluation answer, whatever the scores: figures beside every score, and warnings of damage."""

import dataclasses
import math
from typing import Any

import polars as pl

from curate.storage.stage import Stage
from train.damage.answer_figures import Expected, Figures, answer_figures
from train.damage.signs import noise, signs
from train.evaluating.own_rows import ANSWERS, START_LOSS, answered_rows
from train.evaluating.retention_changes import retention_changes, retention_warnings, start_of

GENERAL = "general prompts"  # in place of a split
SCHEMA = {
    "split": pl.String, "model": pl.String, "answers": pl.Int64, "prompts": pl.Int64, "words": pl.Float64,
    "called": pl.Float64, "tokens": pl.Float64, "cut": pl.Float64, "empty": pl.Float64, "one_word": pl.Float64,
    "repeating": pl.Float64, "distinct": pl.Float64, "common": pl.Float64, "common_answer": pl.String,
    "perplexity": pl.Float64,
}  # fmt: skip


def behaviour(stage: Stage) -> pl.DataFrame:
    """Return figures of the models' answers.

    Args:
        stage: A stage with the table ``evaluations``.

    Returns:
        A row for each split and model, in the recipe's order; the general prompts are the last split. The columns are
        those of ``train.damage.answer_figures.Figures``, and ``perplexity``: that of the model's answers under the
        start model (the exponential of the mean over answers of the mean loss of a token), null where it is not known.
    """
    rows = stage.read("evaluations")
    if "tokens" not in rows.columns:  # of an earlier version
        rows = rows.with_columns(tokens=pl.lit(None, pl.Int64))
    general = rows.filter(pl.col("scorer") == ANSWERS).with_columns(split=pl.lit(GENERAL))
    answers = pl.concat([answered_rows(rows), general]).rename({"prompt": "text", "prompt_id": "prompt"})
    read = rows.filter(pl.col("scorer") == START_LOSS).group_by("split", "model").agg(pl.col("value").mean())
    losses = {(split, model): loss for split, model, loss in read.iter_rows() if loss is not None}
    found = []
    for (split, model), part in answers.group_by("split", "model", maintain_order=True):
        figures = answer_figures(part)
        if figures is not None:
            loss = losses.get((split, model))
            perplexity = None if loss is None else math.exp(min(loss, 700))
            found.append({"split": split, "model": model, **dataclasses.asdict(figures), "perplexity": perplexity})
    order = {split: at for at, split in enumerate(answers["split"].unique(maintain_order=True))}
    found.sort(key=lambda row: (row["split"] == GENERAL, order[row["split"]]))
    return pl.DataFrame(found, schema=SCHEMA)


def damage_warnings(stage: Stage) -> pl.DataFrame:
    """Return the warnings of an evaluation: a collapse of answers, and what a model no longer does.

    Args:
        stage: A stage with the table ``evaluations``.

    Returns:
        A row for each, with ``model``, ``split`` (null where it is of the losses) and ``warning``.
    """
    start, kept = start_of(stage), stage.manifest.get("damage", {})
    found: list[tuple[str, str | None, str]] = []
    rows = behaviour(stage).to_dicts()
    own = {row["split"]: row for row in rows if row["model"] == start}
    for row in rows:
        if start is None or row["model"] == start or row["split"] not in own:
            continue
        before, split = own[row["split"]], row["split"]
        expected = kept.get("expected", {}).get(split) if split != GENERAL else None
        taught = kept.get("taught", {}).get(row["model"], {}).get(split, 0.0)
        wanted = Expected(**expected) if expected else None
        found += [
            (row["model"], split, one.text) for one in signs(_figures(row), _figures(before), wanted, start, taught)
        ]
        if unlikely := noise(row["perplexity"], before["perplexity"], row["words"], start):
            found.append((row["model"], split, unlikely.text))
    if start is not None:
        found += [(model, None, text) for model, text in retention_warnings(retention_changes(stage), start)]
    schema = {"model": pl.String, "split": pl.String, "warning": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def warning_lines(warnings: pl.DataFrame) -> list[str]:
    """Return warnings as lines of text: ``grpo, test: 96% of its answers are a single word ...``."""
    return [f"{model}{f', {split}' if split else ''}: {text}" for model, split, text in warnings.iter_rows()]


def _figures(row: dict[str, Any]) -> Figures:
    """Return the figures of a row; without the share cut off of general prompts, which are cut off on purpose."""
    figures = Figures(**{field.name: row[field.name] for field in dataclasses.fields(Figures)})
    return dataclasses.replace(figures, cut=None) if row["split"] == GENERAL else figures
