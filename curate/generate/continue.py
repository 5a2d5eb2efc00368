"""Longer conversations: the model answers, then a simulated user writes the next turn, ``turns`` times.

The new prompt is the longer conversation, ending in a user turn without an answer. ``user_model`` (or ``model``) plays
the user: it reads the conversation as text and replies [DONE] to end it. A conversation that ends early, or whose next
reply fails, is kept up to there. No tools are offered: answers are texts.
"""

import polars as pl

from curate.generate._new_prompts import NewPrompt, check_counts, ends_with_user, prompt_table, usable
from curate.generate._reply_text import column, tagged_text, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, conversation, turns_of
from schemas.json_text import blank
from schemas.messages import Message, dump_turns

DONE = "[DONE]"
REQUEST = """Here is a conversation of a user with an AI assistant:

{conversation}

Play the user. Write the user's next message and nothing else: what this user would really say to the assistant's last \
turn, in the user's language and manner, such as a question that follows, a correction or a further request. Do not \
answer as the assistant. If the user would say no more than thanks or goodbye, reply with [DONE].
Put the message between <message> and </message>."""


def prompts(messages: pl.Series, *, turns: int = 1, user_model: str | None = None) -> Asking:
    """Continue each prompt that ends with a user turn; the note has the number of new turns (``continued``).

    Args:
        messages: The prompts, as JSON text.
        turns: User turns to add, 1 or more.
        user_model: The model that plays the user. The code that runs the step reads it.

    Raises:
        UserError: For ``turns`` below 1.
    """
    check_counts("continue", turns=turns)
    now = [found if ends_with_user(found) else None for found in map(turns_of, texts(messages))]
    going = list(now)  # None where the conversation has ended
    added = [0] * len(now)
    for _ in range(turns):
        replies = yield Ask(column(dump_turns(t, "messages") if t else None for t in going))
        answered: list[list[Message] | None] = [
            [*t, {"role": "assistant", "content": reply.strip()}] if t and reply and not blank(reply) else None
            for t, reply in zip(going, texts(replies), strict=True)
        ]
        replies = yield Ask(column(_request(t) if t else None for t in answered), model="user_model")
        for row, (longer, reply) in enumerate(zip(answered, texts(replies), strict=True)):
            message = _user_message(reply) if longer else None
            going[row] = [*longer, message] if longer and message else None
            if going[row]:
                now[row] = going[row]
                added[row] += 1
    return prompt_table(
        NewPrompt(row, dump_turns(longest, "messages"), {"continued": count})
        for row, (longest, count) in enumerate(zip(now, added, strict=True))
        if longest and count
    )


def _request(turns: list[Message]) -> str:
    shown = [turn for turn in turns if turn["role"] not in ("system", "developer")]
    return ask_user(REQUEST.format(conversation=conversation(shown)))


def _user_message(reply: str | None) -> Message | None:
    """Return the user's next message; None if the reply ends the conversation or holds no message."""
    if reply is None or DONE in reply.upper():
        return None
    text = tagged_text(reply, "message")
    return {"role": "user", "content": text} if text and usable(text) else None
