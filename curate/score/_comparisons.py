"""Choose which responses a judge compares: pairs of a prompt's candidates, or each candidate with the reference."""

from itertools import combinations
from typing import NamedTuple

import polars as pl

from curate.algorithms.random_order import text_draws
from curate.steps.quoting import turns_of
from schemas.messages import Message


class Prompt(NamedTuple):
    """A prompt: its turns, its reference, and the number of candidates with each text (in a random order).

    There are no turns where the messages cannot be read. ``tools`` is JSON text, or None.
    """

    turns: list[Message]
    reference: str | None
    texts: dict[str, int]
    tools: str | None = None


class Comparison(NamedTuple):
    """Two texts of a prompt that a judge compares once, for all candidates that have these texts.

    Attributes:
        prompt: The prompt's id.
        one: The first text.
        other: The second text.
        one_count: Comparisons that this makes for each candidate with the first text: the candidates with the second.
        other_count: The same for the second text; 0 if that is a reference.
    """

    prompt: str
    one: str
    other: str
    one_count: int
    other_count: int


def prompts_by_id(
    prompt_id: pl.Series, text: pl.Series, messages: pl.Series, reference: pl.Series, tools: pl.Series, seed: int
) -> dict[str, Prompt]:
    """Return the prompts by id. The order of the rows changes neither them nor the order of their texts.

    Args:
        prompt_id: The prompt of each candidate.
        text: The response of each candidate, as a judge is shown it; null ones are left out.
        messages: The prompt's messages, as JSON text.
        reference: The prompt's reference answer, or null.
        tools: The prompt's tools, as JSON text, or null.
        seed: Seed of the random order of a prompt's texts.
    """
    columns = {"prompt": prompt_id, "text": text, "messages": messages, "reference": reference, "tools": tools}
    rows = pl.DataFrame(columns, schema_overrides={"messages": pl.String, "tools": pl.String})
    rows = rows.with_columns(draw=text_draws(text, seed)).drop_nulls("text")
    one = rows.group_by("prompt").agg(pl.col("messages", "reference", "tools").min())
    texts = rows.group_by("prompt", "text", "draw").len().sort("prompt", "draw", "text")
    texts = (
        texts.group_by("prompt", maintain_order=True)
        .agg("text", "len")
        .join(one, on="prompt", maintain_order="left", nulls_equal=True)
    )
    return {
        prompt: Prompt(turns_of(messages) or [], reference, dict(zip(found, counts, strict=True)), tools)
        for prompt, found, counts, messages, reference, tools in texts.iter_rows()
    }


def candidate_pairs(prompts: dict[str, Prompt], rounds: int | None) -> list[Comparison]:
    """Return pairs of each prompt's texts: all pairs, or so many that each text is in about ``rounds`` of them."""
    return [
        Comparison(name, one, other, prompt.texts[other], prompt.texts[one])
        for name, prompt in prompts.items()
        if prompt.turns
        for one, other in pairs_to_compare(list(prompt.texts), rounds)
    ]


def reference_pairs(prompts: dict[str, Prompt]) -> list[Comparison]:
    """Return comparisons of every text with its prompt's reference, without texts equal to it."""
    return [
        Comparison(name, text, prompt.reference, 1, 0)
        for name, prompt in prompts.items()
        if prompt.turns
        for text in prompt.texts
        if prompt.reference and text != prompt.reference
    ]


def pairs_to_compare(texts: list[str], rounds: int | None) -> list[tuple[str, str]]:
    """Return the pairs to compare: all, or each text with its neighbours on a circle.

    Each text is paired with the ``rounds // 2`` texts on either side and, if ``rounds`` is odd, with the one opposite.
    So each is in ``rounds`` pairs, but for one that is in one more if both ``rounds`` and the number of texts are odd.
    """
    count = len(texts)
    if rounds is None or rounds >= count - 1:
        return list(combinations(texts, 2))
    places = [(place, (place + step) % count) for step in range(1, rounds // 2 + 1) for place in range(count)]
    places += [(place, (place + count // 2) % count) for place in range((count + 1) // 2 * (rounds % 2))]
    return [(texts[one], texts[other]) for one, other in dict.fromkeys(tuple(sorted(pair)) for pair in places)]
