"""Write the result line and the warnings of a source: pure functions of a ``Source``."""

from dataclasses import asdict
from typing import Any

import polars as pl

from curate.sources.read_source import Source
from curate.sources.rows import layout_names
from curate.sources.rows.row_keys import normal
from curate.sources.template_leftovers import Leftovers, find_leftovers, search_for
from schemas.errors import printable
from schemas.messages import short_repr
from schemas.reply_calls import BROKEN_CALL

TRACE = '"reasoning_content":"'  # in JSON text: the quotes of a text in it are escaped
NAMED = 6  # scores, keys or tokens that a line names; it counts the others


def source_summary(source: Source, leftovers: list[Leftovers]) -> str:
    """Return a source's result line: what was read of it, and where the rest is.

    Args:
        source: The source.
        leftovers: Its control tokens and placeholders (``source_leftovers``).
    """
    formats = ", ".join(sorted(source.row_formats))
    parts = [f"{', '.join([*_counts(source), *_decided(source)])} ({formats})"]
    parts += map(printable, source.notes)
    if source.scores.height:
        parts.append(f"scores: {_named(score_ranges(source.scores))}")
    traces = sum(
        int(table["messages"].str.count_matches(TRACE).sum()) for table in (source.prompts, source.completions)
    )
    if traces:
        parts.append(f"{_number(traces, 'reasoning trace')} kept apart")
    if source.cut:
        lose, their = ("conversation loses", "its") if source.cut == 1 else ("conversations lose", "their")
        turns = _number(source.cut_turns, "turn")
        parts.append(f"{source.cut:,} {lose} {turns} at {their} end, unanswered or empty")
    found = (
        ("ground_truth", source.truths, "row"),
        ("not used", source.unused, "row"),
        ("not understood", source.unclear, "row"),
        ("marks not understood", source.marks, "turn"),
        ("values changed", source.changed, "row"),
    )
    parts += [f"{what}: {_keys(keys, noun)}" for what, keys, noun in found if keys]
    parts += [f"{what}: {count:,}" for what, count in source.calls.items()]
    tokens = sum(one.token_texts for one in leftovers)
    placeholders = sum(one.placeholder_texts for one in leftovers)
    for what, count in (("control tokens", tokens), ("placeholders", placeholders)):
        if count:
            parts.append(f"{what} in {_number(count, 'text')}")
    return "; ".join(parts)


def source_warnings(source: Source, fields: dict | None) -> list[str]:
    """Return what a user should look at in a source, each with what to set.

    Args:
        source: The source.
        fields: The recipe's ``fields`` for it.
    """
    warnings = [*map(printable, source.warnings)]
    if source.unused:
        key = next(iter(source.unused))
        prompt = prompt_field(next(iter(source.prompt_keys), "prompt"), fields)
        looks = "looks like an answer" if len(source.unused) == 1 else "look like answers"
        warnings.append(
            f"not used: {_keys(source.unused)} {looks}, and went to the metadata; to train on "
            f"{printable(short_repr(key))} set fields: {{{prompt}, completion: {printable(key)}}}"
        )
    if source.unclear:
        warnings.append(
            f"not understood: {_keys(source.unclear)}; the values went to the metadata, and are no part of a prompt "
            "and no score; docs/data.md has the forms that are read"
        )
    if source.marks:
        warnings.append(
            f"marks not understood: {_keys(source.marks, 'turn')}; a turn of the assistant is learnt or not as a whole "
            "(weight: 1 or 0, train: true or false), and one with a part that is not to be learnt is not; other turns "
            "are never learnt"
        )
    return warnings


def source_leftovers(source: Source) -> list[Leftovers]:
    """Return what the prompts and the completions of a source hold of control tokens and placeholders."""
    return [find_leftovers(table["messages"]) for table in (source.prompts, source.completions)]


