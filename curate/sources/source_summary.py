"""What the result line of a source says, and what a user is warned of: pure functions of a ``Source``."""

from collections import Counter
from collections.abc import Callable

import polars as pl

from curate.sources.read_source import Source
from curate.sources.rows import layout_names
from curate.sources.rows.row_keys import normal
from curate.sources.template_leftovers import Leftovers, find_leftovers
from schemas.errors import printable
from schemas.messages import short_repr

NAMED = 6  # scores, keys or tokens that a line names; it counts the others


def source_summary(source: Source, leftovers: dict[str, Leftovers]) -> str:
    """Return a source's result line: what was read of it, and where the rest is.

    Args:
        source: The source.
        leftovers: Its control tokens and placeholders (``source_leftovers``).
    """
    formats = ", ".join(sorted(source.row_formats))
    parts = [f"{', '.join([*_counts(source), *_decided(source)])} ({formats})"]
    parts += map(printable, source.notes)
    if source.scores.height:
        parts.append(f"scores: {_named(_score_ranges(source.scores))}")
    traces = source.completions["reasoning_content"].count()
    if traces:
        parts.append(f"{_number(traces, 'reasoning trace')} kept apart")
    if source.truths:
        parts.append(f"ground_truth: {_keys(source.truths)}")
    if source.unused:
        parts.append(f"not used: {_keys(source.unused)}")
    if source.unclear:
        parts.append(f"not understood: {_keys(source.unclear)}")
    if source.changed:
        parts.append(f"values changed: {_keys(source.changed)}")
    for what, count in (("control tokens", _token_texts), ("placeholders", _placeholder_texts)):
        total = sum(map(count, leftovers.values()))
        if total:
            parts.append(f"{what} in {_number(total, 'text')}")
    return "; ".join(parts)


def source_warnings(source: Source, leftovers: dict[str, Leftovers], prompt: str) -> list[str]:
    """Return what a user should look at in a source, each with what to set.

    Args:
        source: The source.
        leftovers: Its control tokens and placeholders (``source_leftovers``).
        prompt: The entry of ``fields`` for its prompts (``prompt_field``).
    """
    warnings = [*map(printable, source.warnings)]
    if source.unused:
        key = next(iter(source.unused))
        looks = "looks like an answer" if len(source.unused) == 1 else "look like answers"
        warnings.append(
            f"not used: {_keys(source.unused)} {looks}, and went to the metadata; to train on "
            f"{printable(short_repr(key))} set fields: {{{prompt}, completion: {printable(key)}}}"
        )
    if source.unclear:
        warnings.append(
            f"not understood: {_keys(source.unclear)}; what they say of the prompt, or of which answer is better, went "
            "to the metadata, and those answers have no such score"
        )
    tokens, texts = _joined(leftovers, lambda one: one.tokens), sum(map(_token_texts, leftovers.values()))
    if texts:
        warnings.append(
            f"{_number(texts, 'text holds', 'texts hold')} control tokens of a chat template: {_tokens(tokens)}; a "
            f"tokenizer may take them for the ends of turns. To leave them out: {_filter(leftovers, 'tokens')}"
        )
    names, texts = _joined(leftovers, lambda one: one.placeholders), sum(map(_placeholder_texts, leftovers.values()))
    if texts:
        warnings.append(
            f"{_number(texts, 'text holds', 'texts hold')} placeholders of a template: {_tokens(names)}; they are "
            f"learnt as they stand. To leave them out: {_filter(leftovers, 'placeholders')}"
        )
    return warnings


def source_leftovers(source: Source) -> dict[str, Leftovers]:
    """Return what the prompts and the completions of a source hold of control tokens and placeholders."""
    tables = {"prompts": source.prompts, "completions": source.completions}
    return {name: find_leftovers(table["messages"]) for name, table in tables.items()}


def prompt_field(source: Source, fields: dict | None) -> str:
    """Return the entry of ``fields`` for the prompts of most rows, such as ``messages: conversations``."""
    given = fields or {}
    for name in ("prompt", "messages"):
        if name in given:
            return f"{name}: {printable(str(given[name]))}"
    key = next(iter(source.prompt_keys), "prompt")
    is_turns = normal(key) in (*layout_names.MESSAGES, *layout_names.CONVERSATIONS)
    return f"{'messages' if is_turns else 'prompt'}: {printable(key)}"


def _counts(source: Source) -> list[str]:
    parts = [f"{source.prompts.height:,} prompts"]
    if source.completions.height:
        parts.append(f"{source.completions.height:,} recorded completions")
    return parts


def _decided(source: Source) -> list[str]:
    if not source.decisions.height:
        return []
    repeats = source.decisions["reason"].str.contains("^(exact copy|same prompt)").sum()
    refused = source.decisions.height - repeats
    counts = ((repeats, "repeats joined"), (refused, "rows refused"))
    return [f"{count:,} {what}" for count, what in counts if count]


def _score_ranges(scores: pl.DataFrame) -> list[str]:
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


def _keys(counts: dict[str, int]) -> str:
    return _named([f"{printable(short_repr(key))} ({_number(n, 'row')})" for key, n in counts.items()])


def _tokens(counts: dict[str, int]) -> str:
    return _named([f"{printable(token)} ({count:,})" for token, count in counts.items()])


def _named(parts: list[str]) -> str:
    """Return parts joined by commas; of more than ``NAMED`` the first, and how many more there are."""
    more = len(parts) - NAMED
    return ", ".join(parts[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _number(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _filter(leftovers: dict[str, Leftovers], kind: str) -> str:
    """Return the step that leaves out the most frequent token or placeholder, where most texts hold it."""
    held = {table: getattr(one, kind) for table, one in leftovers.items() if getattr(one, kind)}
    table = "completions" if "completions" in held else "prompts"
    column = "response" if table == "completions" else "prompt"
    reason = "control_tokens" if kind == "tokens" else kind
    token = printable(next(iter(held[table]))).replace("'", "''")
    return f"{table}: - filter: {{{reason}: \"contains({column}, '{token}')\"}}"


def _joined(leftovers: dict[str, Leftovers], counts: Callable[[Leftovers], dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in leftovers.values():
        total.update(counts(one))
    return dict(total.most_common())


def _token_texts(leftovers: Leftovers) -> int:
    return leftovers.token_texts


def _placeholder_texts(leftovers: Leftovers) -> int:
    return leftovers.placeholder_texts
