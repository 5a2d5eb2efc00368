"""The connection to the Hugging Face hub: whether there is one, and what its libraries' errors mean for the user.

Without a network the libraries try again for half a minute and write lines about it. So the hub is asked once, for a
few seconds; where it does not answer, the libraries are kept to their local cache.
"""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.error import HTTPError

from curate.sources.files.raw_row import first_line
from schemas.errors import UserError

WAIT = 8.0  # seconds for the hub to answer
LOGGERS = ("huggingface_hub", "datasets", "fsspec", "httpx", "httpx2", "urllib3", "filelock")
MODULES = ("huggingface_hub.constants", "datasets.config")  # where the libraries keep HF_HUB_OFFLINE


class NoNetwork(Exception):
    """The hub does not answer, or may not be asked; the message says which."""


def endpoint() -> str:
    """Return the address of the hub."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


@lru_cache(maxsize=4)
def unreachable(address: str) -> str:
    """Return why the hub at an address does not answer, or the empty text; it is asked once a process."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "HF_HUB_OFFLINE is set"
    from urllib.request import Request, urlopen

    found: list[str] = []

    def ask() -> None:
        try:
            with urlopen(Request(address, method="HEAD"), timeout=WAIT):  # noqa: S310 (the user's own endpoint)
                found.append("")
        except HTTPError:
            found.append("")  # an answer, if not a welcome one
        except (OSError, ValueError) as error:
            found.append(f"{address} does not answer: {getattr(error, 'reason', error)}")

    asking = threading.Thread(target=ask, daemon=True)  # finding a host's address knows no time limit
    asking.start()
    asking.join(2 * WAIT)
    return found[0] if found else f"{address} does not answer within {2 * WAIT:.0f} seconds"


@contextmanager
def offline_if_unreachable() -> Generator[bool]:
    """Keep the hub's libraries to their local cache where the hub does not answer; gives whether it does not.

    Raises:
        NoNetwork: The hub does not answer, and what was asked for is not in the cache.
    """
    reason = unreachable(endpoint())
    if not reason:
        yield False
        return
    modules = [sys.modules[name] for name in MODULES if name in sys.modules]
    before = [getattr(module, "HF_HUB_OFFLINE", False) for module in modules]
    try:
        for module in modules:
            setattr(module, "HF_HUB_OFFLINE", True)  # noqa: B010 (a library's constant, for the time of this block)
        yield True
    except UserError:
        raise
    except Exception as error:  # the libraries raise errors of many families where a cache has not what is asked for
        raise NoNetwork(reason) from error
    finally:
        for module, value in zip(modules, before, strict=True):
            setattr(module, "HF_HUB_OFFLINE", value)  # noqa: B010


@contextmanager
def quiet() -> Generator[None]:
    """Keep the hub's libraries from writing lines and bars on the terminal."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    bars = _bars()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        for off, _ in bars:
            off()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for _, on in bars:
            on()


def _bars() -> list[tuple[Any, Any]]:
    """Return for each loaded library that shows progress bars the functions that turn them off and on again."""
    found = []
    for name in ("huggingface_hub.utils", "datasets.utils"):
        module = sys.modules.get(name)
        disabled = getattr(module, "are_progress_bars_disabled", None)
        if disabled is not None and not disabled():
            found.append((getattr(module, "disable_progress_bars"), getattr(module, "enable_progress_bars")))  # noqa: B009
    return found


@contextmanager
def hub_errors(where: str, repo: str) -> Generator[None]:
    """Raise ``UserError``, in one line, for every error of the hub's libraries.

    Args:
        where: The source, with which the error begins.
        repo: The data set.
    """
    try:
        yield
    except UserError:
        raise
    except NoNetwork as error:
        raise UserError(
            f"{where}: no such file, and no network to read it from the hub ({error}), nor is it in the local cache; "
            f"download it where there is a network ('hf download --repo-type dataset {repo}'), and name the folder"
        ) from None
    except Exception as error:  # the library, its hub client and the network raise errors of many families
        raise UserError(
            f"{where}: no such file, and the hub's data set cannot be read: {_reason(error, repo)}"
        ) from None


def _reason(error: Exception, repo: str) -> str:
    """Return what an error of the hub's libraries means."""
    kind = type(error).__name__
    if kind == "GatedRepoError" or "is a gated dataset" in str(error):
        return f"it is gated: ask for access on {endpoint()}/datasets/{repo}, and set HF_TOKEN"
    if kind == "RepositoryNotFoundError":
        return f"there is no data set {repo!r} on the hub, or it is private (set HF_TOKEN)"
    if kind == "RevisionNotFoundError":
        return "it has no such revision"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    names = next((line for line in lines[1:] if "available configs" in line), "")
    return f"{first_line(error)} {names}".strip()
