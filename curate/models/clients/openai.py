"""The engine ``openai``: any server that speaks OpenAI's chat completions, such as vLLM, SGLang, llama.cpp or Ollama.

What is asked, and how a reply is read, is here; ``workers`` does the asking. The key is in the Authorization header and
in no text that leaves this file.
"""

import asyncio
import json
from typing import Any
from urllib.parse import quote

from curate.models.clients import wire
from curate.models.clients.complaint import Complaint, refuses_choices, refuses_likely, wants_other_limit
from curate.models.clients.limits import Limits
from curate.models.clients.transport import session
from curate.models.clients.workers import Workers
from curate.models.engine_settings import api_key
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.requests import Give, Reply, Request, Spent, Take

NAMES_OF_LIMIT = ("max_tokens", "max_completion_tokens")


class Engine:
    """A server and how to talk to it. Its settings are in ``curate.models.engine_settings``; ``base_url`` and ``key`` override them.

    A subclass that starts a server of its own sets ``base_url`` and ``model`` (the name to send) at any time before
    ``answer``, and may know better how a user's turn begins: ``render_user_prefix``.
    """

    PATIENCE = 10.0  # seconds that a server which has never answered may take to be there

    def __init__(self, ref: ModelRef, progress: Progress, *, base_url: str = "", key: str | None = None) -> None:
        """Connect to nothing yet. Raises ``UserError`` for a missing key or an ``extra_body`` that oversteps."""
        settings: dict[str, Any] = dict(ref.settings)
        self.name, self.model, self.progress = ref.name, ref.location, progress
        self.base_url = base_url or str(settings.get("base_url", ""))
        self._key = (key or api_key(ref.name, settings.get("api_key_env")) or "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise UserError(f"models.{ref.name}: the key holds characters that no HTTP header can carry")
        self.concurrency = settings.get("concurrency") or 64
        self.choices = settings.get("choices") or 8
        self.timeout = settings.get("timeout") or 600
        self.retries = settings.get("retries", 8)
        self.user_prefix = settings.get("user_prefix")
        self.extra = json.dumps(settings.get("extra_body") or {})
        self.limits = Limits(settings.get("requests_per_minute") or 0, settings.get("tokens_per_minute") or 0)
        # What was learnt of this server.
        self.limit = NAMES_OF_LIMIT[0]  # its name for the most new tokens
        self.likely = True  # whether it tells the likeliest tokens
        self.short: set[str] = set()  # first keys of groups that came with too few choices
        self.reached = False  # whether it has ever answered anything
        self.answered = 0  # requests answered well
        self.fruitless = 0  # requests given up since

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests until there are none. Ctrl-C ends it at once; what was in flight is lost, nothing else.

        Raises ``UserError`` where no request can succeed: a wrong key or address, no such model, nobody there.
        """
        asyncio.run(self._answer(take, give))

    async def _answer(self, take: Take, give: Give) -> None:
        self.limits.begin()
        async with session(self.base_url, self._headers(), self.timeout) as http:
            await Workers(self, http, take, give).run()

    def close(self) -> None:
        """Nothing is held between calls of ``answer``."""

    def render_user_prefix(self, turns: list[dict[str, Any]]) -> str:
        """The text of a conversation up to where its last user turn (whose content is null) begins.

        Raises ``UserError`` where only the model's chat template could tell.
        """
        if not self.user_prefix:
            raise UserError(
                f"models.{self.name}: a user's turn is wanted of this model; say what comes before one in "
                f"its chat template: models.{self.name}.user_prefix"
            )
        if len(turns) > 1:
            raise UserError(
                f"models.{self.name}: the engine 'openai' can write a user's first turn only, and without "
                f"a system prompt; this conversation has {len(turns) - 1} earlier turns"
            )
        return str(self.user_prefix)

    def request_of(self, asked: list[Request]) -> tuple[str, bytes]:
        """The address and the body of a request for these samples of one prompt."""
        if "null" in asked[0].messages[-60:]:
            turns = asked[0].turns
            if turns[-1].get("role") == "user" and turns[-1].get("content", "") is None:
                prompt = self.render_user_prefix(turns)
                body = wire.prompt_body(self.model, asked, prompt, self.limit, self.extra)
                return f"{self.base_url.rstrip('/')}/completions", body
        body = wire.chat_body(self.model, asked, self.limit, self.extra, likely=self.likely)
        return f"{self.base_url.rstrip('/')}/chat/completions", body

    def read(self, asked: list[Request], raw: bytes, size: int) -> tuple[list[Reply], Spent]:
        """What the body of a good answer says to these samples; ``size`` is the length of what was sent, in bytes.

        Raises ``wire.Malformed``.
        """
        return wire.read(asked, raw, size)

    def most_written(self, asked: list[Request]) -> int:
        """The most tokens that the server writes for these samples."""
        return asked[0].sampling.max_tokens * len(asked)

    def adapt(self, asked: list[Request], body: bytes, said: Complaint) -> bool:
        """Learn from a 400 what this server does not have; whether the samples are to be asked for again."""
        if b'"max_tokens":' in body and wants_other_limit(said):
            self.limit = NAMES_OF_LIMIT[1]
        elif len(asked) > 1 and refuses_choices(said):
            self.choices = 1
        elif b'"top_logprobs":' in body and refuses_likely(said):
            self.likely = False
        else:
            return False
        return True

    def together(self, asked: list[Request]) -> int:
        """How many samples to ask for in one request. Greedy ones are alike, and vLLM refuses several of them."""
        return self.choices if asked[0].sampling.temperature else 1

    def error(self, said: str) -> UserError:
        """The error of a server that can't be worked with."""
        return UserError(self.redact(f"models.{self.name}: {said}"))

    def redact(self, text: str) -> str:
        """Text without the key, however it may be quoted."""
        if self._key:
            for form in {self._key, json.dumps(self._key)[1:-1], quote(self._key), quote(self._key, safe="")}:
                text = text.replace(form, "[key]")
        return text

    def without_key(self, raw: bytes) -> bytes:
        """A server's reply without the key. A short one is a placeholder ("none") that a reply may well hold."""
        key = self._key.encode()
        return raw.replace(key, b"[key]") if len(key) >= 12 and key in raw else raw

    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "gristmill",
        }
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
