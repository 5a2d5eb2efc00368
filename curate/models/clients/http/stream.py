"""Answers of a server that speaks OpenAI's chat completions, as they are written: ``stream: true``.

What is sent, and what is learnt from refusals, is ``ChatEngine``'s. A server that does not stream is asked for whole
answers. Nothing is asked again once a part of an answer is there.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NoReturn

import aiohttp

from curate.models.clients.http.body_parts import body_parts
from curate.models.clients.http.chat import ChatEngine
from curate.models.clients.http.complaint import complaint, one_line, status_in_body
from curate.models.clients.http.event_data import DONE
from curate.models.clients.http.limits import back_off, duration, retry_after
from curate.models.clients.http.replies import BROKEN_OFF, Malformed
from curate.models.clients.http.settings import LIMIT_NAMES
from curate.models.clients.http.sse import Chunk, Lines, read_chunk
from curate.models.clients.http.transport import LARGEST_REPLY, bounded, describe, session
from curate.models.clients.http.verdict import TOO_LONG, verdict
from curate.models.generation_defaults import Defaults
from curate.models.streamed import Asked, Emit, Ended, Piece, Streamed, TooLong
from curate.models.trace_pieces import TracePieces
from schemas.errors import Failed, OneLine
from schemas.finish_reasons import finish_reason
from schemas.json_text import dump
from schemas.messages import Message
from schemas.reasoning import split_reasoning
from schemas.requests import Request, Sampling, make_request

TRIES, LONGEST_WAIT = 4, 30.0  # a person waits: seconds
TICK = 0.05  # seconds between looks at whether the reader has stopped
NO_STREAM = re.compile(r"\bstream(?:ing)?\b", re.IGNORECASE)
REFUSALS = (400, 404, 405, 415, 422, 500, 501)  # statuses that may be about ``stream``


class _Again(Exception):
    """The request is to be made again: in another form, or after ``seconds``."""

    def __init__(self, reason: str = "", seconds: float = 0.0) -> None:
        """Take why, and how long to wait; no reason is another form of the request."""
        super().__init__(reason)
        self.reason, self.seconds = reason, seconds


@dataclass
class _Answer:
    """The parts of one answer that have arrived."""

    emit: Emit
    pieces: TracePieces = field(default_factory=TracePieces)
    texts: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    calls: tuple[str, ...] = ()
    finish: str | None = None
    usage: tuple[int | None, int | None] = (None, None)

    @property
    def begun(self) -> bool:
        """Whether any of its text is there."""
        return bool(self.texts or self.traces)

    def take(self, chunk: Chunk) -> None:
        """Take in a chunk; hand over its pieces."""
        self.calls += chunk.calls
        self.finish = finish_reason(chunk.finish) or self.finish
        self.usage = chunk.usage or self.usage
        if chunk.trace:
            self.traces.append(chunk.trace)
            self.emit(Piece(chunk.trace, True))
        text = chunk.text if self.texts or not self.traces else chunk.text.lstrip()
        if text:
            self.texts.append(text)
            for piece in self.pieces.add(text):
                self.emit(piece)

    def ended(self) -> Ended:
        """Hand over the last pieces; return how it ended."""
        for piece in self.pieces.end():
            self.emit(piece)
        text, trace = "".join(self.texts), "".join(self.traces).strip() or None
        if trace is None:
            trace, text = split_reasoning(text)
        return Ended(text, trace, self.finish, *self.usage, self.calls)


class HttpStreamer:
    """Answers one conversation at a time, by a server."""

    def __init__(self, engine: ChatEngine, defaults: Defaults | None = None) -> None:
        """Prepare to ask; no connection is opened yet.

        Args:
            engine: Says what is sent; it is closed with this.
            defaults: The sampling where a person asks for none; None leaves it to the server.
        """
        self.engine, self.defaults = engine, defaults
        self._unasked: frozenset[str] = frozenset()  # parameters that are left to the server
        self.streams, self.counts = True, '"stream_options"' not in engine.extra  # until the server refuses it
        if defaults and defaults.not_applied:
            left_out = ", ".join(defaults.not_applied)
            engine.progress.say(f"{engine.name}: its generation_config asks for {left_out}, which is not applied here")

    def describe(self, asked: Asked) -> str:
        """Return the sampling settings in words."""
        given = self.defaults.sampling(asked) if self.defaults else asked
        said = [] if given.temperature is None else [f"temperature {given.temperature:g}"]
        return ", ".join([*said, *([f"seed {asked.seed}"] if given.temperature != 0 else [])])

    def close(self) -> None:
        """Stop the server, where it is our own."""
        self.engine.close()

    def stream(self, messages: list[Message], asked: Asked, sample: int = 0) -> Streamed:
        """Begin to answer a conversation; ``sample`` is which of several answers to it."""
        engine = self.engine
        if self.defaults is None:
            given = {"temperature": asked.temperature, "top_p": asked.top_p, "max_tokens": asked.max_tokens}
            how = replace(Sampling(seed=asked.seed), **{k: v for k, v in given.items() if v is not None})
            unasked = frozenset(name for name, value in given.items() if value is None)
            unasked |= frozenset(LIMIT_NAMES if "max_tokens" in unasked else ())
            left_out = engine.adapting.form.left_out - self._unasked  # by the recipe, and by refusals
            engine.adapting.form = replace(engine.adapting.form, left_out=left_out | unasked)
            self._unasked = unasked - left_out
        else:
            how = self.defaults.sampling(asked)
        request = make_request(engine.model, dump(messages, "messages"), None, how, sample)
        return Streamed(partial(self._write, request))

    def _write(self, request: Request, emit: Emit, streamed: Streamed) -> Ended:
        """Ask for an answer and hand over its pieces, in this thread, until it ends or the reader stops it."""

        async def watched() -> Ended:
            work = asyncio.ensure_future(self._ask(request, _Answer(emit)))
            while not work.done() and not streamed.stopped:
                await asyncio.wait([work], timeout=TICK)
            work.cancel()  # of a stopped answer; the server sees the connection close
            try:
                return await work
            except asyncio.CancelledError:
                return Ended("", finish_reason="stopped")

        try:
            return asyncio.run(watched())
        except OneLine:
            gone = self.engine.gone()
            if gone:
                raise gone from None
            raise

    async def _ask(self, request: Request, answer: _Answer) -> Ended:
        """Ask until there is an answer, or there can be none."""
        engine = self.engine
        tries = 0
        async with session(engine.base_url, engine.headers(), engine.timeout) as http:
            while True:
                try:
                    return await self._attempt(http, request, answer)
                except _Again as again:
                    if not again.reason:
                        continue
                    tries += 1
                    longest = min(LONGEST_WAIT, engine.max_wait)
                    asked = f"; it asks to wait {duration(again.seconds)}" if again.seconds else ""
                    if tries >= TRIES or again.seconds > longest:
                        raise self._failed(f"{again.reason}{asked}") from None
                    seconds = again.seconds or back_off(tries)
                    engine.progress.say(engine.redact(f"{engine.name}: {again.reason}{asked}; asking again"))
                    await asyncio.sleep(seconds)

    async def _attempt(self, http: aiohttp.ClientSession, request: Request, answer: _Answer) -> Ended:
        """Send one request and read the answer.

        Raises:
            _Again: The request is to be made again.
            OneLine: There can be no answer, or it broke off.
        """
        engine = self.engine
        url, plain = engine.request_of([request])
        options = b',"stream":true' + (b',"stream_options":{"include_usage":true}' if self.counts else b"")
        body = plain.removesuffix(b"}") + options + b"}" if self.streams else plain
        limit = aiohttp.ClientTimeout(total=None, sock_connect=min(30, engine.timeout), sock_read=engine.timeout)
        try:
            async with http.post(url, data=body, allow_redirects=False, timeout=limit) as response:
                if response.status == 200:
                    return await self._read(response, request, answer, plain)
                raw = await bounded(response) or b""
                self._refused(request, plain, response.status, response.headers, raw)
        except aiohttp.ClientConnectorError as error:
            where = f"{engine.base_url}: cannot connect ({describe(error)})"
            raise engine.error(f"{where}: is the server running?") from None
        except TimeoutError:
            raise self._failed(f"nothing came for {engine.timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            if answer.begun:
                raise self._failed("the connection was lost in the middle of the answer") from None
            raise _Again(f"the connection was lost ({describe(error)})") from None

    async def _read(self, response: aiohttp.ClientResponse, request: Request, answer: _Answer, plain: bytes) -> Ended:
        """Return the answer in a response, streamed or not."""
        lines, start, total, done, is_whole = Lines(), b"", 0, False, None
        async for part in body_parts(response.content, lambda: answer.finish is not None):
            total += len(part)
            if total > LARGEST_REPLY:
                raise self._failed(f"a reply of more than {LARGEST_REPLY >> 20} MB")
            if is_whole is None and part.strip():
                is_whole = part.lstrip()[:1] in (b"{", b"[")  # JSON, whatever its type is said to be
            if is_whole:
                start += part
            elif done := self._take(lines, part, answer):
                break
        if is_whole:
            return self._read_whole(response, request, answer, plain, start)
        done = done or self._take(lines, b"\n", answer)
        if answer.finish in BROKEN_OFF or not (done or answer.finish):
            raise self._failed("the answer was broken off by the server")
        if not answer.begun and not answer.calls and answer.finish is None:
            raise self._failed("an answer without a text")
        self.engine.answered += 1
        return answer.ended()

    def _take(self, lines: Lines, part: bytes, answer: _Answer) -> bool:
        """Take in the events of a part of a stream; return whether the server says that it is the end."""
        try:
            for data in lines.add(part):
                if data == DONE:
                    return True
                chunk = read_chunk(self.engine.without_key(data))
                if chunk.error and TOO_LONG.search(chunk.error) and not answer.begun:
                    raise self._too_long(chunk.error)
                if chunk.error:
                    raise self._failed(f"the server gave up: {one_line(chunk.error, 300)}")
                answer.take(chunk)
        except Malformed as error:
            raise self._failed(str(error)) from None
        return False

    def _read_whole(
        self, response: aiohttp.ClientResponse, request: Request, answer: _Answer, plain: bytes, raw: bytes
    ) -> Ended:
        """Return an answer that came whole, from a server that does not stream."""
        engine = self.engine
        try:
            (reply, *_), _ = engine.read([request], engine.without_key(raw), len(plain))
        except Malformed as error:
            status = status_in_body(raw)
            if status is not None:
                self._refused(request, plain, status, response.headers, raw)
            raise self._failed(str(error)) from None
        engine.answered += 1
        for text, is_trace in ((reply.reasoning_content, True), (reply.text, False)):
            if text:
                answer.emit(Piece(text, is_trace))
        called = tuple(call["function"]["name"] for call in json.loads(reply.tool_calls or "[]"))
        counts = (reply.prompt_tokens, reply.completion_tokens)
        return Ended(reply.text or "", reply.reasoning_content, reply.finish_reason, *counts, called)

    def _refused(self, request: Request, plain: bytes, status: int, headers: Mapping[str, str], raw: bytes) -> NoReturn:
        """Raise what follows from an answer that is not 200: ``_Again`` where the request can be made otherwise."""
        engine = self.engine
        found = complaint(raw)
        words = f"{found.param} {found.message}"
        if self.streams and status in REFUSALS:
            if self.counts and "stream_options" in words:
                self.counts = False
                raise _Again
            if NO_STREAM.search(words):
                self.streams = False
                engine.progress.say(f"{engine.name}: the server does not stream: its answers come whole")
                raise _Again
        if engine.adapt([request], status, plain, found):
            raise _Again
        message = one_line(found.message, 300)
        if 400 <= status != 429 and TOO_LONG.search(f"{found.message} {found.code}"):
            raise self._too_long(message)
        reason = f"HTTP {status}" + (f": {message}" if message else "")
        if verdict(status, found, answered=engine.answered > 0) == "retry":
            raise _Again(reason, retry_after(headers) or 0.0)
        to = f" to {headers.get('Location')}; put the final address into base_url" if status < 400 else ""
        raise engine.error(f"{engine.model} at {engine.base_url}: {reason}{to}")

    def _failed(self, reason: str) -> Failed:
        """Return the error of an answer that did not come, or not whole; it may come if asked again."""
        engine = self.engine
        return Failed(engine.redact(f"{engine.name}: {engine.model} at {engine.base_url}: {reason}"))

    def _too_long(self, words: str) -> TooLong:
        """Return the error of a conversation that the server's context does not hold."""
        return TooLong(self.engine.redact(f"{self.engine.name}: {one_line(words, 300)}"))
