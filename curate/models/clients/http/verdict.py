"""Says what follows from a server's error: it ends the run, it may pass, or it is about one prompt."""

import re
from typing import Literal

from curate.models.clients.http.complaint import Complaint

Verdict = Literal["stop", "retry", "error", "doubt"]


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


MODERATED = _words(
    r"moderat", r"content[ _-]?(?:filter|polic|management|safety)", r"flagged", r"safety(?!_)", r"unsafe", r"harmful",
    r"inappropriate", r"(?<!case.)sensitive", r"violat\w* .{0,40}(?:polic|guideline|terms|rules)", r"usage polic",
    r"(?:polic\w*|guidelines?|terms) violat", r"prohibited[ _](?:content|use)", r"responsible.?ai", r"guardrail",
    r"data_?inspection", r"have been blocked", r"(?:was|been|is) blocked", r"blocked (?:by|due|because)", r"jailbreak",
    r"high risk", "敏感", "不安全", "违规",
)  # fmt: skip
TOO_LONG = _words(
    r"context[ _-]?(?:length|size|window)", r"too long", r"too many (?:input |prompt )?tokens", r"reduce the length",
    r"exceed\w* .{0,60}(?:context|tokens?\b|length)", r"(?:prompt|input) .{0,40}(?:exceeds|larger than|longer than)",
    r"max_model_len", r"request(?: body| entity)? too large", r"payload too large", r"string_above_max_length",
    r"maximum (?:input|prompt|number of tokens)",
)  # fmt: skip
TOO_LONG_SURELY = _words(r"context[ _-]?(?:length|size|window)", r"(?:prompt|input|messages?) (?:is|are) too long")
# What no request of this run can have overcome, whether or not others were answered before.
NO_KEY = _words(
    r"api[ _-]?key", r"\bkeys?\b.{0,40}(?:invalid|expired|revoked|disabled|limit|not )", r"credential",
    r"(?:invalid|wrong|incorrect|expired|missing|bad) .{0,20}(?:\bkey|token\b|auth)", r"authentic", r"billing",
    r"account .{0,40}(?:suspend|disabled|deactivat|banned|terminat|not )", r"ip address",
    r"(?:country|region|territory).{0,40} not ", r" not .{0,30}(?:country|region|territory)",
)  # fmt: skip
NO_MONEY = _words(r"insufficient[ _](?:quota|credit|balance|fund)", r"credit balance", r"(?:no|out of) credits?\b")
# What says, before anything was answered, that a key has no right to a model.
NO_ACCESS = _words(
    r"permission", r"\baccess\b", r"authori[sz]", r"\bmodel\b", r"project", r"organi[sz]ation", r"denied"
)
NO_MODEL = _words(r"model_not_found", r"\bmodel\b.{0,100}\bnot (?:exist|found)", r"(?:unknown|no such|invalid) model\b")
UNSUPPORTED = _words(
    r"unsupported", r"not (?:currently |yet |be )?support", r"n't support", r"unknown", r"unrecogni[sz]ed",
    r"unexpected", r"extra", r"not permitted", r"not allowed", r"forbidden", r"not available", r"unavailable",
    r"not implemented", r"incompatible", r"not compatible", r"deprecated", r"not accept", r"additional propert",
    r"only the default", r"cannot find field", r"cannot be (?:used|set|specified)", r"removed", r"no endpoints? found",
    r"(?:not (?:a )?(?:valid|known)|invalid|no such) (?:param|field|arg|prop|key)",
)  # fmt: skip
FEATURES = _words(r"\btools?\b", r"tool[ _](?:use|call|choice)", r"function.?call", r"image|audio|video|vision|modalit")


def verdict(status: int, found: Complaint, *, answered: bool = False) -> Verdict:
    """Return what to do after an answer that is no reply.

    Args:
        status: The HTTP status.
        found: The server's words.
        answered: Whether the server has answered any request of this run well.

    Returns:
        ``stop``: no request will succeed (a wrong key, address or model, no money left, a redirect); ``retry``: the
        same request may yet succeed; ``error``: this prompt is refused, and others may not be; ``doubt``: as
        ``error``, unless several prompts get the same before any was answered: then the key is refused.
    """
    text = f"{found.message} {found.code}"
    if status < 400 or status in (401, 402, 405, 407) or NO_MONEY.search(text):
        return "stop"
    if status == 403:
        return _verdict_403(found, text, answered)
    if status == 404:
        return "error" if lacks_feature(found) and not NO_MODEL.search(text) else "stop"
    if status == 429:
        return "error" if re.search("request too large", text, re.IGNORECASE) else "retry"
    if status in (408, 409, 425, 498):
        return "retry"
    if status >= 500:
        final = status == 501 or lacks_feature(found) or TOO_LONG_SURELY.search(text) or MODERATED.search(found.code)
        return "error" if final else "retry"
    no_key = "api_key" in found.code or re.search("api key", found.message, re.IGNORECASE)
    if not answered and (no_key or (NO_MODEL.search(text) and not about_prompt(found))):
        return "stop"  # some servers answer a wrong key or model with 400
    return "error"


def _verdict_403(found: Complaint, text: str, answered: bool) -> Verdict:
    """Return what a 403 means: of moderation, of a key without the right, or of a firewall that says nothing."""
    if found.code != "moderation" and NO_KEY.search(text):
        return "stop"
    if MODERATED.search(text) or TOO_LONG.search(text) or lacks_feature(found):
        return "error"
    if not answered and NO_ACCESS.search(text):
        return "stop"
    return "doubt"


def about_prompt(found: Complaint) -> bool:
    """Return whether an error says that it is about the prompt: flagged, or too long."""
    text = f"{found.message} {found.code}"
    return bool(MODERATED.search(text) or TOO_LONG.search(text))


def lacks_feature(found: Complaint) -> bool:
    """Return whether an error says that the model takes no tools, or no images, which a prompt has."""
    return bool(FEATURES.search(found.message) and UNSUPPORTED.search(found.message))
