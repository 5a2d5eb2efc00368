"""Workers that ask a server: a fixed number of them share one pool of connections.

Each takes a few samples of a prompt, asks for them in one request, and gives the replies as soon as they are there.
What fails is tried again until it works or there is no hope: ``complaint.verdict`` says which. What is sent, and how
what comes back is read, the engine says.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import aiohttp

from curate.models.clients.complaint import complaint, one_line, verdict
from curate.models.clients.limits import back_off, retry_after
from curate.models.clients.transport import Answer, Failure, post
from curate.models.clients.wire import Malformed
from schemas.errors import UserError
from schemas.requests import NO_BUDGET, Give, Reply, Request, Spent, Take

if TYPE_CHECKING:
    from curate.models.clients.openai import Engine

LONGEST_ASKED_WAIT = 3600.0  # seconds; who asks to wait longer means another day
Outcome = tuple[list[Reply], Spent, list[Request]]  # replies, what they cost, samples that are still to be asked


class Workers:
    """One call of an engine's ``answer``: what waits to be asked, and how many requests are in flight."""

    def __init__(self, engine: "Engine", http: aiohttp.ClientSession, take: Take, give: Give) -> None:
        """Ask for what ``take`` hands out, as ``engine`` says, over the connections of ``http``."""
        self.engine, self.http, self.take, self.give = engine, http, take, give
        self.queue: deque[list[Request]] = deque()
        self.in_flight = 0
        self.idle: deque[asyncio.Future[None]] = deque()
        self.loop = asyncio.get_running_loop()
        self.began = self.noted = self.loop.time()
        self.tokens = 0

    async def run(self) -> None:
        """Ask and give until nothing is left. Raises the first ``UserError`` of any worker, else the first error."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.engine.concurrency):
                    group.create_task(self._worker())
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _worker(self) -> None:
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
            guess = len(body) // 4 + engine.most_written(asked)
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
            kept_ids, seen = (
                engine.answered > seen,
                engine.answered,
            )  # whether it has answered anyone since the last time
            # A server that turns some away and serves others does what it can: that is no failure.
            failures += not (outcome.throttled and kept_ids)
            if failures > engine.retries:
                self._give_up(asked, outcome, kept_ids, tries, url)
                return []
            await asyncio.sleep(back_off(tries))

    def _give_up(self, asked: list[Request], last: Failure, kept_ids: bool, tries: int, url: str) -> None:
        """Give errors for these, unless it is the server that is at fault: then raise ``UserError``."""
        engine = self.engine
        if last.unreachable and not kept_ids:
            raise engine.error(
                f"the server at {engine.base_url} has stopped answering ({last.what}); what has arrived "
                f"is kept: start the server and run again"
            )
        engine.fruitless += 1
        text = engine.redact(f"{engine.model} at {url}: {last.what} ({tries} attempts)")
        self.give([Reply(r.key, error=text, transient=True) for r in asked], Spent())
        if engine.fruitless >= max(8, engine.concurrency):
            raise engine.error(
                f"{engine.fruitless} requests in a row have failed for good, the last: "
                f"{text}; what has arrived is kept: run again to go on"
            )

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
            replies, spent = engine.read(asked, engine.without_key(answer.raw), len(body))
        except Malformed as error:
            return Failure(str(error), error.usage or (len(body) // 4 + 1, 0))
        left = asked[len(replies) :]
        if left and asked[0].key not in engine.short:
            # Once may be a hiccup, and samples asked for apart come out otherwise: ask again before settling for it.
            engine.short.add(asked[0].key)
            return Failure(
                f"{len(replies)} choices instead of {len(asked)}", (spent.prompt_tokens, spent.completion_tokens)
            )
        if left:  # it ignores n
            engine.choices = 1
        engine.answered += 1
        engine.fruitless = 0
        self._note(spent)
        return replies, spent, left

    def _refused(self, asked: list[Request], url: str, body: bytes, answer: Answer) -> Outcome | Failure:
        """What comes of an answer that is not 200."""
        engine, status = self.engine, answer.status
        said = complaint(answer.raw)
        what = f"HTTP {status}" + (f": {one_line(engine.redact(said.message), 300)}" if said.message else "")
        means = verdict(status, said)
        if means == "stop":
            to = f" to {answer.headers.get('Location')}; put the final address into base_url" if status < 400 else ""
            raise engine.error(f"{engine.model} at {url}: {what}{to}")
        if means == "retry":
            wait = retry_after(answer.headers) or 0
            if wait > LONGEST_ASKED_WAIT:
                raise engine.error(
                    f"{engine.model} at {url}: {what}; it asks to wait {wait / 3600:.1f} h. What has "
                    f"arrived is kept: run again then"
                )
            if wait and engine.limits.shut(self.loop.time(), wait):
                engine.progress.advance(0, f"server asks to wait {wait:.3g} s")
            lost = status in (408, 504, 524)  # it, or a proxy, gave up waiting: the model may have written all the same
            billed = (len(body) // 4 + 1, 0) if lost else None
            return Failure(what, billed, throttled=status == 429)
        if status == 400 and engine.adapt(asked, body, said):
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
            self.engine.progress.advance(0, f"{self.tokens / (now - self.began):.0f} tokens/s")


def _first(group: BaseExceptionGroup) -> BaseException:
    """The error to tell of: the first ``UserError``, else the first of all."""
    leaves = [_first(e) if isinstance(e, BaseExceptionGroup) else e for e in group.exceptions]
    return next((e for e in leaves if isinstance(e, UserError)), leaves[0])
