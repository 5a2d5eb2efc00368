"""Says in a few lines which rows lose what to ``max_length``, and which ``max_length`` would keep them whole."""

import math
from collections.abc import Sequence

from cli.learnt_counts import NOUNS
from cli.token_text import harmless
from schemas.counted import counted
from schemas.recipe import Training
from train.examples.context import NO_LIMIT, Context, prompt_room
from train.examples.cuts import Cut
from train.examples.examples import Examples
from train.options import options
from train.row_mentions import share

SHOWN = 3  # rows that lose the most
MOST = 0.99  # the share of the rows that the shorter of two lengths keeps whole


def cut_rows(training: Training, kind: str, examples: Examples, context: Context) -> list[str]:
    """Return lines on the rows that are too long; none where no row is.

    Args:
        training: The training.
        kind: The type of its rows: 'sft', 'preference', 'unpaired' or 'prompt'.
        examples: The rows as the training gets them, or the first of them.
        context: How many tokens the model reads.
    """
    if kind == "prompt":
        return _long_prompts(training, examples.lengths, prompt_room(training, context))
    if not examples.cuts:
        return []
    limit = training.settings.get("max_length", options.default(training.trainer, "max_length"))
    cuts, noun = sorted(examples.cuts, key=lambda one: (-one.lost, one.row_id)), NOUNS[kind]
    gone = sum(one.left_out for one in cuts)
    lost, rows = sum(one.lost for one in cuts), len(examples.lengths)
    all_learnt = examples.counts["tokens"] + lost
    first = (
        f"max_length {_limit(limit)}: {counted(len(cuts), noun)} of {rows:,} ({share(len(cuts), rows)}) "
        f"{_lose(len(cuts))} {lost:,} of {all_learnt:,} tokens that would be learnt"
        f"{f'; {counted(gone, noun)} {_lose(gone)} all and {_are(gone)} left out' if gone else ''}; "
        f"{_lengths(examples.lengths, context.tokens or NO_LIMIT)}"
    )
    more = f"; {counted(len(cuts) - SHOWN, noun)} more" if len(cuts) > SHOWN else ""
    rows_of = "; ".join(_row(one, training) for one in cuts[:SHOWN])
    return [first, f"the most is lost by {rows_of}{more}"]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _lose(count: int) -> str:
    return "loses" if count == 1 else "lose"


def _limit(limit: object) -> str:
    return f"{limit:,}" if isinstance(limit, int) else str(limit)


def _row(cut: Cut, training: Training) -> str:
    """Return what a row loses: ``row r_1 (120 of 300 tokens: 1 whole turn, with 1 tool call)``."""
    counts = f"row {harmless(cut.row_id)} ({cut.lost:,} of {counted(cut.learnt, 'token')}"
    if cut.left_out:
        return f"{counts}: left out)"
    end = "beginning" if training.settings.get("truncation_mode") == "keep_end" else "end"
    what = f"the {end} of a turn"
    if cut.turns:
        calls = f", with {counted(cut.calls, 'tool call')}" if cut.calls else ""
        what = f"{counted(cut.turns, 'whole turn')}{calls}"
    return f"{counts}: {what})"


def _lengths(lengths: Sequence[int], context: int) -> str:
    """Return which ``max_length`` keeps 99% of the rows whole, and which all; none is more than the context."""
    most, longest = quantile(lengths, MOST), max(lengths)
    if most > context:
        whole = sum(length <= context for length in lengths)
        return f"max_length: {context}, all that the model reads, would keep {share(whole, len(lengths))} whole"
    if most == longest:
        return f"max_length: {longest} would keep all whole"
    if longest > context:
        return (
            f"max_length: {most} would keep {MOST:.0%} whole; the longest has {longest:,}, the model reads {context:,}"
        )
    return f"max_length: {most} would keep {MOST:.0%} whole, {longest} all"


def _long_prompts(training: Training, lengths: Sequence[int], room: int) -> list[str]:
    """Return how many prompts leave no room for an answer, and how long an answer all leave room for."""
    long = sum(length > room for length in lengths)
    if not long or room >= NO_LIMIT // 2:
        return []
    name = "max_completion_length"
    answer = training.settings.get(name, options.default(training.trainer, name)) or 0
    context, most, longest = room + answer, quantile(lengths, MOST), max(lengths)
    line = (
        f"{counted(long, 'prompt')} of {len(lengths):,} ({share(long, len(lengths))}) {_are(long)} longer than "
        f"{room:,} tokens, which {name}: {answer} leaves of the model's {context:,}"
    )
    if longest < context:
        both = f"{name}: {context - longest} would take them all"
        most_of = f"{name}: {context - most} would take {MOST:.0%}, "
        return [line + "; " + (both if most == longest or most <= room else most_of + both)]
    return [f"{line}; the longest has {longest:,}: a model with a longer context, or a dataset without it (where:)"]


def quantile(lengths: Sequence[int], wanted: float) -> int:
    """Return the least length that at least a share of the rows does not exceed."""
    ordered = sorted(lengths)
    return ordered[max(math.ceil(wanted * len(ordered)) - 1, 0)]
