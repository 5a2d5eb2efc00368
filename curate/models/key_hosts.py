"""Which host may be sent which key. A recipe names a variable and an address; the user says that they belong together.

A pair is known where the variable is the usual one of the host's maker (``USUAL``), where the host is this machine
itself, or where the user named it: in the variable ``GRISTMILL_KEY_HOSTS`` (``--allow-key`` adds to it), or in the file
``key_hosts.json`` of ``curate.steps.config_folder``. The variable has ``NAME=host,NAME=host``; the file is a mapping of
names to hosts, several with commas between them.
"""

import ipaddress
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from curate.steps.config_folder import config_folder, read_config
from schemas.errors import UserError

VARIABLE, FILE = "GRISTMILL_KEY_HOSTS", "key_hosts.json"
# A variable that holds a key -> the hosts of who hands it out.
USUAL = {
    "ANTHROPIC_API_KEY": ("api.anthropic.com",),
    "CEREBRAS_API_KEY": ("api.cerebras.ai",),
    "DEEPINFRA_API_KEY": ("api.deepinfra.com",),
    "DEEPSEEK_API_KEY": ("api.deepseek.com",),
    "FIREWORKS_API_KEY": ("api.fireworks.ai",),
    "GEMINI_API_KEY": ("generativelanguage.googleapis.com",),
    "GOOGLE_API_KEY": ("generativelanguage.googleapis.com",),
    "GROQ_API_KEY": ("api.groq.com",),
    "HF_TOKEN": ("router.huggingface.co", "api-inference.huggingface.co", "huggingface.co"),
    "MISTRAL_API_KEY": ("api.mistral.ai",),
    "MOONSHOT_API_KEY": ("api.moonshot.ai", "api.moonshot.cn"),
    "NVIDIA_API_KEY": ("integrate.api.nvidia.com",),
    "OPENAI_API_KEY": ("api.openai.com", "eu.api.openai.com", "us.api.openai.com"),
    "OPENROUTER_API_KEY": ("openrouter.ai",),
    "PERPLEXITY_API_KEY": ("api.perplexity.ai",),
    "SAMBANOVA_API_KEY": ("api.sambanova.ai",),
    "TOGETHER_API_KEY": ("api.together.xyz", "api.together.ai"),
    "XAI_API_KEY": ("api.x.ai",),
}
# api.example.com, api.example.com:8443 or [::1]:8000
HOST = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::\d{1,5})?")
NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")


def is_this_machine(url: str) -> bool:
    """Return whether an address is one of this machine, so that what is sent to it does not leave it."""
    host = _host(url)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown_host(url: str) -> str:
    """Return the host of an address, with its port where the address has one, as ``--allow-key`` takes it."""
    parts = urlsplit(url)
    host = f"[{_host(url)}]" if ":" in _host(url) else _host(url)
    return host if parts.port is None else f"{host}:{parts.port}"


def key_refusal(variable: str, url: str) -> str:
    """Return why the key in a variable is not sent to an address, and what helps; empty where it is sent.

    Raises:
        UserError: What the user has named can't be read.
    """
    if is_this_machine(url):
        return ""
    if urlsplit(url).scheme != "https":
        return (
            f"{variable} would be sent to {shown_host(url)} over plain http, where anyone on the way can read it; "
            f"use https, or a tunnel to this machine"
        )
    host = shown_host(url)
    if {host, host.removesuffix(":443"), _bare(host)} & {one for name, one in _named() if name == variable}:
        return ""
    if _bare(host) in USUAL.get(variable, ()) and host.removesuffix(":443") == _bare(host):
        return ""
    return (
        f"{variable} would be sent to {host}, which you did not name for it; if it is meant for that host: "
        f"--allow-key {variable}={host}, or {VARIABLE}={variable}={host}"
    )


def name_hosts(pairs: list[str]) -> None:
    """Name hosts for keys, for this process and those that it starts.

    Args:
        pairs: Texts ``NAME=host``.

    Raises:
        UserError: A text is none.
    """
    for pair in pairs:
        _pair(pair, "--allow-key")
    if pairs:
        os.environ[VARIABLE] = ",".join(filter(None, [os.environ.get(VARIABLE, ""), *pairs]))


def host_pair(variable: object, url: object) -> list[str]:
    """Return ``[NAME=host]`` of a variable and an address; an empty list where one of them is none."""
    if not isinstance(variable, str) or not isinstance(url, str) or not NAME.fullmatch(variable):
        return []
    try:
        host = shown_host(url)
    except ValueError:
        return []
    return [f"{variable}={host}"] if HOST.fullmatch(host) else []


def _host(url: str) -> str:
    """Return the host of an address; none where that is not clear, as in ``http://[::1].example.com``."""
    place = urlsplit(url).netloc.rpartition("@")[2].lower()
    return (urlsplit(url).hostname or "") if HOST.fullmatch(place) else ""


def _bare(host: str) -> str:
    """Return a host without its port."""
    return re.sub(r":\d+$", "", host)


def _named() -> Iterator[tuple[str, str]]:
    """Yield the pairs of a variable's name and a host that the user has named."""
    for pair in os.environ.get(VARIABLE, "").split(","):
        if pair.strip():
            yield _pair(pair, VARIABLE)
    place = str(config_folder() / FILE)
    for name, hosts in read_config(FILE).items():
        for host in hosts.split(","):
            yield _pair(f"{name}={host}", place)


def _pair(text: str, where: str) -> tuple[str, str]:
    """Return the name and the host of a text ``NAME=host``."""
    name, _, host = (part.strip() for part in text.partition("="))
    if not NAME.fullmatch(name) or not HOST.fullmatch(host.lower()):
        raise UserError(
            f"{where}: expected the name of a variable and a host, such as MY_API_KEY=api.example.com, found "
            f"something else; it holds no key, and no address with https:// or a path"
        )
    return name, host.lower()
