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
    r"data_?inspection", r"you have been blocked", r"blocked (?:by|due|because)", r"jailbreak",
    r"(?:prompt|input|content|request|response|message|output)s?\b.{0,40}\b(?:was|were|been|is|are) blocked",
    r"high risk", r"exists risk", "敏感", "不安全", "违规",
)  # fmt: skip
# Words that say so for sure: words of a key or of money beside them ("no credits were charged") do not count then.
FLAGGED = _words(
    r"(?:prompt|input|content|request|message|text)s?\b.{0,40}\bflagged", r"flagged .{0,20}(?:prompt|input|content)",
    r"moderated", r"moderation", r"content[ _-](?:filter|management)", r"guardrail", r"safety_check",
    r"data_?inspection",
)  # fmt: skip
TOO_LONG = _words(
    r"context[ _-]?(?:length|size|window|shift)", r"too long", r"too many (?:input |prompt )?tokens",
    r"reduce the length", r"exceed\w* .{0,60}(?:context|tokens?\b|length)",
    r"(?:prompt|input) .{0,40}(?:exceeds|larger than|longer than)",
    r"max_model_len", r"request(?: body| entity)? too large", r"payload too large", r"string_above_max_length",
    r"maximum (?:input|prompt|number of tokens)", r"max_new_tokens\W+must be",
)  # fmt: skip
TOO_LONG_SURELY = _words(  # a "context shift" is llama.cpp's way to go on past the end of its context
    r"context[ _-]?(?:length|size|window|shift)", r"(?:prompt|input|messages?) (?:is|are) too long"
)
# Codes and places of an error that is about what the prompt holds: its messages or its tools.
PROMPT_CODES = (
    "moderation", "content_filter", "data_inspection_failed", "content_policy_violation", "invalid_prompt",
    "tool_use_failed", "json_validate_failed", "invalid_function_parameters",
)  # fmt: skip
IN_PROMPT = re.compile(r"(?:messages|tools|tool_choice|prompt)\b", re.IGNORECASE)
IN_PROMPT_WORDS = _words(
    r"\bmessages?\W{0,2}\d", r"\btools?\[\d", r"schema for (?:function|tool)", r"tool call validation",
    r"special token", r"roles? .{0,20}must alternate", r"\brole\b.{0,30}not support", r"tool call ids?\b",
)  # fmt: skip
# Words of errors that no request of this run overcomes, whether or not others were answered before.
NO_KEY = _words(
    r"api[ _-]?key", r"\bkeys?\b.{0,40}(?:invalid|expired|revoked|disabled|limit|not )", r"credential",
    r"(?:invalid|wrong|incorrect|expired|missing|bad) .{0,20}(?:\bkey|token\b|auth)", r"authentic", r"billing",
    r"account .{0,40}(?:suspend|disabled|deactivat|banned|terminat|not )", r"ip address",
    r"(?:country|region|territory).{0,40} not ", r" not .{0,30}(?:country|region|territory)",
)  # fmt: skip
NO_KEY_400 = _words(r"api[ _-]?key", r"user location is not supported")
BLOCKED_OWNER = _words(
    r"\b(?:account|organi[sz]ation|team|project|your resource|ip|key)\b(?: address)? (?:has been|have been|is|was) "
    r"(?:\w+ )?(?:blocked|flagged|suspended|banned|disabled)",
    r"blocked at the (?:project|organi[sz]ation)", r"permission_blocked",
)  # fmt: skip
NO_MONEY = _words(
    r"insufficient[ _](?:quota|credit|balance|fund)", r"credit balance",
    r"(?:no|any|out of) credits?\b(?! (?:cards?|was|were|have been|has been)\b)",
    r"billing[ _-](?:hard[ _-])?limit", r"account .{0,20}good standing",
)  # fmt: skip
# Words that say, before anything was answered, that a key has no right to a model.
NO_ACCESS = _words(
    r"permission", r"\baccess\b", r"authori[sz]", r"\bmodel\b", r"project", r"organi[sz]ation", r"denied"
)
NO_MODEL = _words(
    r"model_not_found", r"\bmodel\b.{0,100}\bnot (?:exist|found)", r"(?:^|: )(?:unknown|no such|invalid) model\b",
    r"not a valid model",
)  # fmt: skip
MODEL_GONE = _words(r"model_(?:decommissioned|not_available)", r"\bmodel\b.{0,100} has been decommissioned")
# Of the recipe's schema: without it replies would be free text, so it is not left out.
WRONG_SCHEMA = _words(
    r"invalid[ _](?:json[ _])?schema for response_format", r"invalid_json_schema", r"json schema contains features"
)
UNSUPPORTED = _words(
    r"unsupported", r"not (?:currently |yet |be )?support", r"n't support", r"unknown", r"unrecogni[sz]ed",
    r"unexpected", r"extra", r"not permitted", r"not allowed", r"forbidden", r"not available", r"unavailable",
    r"not implemented", r"incompatible", r"not compatible", r"deprecated", r"not accept", r"additional propert",
    r"only the default", r"only [\d.]+ is allowed", r"may only be set", r"must be unset", r"cannot find field",
    r"cannot (?:both |all )?be (?:used|set|specified)", r"removed", r"no endpoints? found", r"not enabled",
    r"enabled only", r"(?:not (?:a )?(?:valid|known)|invalid|no such) (?:param|field|arg|prop|key)",
)  # fmt: skip
# Of these, what an error with another status than 400 and 422 has to say: a server that fails says many things.
UNSUPPORTED_SURELY = _words(
    r"unsupported", r"not (?:currently |yet |be )?support", r"n't support", r"unexpected keyword", r"unrecogni[sz]ed",
    r"(?:unknown|invalid|no such) (?:param|field|arg|prop|key|name)", r"extra (?:inputs|fields)", r"not permitted",
    r"not allowed", r"not enabled", r"additional propert", r"extra_forbidden",
)  # fmt: skip
FEATURES = _words(
    r"\btools?\b", r"function.?call", r"\b(?:image|audio|video|vision)s?\b", r"\bmodalit(?:y|ies)\b",
)  # fmt: skip
LACKING = _words(
    r"unsupported", r"not (?:currently |yet |be )?support", r"n't support", r"not enabled", r"not allowed",
    r"not implemented", r"not accept", r"no endpoints? found", r"requires? (?:the )?--",
)  # fmt: skip
LACKING_SURELY = _words(
    r"(?:not|n't) support (?:tools?|function|images?|audio|video)", r"tools? .{0,20}requires? (?:the )?--",
)  # fmt: skip


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
    if status < 400 or status in (401, 402, 405, 407):
        return "stop"
    if status in (400, 403, 422) and (BLOCKED_OWNER.search(text) or flagged(found)):
        return "stop" if BLOCKED_OWNER.search(text) else "error"
    if NO_MONEY.search(text):
        return "stop"
    if status == 403:
        return _verdict_403(found, text, answered)
    if status == 404:
        return "error" if lacks_feature(found) and not NO_MODEL.search(text) else "stop"
    if status == 429:
        return "error" if re.search("request too large", text, re.IGNORECASE) else "retry"
    if status in (408, 409, 425, 498):
        return "retry"
    return _verdict_500(status, found, text) if status >= 500 else _verdict_400(found, text, answered)


