r"""Conversations that are written as one text.

``\n\nHuman: ...\n\nAssistant: ...`` (HH-RLHF), ``### Human: ...### Assistant: ...`` (Guanaco), and a first turn of the
user without a mark, then ``\n<extra_id_1>Assistant\n...`` (HelpSteer).
"""

import re

from schemas.errors import BadRow, short_repr
from schemas.messages import Message

_HH = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ \t]?")
_LINES = re.compile(r"(?:\A\s*|\n)(Human|Assistant):[ \t]?")
_GUANACO = re.compile(r"\s*### ?(Human|Assistant):[ \t]?")
_STEER = re.compile(r"(?:\A|\n?<extra_id_1>(User|Assistant)\n)")
_STEER_MARK = "<extra_id_1>"
SIGNS = ("Human:", _STEER_MARK)  # a transcript has one of these
_ROLES = {"Human": "user", "User": "user", "Assistant": "assistant", None: "user"}


def is_transcript(text: str) -> bool:
    """Return whether a text is a transcript, by its beginning (by its marks where it begins with the user's text)."""
    start = text.lstrip()[:10]
    spoken = start.startswith("Human:") and "Assistant:" in text
    return spoken or start.startswith(("### Human:", "###Human:")) or _STEER_MARK in text


def read_transcript(text: str, key: str, *, answered: bool = False, empty_end: bool = False) -> list[Message]:
    """Return the messages of a transcript.

    Args:
        text: The transcript.
        key: Its name in an error.
        answered: Whether it ends with an answer, which may be empty; else an empty turn of the assistant at the end,
            which only says who is to speak, is left out.
        empty_end: Whether the last turn may be an empty one of the user.

    Raises:
        BadRow: A turn has no text.
    """
    if text.lstrip().startswith("Human:"):
        pattern = _HH if "\n\nAssistant:" in text else _LINES
    else:
        pattern = _STEER if _STEER_MARK in text else _GUANACO
    marks = list(pattern.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    messages: list[Message] = []
    for mark, end in zip(marks, ends, strict=True):
        role, content = _ROLES[mark[1]], text[mark.end() : end]
        last = end == len(text)
        if content.strip() or (last and (answered if role == "assistant" else empty_end and bool(messages))):
            messages.append({"role": role, "content": content.rstrip() if role == "user" else content})
        elif not last or role == "user":
            raise BadRow(f"{key!r}: a turn of the {role} in the transcript is empty")
    if not messages:
        raise BadRow(f"{key!r} is a transcript without a turn: {short_repr(text)}")
    return messages
