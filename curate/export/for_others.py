"""A recipe for others to see: without secrets, addresses of servers, and folders of a person's machine."""

import re
from pathlib import PurePath
from typing import Any

from curate.sources.remote.urls import without_secrets
from schemas.yaml_text import without_passwords

PATHS = ("path", "against", "model", "adapter", "file", "python", "chat_template")  # settings that may name a file
# Settings that say where somebody's servers are, and how they are let in there.
PRIVATE = ("base_url", "api_key", "api_key_env", "key", "token", "headers", "extra_headers", "args")
# Addresses of data bases, and the parts of connection texts that say where one is and who asks.
PUBLIC = r"(?!https?://|hf://|s3://|gs://|file://)"
DATA_BASES = re.compile(rf"(?<![\w+.-]){PUBLIC}([a-z][a-z0-9+.-]*://)[^\s'\"]+", re.IGNORECASE)
CONNECTION = re.compile(r"\b(host|hostaddr|port|user|password|passfile|dbname)=[^\s'\";&)]+", re.IGNORECASE)
# Such settings as lines of a recipe's YAML.
PRIVATE_LINES = re.compile(rf"^[ -]*(?:{'|'.join(PRIVATE[:3])}): \S+\n", re.MULTILINE)
PATH_LINES = re.compile(rf"^([ -]*(?:{'|'.join(PATHS)}): ['\"]?)[/~](?:[^\n]*/)?([^/\n]+)$", re.MULTILINE)


def for_others(value: Any, key: str = "") -> Any:
    """Return the plain values of a recipe as others may see them.

    A path from the root is its last part. Addresses and keys of model servers are left out, and those of data bases
    are dots; of other URLs, what may be secret in them.
    """
    return without_passwords(without_secrets(_shown(value, key)))


def _shown(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _shown(one, name) for name, one in value.items() if not _is_private(name, one)}
    if isinstance(value, list):
        return [_shown(one, key) for one in value]
    if not isinstance(value, str):
        return value
    if key in PATHS and value.startswith(("/", "~")):
        return PurePath(value).name
    return CONNECTION.sub(r"\1=...", DATA_BASES.sub(r"\1...", value)) if key == "sql" else value


def text_for_others(text: str) -> str:
    """Return a recipe that ``yaml_text`` wrote, an earlier version of gristmill's too, as ``for_others`` has it."""
    return PATH_LINES.sub(r"\1\2", PRIVATE_LINES.sub("", text))


def _is_private(name: str, value: Any) -> bool:
    """Return whether a key is a setting for the user's eyes only; a model may have its name, and is a mapping."""
    return name in PRIVATE and (not isinstance(value, dict) or name.endswith("headers"))
