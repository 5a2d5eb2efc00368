"""What a server says is wrong, in any of the shapes that servers use, and what follows from it."""

import re
from typing import Literal, NamedTuple

import msgspec

NAMES_N = re.compile(r"(['\"`])n\1|\bn\b\s*(?:>|=|:|must|should|is\b|cannot)|\bchoices?\b", re.IGNORECASE)
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Complaint(NamedTuple):
    """What a server says is wrong: its words on one line, and its own code and name of the parameter."""

    message: str
    code: str
    param: str


def complaint(raw: bytes) -> Complaint:
    """What the body of an error says, in any of the shapes that servers use; never raises."""
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
    """Text on one line and without control characters, cut to ``most`` characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]


def verdict(status: int, said: Complaint) -> Literal["stop", "retry", "error"]:
    """What an answer that is no reply means.

    ``stop``: nothing else will fare better (a wrong key, address or model, no money left, a redirect); ``retry``: the
    same request may yet succeed; ``error``: this request never will.
    """
    broke = {said.code, said.message} & {"insufficient_quota"} or "insufficient_quota" in said.message
    if status < 400 or status in (401, 402, 403, 404, 405) or (status == 429 and broke):
        return "stop"
    return "retry" if status in (408, 409, 425, 429) or status >= 500 else "error"


def refuses_choices(said: Complaint) -> bool:
    """Whether a 400 says that a request may ask for one choice only."""
    return said.param == "n" or bool(NAMES_N.search(said.message))


def refuses_likely(said: Complaint) -> bool:
    """Whether a 400 says that the server does not tell likely tokens, or not so many."""
    return "logprob" in said.param or "logprob" in said.message.lower()


def wants_other_limit(said: Complaint) -> bool:
    """Whether a 400 says that ``max_tokens`` is called ``max_completion_tokens`` here."""
    return "max_completion_tokens" in said.message
