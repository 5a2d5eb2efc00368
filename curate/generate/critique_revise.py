"""A new candidate: an old one criticised by a principle and then revised (Constitutional AI, arXiv 2212.08073).

``principles`` say what a response should be. The response's text chooses the first one, and every further round takes
the next. A round in which the critic has no objection, or either reply fails, changes nothing. ``critic_model`` may be
another model; the revision is always written by ``model``.
"""

import re

import polars as pl

from curate.generate._new_prompts import check_counts, check_texts
from curate.generate._reply_text import column, refuses, tagged_text, texts
from curate.generate._stable_choice import rotating_choice
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, conversation, quote, turns_of
from schemas.json_text import blank

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
    """Criticise and revise each response ``rounds`` times; return the revised ones, null where nothing changed.

    Args:
        messages: The prompts, as JSON text.
        response: The old candidates.
        principles: Principles to criticise by.
        rounds: Rounds of criticism and revision, 1 or more.
        critic_model: The model that criticises. The code that runs the step reads it.
        seed: Seed of the choice of the first principle.

    Raises:
        UserError: For an empty list of principles, a blank one, or ``rounds`` below 1.
    """
    given = check_texts("critique_revise", "principles", principles)
    check_counts("critique_revise", rounds=rounds)
    first = rotating_choice(response, None, len(given), seed)
    before = [conversation(turns) if turns else None for turns in map(turns_of, texts(messages))]
    old = [
        text if turns and text and not blank(text) else None
        for turns, text in zip(before, texts(response), strict=True)
    ]
    now = list(old)
    for number in range(rounds):
        chosen = [given[(place + number) % len(given)] for place in first]
        replies = yield Ask(
            column(
                _request(CRITIQUE, turns, text, principle=rule) if turns and text else None
                for turns, text, rule in zip(before, now, chosen, strict=True)
            ),
            model="critic_model",
        )
        critiques = [_objection(reply) if text else None for text, reply in zip(now, texts(replies), strict=True)]
        replies = yield Ask(
            column(
                _request(REVISE, turns, text, critique=critique) if turns and text and critique else None
                for turns, text, critique in zip(before, now, critiques, strict=True)
            )
        )
        now = [
            _revised(reply, text) if text and critique else text
            for text, critique, reply in zip(now, critiques, texts(replies), strict=True)
        ]
    return column(
        None if a is None or b is None or a.strip() == b.strip() else a for a, b in zip(now, old, strict=True)
    )


def _request(wording: str, turns: str, response: str, **more: str) -> str:
    quoted = {name: quote(name, text) for name, text in more.items()}
    return ask_user(wording.format(conversation=turns, response=quote("response", response), **quoted))


def _revised(reply: str | None, before: str) -> str:
    """Return the revised response; the previous one if the reply is empty, refuses, or discusses the critique."""
    text = tagged_text(reply, "revised")
    if text is None or (refuses(text) and not refuses(before)):
        return before
    return before if "critique" in text.lower() and "critique" not in before.lower() else text


def _objection(reply: str | None) -> str | None:
    """Return the critique; None if there is none or it has no objection."""
    text = (reply or "").strip()
    nothing = re.search(r"\bNONE\b", text) or text.strip("\"'*`[]<>().! ").casefold() in ("", "none")
    return None if nothing else text
