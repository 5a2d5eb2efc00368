"""Several servers of one model: an engine for each, what is known of them, and what is said of them."""

import resource
from collections import Counter
from collections.abc import Sequence

from curate.models.clients.http.balancer import Balancer
from curate.models.clients.http.chat import ChatEngine
from curate.models.clients.http.probe import Seen
from schemas.errors import UserError, printable
from schemas.progress import Progress
from schemas.requests import Reply

MOST_IN_FLIGHT = 20_000  # requests of one model
OTHER_FILES = 256  # files that a run has open besides its connections
MOST_SAID = 10  # lines about one server
MOST_NAMED = 16  # servers in one line


class Servers:
    """The servers of one model. What one of them refuses, such as a parameter, no other is sent either.

    Attributes:
        engines: The engine of each server.
        balancer: Which of them is asked.
        urls: Their addresses.
        seen: What the last look at each has shown; empty before the first.
    """

    def __init__(self, engines: Sequence[ChatEngine], progress: Progress) -> None:
        """Take the engines, which differ in their addresses only."""
        self.engines, self.progress = engines, progress
        self.name, self.urls = engines[0].name, [engine.base_url for engine in engines]
        for other in engines[1:]:
            other.adapting, other.short = engines[0].adapting, engines[0].short
        self.balancer = Balancer([engine.concurrency for engine in engines])
        self.seen: list[Seen] = []
        self.lines: Counter[int] = Counter()  # what was said of each
        self.right: set[int] = set()  # those that have answered by the name that was asked for

    def concurrency(self, waiting: int) -> int:
        """Return how many requests to have at hand: those in flight at all servers, and some that wait for one.

        Where the files that a process may have open bound that, it is said, once the bound cannot be raised.

        Args:
            waiting: How many may wait at most; fewer where few are in flight.
        """
        total = sum(engine.concurrency for engine in self.engines)
        wanted = min(total + len(self.engines) + min(total // 4, waiting), MOST_IN_FLIGHT)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if resource.RLIM_INFINITY in (soft, wanted) or soft >= wanted + OTHER_FILES:
            return wanted
        most = wanted + OTHER_FILES if hard == resource.RLIM_INFINITY else min(hard, wanted + OTHER_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
        able = max(1, max(soft, most) - OTHER_FILES)
        if able < wanted:
            self.progress.say(
                f"models.{self.name}: {able:,} requests in flight instead of {wanted:,}: this process may have "
                f"{max(soft, most):,} files open (ulimit -n)"
            )
        return min(able, wanted)

    def answered(self) -> int:
        """Return how many requests the servers have answered well, together."""
        return sum(engine.answered for engine in self.engines)

    def other_model(self, at: int, replies: list[Reply]) -> str:
        """Return what is wrong where a server answers by another model's name, and others by the right one."""
        for reply in replies:
            if reply.error is None and reply.answered_by is None:
                self.right.add(at)
            elif reply.answered_by is not None and self.right - {at}:
                return f"answers as {printable(reply.answered_by)[:80]!r}, the others as {self.engines[at].model!r}"
        return ""

    def say(self, at: int, what: str) -> None:
        """Say something of one server, unless enough was said of it."""
        self.lines[at] += 1
        if self.lines[at] <= MOST_SAID:
            enough = " (no more is said of it)" if self.lines[at] == MOST_SAID else ""
            self.progress.say(self.engines[at].redact(f"models.{self.name}: {self._about(at, what)}{enough}"))

    def say_missing(self, places: list[int]) -> None:
        """Say which servers are not there as a run begins, in one line."""
        if places:
            self.progress.say(
                f"models.{self.name}: {len(places)} of {len(self.urls)} servers not there: {self._reasons(places)}; "
                f"each is used once it answers"
            )

    def plain(self, error: str) -> str:
        """Return the text of an error without the model's name at its front."""
        return error.removeprefix(f"models.{self.name}: ")

    def none_left(self) -> UserError:
        """Return the error that says why each of the servers can't be asked."""
        again = "" if self.balancer.all_refused else ": start one and run again"
        return self.engines[0].error(
            f"none of the {len(self.urls)} servers can be asked: {self._reasons([*range(len(self.urls))])}; "
            f"the replies so far are kept{again}"
        )

    def _reasons(self, places: list[int]) -> str:
        """Return why each of these servers can't be asked."""
        parts = [self._about(at, self.balancer.servers[at].reason[:300]) for at in places]
        more = [f"and {len(parts) - MOST_NAMED} more"] if len(parts) > MOST_NAMED else []
        return "; ".join(parts[:MOST_NAMED] + more)

    def summary(self) -> str:
        """Return how many requests each server answered, and how many attempts failed there."""
        known = self.balancer.servers
        parts = [
            f"{url} answered {one.answered:,}" + (f", {one.failed:,} failed" if one.failed else "")
            for url, one in zip(self.urls, known, strict=True)
        ]
        rest = known[MOST_NAMED:]
        if rest:
            answered, failed = sum(one.answered for one in rest), sum(one.failed for one in rest)
            parts = [*parts[:MOST_NAMED], f"{len(rest)} more answered {answered:,}, {failed:,} failed"]
        return f"models.{self.name}: requests by server: {'; '.join(parts)}"

    def _about(self, at: int, what: str) -> str:
        """Return what is said of a server, with its address."""
        return what if self.urls[at] in what else f"{self.urls[at]}: {what}"
