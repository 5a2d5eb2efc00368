"""Which turns of a conversation are learnt: every turn of the assistant but those that a mark says are context only.

Files mark turns under many names (``MARKS``); in our form a turn that is context only has ``"weight": 0``, and a turn
that is learnt has no mark. Names are compared in lower case, with ``_`` for ``-`` and spaces.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from schemas.json_text import parse

# The names of marks, and what a true value means there: that the turn is learnt, or that it is not.
MARKS = {
    "weight": True,  # OpenAI, Mistral, Together
    "train": True,  # axolotl, LLaMA-Factory
    "training": True,  # axolotl
    "train_on_turn": True,  # axolotl
    "trainable": True,  # Tinker, verl
    "loss": True,  # ms-swift, ChatGLM, AgentInstruct
    "loss_scale": True,  # ms-swift
    "loss_weight": True,
    "loss_mask": True,  # verl: 1 where there is a loss
    "masked": False,  # torchtune
}
PARTS = "train_detail"  # axolotl: spans of a turn, each with ``train``
# Data sets differ in what ``mask: true`` means.
MARK_KEYS = frozenset((*MARKS, PARTS, "mask"))
_WORDS = {
    **dict.fromkeys(("true", "yes", "1", "1.0"), True),
    **dict.fromkeys(("false", "no", "0", "0.0"), False),
}


_NO_MARKS = {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"}  # at a quick look
_LIKE_MARKS = re.compile("loss|.*weight|.*mask|train")  # names that may be marks of another kind


def is_learnt(message: Mapping[str, Any]) -> bool:
    """Return whether a turn is learnt: it is the assistant's, and no mark says that it is context only."""
    return message["role"] == "assistant" and (message.keys() <= _NO_MARKS or not _is_marked(message))


def mark_unlearnt(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with the mark that it is context only, in place of all other marks."""
    return {**{key: value for key, value in message.items() if mark_name(key) not in MARK_KEYS}, "weight": 0}


def with_one_mark(message: dict[str, Any], role: str) -> dict[str, Any]:
    """Return a message with the mark that it is context only in our form, and without marks that it is learnt.

    Marks that are not understood stay, but in a turn that is context only.

    Args:
        message: The message, or the keys of it beside role and content; it is not changed.
        role: Its role in our form. Only the assistant's turns are learnt, so no mark of another turn is read.
    """
    if role != "assistant" or message.keys() <= _NO_MARKS:
        return message
    said = {key: _says(name, message[key]) for key in message if (name := mark_name(key)) in MARK_KEYS}
    if False not in said.values():
        learnt = {key for key, says in said.items() if says}
        return {key: value for key, value in message.items() if key not in learnt} if learnt else message
    in_part = PARTS in message and True in _parts(message[PARTS])
    return {**mark_unlearnt(message), **({PARTS: message[PARTS]} if in_part else {})}


def unread_marks(message: Mapping[str, Any]) -> list[str]:
    """Return the names of the marks of a message in our form that are not understood, or ask for what is not done.

    Nobody learns half a turn (a weight of 0.5), a part of a turn, or a turn of the user. A key that has the name of a
    mark of another kind (``loss_factor``) is one where its value may be a mark's.
    """
    if message.keys() <= _NO_MARKS:
        return []
    marks = [(key, name) for key in message if (name := mark_name(key))]
    if not marks:
        return []
    if message["role"] != "assistant":
        return [key for key, name in marks if _says(name, message[key])]
    return [
        key
        for key, name in marks
        if (name == PARTS and not is_learnt(message))
        or (_says(name, message[key]) is None and (name in MARK_KEYS or _like_mark(message[key])))
    ]


@lru_cache(maxsize=4096)
def mark_name(key: Any) -> str | None:
    """Return a message's key as it is written in ``MARK_KEYS``; ``None`` where it does not look like a mark's name."""
    name = "_".join(key.lower().replace("-", " ").split()) if isinstance(key, str) else ""
    return name if name in MARK_KEYS or _LIKE_MARKS.match(name) else None


def _is_marked(message: Mapping[str, Any]) -> bool:
    """Return whether a mark of a message says that it is context only."""
    return any(_says(name, message[key]) is False for key in message if (name := mark_name(key)) is not None)


def _says(key: str, value: Any) -> bool | None:
    """Return whether a mark says that its turn is learnt; ``None`` where it is not understood.

    A turn with a part that is not to be learnt is not: a part of a turn cannot be left out.
    """
    if key == PARTS:
        said = _parts(value)
        return False if False in said else True if said and all(said) else None
    found = _flag(value) if key in MARKS else None
    return found if found is None or MARKS[key] else not found


def _like_mark(value: Any) -> bool:
    """Return whether a value is a number, true or false, a word for one of them, or a list of these."""
    if isinstance(value, list):
        return bool(value) and all(map(_like_mark, value))
    return isinstance(value, bool | int | float) or _flag(value) is not None


def _parts(value: Any) -> list[bool | None]:
    """Return for each part of a turn whether it is to be learnt."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = parse(value)
        except ValueError:
            return [None]
    parts = value if isinstance(value, list) else [value]
    return [_flag(part.get("train")) if isinstance(part, Mapping) else None for part in parts]


def _flag(value: Any) -> bool | None:
    """Return the truth of true and false, 1 and 0, or a word for one of them; ``None`` for another value."""
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None
