"""A server of llama.cpp, run on this machine for a moment: what it makes of texts, conversations and prompts.

It is ``llama-server`` of the user's checkout or PATH, else the package xllamacpp, which has the same server inside.
"""

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

from curate.models.clients.vllm_server.server import telling
from schemas.errors import UserError
from train.export.gguf import program

WORKER = Path(__file__).with_name("run_xllamacpp.py")
START = 300.0  # seconds that it may take to load a model
ANSWER = 600.0  # seconds that one answer may take
HOW_TO_HAVE = "build llama-server in the checkout, or: pip install xllamacpp"


def server_command(checkout: Path) -> list[str] | None:
    """Return the command that starts a server, without model and port; None where llama.cpp is not to be had."""
    found = program(checkout, "llama-server")
    if found is not None:
        return [found]
    return [sys.executable, "-P", str(WORKER)] if importlib.util.find_spec("xllamacpp") else None


class LlamaServer:
    """A running server.

    Attributes:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        """Keep the address."""
        self.url = url

    def tokens(self, text: str, *, beginning: bool = False) -> list[int]:
        """Return the tokens of a text; with ``beginning``, those that begin every prompt too."""
        body = {"content": text, "add_special": beginning, "parse_special": True}
        return list(self.post("/tokenize", body)["tokens"])

    def printed(self, messages: list[dict[str, str]]) -> str:
        """Return a conversation as its own chat template prints it, with what comes before an answer."""
        return str(self.post("/apply-template", {"messages": messages})["prompt"])

    def answer(self, prompt: list[int], count: int) -> list[int]:
        """Return the greedy answer to a prompt, at most ``count`` tokens."""
        greedy = {"temperature": 0.0, "repeat_penalty": 1.0, "cache_prompt": False, "return_tokens": True}
        return list(self.post("/completion", {"prompt": prompt, "n_predict": count, **greedy})["tokens"])

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to a request.

        Raises:
            UserError: The server refuses it, or has died.
        """
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310 (loopback)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for loopback
        try:
            with direct.open(request, timeout=ANSWER) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")[:300]
            raise UserError(f"llama.cpp's server refuses {path}: {said}") from error
        except (OSError, ValueError) as error:
            raise UserError(f"llama.cpp's server does not answer {path}: {error}") from error


@contextlib.contextmanager
def llama_server(command: list[str], model: Path, context: int) -> Generator[LlamaServer]:
    """Yield a running server of a GGUF file, in float32 but for the weights, on the CPU; end it afterwards.

    Args:
        command: As ``server_command`` returns it.
        model: The GGUF file.
        context: The tokens of prompt and answer together.

    Raises:
        UserError: It does not start; the message has its last words.
    """
    port = _free_port()
    given = ["--model", str(model), "--host", "127.0.0.1", "--port", str(port), "--ctx-size", str(context)]
    given += ["--parallel", "1", "--cache-type-k", "f32", "--cache-type-v", "f32", "--n-gpu-layers", "0", "--jinja"]
    given += ["--threads", str(max(1, (os.cpu_count() or 2) // 2))]  # its threads wait for each other in a busy loop
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(  # noqa: S603 (a list, no shell)
            [*command, *given],
            stdin=subprocess.PIPE,  # the worker ends when this process does
            stdout=log,
            stderr=log,
            env={**os.environ, "LLAMA_OFFLINE": "1"},
            start_new_session=True,  # Ctrl-C is for this process, which ends the server
        )
        try:
            server = LlamaServer(f"http://127.0.0.1:{port}")
            _wait(server, process, log, model)
            yield server
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(server: LlamaServer, process: subprocess.Popen[bytes], log: Any, model: Path) -> None:
    """Return when the server answers; raise ``UserError`` when it has died or takes too long."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(f"{server.url}/health", timeout=10) as answer:
                if answer.status == 200:
                    return
        died, late = process.poll() is not None, time.monotonic() - began > START
        if died or late:
            log.seek(0)
            lines = [line for line in log.read().splitlines() if line.strip()]
            what = "cannot load" if died else f"was not ready after {START:g} s with"
            raise UserError(f"llama.cpp {what} {model.name}: {telling(lines)[:400]}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
