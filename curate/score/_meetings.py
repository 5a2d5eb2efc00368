"""Who is compared with whom: the candidates of each prompt, and the pairs of them that meet."""

from itertools import combinations
from typing import NamedTuple

import polars as pl

from curate.algorithms.random_order import text_draws
from curate.steps.quoting import turns_of


class Prompt(NamedTuple):
    """A prompt: its turns, its reference, and how many candidates have each text (in the order of a draw)."""

    turns: list[dict] | None
    reference: str | None
    texts: dict[str, int]


class Meeting(NamedTuple):
    """Two texts of a prompt that are compared, and for how many comparisons that counts for each.

    One candidate meets as many as there are with the other text; a reference's own comparisons count for nobody.
    """

    prompt: str
    one: str
    other: str
    for_one: int
    for_other: int


def by_prompt(
    prompt_id: pl.Series, text: pl.Series, messages: pl.Series, reference: pl.Series, seed: int
) -> dict[str, Prompt]:
    """Return the prompts by their ids; neither they nor their texts depend on the order of the rows."""
    rows = pl.DataFrame({"prompt": prompt_id, "text": text, "messages": messages, "reference": reference})
    rows = rows.with_columns(draw=text_draws(text, seed)).drop_nulls("text")
    one = rows.group_by("prompt").agg(pl.col("messages", "reference").min())
    texts = rows.group_by("prompt", "text", "draw").len().sort("prompt", "draw", "text")
    texts = (
        texts.group_by("prompt", maintain_order=True)
        .agg("text", "len")
        .join(one, on="prompt", maintain_order="left", nulls_equal=True)
    )
    return {
        prompt: Prompt(turns_of(messages), reference, dict(zip(found, counts, strict=True)))
        for prompt, found, counts, messages, reference in texts.iter_rows()
    }


def with_others(prompts: dict[str, Prompt], rounds: int | None) -> list[Meeting]:
    """Return the pairs of a prompt's texts that meet: all, or so many that each text meets about ``rounds`` others."""
    return [
        Meeting(name, one, other, prompt.texts[other], prompt.texts[one])
        for name, prompt in prompts.items()
        if prompt.turns
        for one, other in _pairs(list(prompt.texts), rounds)
    ]


def with_reference(prompts: dict[str, Prompt]) -> list[Meeting]:
    """Return the meetings of every text with its prompt's reference, equal ones left out."""
    return [
        Meeting(name, text, prompt.reference, 1, 0)
        for name, prompt in prompts.items()
        if prompt.turns
        for text in prompt.texts
        if prompt.reference and text != prompt.reference
    ]


def _pairs(texts: list[str], rounds: int | None) -> list[tuple[str, str]]:
    """The pairs that meet: all, or those of texts around a circle.

    There each meets those next to it and, where ``rounds`` is odd, the one opposite: all meet equally many, but for one
    that meets one more where both numbers are odd.
    """
    count = len(texts)
    if rounds is None or rounds >= count - 1:
        return list(combinations(texts, 2))
    places = [(place, (place + step) % count) for step in range(1, rounds // 2 + 1) for place in range(count)]
    places += [(place, (place + count // 2) % count) for place in range((count + 1) // 2 * (rounds % 2))]
    return [(texts[one], texts[other]) for one, other in dict.fromkeys(tuple(sorted(pair)) for pair in places)]
