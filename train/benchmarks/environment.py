"""The environment that lm-evaluation-harness lives in: its Python, and the variables that it is started with."""

import os
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit

from curate.models.waiting_threads import set_here
from schemas.errors import UserError

DEFAULT_PYTHON = Path(".venv-lm-eval/bin/python")  # what ``make lm-eval`` makes
HINT = "run 'make lm-eval', or name the Python that has it: evaluate.benchmark.python"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def find_python(where: str, given: str | None = None) -> str:
    """Return the path of the Python that has lm-evaluation-harness: the one given, else the one of ``make lm-eval``.

    Links are not followed: a virtual environment's Python is one.

    Args:
        where: The place in the recipe, for messages.
        given: The setting ``python``.

    Raises:
        UserError: There is no such Python.
    """
    path = DEFAULT_PYTHON if given is None else Path(given).expanduser()
    found = shutil.which(path) if path.parts else None
    if found:
        return os.path.abspath(found)
    missing = f"there is no {DEFAULT_PYTHON} here" if given is None else f"{given} is not there, or can't be run"
    raise UserError(f"{where}: benchmark needs lm-evaluation-harness, and {missing}; {HINT}")


def variables(key: str, temporary: Path) -> dict[str, str]:
    """Return the variables of the harness's process: ours without the settings of our Python and torch.

    Args:
        key: The key of the server that it asks. It is in a variable, as every user can read a command line.
        temporary: Its folder for temporary files.
    """
    kept = {name: value for name, value in os.environ.items() if name not in (*OURS, *set_here())}
    own = {
        "OPENAI_API_KEY": key,
        "TMPDIR": str(temporary),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",  # the current folder's files are not the harness's modules
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
    }
    return (OFFLINE if no_hub() else {}) | kept | own


def no_hub() -> bool:
    """Return whether the Hugging Face hub has no address here: then data are there already, or not at all.

    The libraries of the harness would find that out by retries, which take minutes for each data set.
    """
    if any(os.environ.get(name) or os.environ.get(name.lower()) for name in PROXIES):
        return False  # the proxy may know the address
    host = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").hostname
    try:
        socket.getaddrinfo(host, 443)
    except (OSError, UnicodeError):
        return True
    return False
