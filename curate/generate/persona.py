"""Prompts written as by a persona, from a list or one that fits the seed (arXiv 2406.20094).

With ``personas``, a seed's samples are written by different ones of the list. Without, the model is first asked who
would write or read the seed (text-to-persona), then for a prompt by that person. The seed is an example of the kind of
task; the new prompt is one user turn that can be understood without it.
"""

import polars as pl

from curate.generate._new_prompts import check_texts, echoes, one_turn_prompt, prompt_in_reply, prompt_table, usable
from curate.generate._reply_text import column, same_text, tagged_text, texts, unquoted
from curate.generate._stable_choice import Ring
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, quote
from schemas.json_text import blank

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
LONGEST = 600  # characters of a persona; a longer description is cut, so that it does not fill the next request


def prompts(prompt: pl.Series, sample_index: pl.Series, *, personas: list[str] | None = None, seed: int = 0) -> Asking:
    """Ask for one new prompt per row and return them; the note has the ``persona``.

    Args:
        prompt: The seeds.
        sample_index: The number of each row among the samples of its seed.
        personas: Descriptions of personas; None to ask the model for one per row.
        seed: Seed of the choice from ``personas``.

    Raises:
        UserError: For an empty list of personas, or a blank one.
    """
    seeds = [None if text is None or blank(text) else text for text in texts(prompt)]
    if personas is None:
        replies = yield Ask(column(text and ask_user(WHO.format(text=quote("passage", text))) for text in seeds))
        people = [_persona(reply) for reply in texts(replies)]
    else:
        people = _from_list(seeds, sample_index, check_texts("persona", "personas", personas), seed)
    asked = [text and who and _request(who, text) for text, who in zip(seeds, people, strict=True)]
    replies = yield Ask(column(asked))
    found = [prompt_in_reply(reply) if text else None for text, reply in zip(asked, texts(replies), strict=True)]
    return prompt_table(
        one_turn_prompt(row, text, {"persona": people[row]})
        for row, (text, old) in enumerate(zip(found, seeds, strict=True))
        if text and old and not same_text(text, old)
    )


def _from_list(seeds: list[str | None], sample_index: pl.Series, personas: list[str], seed: int) -> list[str]:
    """Return a persona for each row: the one that the seed's text chooses, and the next one for each further sample."""
    ring = Ring(personas, seed)
    places = zip(ring.after([text or "" for text in seeds]), sample_index.cast(pl.Int64).fill_null(0), strict=True)
    return [ring.texts[(start + index) % len(ring.texts)] for start, index in places]


def _persona(reply: str | None) -> str | None:
    """Return the description in a reply, as one paragraph; None if it is not usable."""
    text = tagged_text(reply, "persona")
    text = unquoted(" ".join(text.split())) if text else None
    return text[:LONGEST].rstrip() if text and usable(text) and not echoes(text) else None


def _request(persona: str, example: str) -> str:
    return ask_user(WRITE.format(persona=quote("persona", persona), example=quote("example", example)))