def leftover_searches(leftovers: list[Leftovers]) -> dict[str, dict[str, list[str]]]:
    """Return for each kind what to search the datasets for (``curate.datasets.leftover_warnings``)."""
    found = {
        "control_tokens": [name for one in leftovers for name in one.tokens],
        "placeholders": [name for one in leftovers for name in one.placeholders],
    }
    return {kind: asdict(search_for(names)) for kind, names in found.items() if names}


def truths_alone(source: Source, fields: dict | None) -> dict[str, Any]:
    """Return the prompts that have a ground truth, under another name than that, and no candidate.

    Returns:
        Their ``count``, the ``keys`` of the ground truth with the number of prompts, the entry of ``fields`` for
        these prompts (``prompt_field``), and whether the source has ``others``, of another layout or with candidates;
        nothing where there is no such prompt.
    """
    alone = source.prompts.filter(pl.col("ground_truth").is_not_null())
    count = alone.join(source.completions, on="prompt_id", how="anti").height if source.truths_alone else 0
    if not count:
        return {}
    keys: dict[str, int] = {}
    for (key, _), rows in source.truths_alone.items():
        keys[key] = keys.get(key, 0) + rows
    (_, prompt), _ = next(iter(source.truths_alone.items()))
    return {
        "count": min(count, sum(keys.values())),
        "keys": keys,
        "prompt_field": prompt_field(prompt, fields),
        "others": source.completions.height > 0 or len(source.prompt_keys) > 1,
    }


def prompt_field(key: str, fields: dict | None) -> str:
    """Return the entry of ``fields`` for prompts under a key, such as ``messages: conversations``."""
    given = fields or {}
    for name in ("prompt", "messages"):
        if name in given:
            return f"{name}: {printable(str(given[name]))}"
    is_turns = normal(key) in (*layout_names.MESSAGES, *layout_names.CONVERSATIONS)
    return f"{'messages' if is_turns else 'prompt'}: {printable(key)}"


def _counts(source: Source) -> list[str]:
    parts = [f"{source.prompts.height:,} prompts"]
    if source.completions.height:
        parts.append(f"{source.completions.height:,} recorded completions")
    return parts


def _decided(source: Source) -> list[str]:
    reasons = source.decisions.filter(~pl.col("kept") & (pl.col("reason") != BROKEN_CALL))["reason"]
    if reasons.is_empty():
        return []
    repeats = reasons.str.contains("^(exact copy|same prompt)").sum()
    refused = len(reasons) - repeats
    counts = ((repeats, "repeats joined"), (refused, "rows refused"))
    return [f"{count:,} {what}" for count, what in counts if count]


def score_ranges(scores: pl.DataFrame) -> list[str]:
    """Return for each score that came with the file what it holds: ``label (150 of 300 are 1)``."""
    value = pl.col("value")
    held = scores.group_by("scorer", maintain_order=True).agg(
        n=pl.len(),
        nulls=value.null_count(),
        ones=(value == 1).sum(),
        yes_no=value.is_in([0.0, 1.0]).all(),
        low=value.min(),
        high=value.max(),
        mean=value.mean(),
    )
    return [f"{printable(row['scorer'])[:40]} ({_range(row)})" for row in held.iter_rows(named=True)]


def _range(row: dict) -> str:
    filled = row["n"] - row["nulls"]
    nulls = f", {row['nulls']:,} null" if row["nulls"] and filled else ""
    if not filled:
        return f"all {row['n']:,} null"
    if row["low"] == row["high"]:
        return f"all {row['low']:g}{nulls}"
    if row["yes_no"]:
        return f"{row['ones']:,} of {filled:,} are 1{nulls}"
    return f"{row['low']:.4g} to {row['high']:.4g}, mean {row['mean']:.4g}{nulls}"


def _keys(counts: dict[str, int], what: str = "row") -> str:
    return _named([f"{printable(short_repr(key))} ({_number(n, what)})" for key, n in counts.items()])


def _named(parts: list[str]) -> str:
    """Return parts joined by commas; of more than ``NAMED`` the first, and how many more there are."""
    more = len(parts) - NAMED
    return ", ".join(parts[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _number(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
