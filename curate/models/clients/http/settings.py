"""Settings of every engine that asks a server over HTTP, and the checks that they share."""

from collections.abc import Mapping
from typing import Any

from curate.models.engine import NUMBER, Setting
from schemas.errors import UserError, unknown

LIMIT_NAMES = ("max_tokens", "max_completion_tokens")  # of the most new tokens
# The parameters that a server may lack and that a request can do without.
OPTIONAL = (
    "seed",
    "n",
    *LIMIT_NAMES,
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "logprobs",
    "top_logprobs",
    "response_format",
)

BASE_URL = Setting(
    "base_url", (str, list), "the server's address, such as http://127.0.0.1:8000/v1, or a list of several; required"
)
MOST_SERVERS = 256
CONCURRENCY = Setting("concurrency", int, "requests in flight at each server at most", 64, above_zero=True, most=10_000)
CHOICES = Setting("choices", int, "samples of a prompt asked for in one request", 8, above_zero=True, most=10_000)
TIMEOUT = Setting("timeout", NUMBER, "seconds that a reply may take", 600, above_zero=True)
RETRIES = Setting("retries", int, "how often a request that failed is tried again", 8, most=1_000)
MAX_WAIT = Setting(
    "max_wait", NUMBER, "seconds waited at most where a server asks to wait (Retry-After)", 120, above_zero=True
)
REQUESTS_PER_MINUTE = Setting("requests_per_minute", int, "requests a minute at most; no limit", above_zero=True)
TOKENS_PER_MINUTE = Setting("tokens_per_minute", int, "tokens a minute at most; no limit", above_zero=True)
EXTRA_BODY = Setting("extra_body", dict, "further keys of every request's body; none")
LEAVE_OUT = Setting("leave_out", list, "parameters that are never sent, such as [seed, n]; none")
MAX_TOKENS_NAME = Setting(
    "max_tokens_name", str, "the server's name for max_tokens; learnt from a refusal", choices=LIMIT_NAMES
)
SEND_REASONING = Setting(
    "send_reasoning", bool, "send the reasoning traces of earlier turns, as reasoning_content; off", False
)
IDENTITY = Setting("identity", str, "the model's identity in cache keys, instead of its name and where it is")
USER_PREFIX = Setting("user_prefix", str, "what comes before a user's turn in the model's chat template (magpie)")
HTTP_SETTINGS = (
    CONCURRENCY,
    CHOICES,
    TIMEOUT,
    RETRIES,
    MAX_WAIT,
    REQUESTS_PER_MINUTE,
    TOKENS_PER_MINUTE,
    EXTRA_BODY,
    LEAVE_OUT,
    MAX_TOKENS_NAME,
    SEND_REASONING,
    IDENTITY,
    USER_PREFIX,
)
# Keys of a request's body that gristmill sets.
RESERVED_KEYS = (
    "model",
    "messages",
    "prompt",
    "n",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "input",
    "use_activation",
)


def base_urls(settings: Mapping[str, Any]) -> list[str]:
    """Return the addresses of a model's servers: those of a list, or the one; none where the setting is missing."""
    given = settings.get("base_url", [])
    return [given] if isinstance(given, str) else [one for one in given if isinstance(one, str)]


def check_body_settings(name: str, settings: Mapping[str, Any], where: str) -> None:
    """Raise ``UserError`` for settings of a request's body that are wrong.

    These are an ``extra_body`` that would overwrite a key which gristmill sets, and a ``leave_out`` that names no
    parameter that can be left out, or one that ``extra_body`` sends.
    """
    check_texts(name, "leave_out", settings, where)
    for parameter in settings.get("leave_out", []):
        if parameter not in OPTIONAL:
            raise unknown("parameter that can be left out called", parameter, OPTIONAL, f"{where}: {name}.leave_out")
        if parameter in settings.get("extra_body", {}):
            raise UserError(
                f"{where}: {name}.leave_out: {parameter!r} is in extra_body, which is sent; take it out of one"
            )
    for key in set(settings.get("extra_body", {})) & set(RESERVED_KEYS):
        raise UserError(f"{where}: {name}.extra_body: {key!r} is set by gristmill itself")


def check_texts(name: str, key: str, settings: Mapping[str, Any], where: str) -> None:
    """Raise ``UserError`` unless every member of the list ``key`` is a text."""
    for value in settings.get(key, []):
        if not isinstance(value, str):
            raise UserError(f"{where}: {name}.{key}: expected a list of texts, found {value!r} in it")
