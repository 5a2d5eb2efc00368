"""The damage in a model card: how the model answers, what it kept, and the warnings."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from curate.storage.stage import Stage
from schemas.markdown import code, plain, table
from train.damage.signs import percent
from train.evaluating.behaviour import behaviour, damage_warnings, warning_lines
from train.evaluating.retention_changes import retention_changes, start_of


def damage_of(stage: Stage, model: str) -> dict[str, Any]:
    """Return what an evaluation says of a model's damage.

    Args:
        stage: The evaluation's stage.
        model: The model's name in it.

    Returns:
        ``start``, the name of the start model; ``answers`` and ``kept``, the rows of ``behaviour`` and
        ``retention_changes`` that are of one of the two; and ``warnings``, as lines.
    """
    start, named = start_of(stage), pl.col("model").is_in([start_of(stage), model])
    return {
        "start": start,
        "answers": behaviour(stage).filter(named).to_dicts(),
        "kept": retention_changes(stage).filter(named).to_dicts(),
        "warnings": warning_lines(damage_warnings(stage).filter(pl.col("model") == model)),
    }


def damage_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the Markdown of ``damage_of``, the warnings first."""
    lines = [f"- **warning**: {plain(line)}" for line in found["warnings"]]
    lines += [""] if lines else []
    rows = [_answers(row) for row in found["answers"]]
    head = ["split", "model", "words", "tokens", "cut off", "one word", "differ", "most common", "perplexity"]
    lines += [*table(head, rows), ""] if rows else []
    head = ["perplexity on", "model", "texts", "perplexity", f"change to {plain(str(found['start']))} (95% interval)"]
    rows = [_kept(row) for row in found["kept"]]
    return [*lines, *table(head, rows), ""] if rows else lines


def training_warnings(warnings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the Markdown of what was warned of while the model was trained; nothing where there was nothing."""
    return [f"- **warning**: {plain(str(one['text']))}" for one in warnings]


def _answers(row: Mapping[str, Any]) -> list[str]:
    shares = (row[key] for key in ("cut", "one_word", "distinct", "common"))
    names = (code(row[key], cell=True) for key in ("split", "model"))
    figures = (_number(row["words"]), _number(row["tokens"]), *("" if one is None else percent(one) for one in shares))
    return [*names, *figures, _number(row["perplexity"])]


def _kept(row: Mapping[str, Any]) -> list[str]:
    change = row["why"] or "" if row["change"] is None else f"{row['change']:+.1%}"
    change += "" if row["low"] is None else f" ({row['low']:+.1%} to {row['high']:+.1%})"
    return [
        code(row["on"], cell=True),
        code(row["model"], cell=True),
        f"{row['n']:,}",
        _number(row["perplexity"]),
        change,
    ]


def _number(value: float | None) -> str:
    return (
        "" if value is None else f"{value:,.2f}" if value < 1000 else f"{value:,.0f}" if value < 1e6 else f"{value:.2g}"
    )
