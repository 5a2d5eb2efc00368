"""Which turns of a conversation are learnt: every turn of the assistant but those that a mark says are context only.

Files mark turns under many names (``MARKS``); in our form a turn that is context only has ``"weight": 0``.
"""

from collections.abc import Mapping
from typing import Any

# The names of marks, and what a true value means there: that the turn is learnt, or that it is not.
MARKS = {
    "weight": True,  # OpenAI, Mistral, Together
    "train": True,  # axolotl, LLaMA-Factory
    "training": True,  # axolotl
    "train_on_turn": True,  # axolotl
    "trainable": True,  # Tinker, verl
    "loss": True,  # ms-swift, ChatGLM, AgentInstruct
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


def is_learnt(message: Mapping[str, Any]) -> bool:
    """Return whether a turn is learnt: it is the assistant's, and no mark says that it is context only."""
    return message["role"] == "assistant" and (len(message) == 2 or not _is_marked(message))


def mark_unlearnt(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with the mark that it is context only, in place of all other marks."""
    return {**{key: value for key, value in message.items() if key not in MARK_KEYS}, "weight": 0}


def with_one_mark(message: dict[str, Any], role: str) -> dict[str, Any]:
    """Return a message with the mark that it is context only in our form; other marks stay as they are.

    Args:
        message: The message, or the keys of it beside role and content; it is not changed.
        role: Its role in our form. Only the assistant's turns are learnt, so no mark of another turn is read.
    """
    if role != "assistant" or not _is_marked(message):
        return message
    in_part = PARTS in message and True in _parts(message[PARTS])
    return {**mark_unlearnt(message), **({PARTS: message[PARTS]} if in_part else {})}


def unread_marks(message: Mapping[str, Any]) -> list[str]:
    """Return the names of the marks of a message in our form that are not understood, or ask for what is not done.

    Nobody learns half a turn (a weight of 0.5), a part of a turn, or a turn of the user.
    """
    if len(message) == 2 or MARK_KEYS.isdisjoint(message):
        return []
    marks = [key for key in message if key in MARK_KEYS]
    if message["role"] != "assistant":
        return [key for key in marks if _says(key, message[key])]
    return [key for key in marks if _says(key, message[key]) is None or (key == PARTS and not is_learnt(message))]


def _is_marked(message: Mapping[str, Any]) -> bool:
    """Return whether a mark of a message says that it is context only."""
    if MARK_KEYS.isdisjoint(message):
        return False
    return any(_says(key, message[key]) is False for key in message if key in MARK_KEYS)


def _says(key: str, value: Any) -> bool | None:
    """Return whether a mark says that its turn is learnt; ``None`` where it is not understood.

    A turn with a part that is not to be learnt is not: a part of a turn cannot be left out.
    """
    if key == PARTS:
        said = _parts(value)
        return False if False in said else True if said and all(said) else None
    found = _flag(value) if key in MARKS else None
    return found if found is None or MARKS[key] else not found


def _parts(value: Any) -> list[bool | None]:
    """Return for each part of a turn whether it is to be learnt."""
    parts = value if isinstance(value, list) else [value]
    return [_flag(part.get("train")) if isinstance(part, Mapping) else None for part in parts]


def _flag(value: Any) -> bool | None:
    """Return the truth of true and false, 1 and 0, or a word for one of them; ``None`` for another value."""
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None
