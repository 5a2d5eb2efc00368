"""A small HTTP server with OpenAI's API on loopback, whose requests wait for this process's main thread.

The engines and the log of replies belong to the main thread, so the server's own thread only reads bodies and writes
answers. It listens on 127.0.0.1, on a free port, and answers only those who know its key, which is new each time.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import queue
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

from aiohttp import web

from curate.models.serving.answers import chat_answer, text_answer
from curate.models.serving.bodies import chat_request, text_request
from schemas.errors import BadRow
from schemas.ids import fingerprint
from schemas.requests import Reply, Request, Task

MOST_BYTES = 16 << 20  # of a body
MOST_WAITING = 8192  # requests at once
QUIET = logging.getLogger("gristmill server")  # what is no HTTP is refused, and never shown in the terminal
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False
Read = Callable[[Any, str, int], Request]
Write = Callable[[Request, Reply, str], dict[str, Any]]


class Waiting(NamedTuple):
    """A request that a client waits for, and the future that takes its reply (in the server's loop)."""

    request: Request
    answered: asyncio.Future[Reply]


@dataclass
class Served:
    """The model that a server serves: its name and identity, its engine's tasks, and the most tokens of a text."""

    name: str
    identity: str
    tasks: frozenset[Task]
    context: int | None = None


class ModelServer:
    """Serves one model. Use it as a context manager; ``take`` and ``give`` are called by the thread that answers."""

    def __init__(self, served: Served) -> None:
        """Prepare to serve; nothing listens yet."""
        self.served = served
        self.key = secrets.token_urlsafe(32)
        self.port = 0
        self._queue: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        self._waiting = 0
        self._seen: Counter[str] = Counter()  # sampled requests by their content: the next equal one is another sample
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="gristmill server", daemon=True)
        self._started = threading.Event()
        self._stop: asyncio.Event | None = None
        self._failed: BaseException | None = None

    def __enter__(self) -> "ModelServer":
        """Begin to listen. Raises ``OSError`` where no port is free."""
        self._thread.start()
        self._started.wait()
        if self._failed is not None:
            raise self._failed
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop: requests that still wait are dropped."""
        self.close()

    def close(self) -> None:
        """Stop: requests that still wait are dropped. May be called twice."""
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(lambda: self._stop.set() if self._stop else None)
        self._thread.join()

    @property
    def url(self) -> str:
        """The address of the API, such as ``http://127.0.0.1:34567/v1``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def take(self, seconds: float, settle: float = 0.05) -> list[Waiting]:
        """Return the requests that wait: clients that are answered together ask together.

        Args:
            seconds: How long to wait for the first one; there may be none.
            settle: How long no further one may come before those that are there are returned.
        """
        found: list[Waiting] = []
        while len(found) < MOST_WAITING:
            try:
                found.append(self._queue.get(timeout=settle if found else seconds))
            except queue.Empty:
                break
        return found

    def give(self, waiting: Waiting, reply: Reply) -> None:
        """Answer a client."""

        def answer() -> None:
            if not waiting.answered.done():
                waiting.answered.set_result(reply)

        with contextlib.suppress(RuntimeError):  # the server is closed
            self._loop.call_soon_threadsafe(answer)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # raised again in the thread that started it
            self._failed = error
        finally:
            self._started.set()
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=MOST_BYTES, middlewares=[self._authorize])
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._route(chat_request, chat_answer))
        app.router.add_post("/v1/completions", self._route(text_request, text_answer))
        runner = web.AppRunner(app, access_log=None, logger=QUIET, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
            self.port = runner.addresses[0][1]
            self._started.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Refuse whoever does not send the key; answer errors as OpenAI's API does."""
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {self.key}".encode()):
            return _refusal(401, "the key is wrong")
        try:
            return await handler(request)
        except web.HTTPException as error:  # another path, too large a body
            return _refusal(error.status, error.text or error.reason)

    async def _models(self, request: web.Request) -> web.Response:
        held = {"id": self.served.name, "object": "model", "owned_by": "gristmill"}
        return web.json_response({"object": "list", "data": [held | {"max_model_len": self.served.context}]})

    def _route(self, read: Read, write: Write) -> Callable[[web.Request], Any]:
        """Return the handler of a path, whose bodies ``read`` reads and ``write`` writes."""

        async def handle(request: web.Request) -> web.Response:
            if self._waiting >= MOST_WAITING:
                return _refusal(429, f"{MOST_WAITING} requests wait already")
            try:
                body = json.loads(await request.read())
                asked = self._numbered(read, body)
            except (BadRow, ValueError, RecursionError, web.RequestPayloadError) as error:
                return _refusal(400, str(error) if isinstance(error, BadRow) else "the body is no JSON")
            if asked.task not in self.served.tasks:
                return _refusal(400, f"the model's engine has no {asked.task!r}")
            self._waiting += 1
            try:
                answered: asyncio.Future[Reply] = self._loop.create_future()
                self._queue.put(Waiting(asked, answered))
                reply = await answered
            finally:
                self._waiting -= 1
            if reply.error is not None and asked.task == "tokens":
                return _refusal(400, reply.error)
            return web.json_response(write(asked, reply, self.served.name))

        return handle

    def _numbered(self, read: Read, body: Any) -> Request:
        """Return the request in a body; equal ones that are sampled are samples of one prompt."""
        asked = read(body, self.served.identity, 0)
        if asked.task != "generate" or asked.sampling.temperature == 0:
            return asked
        content = fingerprint(body)
        self._seen[content] += 1
        return read(body, self.served.identity, self._seen[content] - 1)


def _refusal(status: int, message: str) -> web.Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return web.json_response({"error": {"message": message, "type": kind}}, status=status)
