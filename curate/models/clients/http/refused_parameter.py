"""Finds the parameter of a request that a server's error says it does not take."""

import re
from collections.abc import Collection

from curate.models.clients.http.complaint import Complaint
from curate.models.clients.http.verdict import UNSUPPORTED, UNSUPPORTED_SURELY, WRONG_SCHEMA, about_prompt

NAMES_N = re.compile(
    r"(['\"`])n\1|\bn\b\s*(?:>|=|must|should|is\b|cannot)|\bn_cmpl\b|\bcandidate_?count\b"
    r"|\bonly (?:one|1|a single) (?:\w+ )?(?:choice|candidate)\b|\bmultiple (?:choices|candidates|completions)\b"
    r"|\b(?:number|range) of (?:n|choices|candidates)\b",
    re.IGNORECASE,
)
# Words that say that a parameter's value is wrong, and not that there is no such parameter.
WRONG_VALUE = re.compile(
    r"too (?:large|long|small|high|low|many)|at (?:most|least)|maximum|minimum|(?:greater|less) than|between|range"
    r"|must be|should be|expected|exceed|invalid type|invalid value",
    re.IGNORECASE,
)
# A server that names what it does take names parameters that it does not complain about, and so does one that quotes
# the request, or a part of a schema.
ENDS = re.compile(
    r"expected one of"
    r"|\b(?:supported|allowed|valid|known|available) (?:parameters|fields|arguments|keys|values|properties|options)\b"
    r"|['\"]input['\"]:|input_value=|in context=|failed_generation|\bchat template\b|invalid schema\b|keyerror",
    re.IGNORECASE,
)
PYDANTIC_PATH = re.compile(r"validation errors? for \w*Request\w* (?:body\.)?(\w+) [A-Z]")  # its text on one line
OTHERS = ("messages", "tools", "tool_choice")  # a parameter that is named behind one of these is not the one
COMMON_WORDS = ("n", "stop", "messages", "tools")  # they count only where they are written as a name
MARK = (
    r"(?:['\"`\[]|(?:param(?:eter)?|arg(?:ument)?|field|key|name|propert(?:y|ies)|supplied|inputs?)s?:? ['\"`\[]?"
    r"|supported on this model: )"
)
TOKEN = re.compile(r"\w+|[^\w\s]")
LEAST_ECHO = 4  # words and signs in a row that the prompt has too: then the server quotes it


def refused_parameter(found: Complaint, sent: Collection[str], *, sure: bool = False, prompt: str = "") -> str | None:
    """Return the parameter that an error is about, where a request can do without it, else None.

    Args:
        found: The error.
        sent: The optional parameters of the request.
        sure: Whether the error has to say that the parameter is not supported. If not, an error that is about the
            number of samples or about log-probabilities will do.
        prompt: The request's messages and tools: what the error quotes of them names no parameter.
    """
    named = _path(found, sent)
    if about_prompt(found) and not named:
        return None
    unsupported = bool((UNSUPPORTED_SURELY if sure else UNSUPPORTED).search(f"{found.message} {found.code}"))
    if (sure and not unsupported) or WRONG_SCHEMA.search(f"{found.message} {found.code}"):
        return None
    if named == "response_format" and not (unsupported and ".schema" not in found.param):
        return None
    if named in ("n", "logprobs", "top_logprobs"):
        return named
    if named:
        return named if unsupported or not WRONG_VALUE.search(found.message) else None
    message = ENDS.split(found.message.replace("body.", ""))[0]
    name = _named(message, sent, unsupported)
    return _named(_without_echo(message, prompt), sent, unsupported) if name and prompt else name


def _named(message: str, sent: Collection[str], unsupported: bool) -> str | None:
    """Return the parameter that a message names."""
    if "n" in sent and NAMES_N.search(message):
        return "n"
    if "logprob" in message.lower() and not {"logprobs", "top_logprobs"}.isdisjoint(sent):
        return "top_logprobs" if "top_logprobs" in sent else "logprobs"
    return _first_named(message, sent) if unsupported else None


def _without_echo(message: str, prompt: str) -> str:
    """Return a message without what it quotes of the prompt."""
    held = " ".join(TOKEN.findall(prompt))
    tokens, kept, at = [*TOKEN.finditer(message)], [], 0
    while at < len(tokens):
        end = at + 1
        while end <= len(tokens) and " ".join(token[0] for token in tokens[at:end]) in held:
            end += 1
        echo = end - 1 - at >= LEAST_ECHO
        after = end - 1 if echo else at + 1
        stop = tokens[after].start() if after < len(tokens) else len(message)
        kept.append("... " if echo else message[tokens[at].start() : stop])
        at = after
    return "".join(kept)


def _path(found: Complaint, sent: Collection[str]) -> str | None:
    """Return the first parameter that the error's paths name, such as ``response_format.type``."""
    pydantic = PYDANTIC_PATH.search(found.message)
    for path in [pydantic[1]] if pydantic else found.param.split(", "):
        parts = [part for part in re.split(r"[.\[\]]+", path) if part and part != "body"]
        if parts and parts[0] in sent:
            return parts[0]
    return None


def _first_named(message: str, sent: Collection[str]) -> str | None:
    """Return the parameter that a message names first."""
    places = {}
    for name in (*sent, *OTHERS):
        word = rf"(?<![\w.]){name.replace('_', '[_ ]')}(?!\w|\.(?!type|json)\w)"
        pattern = rf"{MARK}{word}|^{word}\s*:" if name in COMMON_WORDS else word
        match = re.search(pattern, message, re.IGNORECASE)
        if match:
            places[name] = match.start()
    first = min(places, key=places.__getitem__, default=None)
    return None if first in OTHERS else first
