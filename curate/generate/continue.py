"""Longer conversations: the model answers, then a simulated user writes the next turn, ``turns`` times.

The new prompt is the longer conversation, ending in a user turn that is yet to be answered. ``user_model`` plays the
user (``model`` where it is not set); it reads the conversation as text, and ends it by saying [DONE]. A conversation
that ends early, or whose next reply fails, is taken as far as it came. Tools are not offered: an answer is a text.
"""

import polars as pl

from curate.generate._prompts import New, at_least_one, ends_with_user, table, usable
from curate.generate._texts import column, tagged, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, conversation, turns_of
from schemas.messages import blank, dump_turns

DONE = "[DONE]"
REQUEST = """Here is a conversation of a user with an AI assistant:

{conversation}

Play the user. Write the user's next message and nothing else: what this user would really say to the assistant's last \
turn, in the user's language and manner, such as a question that follows, a correction or a further request. Do not \
answer as the assistant. If the user would say no more than thanks or goodbye, reply with [DONE].
Put the message between <message> and </message>."""


def prompts(messages: pl.Series, *, turns: int = 1, user_model: str | None = None) -> Asking:
    """Continue each prompt that ends with a user turn; the note says by how many turns (``continued``).

    Raises ``UserError`` for ``turns`` below 1. ``user_model`` is read by who runs the step.
    """
    at_least_one("continue", turns=turns)
    seeds = [found if ends_with_user(found) else None for found in map(turns_of, texts(messages))]
    now = list(seeds)
    going = [found is not None for found in seeds]
    added = [0] * len(seeds)
    for _ in range(turns):
        replies = yield Ask(column(dump_turns(t, "messages") if go else None for t, go in zip(now, going, strict=True)))
        answered = [
            [*t, {"role": "assistant", "content": reply.strip()}] if go and reply and not blank(reply) else None
            for t, go, reply in zip(now, going, texts(replies), strict=True)
        ]
        replies = yield Ask(column(t and _request(t) for t in answered), model="user_model")
        for row, (longer, reply) in enumerate(zip(answered, texts(replies), strict=True)):
            said = _said(reply) if longer else None
            going[row] = said is not None
            if said is not None:
                now[row] = [*longer, {"role": "user", "content": said}]
                added[row] += 1
    return table(
        New(row, dump_turns(now[row], "messages"), {"continued": count}) for row, count in enumerate(added) if count
    )


def _request(turns: list[dict]) -> str:
    shown = [turn for turn in turns if turn["role"] not in ("system", "developer")]
    return ask_user(REQUEST.format(conversation=conversation(shown)))


def _said(reply: str | None) -> str | None:
    """The user's next message; None where the reply ends the conversation or holds none."""
    if reply is None or DONE in reply.upper():
        return None
    text = tagged(reply, "message")
    return text if text and usable(text) else None
