"""The engine ``openai``: any server that speaks OpenAI's chat completions, such as vLLM, SGLang, llama.cpp or Ollama.

A fixed number of workers share one pool of connections; each takes a few samples of a prompt, asks for them in one
request, and gives the replies as soon as they are there. What fails is tried again until it works or there is no hope:
``wire.verdict`` says which. The key is in the Authorization header and in no text that leaves this file.
"""

import asyncio
import json
from collections import deque
from typing import Any
from urllib.parse import quote

import aiohttp

from curate.clients import wire
from curate.clients.limits import Limits, back_off, retry_after
from curate.clients.requests import NO_BUDGET, Give, Reply, Request, Spent, Take
from curate.clients.transport import Answer, Failure, post, session
from curate.engines import api_key
from curate.models import ModelRef
from curate.report import Report
from schemas.errors import UserError

LONGEST_ASKED_WAIT = 3600.0  # seconds; who asks to wait longer means another day
NAMES_OF_LIMIT = ("max_tokens", "max_completion_tokens")
Outcome = tuple[list[Reply], Spent, list[Request]]  # replies, what they cost, samples that are still to be asked


class Engine:
    """A server and how to talk to it. Its settings are in ``curate.engines``; ``base_url`` and ``key`` override them.

    A subclass that starts a server of its own sets ``base_url`` and ``model`` (the name to send) at any time before
    ``answer``, and may know better how a user's turn begins: ``render_user_prefix``.
    """

    PATIENCE = 10.0  # seconds that a server which has never answered may take to be there

    def __init__(self, ref: ModelRef, report: Report, *, base_url: str = "", key: str | None = None) -> None:
        """Connect to nothing yet. Raises ``UserError`` for a missing key or an ``extra_body`` that oversteps."""
        settings: dict[str, Any] = dict(ref.settings)
        self.name, self.model, self.report = ref.name, ref.location, report
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
            work = _Work(self, http, take, give)
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.concurrency):
                        group.create_task(work.worker())
            except BaseExceptionGroup as errors:
                raise _first(errors) from None

    def close(self) -> None:
        """Nothing is held between calls of ``answer``."""

    def render_user_prefix(self, turns: list[dict[str, Any]]) -> str:
        """The text of a conversation up to where its last user turn (whose content is null) begins.

        Raises ``UserError`` where only the model's chat template could tell.
        """
        if not self.user_prefix:
            raise UserError(f"models.{self.name}: a user's turn is wanted of this model; say what comes before one in "
                            f"its chat template: models.{self.name}.user_prefix")  # fmt: skip
        if len(turns) > 1:
            raise UserError(f"models.{self.name}: the engine 'openai' can write a user's first turn only, and without "
                            f"a system prompt; this conversation has {len(turns) - 1} earlier turns")  # fmt: skip
        return str(self.user_prefix)

    def request_of(self, asked: list[Request]) -> tuple[str, bytes]:
        """The address and the body of a request for these samples of one prompt."""
        if "null" in asked[0].messages[-60:]:
            turns = asked[0].turns
            if turns[-1].get("role") == "user" and turns[-1].get("content", "") is None:
                prompt = self.render_user_prefix(turns)
                body = wire.prompt_body(self.model, asked, prompt, self.limit, self.extra)
                return f"{self.base_url.rstrip('/')}/completions", body
        body = wire.chat_body(self.model, asked, self.limit, self.extra)
        return f"{self.base_url.rstrip('/')}/chat/completions", body

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
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity",
                   "User-Agent": "gristmill"}  # fmt: skip
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})


