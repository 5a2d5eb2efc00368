"""One HTTP request: a body of unknown length is read up to a bound, and each failure says what it was."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from curate.models.clients.http import transport
from curate.models.clients.http.transport import Answer, Failure, post, session, watched_socket


def posted(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], scheme="http"):
    """Post to a server that treats every connection so; return the answer or the failure."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):  # the client has had enough
            await serve(reader, writer)
        writer.close()

    async def once() -> Answer | Failure:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with server, session(url, {}, 30) as http:
            return await post(http, url, b"{}")

    return asyncio.run(once())


def chunks(*parts: bytes):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    return serve


def test_a_reply_of_unknown_length_is_read_whole():
    found = posted(chunks(b'{"a":', b"1}"))
    assert isinstance(found, Answer) and (found.status, found.raw) == (200, b'{"a":1}')


def test_a_reply_of_unknown_length_has_a_bound(monkeypatch):
    monkeypatch.setattr(transport, "LARGEST_REPLY", 1 << 20)
    found = posted(chunks(*[bytes(1 << 16)] * 20))
    assert isinstance(found, Failure) and found.reason == "a reply of more than 1 MB"
    assert found.billed == (1, 0) and not found.unreachable


def test_a_server_without_tls_is_no_safe_connection():
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 X\r\n\r\n")

    found = posted(no_tls, "https")
    assert isinstance(found, Failure) and found.reason.startswith("no safe connection (")
    assert found.hopeless and found.unreachable and found.billed is None


def test_an_unknown_host_name_is_said_without_its_key():
    key = ConnectionKey("no.such.host", 443, True, True, None, None, None)
    error = aiohttp.ClientConnectorDNSError(key, OSError(errno.ENOENT, "Name or service not known"))
    assert transport.describe(error) == "the host name is not known"


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system has no such option")
def test_a_machine_that_is_gone_without_a_word_is_noticed():
    with watched_socket(socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0]) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        idle, every, count = (made.getsockopt(socket.IPPROTO_TCP, name) for name in names)
    assert idle + every * count <= 60
