"""Prompts as someone else would write them: by a persona of a list, or one that fits the seed (arXiv 2406.20094).

With ``personas`` a seed's samples are written by different ones. Without, the model is first asked who would write or
read the seed (text-to-persona), then for a prompt by that person. The seed shows what kind of task is meant; the new
prompt is one user turn and stands alone.
"""

import polars as pl

from curate.generate._choose import Ring
from curate.generate._prompts import echoes, new_prompt, single, table, texts_given, usable
from curate.generate._texts import column, same_text, tagged, texts, unquoted
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, quote
from schemas.messages import blank

WHO = """Who is likely to write or read the text between <passage> and </passage>? Describe one such person in one \
specific sentence: what they do, know and care about. Give no name.
Reply with the description alone, between <persona> and </persona>.

{text}"""
WRITE = """Think of this person:

{persona}

Write a prompt that this person might send to an AI assistant, on something of their own life or work and in their own \
words. It must be the same kind of task as the example between <example> and </example>, but about another subject, \
and be understood without it.
Do not answer it. Reply with the prompt alone, between <prompt> and </prompt>.

{example}"""
LONGEST = 600  # characters; a "persona" beyond that is an essay, cut here so that it does not fill the next request


def prompts(prompt: pl.Series, sample_index: pl.Series, *, personas: list[str] | None = None, seed: int = 0) -> Asking:
    """Ask for one new prompt a row and return them; the note has the ``persona``.

    Raises ``UserError`` for a list without personas.
    """
    seeds = [None if text is None or blank(text) else text for text in texts(prompt)]
    if personas is None:
        replies = yield Ask(column(text and ask_user(WHO.format(text=quote("passage", text))) for text in seeds))
        people = [_persona(reply) for reply in texts(replies)]
    else:
        people = _of_list(seeds, sample_index, texts_given("persona", "personas", personas), seed)
    asked = [text and who and _request(who, text) for text, who in zip(seeds, people, strict=True)]
    replies = yield Ask(column(asked))
    found = [new_prompt(reply) if text else None for text, reply in zip(asked, texts(replies), strict=True)]
    return table(
        single(row, text, {"persona": people[row]})
        for row, text in enumerate(found)
        if text and not same_text(text, seeds[row])
    )


def _of_list(seeds: list[str | None], sample_index: pl.Series, personas: list[str], seed: int) -> list[str]:
    """For each row a persona: where the seed's text falls on the ring, and one on for each further sample."""
    ring = Ring(personas, seed)
    places = zip(ring.after([text or "" for text in seeds]), sample_index.cast(pl.Int64).fill_null(0), strict=True)
    return [ring.texts[(start + index) % len(ring.texts)] for start, index in places]


def _persona(reply: str | None) -> str | None:
    """The description in a reply, as one paragraph."""
    text = tagged(reply, "persona")
    text = unquoted(" ".join(text.split())) if text else None
    return text[:LONGEST].rstrip() if text and usable(text) and not echoes(text) else None


def _request(persona: str, example: str) -> str:
    return ask_user(WRITE.format(persona=quote("persona", persona), example=quote("example", example)))
