"""Starts the vLLM servers of a model, one or several, and has them asked as one."""

import secrets

from curate.models.clients.http.many_servers import ManyServers, close_all
from curate.models.clients.vllm_server.chat import Place, VllmChatEngine
from curate.models.clients.vllm_server.launch import find_python, runs_on_cpu
from curate.models.clients.vllm_server.shares import shares
from curate.models.engine import Engine, setting_of
from curate.models.model_ref import ModelRef
from schemas.progress import Progress


def start_servers(kind: type[VllmChatEngine], ref: ModelRef, progress: Progress) -> Engine:
    """Start the servers that the setting ``servers`` asks for, all at once, and wait until each answers.

    Args:
        kind: The engine of one server.
        ref: The model.
        progress: Shows how they start.

    Raises:
        UserError: There are too few GPUs, or one of the servers does not start: then the others are ended.
    """
    count = setting_of(ref, "servers")
    if count == 1:
        return kind(ref, progress)
    on_cpu = runs_on_cpu(ref.name, find_python(ref.name, setting_of(ref, "python")))
    args = [str(argument) for argument in setting_of(ref, "args") or ()]
    key = secrets.token_urlsafe(24)
    engines: list[VllmChatEngine] = []
    try:
        for more in shares(ref.name, count, args, on_cpu=on_cpu):
            engines.append(kind(ref, progress, Place(key, more)))
        for engine in engines:
            engine.wait_until_ready()
    except BaseException:
        close_all(engines)
        raise
    return ManyServers(engines, progress)