def _verdict_400(found: Complaint, text: str, answered: bool) -> Verdict:
    """Return what a 400 means, with which some servers also answer a wrong key or model."""
    wrong = MODEL_GONE.search(text) or WRONG_SCHEMA.search(text)
    if not answered:
        wrong = wrong or NO_KEY_400.search(text) or (NO_MODEL.search(text) and not about_prompt(found))
    return "stop" if wrong else "error"


def _verdict_500(status: int, found: Complaint, text: str) -> Verdict:
    """Return what the error of a server means: that it fails for a moment, unless it surely says another thing."""
    surely = LACKING_SURELY.search(text) or TOO_LONG_SURELY.search(text)
    return "error" if status == 501 or surely or found.code.lower() in PROMPT_CODES else "retry"


def _verdict_403(found: Complaint, text: str, answered: bool) -> Verdict:
    """Return what a 403 means: of moderation, of a key without the right, or of a firewall that says nothing."""
    if NO_KEY.search(text):
        return "stop"
    if about_prompt(found) or lacks_feature(found):
        return "error"
    if not answered and NO_ACCESS.search(text):
        return "stop"
    return "doubt"


def flagged(found: Complaint) -> bool:
    """Return whether an error says for sure that the prompt was moderated."""
    return bool(found.code == "moderation" or FLAGGED.search(f"{found.message} {found.code}"))


def about_prompt(found: Complaint) -> bool:
    """Return whether an error says that it is about the prompt: flagged, too long, or its messages or tools."""
    text = f"{found.message} {found.code}"
    if found.code.lower() in PROMPT_CODES or IN_PROMPT.match(found.param):
        return True
    return bool(MODERATED.search(text) or TOO_LONG.search(text) or IN_PROMPT_WORDS.search(text))


def lacks_feature(found: Complaint) -> bool:
    """Return whether an error says that the model takes no tools, or no images, which a prompt has."""
    return bool(FEATURES.search(found.message) and LACKING.search(found.message))
