"""Finds the parameter of a request that a server's error says it does not take."""

import re
from collections.abc import Collection

from curate.models.clients.http.complaint import Complaint
from curate.models.clients.http.verdict import UNSUPPORTED, about_prompt

NAMES_N = re.compile(
    r"(['\"`])n\1|\bn\b\s*(?:>|=|:|must|should|is\b|cannot)|(?<!tool )(?<![\w-])choices?\b", re.IGNORECASE
)
# What says that a parameter's value is wrong, and not that there is no such parameter.
WRONG_VALUE = re.compile(
    r"too (?:large|long|small|high|low|many)|at (?:most|least)|maximum|minimum|(?:greater|less) than|between|range"
    r"|must be|should be|expected|exceed|invalid type|invalid value",
    re.IGNORECASE,
)
# A server that names what it does take names parameters that it does not complain about.
LISTS = re.compile(
    r"expected one of"
    r"|\b(?:supported|allowed|valid|known|available) (?:parameters|fields|arguments|keys|values|properties|options)\b",
    re.IGNORECASE,
)
OTHERS = ("messages", "tools", "tool_choice")  # a parameter that is named behind one of these is not the one
COMMON_WORDS = ("n", "stop", "messages", "tools")  # they count only where they are written as a name
MARK = r"(?:['\"`\[]|(?:param(?:eter)?|arg(?:ument)?|field|key|name|propert(?:y|ies)|supplied|inputs?)s?:? ['\"`\[]?)"


def refused_parameter(found: Complaint, sent: Collection[str], *, sure: bool = False) -> str | None:
    """Return the parameter that an error is about, where a request can do without it, else None.

    Args:
        found: The error.
        sent: The optional parameters of the request.
        sure: Whether the error has to say that the parameter is not supported. If not, an error that is about the
            number of samples or about log-probabilities will do.
    """
    if about_prompt(found) and not _path(found, sent):
        return None
    unsupported = bool(UNSUPPORTED.search(f"{found.message} {found.code}"))
    if sure and not unsupported:
        return None
    named = _path(found, sent)
    if named in ("n", "logprobs", "top_logprobs"):
        return named
    if named:
        return named if unsupported or not WRONG_VALUE.search(found.message) else None
    message = LISTS.split(found.message)[0]
    if "n" in sent and NAMES_N.search(message):
        return "n"
    if "logprob" in message.lower() and not {"logprobs", "top_logprobs"}.isdisjoint(sent):
        return "top_logprobs" if "top_logprobs" in sent else "logprobs"
    return _first_named(message, sent) if unsupported else None


def _path(found: Complaint, sent: Collection[str]) -> str | None:
    """Return the first parameter that the error's paths name, such as ``response_format.type``."""
    for path in found.param.split(", "):
        parts = [part for part in re.split(r"[.\[\]]+", path) if part and part != "body"]
        if parts and parts[0] in sent:
            return parts[0]
    return None


def _first_named(message: str, sent: Collection[str]) -> str | None:
    """Return the parameter that a message names first."""
    places = {}
    for name in (*sent, *OTHERS):
        word = rf"(?<![\w.]){name}(?!\w)"
        pattern = rf"{MARK}{word}|^{word}\s*:" if name in COMMON_WORDS else word
        match = re.search(pattern, message, re.IGNORECASE)
        if match:
            places[name] = match.start()
    first = min(places, key=places.__getitem__, default=None)
    return None if first in OTHERS else first
