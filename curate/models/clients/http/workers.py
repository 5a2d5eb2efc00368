"""Sends requests to a server: a fixed number of workers share one pool of connections.

Each worker takes a few samples of a prompt, asks for them in one request, and gives the replies as soon as they
arrive. A request that fails is tried again until it succeeds or can't: ``verdict.verdict`` says which. The engine
says what is sent and how a response is read.
"""

import asyncio
from collections import deque

import aiohttp

from curate.models.clients.http.complaint import Complaint, complaint, one_line, status_in_body
from curate.models.clients.http.limits import back_off, duration, retry_after
from curate.models.clients.http.replies import Malformed
from curate.models.clients.http.served_model import ServedModel
from curate.models.clients.http.transport import Answer, Failure, post
from curate.models.clients.http.verdict import about_prompt, lacks_feature, verdict
from schemas.errors import UserError
from schemas.requests import NO_BUDGET, Give, Reply, Request, Spent, Take

ODD_REPLIES = 2  # attempts at a reply that is odd each time: it is paid for, and will hardly change
PROMPTS_FORBIDDEN = 3  # prompts that get a bare 403 before any is answered: then it is the key that is refused
Outcome = tuple[list[Reply], Spent, list[Request]]  # replies, their cost, samples that are still to be asked


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
        self.engine, self.http, self.take, self.give = engine, http, take, give
        self.queue: deque[list[Request]] = deque()
        self.in_flight = 0
        self.idle: deque[asyncio.Future[None]] = deque()
        self.loop = asyncio.get_running_loop()
        self.began = self.noted = self.loop.time()
        self.tokens = 0
        self.waits_until, self.said_cap = self.began, False  # what was said of the waits that the server asks for
        self.first_wave = 0  # requests in flight when the first bare 403 came

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
        engine, since = self.engine, self.loop.time()
        seen, tries, failures, odd = engine.answered, 0, 0, 0
        while True:
            url, body = engine.request_of(asked)
            estimate = len(body) // 4 + engine.most_written(asked)
            await engine.limits.enter(estimate)
            outcome = await self._attempt(asked, url, body)
            if not isinstance(outcome, Failure):
                replies, spent, left = outcome
                engine.limits.correct_tokens(estimate, spent.prompt_tokens + spent.completion_tokens)
                self.give(replies, spent)
                return left
            engine.limits.correct_tokens(estimate, sum(outcome.billed or (0, 0)))
            if outcome.billed and self.give([], Spent(1, *outcome.billed)) is False:
                self.give([Reply(r.key, error=NO_BUDGET, transient=True) for r in asked], Spent())
                return []
            if outcome.hopeless or (outcome.unreachable and not engine.reached):
                if outcome.hopeless:
                    raise engine.error(f"{engine.base_url}: {outcome.reason}")
                if self.loop.time() - since > engine.PATIENCE:
                    raise engine.error(f"{engine.base_url}: {outcome.reason}: is the server running?")
                await asyncio.sleep(min(back_off(8), engine.PATIENCE / 10))
                continue
            tries += 1
            odd += outcome.lasting
            others_answered, seen = engine.answered > seen, engine.answered  # since the last attempt
            # A server that refuses some requests and answers others is only busy: that is no failure.
            failures += not (outcome.throttled and others_answered)
            if failures > engine.retries or odd >= ODD_REPLIES:
                self._give_up(asked, outcome, others_answered, tries, url)
                return []
            await asyncio.sleep(max(back_off(tries), min(outcome.wait, engine.max_wait)))

    def _give_up(self, asked: list[Request], last: Failure, others_answered: bool, tries: int, url: str) -> None:
        """Give errors for these samples; raise ``UserError`` if the server itself fails."""
        engine = self.engine
        if last.unreachable and not others_answered:
            raise engine.error(
                f"the server at {engine.base_url} has stopped answering ({last.reason}); the replies so "
                f"far are kept: start the server and run again"
            )
        engine.fruitless += 1
        text = engine.redact(f"{engine.model} at {url}: {last.reason} ({tries} attempts)")
        self.give([Reply(r.key, error=text, transient=not last.lasting) for r in asked], Spent())
        if engine.fruitless >= max(8, engine.concurrency):
            raise engine.error(
                f"{engine.fruitless} requests in a row have failed, retries included; the last: "
                f"{text}; the replies so far are kept: run again to continue"
            )

    async def _attempt(self, asked: list[Request], url: str, body: bytes) -> Outcome | Failure:
        """Send one request; return the replies, or why there are none."""
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
            status = status_in_body(answer.raw)
            if status is not None:
                return self._refused(asked, url, body, answer._replace(status=status))
            return Failure(str(error), error.usage or (len(body) // 4 + 1, 0), lasting=error.lasting)
        left = asked[len(replies) :]
        if left and asked[0].key not in engine.short:
            # The server may have failed once, and samples asked for apart come out differently: ask again first.
            engine.short.add(asked[0].key)
            return Failure(
                f"{len(replies)} choices instead of {len(asked)}", (spent.prompt_tokens, spent.completion_tokens)
            )
        if left:  # it ignores n
            engine.adapting.single = True
        engine.answered += 1
        engine.fruitless = 0
        engine.refused.clear()
        self._note(spent)
        return replies, spent, left

    def _refused(self, asked: list[Request], url: str, body: bytes, answer: Answer) -> Outcome | Failure:
        """Return what follows from an answer that is not 200. Raises ``UserError`` if no request can succeed."""
        engine, status = self.engine, answer.status
        found = complaint(answer.raw)
        message = one_line(engine.redact(found.message), 300)
        reason = f"HTTP {status}" + (f": {message}" if message else "")
        if engine.adapt(asked, status, body, found):
            return [], Spent(), asked
        action = verdict(status, found, answered=engine.answered > 0)
        if action == "stop" or (action != "retry" and self._refuses_all(asked, found, doubt=action == "doubt")):
            to = f" to {answer.headers.get('Location')}; put the final address into base_url" if status < 400 else ""
            about = f"; the prompt: {asked[0].excerpt}" if status == 403 else ""
            if "requested parameters" in message or (action == "error" and status in (400, 422)):
                about = "; what the server does not take is left out with leave_out: [seed, ...]"
            raise engine.error(f"{engine.model} at {url}: {reason}{to}{about}")
        if action == "retry":
            wait = retry_after(answer.headers) or 0.0
            reason += self._say_wait(wait)
            # After a time-out of the server or a proxy the model may have written all the same.
            lost = status in (408, 504, 524)
            billed = (len(body) // 4 + 1, 0) if lost else None
            return Failure(reason, billed, throttled=status == 429, wait=wait)
        engine.fruitless = 0  # the server works, it only refuses this request
        text = engine.redact(f"{engine.model} at {url}: {reason}")
        unclear = status in (400, 422) and not (about_prompt(found) or lacks_feature(found))
        return [Reply(r.key, error=text, unclear=unclear) for r in asked], Spent(1), []

    def _say_wait(self, wait: float) -> str:
        """Say how long the server asks a request to wait; return it for the reason of a failure, where it is capped.

        The other requests go on: where the server means them too, it says so to each, and each waits.
        """
        engine, now = self.engine, self.loop.time()
        if now + min(wait, engine.max_wait) > max(now, self.waits_until) + 0.1:
            self.waits_until = now + min(wait, engine.max_wait)
            engine.progress.advance(0, f"server asks to wait {duration(wait)}")
        if wait <= engine.max_wait:
            return ""
        if not self.said_cap:
            self.said_cap = True
            engine.progress.say(
                f"the server at {engine.base_url} asks to wait {duration(wait)}; a request waits {engine.max_wait:g} s "
                f"at most (max_wait), and the others go on"
            )
        return f"; it asks to wait {duration(wait)}"

    def _refuses_all(self, asked: list[Request], found: Complaint, *, doubt: bool) -> bool:
        """Return whether so many prompts were refused, without a word about them, that all will be.

        Args:
            asked: The samples that were refused.
            found: The server's words.
            doubt: Whether it may be the key that is refused.
        """
        engine = self.engine
        if about_prompt(found) or lacks_feature(found):
            return False
        engine.refused.add(asked[0].messages)
        if engine.answered and not doubt:
            return False
        if engine.answered or not doubt:
            return len(engine.refused) >= max(8, engine.concurrency)
        self.first_wave = self.first_wave or self.in_flight  # a refusal is quick: the others may be answered yet
        return len(engine.refused) >= max(PROMPTS_FORBIDDEN, self.first_wave)

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
