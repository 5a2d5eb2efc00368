"""A look at a server: whether it is there, which models it lists, and which servers have other models than the rest."""

import asyncio
import socket

import pytest

from curate.models.clients.http.probe import Seen, look, strangers
from curate.models.clients.http.transport import session


def looked_at(answer: bytes | None, seconds: float = 5.0) -> Seen:
    """What a look shows of a server that sends these bytes; of none that listens, where they are None."""

    async def once() -> Seen:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer or b"")
            await writer.drain()
            if answer:
                writer.close()

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            if answer is not None:
                taken.listen()
            server = await asyncio.start_server(connected, sock=taken) if answer is not None else None
            async with session("http://127.0.0.1", {}, 30) as http:
                seen = await look(http, f"http://127.0.0.1:{port}/v1/", seconds)
            if server is not None:
                server.close()
            return seen

    return asyncio.run(once())


def response(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.mark.parametrize(
    ("answer", "models"),
    [
        (response(b'{"data": [{"id": "a"}, {"id": "b"}]}'), {"a", "b"}),
        (response(b'{"data": [{"id": 3}, "a", null, {"id": "b"}]}'), {"b"}),
        (response(b'{"data": {"id": "a"}}'), set()),
        (response(b'[{"id": "a"}]'), set()),
        (response(b"\xff{"), set()),
        (response(b"[" * 100_000), set()),
        (response(b'{"data": [{"id": "a"}]}', 500), set()),
        (response(b'{"data": [{"id": "a"}]' + b" " * (1 << 20) + b"}"), set()),
        (b"no HTTP at all", set()),
    ],
)
def test_a_server_that_answers_anything_is_there(answer, models):
    assert looked_at(answer) == Seen(models=frozenset(models))


def test_a_server_that_answers_nothing_is_there():
    assert looked_at(b"", seconds=0.3) == Seen()


def test_nobody_listens():
    assert looked_at(None) == Seen("cannot connect (connection refused)")


@pytest.mark.parametrize(
    ("lists", "places"),
    [
        (["a", "a b", ""], []),
        (["a", "b", "", "b c"], [1, 3]),
        (["b", "c"], []),
        (["", ""], []),
    ],
)
def test_strangers_are_those_without_a_model_that_others_have(lists, places):
    assert strangers([Seen(models=frozenset(names.split())) for names in lists], "a") == places