class _Work:
    """One call of ``answer``: what waits to be asked, and how many requests are in flight."""

    def __init__(self, engine: Engine, http: aiohttp.ClientSession, take: Take, give: Give) -> None:
        self.engine, self.http, self.take, self.give = engine, http, take, give
        self.queue: deque[list[Request]] = deque()
        self.in_flight = 0
        self.idle: deque[asyncio.Future[None]] = deque()
        self.loop = asyncio.get_running_loop()
        self.began = self.noted = self.loop.time()
        self.tokens = 0

    async def worker(self) -> None:
        """Take, ask and give until nothing is left to take and nothing in flight."""
        while True:
            asked = self._next()
            if asked is not None:
                self.in_flight += 1
                left = await self._exchange(asked)
                self.in_flight -= 1
                if left:
                    self.queue.append(left)
            elif self.in_flight:
                waiting = self.loop.create_future()
                self.idle.append(waiting)
                await waiting
            else:
                while self.idle:
                    self._wake()
                return

    def _next(self) -> list[Request] | None:
        """The samples to ask for next, at most as many as go into one request."""
        asked = self.queue.popleft() if self.queue else self.take()
        if asked is None:
            return None
        size = self.engine.together(asked)
        if len(asked) > size:
            self.queue.appendleft(asked[size:])
        self._wake()  # where one found something, another may
        return asked[:size]

    def _wake(self) -> None:
        if self.idle:
            waiting = self.idle.popleft()
            if not waiting.done():
                waiting.set_result(None)

    async def _exchange(self, asked: list[Request]) -> list[Request]:
        """Ask until there are replies, or no hope of any. Returns those samples that are still to be asked."""
        engine, since = self.engine, self.loop.time()
        seen, tries, failures = engine.answered, 0, 0
        while True:
            url, body = engine.request_of(asked)
            guess = len(body) // 4 + asked[0].sampling.max_tokens * len(asked)
            await engine.limits.enter(guess)
            outcome = await self._attempt(asked, url, body)
            if not isinstance(outcome, Failure):
                replies, spent, left = outcome
                engine.limits.came_to(guess, spent.prompt_tokens + spent.completion_tokens)
                self.give(replies, spent)
                return left
            engine.limits.came_to(guess, sum(outcome.billed or (0, 0)))
            if outcome.billed and self.give([], Spent(1, *outcome.billed)) is False:
                self.give([Reply(r.key, error=NO_BUDGET, transient=True) for r in asked], Spent())
                return []
            if outcome.hopeless or (outcome.unreachable and not engine.reached):
                if outcome.hopeless:
                    raise engine.error(f"{engine.base_url}: {outcome.what}")
                if self.loop.time() - since > engine.PATIENCE:
                    raise engine.error(f"{engine.base_url}: {outcome.what}: is the server running?")
                await asyncio.sleep(min(back_off(8), engine.PATIENCE / 10))
                continue
            tries += 1
            alive, seen = engine.answered > seen, engine.answered  # whether it has answered anyone since the last time
            # A server that turns some away and serves others does what it can: that is no failure.
            failures += not (outcome.throttled and alive)
            if failures > engine.retries:
                self._give_up(asked, outcome, alive, tries, url)
                return []
            await asyncio.sleep(back_off(tries))

    def _give_up(self, asked: list[Request], last: Failure, alive: bool, tries: int, url: str) -> None:
        """Give errors for these, unless it is the server that is at fault: then raise ``UserError``."""
        engine = self.engine
        if last.unreachable and not alive:
            raise engine.error(f"the server at {engine.base_url} has stopped answering ({last.what}); what has arrived "
                               f"is kept: start the server and run again")  # fmt: skip
        engine.fruitless += 1
        text = engine.redact(f"{engine.model} at {url}: {last.what} ({tries} attempts)")
        self.give([Reply(r.key, error=text, transient=True) for r in asked], Spent())
        if engine.fruitless >= max(8, engine.concurrency):
            raise engine.error(f"{engine.fruitless} requests in a row have failed for good, the last: "
                               f"{text}; what has arrived is kept: run again to go on")  # fmt: skip

    async def _attempt(self, asked: list[Request], url: str, body: bytes) -> Outcome | Failure:
        """Send one request and make of its answer what can be made of it."""
        engine = self.engine
        answer = await post(self.http, url, body)
        if isinstance(answer, Failure):
            return answer
        engine.reached = True
        if answer.status != 200:
            return self._refused(asked, url, body, answer)
        try:
            replies, spent = wire.read(asked, engine.without_key(answer.raw), len(body))
        except wire.Malformed as error:
            return Failure(str(error), error.usage or (len(body) // 4 + 1, 0))
        left = asked[len(replies) :]
        if left and asked[0].key not in engine.short:
            # Once may be a hiccup, and samples asked for apart come out otherwise: ask again before settling for it.
            engine.short.add(asked[0].key)
            return Failure(f"{len(replies)} choices instead of {len(asked)}",
                           (spent.prompt_tokens, spent.completion_tokens))  # fmt: skip
        if left:  # it ignores n
            engine.choices = 1
        engine.answered += 1
        engine.fruitless = 0
        self._note(spent)
        return replies, spent, left

    def _refused(self, asked: list[Request], url: str, body: bytes, answer: Answer) -> Outcome | Failure:
        """What comes of an answer that is not 200."""
        engine, status = self.engine, answer.status
        said = wire.complaint(answer.raw)
        what = f"HTTP {status}" + (f": {wire.one_line(engine.redact(said.message), 300)}" if said.message else "")
        verdict = wire.verdict(status, said)
        if verdict == "stop":
            to = f" to {answer.headers.get('Location')}; put the final address into base_url" if status < 400 else ""
            raise engine.error(f"{engine.model} at {url}: {what}{to}")
        if verdict == "retry":
            wait = retry_after(answer.headers) or 0
            if wait > LONGEST_ASKED_WAIT:
                raise engine.error(f"{engine.model} at {url}: {what}; it asks to wait {wait / 3600:.1f} h. What has "
                                   f"arrived is kept: run again then")  # fmt: skip
            if wait and engine.limits.shut(self.loop.time(), wait):
                engine.report.advance(0, f"server asks to wait {wait:.3g} s")
            lost = status in (408, 504, 524)  # it, or a proxy, gave up waiting: the model may have written all the same
            billed = (len(body) // 4 + 1, 0) if lost else None
            return Failure(what, billed, throttled=status == 429)
        if status == 400 and wire.wants_other_limit(said) and b'"max_tokens":' in body:
            engine.limit = NAMES_OF_LIMIT[1]
            return [], Spent(), asked
        if status == 400 and len(asked) > 1 and wire.refuses_choices(said):
            engine.choices = 1
            return [], Spent(), asked
        engine.fruitless = 0  # there is a server, and it judges
        text = engine.redact(f"{engine.model} at {url}: {what}")
        return [Reply(r.key, error=text) for r in asked], Spent(1), []

    def _note(self, spent: Spent) -> None:
        """Show how fast it goes, once a second at most."""
        self.tokens += spent.completion_tokens
        now = self.loop.time()
        if now - self.noted >= 1:
            self.noted = now
            self.engine.report.advance(0, f"{self.tokens / (now - self.began):.0f} tokens/s")


def _first(group: BaseExceptionGroup) -> BaseException:
    """The error to tell of: the first ``UserError``, else the first of all."""
    leaves = [_first(e) if isinstance(e, BaseExceptionGroup) else e for e in group.exceptions]
    return next((e for e in leaves if isinstance(e, UserError)), leaves[0])
