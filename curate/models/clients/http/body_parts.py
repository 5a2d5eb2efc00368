"""Reads the body of a streamed answer in parts, as far as it is needed."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp

LAST_WORDS = 5.0  # seconds that a server may take to end the stream of an answer that has ended


async def body_parts(body: aiohttp.StreamReader, has_ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield the parts of a body as they come.

    What follows an answer that has ended (token counts, ``[DONE]``) is waited for ``LAST_WORDS`` seconds: there are
    servers that send none and keep the connection open, or close it without an end.

    Args:
        body: The body.
        has_ended: Whether the end of the answer was among the parts so far.

    Raises:
        aiohttp.ClientError: The connection was lost before the answer had ended; so for ``TimeoutError``, ``OSError``.
    """
    while True:
        try:
            part = await asyncio.wait_for(body.readany(), LAST_WORDS if has_ended() else None)
        except (aiohttp.ClientError, TimeoutError, OSError):
            if has_ended():
                return
            raise
        if not part:
            return
        yield part
