"""Asks a server which models it has, to see whether it is there, and whether it has the right one."""

import asyncio
from typing import Any, NamedTuple

import aiohttp
import msgspec

from curate.models.clients.http.complaint import UNREADABLE
from curate.models.clients.http.transport import bounded, describe

FIRST_SECONDS, SECONDS = 3.0, 10.0  # that a look may take: the first, which a run waits for, and later ones
LARGEST_LIST = 1 << 20  # bytes of a list of models


class Seen(NamedTuple):
    """The result of a look at a server: why it can't be connected to, if it can't, and the names of its models."""

    unreachable: str = ""
    models: frozenset[str] = frozenset()


async def look(http: aiohttp.ClientSession, base_url: str, seconds: float = SECONDS) -> Seen:
    """Ask for ``/models``. A server that is there counts as such whatever it answers, also if it answers nothing."""
    limit = aiohttp.ClientTimeout(total=seconds, sock_connect=seconds / 2)
    try:
        async with http.get(f"{base_url.rstrip('/')}/models", allow_redirects=False, timeout=limit) as response:
            return Seen(
                models=_names(await bounded(response, LARGEST_LIST) or b"") if response.status == 200 else frozenset()
            )
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        return Seen(f"cannot connect ({describe(error)})")
    except (aiohttp.ClientError, OSError, TimeoutError):
        return Seen()


def strangers(seen: list[Seen], model: str) -> list[int]:
    """Return the places of servers that list models without this one, where any of the others lists it.

    Where none lists it, it may go by another name, as a hosted model does: then nothing follows.
    """
    if not any(model in one.models for one in seen):
        return []
    return [at for at, one in enumerate(seen) if one.models and model not in one.models]


def _names(raw: bytes) -> frozenset[str]:
    """Return the ids in a list of models; none where it can't be read."""
    try:
        body: Any = msgspec.json.decode(raw)
    except UNREADABLE:
        return frozenset()
    listed = body.get("data") if isinstance(body, dict) else None
    ids = [one.get("id") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return frozenset(name for name in ids if isinstance(name, str))


async def looks(pools: list[aiohttp.ClientSession], base_urls: list[str]) -> list[Seen]:
    """Look at several servers at once, for the first time."""
    return await asyncio.gather(*(look(http, url, FIRST_SECONDS) for http, url in zip(pools, base_urls, strict=True)))
