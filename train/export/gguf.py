"""GGUF by the converter of the user's own llama.cpp checkout; further types by its ``llama-quantize``."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from curate.models.clients.vllm_server.server import telling
from schemas.errors import UserError, needs_extra
from train.export.pre_tokenizer import pre_tokenizer

CLONE = "git clone --depth 1 https://github.com/ggml-org/llama.cpp"
SCRIPT = "convert_hf_to_gguf.py"
CONVERTED = ("f32", "bf16", "f16", "q8_0")  # what the converter writes; llama-quantize writes the others
OF_DTYPE = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}  # without loss
RUNNER = Path(__file__).with_name("run_converter.py")
PREFIX = re.compile(r"^(?:INFO|WARNING|ERROR|CRITICAL):[\w.-]+:")
BUILD = "cmake -B build && cmake --build build --target llama-server llama-quantize"


def check_llama_cpp(given: Path | None, outtype: str) -> Path:
    """Return the checkout's folder.

    Args:
        given: The folder that the user named, or None.
        outtype: The type to write: one of ``CONVERTED``, ``auto``, or a type of ``llama-quantize``.

    Raises:
        UserError: None is named, it is no checkout, or it lacks what the type needs.
    """
    if given is None:
        raise UserError(f"the format gguf needs --llama-cpp DIR, a checkout of llama.cpp: {CLONE}")
    folder = given.expanduser().absolute()
    if not (folder / SCRIPT).is_file():
        raise UserError(f"--llama-cpp: {folder} has no {SCRIPT}, so it is no checkout of llama.cpp; {CLONE}")
    if not re.fullmatch(r"\w{2,20}", outtype):
        raise UserError(f"--outtype: {outtype!r}; expected auto, {', '.join(CONVERTED)} or a type of llama-quantize")
    if outtype.lower() not in ("auto", *CONVERTED) and program(folder, "llama-quantize") is None:
        raise UserError(
            f"--outtype: {outtype} is written by llama-quantize, which is neither built in {folder} nor on the PATH; "
            f"build it there ({BUILD}), or take one of {', '.join(CONVERTED)}"
        )
    try:
        import gguf as _  # noqa: F401 - the converter imports its own or this one
    except ImportError:
        raise needs_extra("the format gguf", "local") from None
    return folder


def program(checkout: Path, name: str) -> str | None:
    """Return a program of llama.cpp: built in the checkout, else on the PATH; None where it is in neither."""
    for folder in ("build/bin", "build/bin/Release", "bin", "."):
        found = shutil.which(name, path=str(checkout / folder))
        if found:
            return found
    return shutil.which(name)


def write_gguf(merged: Path, target: Path, checkout: Path, outtype: str) -> None:
    """Convert a folder with a model of transformers into a GGUF file.

    Args:
        merged: The folder.
        target: The file.
        checkout: The llama.cpp checkout.
        outtype: The type, not ``auto``.

    Raises:
        UserError: The converter or the quantiser refuses the model; it says the last that it printed.
    """
    if outtype in CONVERTED:
        _convert(merged, target, checkout, outtype)
        return
    whole = target.with_name(f"{target.stem}.whole.gguf")
    _convert(merged, whole, checkout, "auto")
    quantize = program(checkout, "llama-quantize")
    _run("llama-quantize", [str(quantize), str(whole), str(target), outtype.upper()], target.parent)
    whole.unlink()


def _convert(merged: Path, target: Path, checkout: Path, outtype: str) -> None:
    arguments = [str(merged), "--outfile", str(target), "--outtype", outtype]
    command = [sys.executable, str(RUNNER), str(checkout), pre_tokenizer(merged) or "", *arguments]
    _run(f"{SCRIPT} of {checkout}", command, target.parent)


def _run(what: str, command: list[str], folder: Path) -> None:
    """Run a program of llama.cpp in a folder, without a network.

    Raises:
        UserError: It fails; the message has its last words.
    """
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**os.environ, **offline}
    done = subprocess.run(  # noqa: S603 (a list, no shell)
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode == 0:
        return
    lines = [PREFIX.sub("", line) for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    said = telling(lines)[:400]
    if "No module named" in said:
        said += "; the checkout's requirements/requirements-convert_hf_to_gguf.txt lists what it needs"
    raise UserError(f"{what} failed: {said}")
