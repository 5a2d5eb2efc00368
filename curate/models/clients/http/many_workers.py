"""Sends requests to several servers of one model: each goes to the least busy one, and to another if that fails.

``balancer`` says which server is asked, ``attempts`` asks it. Here is what happens around that: a request waits while
no server has room, a server that went down is looked at until it is back, and one that no request can succeed at is
left out. A request is given its replies once, whatever servers it went to before.
"""

import asyncio
from math import inf
from typing import NamedTuple

import aiohttp

from curate.models.clients.http.attempts import Attempts, Outcome
from curate.models.clients.http.limits import FIRST_WAIT, LONGEST_WAIT, back_off
from curate.models.clients.http.probe import look, looks, strangers
from curate.models.clients.http.servers import Servers
from curate.models.clients.http.transport import Failure
from curate.models.clients.http.workers import Tally, Workers
from schemas.errors import UserError, printable
from schemas.requests import Give, Request, Take

LOOK_AGAIN = 1.0  # seconds after which a request that waits for a server looks again by itself
MOST_WAITING = (
    256  # requests at hand beyond those in flight, so that one whose prompt a server has seen can wait for it
)


class _Waiting(NamedTuple):
    """A request that waits until a server has room: what it asks, the servers that it avoids, and what wakes it."""

    prompt: int
    avoid: set[int]
    future: asyncio.Future[None]


