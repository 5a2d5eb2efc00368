"""Sends requests to a server: a fixed number of workers share one pool of connections.

Each worker takes a few samples of a prompt, asks for them in one request, and gives the replies as soon as they
arrive. A request that fails is tried again until it succeeds or can't: ``verdict.verdict`` says which. The engine
says what is sent and how a response is read.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

import aiohttp

from curate.models.clients.http.attempts import Attempts
from curate.models.clients.http.limits import back_off
from curate.models.clients.http.served_model import ServedModel
from curate.models.clients.http.transport import Failure
from schemas.errors import UserError
from schemas.requests import NO_BUDGET, Give, Reply, Request, Spent, Take

ODD_REPLIES = 2  # attempts at a reply that is odd each time: it is paid for, and will hardly change


@dataclass
class Tally:
    """The failed attempts at one request; ``seen`` is how many requests were answered before the last one."""

    seen: int
    tries: int = 0
    failures: int = 0
    odd: int = 0

    def add(self, failed: Failure, answered: int) -> bool:
        """Count one; return whether other requests were answered since the last, given how many were so far."""
        self.tries += 1
        self.odd += failed.lasting
        others_answered, self.seen = answered > self.seen, answered
        # A server that refuses some requests and answers others is only busy: that is no failure.
        self.failures += not (failed.throttled and others_answered)
        return others_answered

    def used_up(self, retries: int) -> bool:
        """Return whether the request is given up."""
        return self.failures > retries or self.odd >= ODD_REPLIES


class Workers:
    """One call of an engine's ``answer``: the requests that wait, and how many are in flight."""

    def __init__(self, engine: ServedModel, http: aiohttp.ClientSession, take: Take, give: Give) -> None:
        """Prepare to ask; ``run`` does it.

        Args:
            engine: Says what is sent and how a response is read.
            http: The pool of connections.
            take: Hands out requests.
            give: Stores replies.
        """
        self.engine, self.take, self.give = engine, take, give
        self.queue: deque[list[Request]] = deque()
        self.in_flight = 0
        self.idle: deque[asyncio.Future[None]] = deque()
        self.loop = asyncio.get_running_loop()
        self.began = self.noted = self.loop.time()
        self.tokens = 0
        self.attempts = Attempts(engine, http)
        self.count = engine.concurrency

    async def run(self) -> None:
        """Ask and give until nothing is left. Raises the first ``UserError`` of any worker, else the first error."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.count):
                    group.create_task(self._worker())
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _worker(self) -> None:
        """Take, ask and give until nothing is left to take and nothing in flight."""
        while True:
            asked = self._next()
            if asked is not None:
                self.in_flight += 1
                left = await self._ask(asked)
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
        """Return the samples to ask for next, at most as many as go into one request."""
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

    async def _ask(self, asked: list[Request]) -> list[Request]:
        """Ask until there are replies, or there can be none. Return the samples that are still to be asked."""
        engine, since, tally = self.engine, self.loop.time(), Tally(self.engine.answered)
        while True:
            url, outcome = await self.attempts.make(asked)
            if not isinstance(outcome, Failure):
                return self._take_in(*outcome)
            if self._ends_budget(asked, outcome):
                return []
            if outcome.hopeless or (outcome.unreachable and not engine.reached):
                if outcome.hopeless:
                    raise engine.error(f"{engine.base_url}: {outcome.reason}")
                if self.loop.time() - since > engine.PATIENCE:
                    raise engine.error(f"{engine.base_url}: {outcome.reason}: is the server running?")
                await asyncio.sleep(min(back_off(8), engine.PATIENCE / 10))
                continue
            others_answered = tally.add(outcome, engine.answered)
            if tally.used_up(engine.retries):
                if outcome.unreachable and not others_answered:
                    raise engine.error(
                        f"the server at {engine.base_url} has stopped answering ({outcome.reason}); the replies so "
                        f"far are kept: start the server and run again"
                    )
                self._give_up(asked, f"{engine.model} at {url}: {outcome.reason}", tally.tries, outcome)
                return []
            await asyncio.sleep(max(back_off(tally.tries), min(outcome.wait, engine.max_wait)))

    def _take_in(self, replies: list[Reply], spent: Spent, left: list[Request]) -> list[Request]:
        """Store replies; return the samples that are still to be asked."""
        self._note(spent)
        self.give(replies, spent)
        return left

    def _ends_budget(self, asked: list[Request], failed: Failure) -> bool:
        """Count what a failed attempt may cost; return whether no budget is left for another."""
        if not failed.billed or self.give([], Spent(1, *failed.billed)) is not False:
            return False
        self.give([Reply(r.key, error=NO_BUDGET, transient=True) for r in asked], Spent())
        return True

    def _give_up(self, asked: list[Request], what: str, tries: int, last: Failure) -> None:
        """Give errors for these samples; raise ``UserError`` if nothing has been answered for long."""
        engine = self.engine
        engine.fruitless += 1
        text = engine.redact(f"{what} ({tries} attempts)")
        self.give([Reply(r.key, error=text, transient=not last.lasting) for r in asked], Spent())
        if engine.fruitless >= max(8, self.count):
            raise engine.error(
                f"{engine.fruitless} requests in a row have failed, retries included; the last: "
                f"{text}; the replies so far are kept: run again to continue"
            )

    def _note(self, spent: Spent) -> None:
        """Show the tokens a second, once a second at most."""
        self.tokens += spent.completion_tokens
        now = self.loop.time()
        if now - self.noted >= 1:
            self.noted = now
            self.engine.progress.advance(0, f"{self.tokens / (now - self.began):.0f} tokens/s")


def _first(group: BaseExceptionGroup) -> BaseException:
    """Return the error to raise: the first ``UserError``, else the first of all."""
    leaves = [_first(e) if isinstance(e, BaseExceptionGroup) else e for e in group.exceptions]
    return next((e for e in leaves if isinstance(e, UserError)), leaves[0])
