"""The engines that run models, and the settings each takes in a recipe's ``models:``.

``curate/models/clients/NAME.py`` is the engine ``NAME``. It is imported only when something is left to ask; what a recipe may
say of it is here, so that a plan needs neither torch nor a network.
"""

import os
import re
import shutil
import sys
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curate.models.model_ref import ModelRef
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
    "transformers": {
        "batch_tokens": int,
        "trust_remote_code": bool,
        "backend": str,
    },  # torch, onnx or openvino: of an embedding model
    "openai": {"base_url": str, "api_key_env": str, "labels": list, **SERVED},
    "vllm": {"python": str, "args": list, "start_timeout": NUMBER, "trust_remote_code": bool, **SERVED},
}
BACKENDS = ("torch", "onnx", "openvino")
NOT_ZERO = (
    "concurrency",
    "choices",
    "timeout",
    "requests_per_minute",
    "tokens_per_minute",
    "batch_tokens",
    "start_timeout",
)
# Keys of a request's body, and arguments of vLLM's server, that are ours to set.
OWN_OF_BODY = (
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
VLLM_OURS = ("--model", "--runner", "--served-model-name", "--host", "--port", "--api-key")
NOT_HERE = {"transformers": ("response_format",)}  # what an engine can't do


def check_model(name: str, model: Model, where: str) -> None:
    """Raise ``UserError`` unless the model's engine exists and its settings are settings of that engine's."""
    if model.engine not in SETTINGS:
        raise unknown("engine", model.engine, SETTINGS, where)
    known = {**SETTINGS[model.engine], **BUDGETS, **PRICES}
    for key, value in model.settings.items():
        if key in ("api_key", "key", "token"):
            raise UserError(
                f"{where}: a key has no place in a recipe; put it into an environment variable, "
                f"and name that: api_key_env"
            )
        if key not in known:
            raise unknown(f"setting of the engine {model.engine!r} called", key, ("model", "engine", *known), where)
        _check_value(f"{where}: {name}.{key}", key, value, known[key])
    if not model.model:
        raise UserError(f"{where}: {name}.model: is empty")
    if "max_cost" in model.settings and not {*PRICES} <= {*model.settings}:
        raise UserError(
            f"{where}: {name}: max_cost needs the prices: prompt_price and completion_price, in dollars "
            f"for a million tokens"
        )
    if model.engine == "openai":
        _check_server(name, model.settings, where)
    if model.engine == "vllm":
        _check_vllm(name, model.settings, where)
    for key in set(model.settings.get("extra_body", {})) & set(OWN_OF_BODY):
        raise UserError(f"{where}: {name}.extra_body: {key!r} is set by gristmill itself")


def check_task(ref: ModelRef, task: str, where: str) -> None:
    """Raise ``UserError`` unless the model's engine does what is asked of it (``curate.steps.model_calls.Task``)."""
    folder = Path(__file__).parent / "clients"
    if task != "generate" and not (folder / f"{ref.engine}_{task}.py").exists():
        able = sorted(file.stem.removesuffix(f"_{task}") for file in folder.glob(f"*_{task}.py"))
        raise UserError(
            f"{where}: the engine {ref.engine!r} of the model {ref.name!r} can't do this (task {task!r}); "
            f"these can: {', '.join(able)}"
        )
    if ref.engine == "sandbox":
        from curate.verifiers.sandbox.sandbox import require

        require()


def _check_value(what: str, key: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        expected = (
            "number"
            if kind is NUMBER
            else {int: "whole number", str: "text", dict: "mapping", list: "list", bool: "true or false"}[kind]
        )
        raise UserError(f"{what}: expected a {expected}, found {value!r}")
    if value == "":
        raise UserError(f"{what}: is empty")
    if kind in (int, NUMBER) and not 0 <= value < inf:
        raise UserError(f"{what}: {value!r} is out of range, it is at least 0")
    if key in NOT_ZERO and value == 0:
        raise UserError(f"{what}: 0 is out of range, it is above 0; leave it out for the default")
    if key == "backend" and value not in BACKENDS:
        raise unknown("backend", value, BACKENDS, what)
    if key == "api_key_env" and not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,99}", value):
        raise UserError(
            f"{what}: expected the name of an environment variable, such as OPENAI_API_KEY; what is there "
            f"is none (a key has no place in a recipe)"
        )


def _check_server(name: str, settings: dict[str, Any], where: str) -> None:
    for label in settings.get("labels", []):
        if not isinstance(label, str):
            raise UserError(f"{where}: {name}.labels: expected a list of texts, found {label!r} in it")
    if "base_url" not in settings:
        raise UserError(f"{where}: {name}: the engine 'openai' needs base_url, such as http://127.0.0.1:8000/v1")
    given = settings["base_url"]
    if set("@?#") & set(given):
        raise UserError(
            f"{where}: {name}.base_url: holds a name, a password or a query; put a key into an environment "
            f"variable, and name that: api_key_env"
        )
    try:
        url = urlsplit(given)
        good = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0)
    except ValueError:  # a port or an address that is none
        good = False
    if not good:
        raise UserError(
            f"{where}: {name}.base_url: expected an address such as http://127.0.0.1:8000/v1, found {given!r}"
        )


def _check_vllm(name: str, settings: dict[str, Any], where: str) -> None:
    python = Path(settings.get("python", sys.executable)).expanduser()
    if not python.exists() and not shutil.which(str(python)):
        raise UserError(f"{where}: {name}.python: {python} does not exist; 'make vllm' makes .venv-vllm/bin/python")
    for argument in settings.get("args", []):
        if not isinstance(argument, str):
            raise UserError(f"{where}: {name}.args: expected a list of texts, found {argument!r} in it")
        if argument.split("=")[0] in VLLM_OURS:
            raise UserError(f"{where}: {name}.args: {argument.split('=')[0]} is set by gristmill itself")


def api_key(name: str, variable: str | None) -> str | None:
    """The key in the environment variable that a recipe names. Raises ``UserError`` if that is not set."""
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise UserError(f"models.{name}: the environment variable {variable}, which api_key_env names, is not set")
    return os.environ[variable]