class ManyWorkers(Workers):
    """One call of ``answer`` for a model behind several servers."""

    def __init__(self, servers: Servers, pools: list[aiohttp.ClientSession], take: Take, give: Give) -> None:
        """Prepare to ask; ``run`` does it.

        Args:
            servers: The servers, and what is known of them.
            pools: A pool of connections for each.
            take: Hands out requests.
            give: Stores replies.
        """
        super().__init__(servers.engines[0], pools[0], take, give)
        self.timeout = servers.engines[0].timeout
        self.servers, self.balancer, self.pools = servers, servers.balancer, pools
        self.all_attempts = [Attempts(engine, http) for engine, http in zip(servers.engines, pools, strict=True)]
        self.count = servers.concurrency(MOST_WAITING)
        self.waiting: list[_Waiting] = []  # the one that waits longest first
        self.looking: set[asyncio.Task[None]] = set()  # a task for each server that is down

    async def run(self) -> None:
        """Ask and give until nothing is left, as ``Workers.run`` does."""
        try:
            await self._look_at_all()
            await super().run()
        finally:
            for task in self.looking:
                task.cancel()
            await asyncio.gather(*self.looking, return_exceptions=True)

    async def _look_at_all(self) -> None:
        """Look at servers that were not looked at yet, and go on looking at those that are down."""
        servers = self.servers
        self.balancer.begin(self.loop.time())
        if not servers.seen:
            servers.seen = await looks(self.pools, servers.urls)
            missing = [at for at, seen in enumerate(servers.seen) if seen.unreachable and not self._has_died(at)]
            for at in missing:
                self.balancer.unreachable(at, self.loop.time(), servers.seen[at].unreachable)
            servers.say_missing(missing)
            self._leave_out_strangers()
        for at, server in enumerate(self.balancer.servers):
            if server.status == "down":
                self._look_later(at)

    async def _ask(self, asked: list[Request]) -> list[Request]:
        """Ask until there are replies, or there can be none. Return the samples that are still to be asked."""
        prompt, avoid, tally = hash((asked[0].messages, asked[0].tools)), set[int](), Tally(self.servers.answered())
        while True:
            at = await self._server(prompt, avoid)
            try:
                url, outcome = await self._attempt(at, asked)
            finally:
                self.balancer.release(at)
                self._wake_next(at)
            if not isinstance(outcome, Failure):
                return self._take_in(*outcome)
            self.balancer.servers[at].failed += 1
            if self._ends_budget(asked, outcome):
                return []
            avoid.add(at)
            if outcome.unreachable:
                continue
            if outcome.throttled and not avoid >= self.balancer.used():
                continue  # that a server is busy is a failure once all are
            tally.add(outcome, self.servers.answered())
            if tally.used_up(self.engine.retries):
                self._give_up(asked, f"{self.engine.model} at {url}: {outcome.reason}", tally.tries, outcome)
                return []
            if avoid >= self.balancer.ready(self.loop.time()):
                avoid.clear()
                await asyncio.sleep(back_off(tally.tries))

    async def _server(self, prompt: int, avoid: set[int]) -> int:
        """Return the server that is asked next, once one has room. Raises ``UserError`` where there will be none."""
        while True:
            now = self.loop.time()
            at = self.balancer.pick(prompt, now, avoid)
            if at is not None:
                self._wake_next(at)  # there may be room for more
                return at
            left = self._patience_left(now)
            if self.balancer.all_refused or left <= 0:
                raise self.servers.none_left()
            one = _Waiting(prompt, avoid, self.loop.create_future())
            self.waiting.append(one)
            await asyncio.wait([one.future], timeout=min(LOOK_AGAIN, left, self.balancer.next_change(now)) + 0.001)
            if not one.future.done():
                self.waiting.remove(one)

    def _patience_left(self, now: float) -> float:
        """Return the seconds that a server is waited for still, as long in all as a single one is waited for.

        While one that is on trial writes an answer, that may take until the time of the request is up.
        """
        engine, dark = self.engine, self.balancer.dark_since
        if dark is None:
            return inf
        patience = engine.PATIENCE
        known = zip(self.servers.engines, self.balancer.servers, strict=True)
        if any(one.reached and server.status != "refused" for one, server in known):
            waits = (min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries, 30)) for tries in range(engine.retries))
            patience = sum(waits) / 2
        return dark + patience + (self.timeout if self.balancer.in_flight else 0.0) - now

    async def _attempt(self, at: int, asked: list[Request]) -> tuple[str, Outcome | Failure]:
        """Ask one server, and tell the balancer how it went."""
        began = self.loop.time()
        try:
            url, outcome = await self.all_attempts[at].make(asked)
        except UserError as error:
            return "", self._refuse(at, str(error))
        if isinstance(outcome, Failure):
            self._failed(at, outcome, self.loop.time() - began)
            return url, outcome
        replies, spent, left = outcome
        other = self.servers.other_model(at, replies)
        if other:
            return url, self._refuse(at, other, (spent.prompt_tokens, spent.completion_tokens))
        if replies or not left:  # else it refused a parameter, which is left out from now on
            self.engine.fruitless = 0
            if self.balancer.worked(at):
                self.servers.say(at, "answers again")
                self._wake_all()
        return url, outcome

    def _failed(self, at: int, failed: Failure, seconds: float) -> None:
        """Tell the balancer that an attempt failed, and see to a server that is down for it."""
        now = self.loop.time()
        if failed.hopeless:
            self._refuse(at, failed.reason)
        elif failed.unreachable:
            self._unreachable(at, failed.reason)
        elif failed.throttled:
            self.balancer.turned_away(at, now, min(failed.wait, self.engine.max_wait))
            self._wake_all()
        elif not failed.lasting and self.balancer.failed(at, now, failed.reason, seconds=seconds):
            self._fell(at)

    def _unreachable(self, at: int, reason: str) -> None:
        """Take that a server can't be connected to."""
        if not self._has_died(at) and self.balancer.unreachable(at, self.loop.time(), reason):
            self._fell(at)

    def _has_died(self, at: int) -> bool:
        """Return whether a server is used no more, as one of our own that has died."""
        if self.balancer.servers[at].status == "refused":
            return True
        gone = self.servers.engines[at].gone()
        if gone is not None:
            self._refuse(at, str(gone))
        return gone is not None

    def _refuse(self, at: int, reason: str, billed: tuple[int, int] | None = None) -> Failure:
        """Use a server no more, and say why; return the failure of the request that was sent to it."""
        plain = self.servers.plain(reason)
        if self.balancer.refuse(at, self.loop.time(), plain):
            self.servers.say(at, f"{plain}; it is not used any more")
            self._wake_all()
        return Failure(plain, billed, unreachable=True)

    def _fell(self, at: int) -> None:
        """Say that a server is down, and look at it until it is back."""
        server = self.balancer.servers[at]
        if server.falls == 1:
            self.servers.say(at, f"{server.reason}; its requests go to the others until it answers")
        self._look_later(at)
        self._wake_all()

    def _look_later(self, at: int) -> None:
        task = self.loop.create_task(self._look_until_back(at))
        self.looking.add(task)
        task.add_done_callback(self.looking.discard)

    async def _look_until_back(self, at: int) -> None:
        """Look at a server that is down until it can be connected to, and put it on trial then."""
        server = self.balancer.servers[at]
        while server.status == "down":
            await asyncio.sleep(max(0.0, server.until - self.loop.time()))
            seen = await look(self.pools[at], self.servers.urls[at])
            if seen.unreachable and self._has_died(at):
                return
            if seen.unreachable:
                self.balancer.still_down(at, self.loop.time(), seen.unreachable)
                continue
            self.servers.seen[at] = seen
            self._leave_out_strangers()
            self.balancer.back(at)
            self._wake_all()

    def _leave_out_strangers(self) -> None:
        """Use no more the servers that have other models, where some have the right one."""
        model = self.engine.model
        for at in strangers(self.servers.seen, model):
            names = ", ".join(repr(printable(name)[:80]) for name in sorted(self.servers.seen[at].models)[:3])
            self._refuse(at, f"has no model {model!r}, which the others have, but {names}")

    def _wake_all(self) -> None:
        """Have all requests look again that wait for a server."""
        for one in self.waiting:
            one.future.set_result(None)
        self.waiting.clear()

    def _wake_next(self, at: int) -> None:
        """Have one of the requests look again that wait for a server, as one may have room."""
        place = self.balancer.next_in_line(((one.prompt, one.avoid) for one in self.waiting), at)
        if place is not None:
            self.waiting.pop(place).future.set_result(None)
