"""The engines that run models, and the settings each takes in a recipe's ``models:``.

``curate/clients/NAME.py`` is the engine ``NAME``. It is imported only when something is left to ask; what a recipe may
say of it is here, so that a plan needs neither torch nor a network.
"""

import os
import re
from math import inf
from typing import Any
from urllib.parse import urlsplit

from schemas.errors import UserError, unknown
from schemas.recipe import Model

NUMBER = (int, float)
# What any model may cost, and may cost at most. Prices are in dollars for a million tokens.
BUDGETS: dict[str, Any] = {"max_cost": NUMBER, "max_tokens": int, "max_requests": int, "max_seconds": NUMBER}
PRICES: dict[str, Any] = {"prompt_price": NUMBER, "completion_price": NUMBER}
SERVED: dict[str, Any] = {
    "concurrency": int,  # requests in flight at most (64)
    "choices": int,  # samples of a prompt asked for in one request, where the server has it (8)
    "timeout": NUMBER,  # seconds a reply may take (600)
    "retries": int,  # how often a request that failed is tried again (8)
    "requests_per_minute": int,
    "tokens_per_minute": int,
    "extra_body": dict,  # further keys of every request, such as {chat_template_kwargs: {enable_thinking: false}}
    "identity": str,  # what the model is known by, instead of its name and where it is
    "user_prefix": str,  # what comes before a user's turn in the model's chat template (magpie)
}
SETTINGS: dict[str, dict[str, Any]] = {
    "transformers": {"batch_tokens": int, "trust_remote_code": bool},
    "openai": {"base_url": str, "api_key_env": str, **SERVED},
    "vllm": {"python": str, "args": list, "start_timeout": NUMBER, "trust_remote_code": bool, **SERVED},
}
NOT_ZERO = ("concurrency", "choices", "timeout", "requests_per_minute", "tokens_per_minute", "batch_tokens",
            "start_timeout")  # fmt: skip
NOT_HERE = {"transformers": ("response_format",)}  # what an engine can't do


def check_model(name: str, model: Model, where: str) -> None:
    """Raise ``UserError`` unless the model's engine exists and its settings are settings of that engine's."""
    if model.engine not in SETTINGS:
        raise unknown("engine", model.engine, SETTINGS, where)
    known = {**SETTINGS[model.engine], **BUDGETS, **PRICES}
    for key, value in model.settings.items():
        if key in ("api_key", "key", "token"):
            raise UserError(f"{where}: a key has no place in a recipe; put it into an environment variable, "
                            f"and name that: api_key_env")  # fmt: skip
        if key not in known:
            raise unknown(f"setting of the engine {model.engine!r} called", key, ("model", "engine", *known), where)
        _check_value(f"{where}: {name}.{key}", key, value, known[key])
    if "max_cost" in model.settings and not {*PRICES} & {*model.settings}:
        raise UserError(f"{where}: {name}: max_cost needs the prices: prompt_price and completion_price, in dollars "
                        f"for a million tokens")  # fmt: skip
    if model.engine == "openai":
        _check_server(name, model.settings, where)


def _check_value(what: str, key: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        expected = "number" if kind is NUMBER else {int: "whole number", str: "text", dict: "mapping", list: "list",
                                                    bool: "true or false"}[kind]  # fmt: skip
        raise UserError(f"{what}: expected a {expected}, found {value!r}")
    if kind in (int, NUMBER) and not 0 <= value < inf:
        raise UserError(f"{what}: {value!r} is out of range, it is at least 0")
    if key in NOT_ZERO and value == 0:
        raise UserError(f"{what}: 0 is out of range, it is above 0; leave it out for the default")
    if key == "api_key_env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", value):
        raise UserError(f"{what}: expected the name of an environment variable, such as OPENAI_API_KEY; what is there "
                        f"is none (a key has no place in a recipe)")  # fmt: skip


def _check_server(name: str, settings: dict[str, Any], where: str) -> None:
    if "base_url" not in settings:
        raise UserError(f"{where}: {name}: the engine 'openai' needs base_url, such as http://127.0.0.1:8000/v1")
    url = urlsplit(settings["base_url"])
    if url.scheme not in ("http", "https") or not url.hostname:
        raise UserError(f"{where}: {name}.base_url: expected an address such as http://127.0.0.1:8000/v1, found "
                        f"{settings['base_url']!r}")  # fmt: skip
    if url.username or url.password or url.query:
        raise UserError(f"{where}: {name}.base_url: holds a name, a password or a query; put a key into an environment "
                        f"variable, and name that: api_key_env")  # fmt: skip


def api_key(name: str, variable: str | None) -> str | None:
    """The key in the environment variable that a recipe names. Raises ``UserError`` if that is not set."""
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise UserError(f"models.{name}: the environment variable {variable}, which api_key_env names, is not set")
    return os.environ[variable]
