"""Harder or rarer prompts from seeds, step by step (Evol-Instruct, WizardLM, arXiv 2304.12244).

``how`` is one of the paper's operations, or several that alternate over a seed's samples and ``rounds``: ``deepen``,
``broaden`` (a new prompt of the same domain), ``constrain``, ``concretise``, ``reason`` (more steps of reasoning). Only
the last user turn evolves; system turns and earlier turns stay. Every round's prompt is a new prompt.

The paper's elimination: an evolution that only repeats its prompt, is empty or without a word, apologises, or copies
words of the request ("given prompt", "rewritten prompt") is dropped, and the next round starts from the previous
prompt. A prompt that is too hard to answer shows in its answers: ``score: refusal``.
"""

import polars as pl

from curate.generate._new_prompts import NewPrompt, check_counts, ends_with_user, prompt_in_reply, prompt_table
from curate.generate._reply_text import column, same_text, texts
from curate.generate._stable_choice import rotating_choice
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, conversation, quote, turns_of
from schemas.errors import UserError, unknown
from schemas.messages import Message, dump_turns

HARDER = """Rewrite the prompt between <given> and </given> into a more complex version, somewhat harder for an AI \
assistant but still reasonable, clear and answerable. {method} Keep everything that is not prose, such as code, tables \
and data, and add no more than 10 to 20 words."""
METHODS = {
    "deepen": HARDER.format(method="If it asks about something, make it ask in more depth and breadth."),
    "broaden": """Take the prompt between <given> and </given> as inspiration for a brand new prompt. It must belong \
to the same domain but be rarer, be of similar length and complexity, and be reasonable, clear and answerable by an AI \
assistant.""",
    "constrain": HARDER.format(method="Add one more constraint or requirement."),
    "concretise": HARDER.format(method="Replace general concepts with more specific ones."),
    "reason": HARDER.format(
        method="If it can be solved by a few simple thoughts, make it explicitly require several steps of reasoning."
    ),
}
CONTEXT = "\nIt is the user's next turn in this conversation, which stays as it is:\n{context}\n"
ENDING = """
Do not answer it. Reply with the new prompt alone, between <prompt> and </prompt>.

{given}"""
COPIED = ("given prompt", "rewritten prompt", "created prompt", "new prompt")
HOW = list(METHODS)


def prompts(
    messages: pl.Series, sample_index: pl.Series, *, how: str | list[str] = HOW, rounds: int = 1, seed: int = 0
) -> Asking:
    """Evolve each prompt that ends with a user turn, ``rounds`` times, and return every round's prompts.

    The note has the ``evolution`` and its ``round`` (from 1).

    Args:
        messages: The prompts, as JSON text.
        sample_index: The number of each row among the samples of its seed.
        how: The operation, or several.
        rounds: Rounds of evolution, 1 or more.
        seed: Seed of the choice of the first operation.

    Raises:
        UserError: For an unknown operation, an empty list, or ``rounds`` below 1.
    """
    names = _names(how)
    check_counts("evolve", rounds=rounds)
    seeds = [turns if ends_with_user(turns) else None for turns in map(turns_of, texts(messages))]
    first = rotating_choice(messages, sample_index, len(names), seed)
    now, made = list(seeds), []
    for number in range(rounds):
        chosen = [names[(place + number) % len(names)] for place in first]
        replies = yield Ask(
            column(_request(turns, name) if turns else None for turns, name in zip(now, chosen, strict=True))
        )
        for row, (reply, start, turns) in enumerate(zip(texts(replies), seeds, now, strict=True)):
            text = _evolved(reply, [start[-1]["content"], turns[-1]["content"]]) if start and turns else None
            if turns and text:
                last: Message = {**turns[-1], "content": text}
                now[row] = evolved = [*turns[:-1], last]
                note = {"evolution": chosen[row], "round": number + 1}
                made.append(NewPrompt(row, dump_turns(evolved, "messages"), note))
    return prompt_table(made)


def _names(how: str | list[str]) -> list[str]:
    names = [how] if isinstance(how, str) else list(dict.fromkeys(how))
    for name in names:
        if name not in METHODS:
            raise unknown("evolution", name, METHODS, "generate evolve: how")
    if not names:
        raise UserError(f"generate evolve: how: expected one or more of {', '.join(METHODS)}, found []")
    return names


def _request(turns: list[Message], name: str) -> str:
    before = turns[:-1]
    context = CONTEXT.format(context=conversation(before)) if before else ""
    return ask_user(METHODS[name] + context + ENDING.format(given=quote("given", turns[-1]["content"])))


def _evolved(reply: str | None, earlier: list[str]) -> str | None:
    """Return the evolved prompt; None if the paper's elimination drops it."""
    text = prompt_in_reply(reply)
    if text is None or any(same_text(text, other) for other in earlier):
        return None
    copied = any(words in text.lower() and words not in earlier[0].lower() for words in COPIED)
    return None if copied else text
