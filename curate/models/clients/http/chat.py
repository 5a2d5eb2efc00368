"""Asks a server that speaks OpenAI's chat completions: what is sent, and how a reply is read.

``workers`` sends the requests. The key is in the Authorization header and in no text that leaves this file.
"""

import json
from dataclasses import replace
from urllib.parse import quote

from curate.models.clients.http import replies, settings, wire
from curate.models.clients.http.adapting import Adapting
from curate.models.clients.http.complaint import Complaint
from curate.models.clients.http.limits import Limits
from curate.models.clients.http.run_async import run_async
from curate.models.clients.http.transport import session
from curate.models.clients.http.wire_messages import MessageForm
from curate.models.clients.http.workers import Workers
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.messages import Message
from schemas.progress import Progress
from schemas.requests import Give, Reply, Request, Spent, Take


class ChatEngine:
    """Asks one server for completions.

    A subclass that starts a server of its own sets ``base_url`` and ``model`` (the name to send) at any time before
    ``answer``, and may know how a user's turn begins: ``render_user_prefix``.
    """

    PATIENCE = 10.0  # seconds until a server that has never answered is taken to be down

    def __init__(self, ref: ModelRef, progress: Progress, base_url: str = "", key: str | None = None) -> None:
        """Prepare to ask; no connection is opened yet.

        Args:
            ref: The model.
            progress: Shows how fast replies come.
            base_url: The server's address, up to ``/v1``.
            key: The key to send, if any.

        Raises:
            UserError: The key can't be sent in an HTTP header.
        """
        self.name, self.engine, self.model, self.progress = ref.name, ref.engine, ref.location, progress
        self.base_url = base_url
        self._key = (key or "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise UserError(f"models.{ref.name}: the key holds characters that no HTTP header can carry")
        self.concurrency: int = settings.CONCURRENCY.of(ref)
        self.choices: int = settings.CHOICES.of(ref)
        self.timeout: float = settings.TIMEOUT.of(ref)
        self.retries: int = settings.RETRIES.of(ref)
        self.max_wait: float = settings.MAX_WAIT.of(ref)
        self.user_prefix: str | None = settings.USER_PREFIX.of(ref)
        self.extra = json.dumps(settings.EXTRA_BODY.of(ref) or {})
        form = wire.Form(
            ref.location,
            self.extra,
            settings.MAX_TOKENS_NAME.of(ref) or settings.LIMIT_NAMES[0],
            messages=MessageForm(reasoning=settings.SEND_REASONING.of(ref)),
        )
        self.limits = Limits(settings.REQUESTS_PER_MINUTE.of(ref) or 0, settings.TOKENS_PER_MINUTE.of(ref) or 0)
        # Learnt from the server's answers.
        self.adapting = Adapting(form, settings.LEAVE_OUT.of(ref) or [], self._say)
        self.short: set[str] = set()  # first keys of groups that came with too few choices
        self.reached = False  # whether it has ever answered anything
        self.answered = 0  # requests answered well
        self.fruitless = 0  # requests given up since the last that was answered well
        self.refused: set[str] = set()  # prompts refused without a word about them since the last good answer

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests until there are none left. Ctrl-C ends it at once; only requests in flight are lost.

        Raises ``UserError`` where no request can succeed: a wrong key or address, no such model, no server.
        """
        run_async(self._answer(take, give))

    async def _answer(self, take: Take, give: Give) -> None:
        self.limits.begin()
        async with session(self.base_url, self.headers(), self.timeout) as http:
            await Workers(self, http, take, give).run()

    def close(self) -> None:
        """Do nothing: no connection is open between calls of ``answer``."""

    def render_user_prefix(self, turns: list[Message]) -> str:
        """Return the text of a conversation up to where its last user turn (whose content is null) begins.

        Raises ``UserError`` where only the model's chat template says how a user's turn begins.
        """
        if not self.user_prefix:
            raise UserError(
                f"models.{self.name}: this model is to write a user's turn; give the text that comes before "
                f"one in its chat template: models.{self.name}.user_prefix"
            )
        if len(turns) > 1:
            raise UserError(
                f"models.{self.name}: the engine {self.engine!r} can write a user's first turn only, and without "
                f"a system prompt; this conversation has {len(turns) - 1} earlier turns"
            )
        return str(self.user_prefix)

    def request_of(self, asked: list[Request]) -> tuple[str, bytes]:
        """Return the address and the body of a request for these samples of one prompt."""
        form = self.adapting.form
        if form.model != self.model:  # a server of our own has its name once it has started
            form = self.adapting.form = replace(form, model=self.model)
        for name in _needed(asked) & form.left_out:
            raise self.error(f"the step needs {name}, which is left out: by leave_out, or as the server refused it")
        if asked[0].writes_user_turn:
            body = wire.prompt_body(form, asked, self.render_user_prefix(asked[0].turns))
            return f"{self.base_url.rstrip('/')}/completions", body
        return f"{self.base_url.rstrip('/')}/chat/completions", wire.chat_body(form, asked)

    def read(self, asked: list[Request], raw: bytes, size: int) -> tuple[list[Reply], Spent]:
        """Return the replies in the body of a good answer, and what they cost. Raises ``replies.Malformed``.

        Args:
            asked: The samples that were asked for.
            raw: The body.
            size: The length of the request's body, in bytes.
        """
        read, spent = replies.read(asked, raw, size, self.model)
        if "stop" in self.adapting.form.left_out and asked[0].sampling.stop:
            read = [_stopped(reply, asked[0].sampling.stop) for reply in read]
        return read, spent

    def most_written(self, asked: list[Request]) -> int:
        """Return the most tokens that the server writes for these samples."""
        return asked[0].sampling.max_tokens * len(asked)

    def adapt(self, asked: list[Request], status: int, body: bytes, complaint: Complaint) -> bool:
        """Learn from a refusal what the server does not take; return whether to ask for the samples again.

        Raises ``UserError`` where the step needs what the server does not take.
        """
        lacking = self.adapting.learn(status, body, complaint, _needed(asked))
        if lacking:
            raise self.error(
                f"{self.model} at {self.base_url}: the step needs {lacking}, and the server does not take it "
                f"(HTTP {status}: {complaint.message})"
            )
        if lacking is None:  # it may have been made before another's refusal was learnt from
            return self.request_of(asked)[1] != body
        return True

    def together(self, asked: list[Request]) -> int:
        """Return how many samples to ask for in one request: one if greedy, since vLLM refuses several of them."""
        return self.choices if asked[0].sampling.temperature and not self.adapting.single else 1

    def _say(self, message: str) -> None:
        self.progress.say(self.redact(f"models.{self.name}: {message}"))

    def error(self, message: str) -> UserError:
        """Return the error for a server that can't be used."""
        return UserError(self.redact(f"models.{self.name}: {message}"))

    def redact(self, text: str) -> str:
        """Return a text without the key, however it may be quoted."""
        if self._key:
            for form in {self._key, json.dumps(self._key)[1:-1], quote(self._key), quote(self._key, safe="")}:
                text = text.replace(form, "[key]")
        return text

    def without_key(self, raw: bytes) -> bytes:
        """Return a server's reply without the key. A short key is a placeholder ("none") that a reply may well hold."""
        key = self._key.encode()
        return raw.replace(key, b"[key]") if len(key) >= 12 and key in raw else raw

    def gone(self) -> UserError | None:
        """Return the error that says why a server of our own has died; None for others."""
        return None

    def headers(self) -> dict[str, str]:
        """Return the headers of every request; the key is in them."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "gristmill",
        }
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})


def _needed(asked: list[Request]) -> frozenset[str]:
    """Return the parameters that a step can't do without: it reads what they bring."""
    return frozenset(("logprobs",)) if asked[0].sampling.logprobs else frozenset()


def _stopped(reply: Reply, stops: tuple[str, ...]) -> Reply:
    """Return a reply whose text ends before the first of the texts that end a reply, where the server has no stop."""
    places = [place for stop in stops if (place := (reply.text or "").find(stop)) >= 0]
    return replace(reply, text=(reply.text or "")[: min(places)], finish_reason="stop") if places else reply
