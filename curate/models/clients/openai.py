"""The engine ``openai``: any server that speaks OpenAI's chat completions, such as vLLM, SGLang, llama.cpp or Ollama.

For rewards it asks a pooling server with vLLM's ``/classify``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from curate.models.clients.http.settings import (
    BASE_URL,
    HTTP_SETTINGS,
    MOST_SERVERS,
    base_urls,
    check_body_settings,
    check_texts,
)
from curate.models.engine import Engine, EngineSpec, Setting, Streamer
from curate.models.key_hosts import is_this_machine, key_refusal
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.ids import fingerprint
from schemas.progress import Progress
from schemas.recipe import Model

if TYPE_CHECKING:
    from curate.models.clients.http.chat import ChatEngine

API_KEY_ENV = Setting("api_key_env", str, "the environment variable that holds the key; none")
LABELS = Setting("labels", list, "all labels of a classifier, in the order of its outputs")


def api_key(ref: ModelRef) -> str | None:
    """Return the key in the environment variable that the recipe names, or None where it names none.

    Raises ``UserError`` if the key may not be sent to each of the servers (``curate.models.key_hosts``), or is not set.
    """
    variable = API_KEY_ENV.of(ref)
    if variable is None:
        return None
    refused = next(filter(None, (key_refusal(variable, url) for url in _urls(ref))), "")
    if refused:
        raise UserError(f"models.{ref.name}: api_key_env: {refused}")
    if not os.environ.get(variable):
        raise UserError(
            f"models.{ref.name}: the environment variable {variable}, which api_key_env names, is not set; "
            f"set it in this shell: export {variable}=..."
        )
    return os.environ[variable]


def _resolve(name: str, model: Model, folder: Path) -> ModelRef:
    """Return the model behind a server: its name and the server's address are its identity.

    Of several servers it is all addresses, in whatever order.
    """
    places = sorted(_place(url) for url in base_urls(model.settings))
    where = places[0] if len(places) == 1 else f"servers:{fingerprint(places)[:16]}"
    identity = f"{model.model}@{where}"
    return ModelRef(name, identity, model.model, model.engine, settings=tuple(sorted(model.settings.items())))


def _place(url: str) -> str:
    """Return the host, the port and the path of an address, which tell servers apart."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def _urls(ref: ModelRef) -> list[str]:
    return base_urls(dict(ref.settings))


def _check(name: str, settings: Mapping[str, Any], where: str) -> None:
    """Check the address, the labels, the name of the key's variable and the further keys of a request's body."""
    variable = settings.get("api_key_env")
    if variable is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,99}", variable):
        raise UserError(
            f"{where}: {name}.api_key_env: expected the name of an environment variable, such as OPENAI_API_KEY; "
            f"found something else (a recipe never holds a key)"
        )
    check_texts(name, "labels", settings, where)
    if "base_url" not in settings:
        raise UserError(f"{where}: {name}: the engine 'openai' needs base_url, such as http://127.0.0.1:8000/v1")
    check_texts(name, "base_url", settings if isinstance(settings["base_url"], list) else {}, where)
    urls = base_urls(settings)
    if not 0 < len(urls) <= MOST_SERVERS:
        raise UserError(f"{where}: {name}.base_url: expected 1 to {MOST_SERVERS} addresses, found {len(urls):,}")
    for url in urls:
        _check_address(name, url, variable, where)
    places = [_place(url).lower() for url in urls]
    twice = next((url for url, place in zip(urls, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise UserError(f"{where}: {name}.base_url: names the server {twice} twice")
    check_body_settings(name, settings, where)


def _check_address(name: str, address: str, variable: str | None, where: str) -> None:
    """Raise ``UserError`` for what is no server's address, holds a secret, or may not be sent the key."""
    if set("@?#") & set(address):
        raise UserError(
            f"{where}: {name}.base_url: holds a name, a password or a query; put a key into an environment "
            f"variable, and name the variable: api_key_env"
        )
    if not _is_address(address):
        raise UserError(
            f"{where}: {name}.base_url: expected an address such as http://127.0.0.1:8000/v1, found {address!r}"
        )
    if variable is not None and urlsplit(address).scheme != "https" and not is_this_machine(address):
        raise UserError(f"{where}: {name}.api_key_env: {key_refusal(variable, address)}")


def _is_address(text: str) -> bool:
    """Return whether a text is an HTTP address with a host."""
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:  # the port or the host is malformed
        return False


def _start_chat(ref: ModelRef, progress: Progress) -> Engine:
    from curate.models.clients.http.chat import ChatEngine

    key = api_key(ref)
    return _start([ChatEngine(ref, progress, url, key) for url in _urls(ref)], progress)


def _start_stream(ref: ModelRef, progress: Progress) -> Streamer:
    from curate.models.clients.http.chat import ChatEngine
    from curate.models.clients.http.stream import HttpStreamer

    return HttpStreamer(ChatEngine(ref, progress, _urls(ref)[0], api_key(ref)))


def _start_classify(ref: ModelRef, progress: Progress) -> Engine:
    from curate.models.clients.http.classify import ClassifyEngine

    key, labels = api_key(ref), LABELS.of(ref)
    return _start([ClassifyEngine(ref, progress, url, key, labels=labels) for url in _urls(ref)], progress)


def _start(engines: "list[ChatEngine]", progress: Progress) -> Engine:
    """Return the engine of one server, or one that shares the requests out among several."""
    from curate.models.clients.http.many_servers import ManyServers

    return engines[0] if len(engines) == 1 else ManyServers(engines, progress)


def _check_key(ref: ModelRef) -> None:
    api_key(ref)


SPEC = EngineSpec(
    tasks={"generate": _start_chat, "reward": _start_classify},
    resolve=_resolve,
    settings=(BASE_URL, API_KEY_ENV, LABELS, *HTTP_SETTINGS),
    check=_check,
    ready=_check_key,
    streamer=_start_stream,
    remote=True,
    response_format=True,
    needs_user_prefix=True,
)
