"""Reads a server's error, in any of the shapes that servers use, and says whether to retry, stop or give up."""

import re
from typing import Literal, NamedTuple

import msgspec

from schemas.errors import printable

NAMES_N = re.compile(r"(['\"`])n\1|\bn\b\s*(?:>|=|:|must|should|is\b|cannot)|\bchoices?\b", re.IGNORECASE)
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Complaint(NamedTuple):
    """A server's error: its message on one line, and the code and the parameter that it names."""

    message: str
    code: str
    param: str


def complaint(raw: bytes) -> Complaint:
    """Return the error in a body, whatever its shape; never raises."""
    try:
        body = msgspec.json.decode(raw)
    except UNREADABLE:
        return Complaint(one_line(raw[:4096].decode("utf-8", "replace")), "", "")
    inner = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(inner, dict):
        return Complaint(one_line(str(inner)), "", "")
    message = inner.get("message") or inner.get("detail") or inner.get("error") or raw[:4096].decode("utf-8", "replace")
    return Complaint(
        one_line(str(message)), str(inner.get("code") or inner.get("type") or ""), str(inner.get("param") or "")
    )


def one_line(text: str, most: int = 2000) -> str:
    """Return a text on one line and without control characters, cut to ``most`` characters."""
    return " ".join(printable(text).split())[:most]


def verdict(status: int, found: Complaint) -> Literal["stop", "retry", "error"]:
    """Return what to do after an answer that is no reply.

    ``stop``: no request will succeed (a wrong key, address or model, no money left, a redirect); ``retry``: the same
    request may yet succeed; ``error``: this request never will.
    """
    broke = found.code == "insufficient_quota" or "insufficient_quota" in found.message
    if status < 400 or status in (401, 402, 403, 404, 405) or (status == 429 and broke):
        return "stop"
    return "retry" if status in (408, 409, 425, 429) or status >= 500 else "error"


def refuses_choices(found: Complaint) -> bool:
    """Return whether a 400 says that a request may ask for one choice only."""
    return found.param == "n" or bool(NAMES_N.search(found.message))


def refuses_top_logprobs(found: Complaint) -> bool:
    """Return whether a 400 says that the server returns no likely tokens, or fewer."""
    return "logprob" in found.param or "logprob" in found.message.lower()


def wants_other_limit(found: Complaint) -> bool:
    """Return whether a 400 says that the server calls ``max_tokens`` ``max_completion_tokens``."""
    return "max_completion_tokens" in found.message
