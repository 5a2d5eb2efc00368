"""The engine ``vllm``: a vLLM server that is started for the model, asked as ``openai`` asks any server, and stopped.

vLLM lives in an environment of its own (``make vllm`` makes one): its pinned packages clash with those that training
needs. The classes are in ``curate.models.clients.vllm_server``.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.models.clients.http.settings import HTTP_SETTINGS, check_body_settings, check_texts
from curate.models.clients.transformers import CHAT_TEMPLATE, TRUST_REMOTE_CODE
from curate.models.engine import NUMBER, Engine, EngineSpec, Setting, Streamer
from curate.models.model_ref import ModelRef
from curate.models.weight_files import resolve_weights
from schemas.errors import UserError
from schemas.progress import Progress

PYTHON = Setting("python", str, "the Python that has vLLM; .venv-vllm/bin/python, else this one")
ARGS = Setting("args", list, "further arguments of vLLM's server; none")
SERVERS = Setting("servers", int, "servers to start, each on GPUs (or cores) of its own", 1, above_zero=True, most=64)
START_TIMEOUT = Setting("start_timeout", NUMBER, "seconds that the server may take to start", 900, above_zero=True)
# Arguments of vLLM's server that gristmill sets.
RESERVED_ARGUMENTS = ("--model", "--runner", "--served-model-name", "--host", "--port", "--api-key")


def _check(name: str, settings: Mapping[str, Any], where: str) -> None:
    """Check the Python that has vLLM, the server's arguments and the further keys of a request's body."""
    python = Path(settings.get("python", sys.executable)).expanduser()
    if not python.exists() and not shutil.which(str(python)):
        raise UserError(f"{where}: {name}.python: {python} does not exist; 'make vllm' makes .venv-vllm/bin/python")
    check_texts(name, "args", settings, where)
    for argument in settings.get("args", []):
        if argument.split("=")[0] in RESERVED_ARGUMENTS:
            raise UserError(f"{where}: {name}.args: {argument.split('=')[0]} is set by gristmill itself")
        if "chat_template" in settings and argument.split("=")[0].replace("_", "-") == "--chat-template":
            raise UserError(f"{where}: {name}.args: --chat-template is set by {name}.chat_template already")
    check_body_settings(name, settings, where)


def _start_chat(ref: ModelRef, progress: Progress) -> Engine:
    from curate.models.clients.vllm_server.chat import VllmChatEngine
    from curate.models.clients.vllm_server.many import start_servers

    return start_servers(VllmChatEngine, ref, progress)


def _start_stream(ref: ModelRef, progress: Progress) -> Streamer:
    from curate.models.clients.http.stream import HttpStreamer
    from curate.models.clients.vllm_server.chat import VllmChatEngine

    engine = VllmChatEngine(ref, progress)
    return HttpStreamer(engine, engine.own_defaults())


def _start_classify(ref: ModelRef, progress: Progress) -> Engine:
    from curate.models.clients.vllm_server.classify import VllmClassifyEngine
    from curate.models.clients.vllm_server.many import start_servers

    return start_servers(VllmClassifyEngine, ref, progress)


SPEC = EngineSpec(
    tasks={"generate": _start_chat, "reward": _start_classify},
    resolve=resolve_weights,
    settings=(PYTHON, ARGS, SERVERS, START_TIMEOUT, TRUST_REMOTE_CODE, CHAT_TEMPLATE, *HTTP_SETTINGS),
    check=_check,
    streamer=_start_stream,
    response_format=True,
)
