"""Write the result line and the warnings of a source: pure functions of its ``Facts``."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from curate.sources.facts import Facts, ScoreFacts
from curate.sources.rows import layout_names
from curate.sources.rows.row_keys import normal
from curate.sources.template_leftovers import Leftovers, search_for
from schemas.counted import counted
from schemas.errors import printable
from schemas.messages import short_repr

NAMED = 6  # scores, keys or tokens that a line names; it counts the others


def source_summary(facts: Facts) -> str:
    """Return a source's result line: what was read of it, and where the rest is."""
    formats = ", ".join(sorted(facts.row_formats))
    parts = [f"{', '.join([*_counts(facts), *_decided(facts)])} ({formats})"]
    parts += map(printable, facts.notes)
    if facts.scores:
        parts.append(f"scores: {_named(score_ranges(facts.scores))}")
    if facts.traces:
        parts.append(f"{counted(facts.traces, 'reasoning trace')} kept apart")
    if facts.cut:
        lose, their = ("conversation loses", "its") if facts.cut == 1 else ("conversations lose", "their")
        turns = counted(facts.cut_turns, "turn")
        parts.append(f"{facts.cut:,} {lose} {turns} at {their} end, unanswered or empty")
    found = (
        ("ground_truth", facts.truths, "row"),
        ("not used", facts.unused, "row"),
        ("not understood", facts.unclear, "row"),
        ("marks not understood", facts.marks, "turn"),
        ("values changed", facts.changed, "row"),
    )
    parts += [f"{what}: {_keys(keys, noun)}" for what, keys, noun in found if keys]
    parts += [f"{what}: {count:,}" for what, count in facts.calls.most_common() if count]
    leftovers = source_leftovers(facts)
    tokens = sum(one.token_texts for one in leftovers)
    placeholders = sum(one.placeholder_texts for one in leftovers)
    for what, count in (("control tokens", tokens), ("placeholders", placeholders)):
        if count:
            parts.append(f"{what} in {counted(count, 'text')}")
    return "; ".join(parts)


def source_warnings(facts: Facts, fields: dict | None) -> list[str]:
    """Return what a user should look at in a source, each with what to set.

    Args:
        facts: What was found in the facts.
        fields: The recipe's ``fields`` for it.
    """
    warnings = [*map(printable, facts.warnings)]
    if facts.unused:
        key = most_common(facts.unused, "")
        prompt = prompt_field(most_common(facts.prompt_keys, "prompt"), fields)
        looks = "looks like an answer" if len(facts.unused) == 1 else "look like answers"
        warnings.append(
            f"not used: {_keys(facts.unused)} {looks}, and went to the metadata; to train on "
            f"{printable(short_repr(key))} set fields: {{{prompt}, completion: {printable(key)}}}"
        )
    if facts.unclear:
        warnings.append(
            f"not understood: {_keys(facts.unclear)}; the values went to the metadata, and are no part of a prompt "
            "and no score; docs/data.md has the forms that are read"
        )
    if facts.marks:
        warnings.append(
            f"marks not understood: {_keys(facts.marks, 'turn')}; a turn of the assistant is learnt or not as a whole "
            "(weight: 1 or 0, train: true or false), and one with a part that is not to be learnt is not; other turns "
            "are never learnt"
        )
    return warnings


def most_common(counts: Counter[str], otherwise: str) -> str:
    """Return the most common of some keys, or ``otherwise`` where there is none."""
    return next((key for key, _ in counts.most_common(1)), otherwise)


def source_leftovers(facts: Facts) -> list[Leftovers]:
    """Return what the prompts and the completions of a source hold of control tokens and placeholders."""
    return [held.leftovers() for held in facts.leftovers]


def leftover_searches(leftovers: list[Leftovers]) -> dict[str, dict[str, list[str]]]:
    """Return for each kind what to search the datasets for (``curate.datasets.leftover_warnings``)."""
    found = {
        "control_tokens": [name for one in leftovers for name in one.tokens],
        "placeholders": [name for one in leftovers for name in one.placeholders],
    }
    return {kind: asdict(search_for(names)) for kind, names in found.items() if names}


def truths_alone(facts: Facts, fields: dict | None) -> dict[str, Any]:
    """Return the prompts that have a ground truth, under another name than that, and no candidate.

    Returns:
        Their ``count``, the ``keys`` of the ground truth with the number of prompts, the entry of ``fields`` for
        these prompts (``prompt_field``), and whether the source has ``others``, of another layout or with candidates;
        nothing where there is no such prompt.
    """
    if not facts.alone or not facts.truths_alone:
        return {}
    keys: dict[str, int] = {}
    for (key, _), rows in facts.truths_alone.most_common():
        keys[key] = keys.get(key, 0) + rows
    ((_, prompt), _) = facts.truths_alone.most_common(1)[0]
    return {
        "count": min(facts.alone, sum(keys.values())),
        "keys": keys,
        "prompt_field": prompt_field(prompt, fields),
        "others": facts.completions > 0 or len(facts.prompt_keys) > 1,
    }


def prompt_field(key: str, fields: dict | None) -> str:
    """Return the entry of ``fields`` for prompts under a key, such as ``messages: conversations``."""
    given = fields or {}
    for name in ("prompt", "messages"):
        if name in given:
            return f"{name}: {printable(str(given[name]))}"
    is_turns = normal(key) in (*layout_names.MESSAGES, *layout_names.CONVERSATIONS)
    return f"{'messages' if is_turns else 'prompt'}: {printable(key)}"


def _counts(facts: Facts) -> list[str]:
    parts = [counted(facts.prompts, "prompt")]
    if facts.completions:
        parts.append(counted(facts.completions, "recorded completion"))
    return parts


def _decided(facts: Facts) -> list[str]:
    counts = ((facts.repeats, "repeat joined", "repeats joined"), (facts.refused, "row refused", "rows refused"))
    return [counted(count, one, several) for count, one, several in counts if count]


def score_ranges(scores: dict[str, ScoreFacts]) -> list[str]:
    """Return for each score that came with the file what it holds: ``label (150 of 300 are 1)``."""
    return [f"{printable(name)[:40]} ({_range(score)})" for name, score in scores.items()]


def _range(score: ScoreFacts) -> str:
    filled = score.rows - score.nulls
    nulls = f", {score.nulls:,} null" if score.nulls and filled else ""
    if not filled:
        return f"all {score.rows:,} null"
    if score.low == score.high:
        return f"all {score.low:g}{nulls}"
    if score.yes + score.no == filled:
        return f"{score.yes:,} of {filled:,} are 1{nulls}"
    return f"{score.low:.4g} to {score.high:.4g}, mean {score.total / filled:.4g}{nulls}"


def _keys(counts: Counter[str], what: str = "row") -> str:
    return _named([f"{printable(short_repr(key))} ({counted(n, what)})" for key, n in counts.most_common()])


def _named(parts: list[str]) -> str:
    """Return parts joined by commas; of more than ``NAMED`` the first, and how many more there are."""
    more = len(parts) - NAMED
    return ", ".join(parts[:NAMED]) + (f" and {more} more" if more > 0 else "")
