r"""Conversations that are written as one text: ``\n\nHuman: ...\n\nAssistant: ...`` (HH-RLHF), ``### Human: ...``."""

import re

from schemas.errors import BadRow, short_repr
from schemas.messages import Message

_HH = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):[ \t]?")
_GUANACO = re.compile(r"(?:\A\s*|\s*)### ?(Human|Assistant):[ \t]?")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def is_transcript(text: str) -> bool:
    """Return whether a text begins as a transcript does."""
    return text.lstrip()[:10].startswith(("Human:", "### Human:", "###Human:"))


def read_transcript(text: str, key: str) -> list[Message]:
    """Return the messages of a transcript; an assistant's turn at its end that has no text is left out.

    Args:
        text: The transcript.
        key: Its name in an error.

    Raises:
        BadRow: It does not begin with ``Human:``, or a turn has no text.
    """
    marks = list((_HH if text.lstrip().startswith("Human:") else _GUANACO).finditer(text))
    if not marks:
        raise BadRow(f"{key!r} is no transcript: {short_repr(text)}; expected it to begin with 'Human:'")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    messages: list[Message] = []
    for mark, end in zip(marks, ends, strict=True):
        role, content = _ROLES[mark[1]], text[mark.end() : end]
        if content.strip():
            messages.append({"role": role, "content": content.rstrip() if role == "user" else content})
        elif end < len(text):
            raise BadRow(f"{key!r}: a turn of the {role} in the transcript is empty")
    return messages
