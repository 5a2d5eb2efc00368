"""A new candidate from an old one, criticised by a principle and then revised (Constitutional AI, arXiv 2212.08073).

``principles`` say what a response should be; with several, the response's text chooses one, and every further round
takes the next. A round in which the critic finds nothing to object to, or either reply fails, changes nothing.
``critic_model`` is another model that criticises; the revision is always the step's own ``model``'s.
"""

import re

import polars as pl

from curate.generate._choose import spread
from curate.generate._prompts import at_least_one, texts_given
from curate.generate._texts import column, refuses, tagged, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, conversation, quote, turns_of
from schemas.messages import blank

PRINCIPLES = [
    "It is true: it states nothing false, invents no fact or source, and says plainly what is uncertain.",
    "It does all that the user asked, and keeps every constraint that the user set.",
    "It helps nobody to harm people, and is free of insult, prejudice and manipulation.",
    "It is clear and no longer than it needs to be, without flattery, filler or repetition.",
]
CRITIQUE = """Criticise the last response of the AI assistant in this conversation by one principle.

{conversation}
{response}
{principle}

Name in a few sentences the specific places where the response falls short of the principle, and what would mend each. \
Do not rewrite it. If it falls short nowhere, reply with the one word NONE."""
REVISE = """Revise the last response of the AI assistant in this conversation so that it answers the critique.

{conversation}
{response}
{critique}

Mend what the critique names and keep the rest as it is. The revised response speaks to the user and does not mention \
the critique. Reply with it alone, between <revised> and </revised>."""


def candidates(
    messages: pl.Series,
    response: pl.Series,
    *,
    principles: list[str] = PRINCIPLES,
    rounds: int = 1,
    critic_model: str | None = None,
    seed: int = 0,
) -> Asking:
    """Criticise and revise each response ``rounds`` times; null where nothing came of it.

    Raises ``UserError`` for a list without principles. ``critic_model`` is read by who runs the step.
    """
    given = texts_given("critique_revise", "principles", principles)
    at_least_one("critique_revise", rounds=rounds)
    first = spread(response, None, len(given), seed)
    before = [turns and conversation(turns) for turns in map(turns_of, texts(messages))]
    old = [
        text if turns and text and not blank(text) else None
        for turns, text in zip(before, texts(response), strict=True)
    ]
    now = list(old)
    for number in range(rounds):
        chosen = [given[(place + number) % len(given)] for place in first]
        replies = yield Ask(
            column(
                text and _request(CRITIQUE, turns, text, principle=rule)
                for turns, text, rule in zip(before, now, chosen, strict=True)
            ),
            model="critic_model",
        )
        critiques = [_objection(reply) if text else None for text, reply in zip(now, texts(replies), strict=True)]
        replies = yield Ask(
            column(
                critique and _request(REVISE, turns, text, critique=critique)
                for turns, text, critique in zip(before, now, critiques, strict=True)
            )
        )
        for row, reply in enumerate(texts(replies)):
            now[row] = _revised(reply, now[row]) if critiques[row] else now[row]
    return column(None if a is None or a.strip() == b.strip() else a for a, b in zip(now, old, strict=True))


def _request(wording: str, turns: str, response: str, **more: str) -> str:
    quoted = {name: quote(name, text) for name, text in more.items()}
    return ask_user(wording.format(conversation=turns, response=quote("response", response), **quoted))


def _revised(reply: str | None, before: str) -> str:
    """The revised response; the one before where the reply is none, refuses, or talks of the critique instead."""
    text = tagged(reply, "revised")
    if text is None or (refuses(text) and not refuses(before)):
        return before
    return before if "critique" in text.lower() and "critique" not in before.lower() else text


def _objection(reply: str | None) -> str | None:
    """The critique; None where there is none, or it is that there is nothing to say."""
    text = (reply or "").strip()
    nothing = re.search(r"\bNONE\b", text) or text.strip("\"'*`[]<>().! ").casefold() in ("", "none")
    return None if nothing else text
