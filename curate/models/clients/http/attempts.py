"""Attempts at requests of one server: each gives replies, or says why there are none.

``workers`` and ``many_workers`` decide who asks what, and when. The engine says what is sent and how a response is
read; what the server's answers teach stays with the engine.
"""

import asyncio

import aiohttp

from curate.models.clients.http.complaint import Complaint, complaint, one_line, status_in_body
from curate.models.clients.http.limits import duration, retry_after
from curate.models.clients.http.replies import Malformed
from curate.models.clients.http.served_model import ServedModel
from curate.models.clients.http.transport import Answer, Failure, post
from curate.models.clients.http.verdict import about_prompt, lacks_feature, verdict
from schemas.requests import Reply, Request, Spent

PROMPTS_FORBIDDEN = 3  # prompts that get a bare 403 before any is answered: then it is the key that is refused
Outcome = tuple[list[Reply], Spent, list[Request]]  # replies, their cost, samples that are still to be asked


class Attempts:
    """One server, asked over a pool of connections of its own: one call, one attempt at a request."""

    def __init__(self, engine: ServedModel, http: aiohttp.ClientSession) -> None:
        """Prepare to ask.

        Args:
            engine: Says what is sent and how a response is read.
            http: The pool of connections.
        """
        self.engine, self.http = engine, http
        self.loop = asyncio.get_running_loop()
        self.in_flight = 0
        self.waits_until, self.said_cap = self.loop.time(), False  # what was said of the waits the server asks for
        self.first_wave = 0  # requests in flight when the first bare 403 came

    async def make(self, asked: list[Request]) -> tuple[str, Outcome | Failure]:
        """Send one request, once the limits per minute let it through.

        Args:
            asked: Samples of one prompt, as many as go into one request.

        Returns:
            The address that was asked; the replies, or why there are none.

        Raises:
            UserError: No request to this server can succeed.
        """
        engine = self.engine
        url, body = engine.request_of(asked)
        estimate = len(body) // 4 + engine.most_written(asked)
        self.in_flight += 1
        try:
            await engine.limits.enter(estimate)
            outcome = await self._attempt(asked, url, body)
        finally:
            self.in_flight -= 1
        taken = sum(outcome.billed or (0, 0)) if isinstance(outcome, Failure) else _tokens(outcome[1])
        engine.limits.correct_tokens(estimate, taken)
        return url, outcome

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


def _tokens(spent: Spent) -> int:
    return spent.prompt_tokens + spent.completion_tokens
