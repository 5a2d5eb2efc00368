"""Says in a few lines what a training learns of its rows: turns and tokens, rows left out, cut or changed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from schemas.counted import counted
from schemas.errors import printable
from schemas.recipe import Training
from train.examples.examples import Examples
from train.options import options

REASONS = 3  # reasons for rows that are left out that are named
NOUNS = {"sft": "row", "preference": "pair", "unpaired": "row", "prompt": "prompt"}


def learnt_counts(training: Training, kind: str, total: int | None, examples: Examples) -> list[str]:
    """Return lines on what a training learns.

    Args:
        training: The training.
        kind: The type of the rows: 'sft', 'preference', 'unpaired' or 'prompt'.
        total: How many rows there are, or None if only the first of them were read.
        examples: The rows as the training gets them, or the first of them.
    """
    seen = examples.counts["rows"] + len(examples.dropped)
    of = "" if total is None else f" of {total:,}"
    rows = counted(seen, NOUNS[kind]) if seen == total else f"the first {seen:,}{of} {NOUNS[kind]}s"
    parts = [f"of {rows}: {_learnt(training, kind, examples.counts)}"]
    parts += _left_out(examples.dropped)
    if examples.counts["cut_rows"]:
        lost = counted(examples.counts["cut_tokens"], "token")
        parts.append(f"{examples.counts['cut_rows']:,} cut at max_length, so that {lost} are not learnt")
    lines = ["; ".join(parts)]
    if examples.changes:
        changes = (f"{change} ({counted(count, 'row')})" for change, count in sorted(examples.changes.items()))
        lines.append(f"changed, as the chat template needs it: {', '.join(changes)}")
    return lines + _packing(training, kind)


def _learnt(training: Training, kind: str, counts: Mapping[str, int]) -> str:
    if kind == "prompt":
        sampled = "; the answers are sampled and rewarded" if training.rewards else ""
        sampled = "; the answers are sampled, and compared with the teacher's" if training.teacher else sampled
        return f"{counted(counts['all_tokens'], 'token')}{sampled}"
    if training.trainer == "reward":
        return f"{counted(counts['all_tokens'], 'token')}; whole conversations are rewarded"
    calls = f" ({counted(counts['calls'], 'tool call')})" if counts["calls"] else ""
    several = kind == "sft" and counts["sequences"] > counts["rows"]
    sequences = f" in {counts['sequences']:,} sequences" if several else ""
    tokens = f"{counts['tokens']:,} of {counted(counts['all_tokens'], 'token')} learnt"
    labels = f"{counts['good']:,} good and {counts['bad']:,} bad, " if counts["good"] or counts["bad"] else ""
    return f"{labels}{counted(counts['turns'], 'turn')}{calls}{sequences}, {tokens}"


def _left_out(dropped: Mapping[str, str]) -> list[str]:
    reasons = Counter(dropped.values()).most_common()
    parts = [f"{count:,} left out: {printable(reason)}" for reason, count in reasons[:REASONS]]
    more = sum(count for _, count in reasons[REASONS:])
    return [*parts, f"{more:,} more left out"] if more else parts


def _packing(training: Training, kind: str) -> list[str]:
    """Return what packing changes about what is shown."""

    def option(name: str) -> Any:
        return training.settings.get(name, options.default(training.trainer, name))

    if kind != "sft" or not option("packing"):
        return []
    return [
        f"sequences are packed into blocks of {option('max_length') or 'max_length'} tokens (packing_strategy: "
        f"{option('packing_strategy')}); rows can't be told apart in a block, so each is shown by itself"
    ]
