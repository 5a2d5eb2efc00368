"""Says which of several servers gets a request. It opens nothing and reads no clock: it is told what happened and when.

A request goes to the server with the fewest requests in flight, relative to how many it may have. One whose prompt a
server has seen goes there again, where the prompt is in the cache, unless that server is clearly busier. A server that
fails is down for a while that doubles, then on trial: it gets one request at a time until it has answered one.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

FIRST_REST, LONGEST_REST = 0.25, 10.0  # seconds that a server rests after its first failure in a row, and at most
FIRST_PAUSE = 0.1  # seconds, of a server that is busy and does not say for how long
BUSIER = 0.25  # the share of its limit by which a server must be busier than another to lose a prompt that it has seen
STRIKES, STRIKES_OF = 3, 8  # failures in a row that take a server down: 3, or an eighth of its limit if that is more
MOST_HOMES = 100_000  # prompts of which it is known which server has seen them

Status = Literal["up", "trial", "down", "refused"]


@dataclass
class ServerState:
    """The last known state of one server. Times are in seconds, of the caller's clock.

    Attributes:
        limit: Requests in flight at most.
        in_flight: Requests in flight.
        handed: Requests that it was given so far.
        answered: Requests that it answered well.
        failed: Attempts at requests that failed; whoever asks counts them.
        status: ``up``; ``down``: it gets nothing; ``trial``: one request at a time; ``refused``: it is used no more.
        until: When to look again at a server that is down.
        paused_until: Until when a server that is busy gets nothing.
        strikes: Failures since the last good answer.
        falls: How often it went down since the last good answer.
        pauses: How often it asked to wait since the last good answer.
        reason: Why it last failed.
    """

    limit: int
    in_flight: int = 0
    handed: int = 0
    answered: int = 0
    failed: int = 0
    status: Status = "up"
    until: float = -inf
    paused_until: float = -inf
    strikes: int = 0
    falls: int = 0
    pauses: int = 0
    reason: str = ""

    @property
    def used(self) -> bool:
        """Whether it may get requests, now or after a pause."""
        return self.status in ("up", "trial")

    @property
    def room(self) -> bool:
        """Whether it may have one more request in flight."""
        return self.in_flight < (1 if self.status == "trial" else self.limit)

    @property
    def load(self) -> float:
        """The requests in flight, relative to the limit."""
        return self.in_flight / self.limit


class Balancer:
    """The servers of one model; they are called by their number.

    ``dark_since`` is since when none of them is up, or None: one that is on trial has yet to answer.
    """

    def __init__(self, limits: Sequence[int]) -> None:
        """Take each server's limit of requests in flight."""
        self.servers = [ServerState(limit) for limit in limits]
        self.homes: OrderedDict[int, int] = OrderedDict()  # prompt -> the server that has last seen it
        self.dark_since: float | None = None

    def begin(self, now: float) -> None:
        """Begin to ask, at first or once more: what is down is looked at now, and waited for anew."""
        self.dark_since = None if self.dark_since is None else now
        for server in self.servers:
            server.until = min(server.until, now)

    def pick(self, prompt: int, now: float, avoid: Collection[int] = ()) -> int | None:
        """Return the server that gets a request, counted as in flight there.

        None is none yet: no server has room, or the prompt's own has none and is not clearly busier than the others.

        Args:
            prompt: A number that stands for what the request's prompt says.
            now: The time.
            avoid: Servers that get it only if no other one can be asked now.
        """
        ready = self.ready(now)
        allowed = ready.difference(avoid) or ready
        best = min(
            (at for at in allowed if self.servers[at].room),
            key=lambda at: (self.servers[at].load, self.servers[at].handed, at),
            default=None,
        )
        home = self.homes.get(prompt)
        if best is not None and home in allowed and not self._clearly_busier(home, best):
            if self.servers[home].room:
                best = home
            elif self.servers[home].status == "up":  # one on trial may keep its one request for long
                return None
        if best is not None:
            self.servers[best].in_flight += 1
            self.servers[best].handed += 1
            self.homes[prompt] = best
            self.homes.move_to_end(prompt)
            if len(self.homes) > MOST_HOMES:
                self.homes.popitem(last=False)
        return best

    def _clearly_busier(self, one: int, other: int) -> bool:
        """Return whether a server is so much busier than another that a prompt in its cache is not worth the wait."""
        server = self.servers[one]
        return server.load - self.servers[other].load > max(BUSIER, 1 / server.limit)

    def next_in_line(self, waiting: Iterable[tuple[int, Collection[int]]], at: int) -> int | None:
        """Return which of the requests that wait is to pick next, as there is room at a server; None if none is.

        It is the first whose prompt the server has seen, else the first whose prompt none has; any, where the server
        has much room.

        Args:
            waiting: The prompt of each, and the servers that it avoids; the one that waits longest first.
            at: The server.
        """
        server = self.servers[at]
        if not server.used or not server.room:
            return None
        much = 1 - server.load > max(BUSIER, 1 / server.limit)
        new = other = None
        for place, (prompt, avoid) in enumerate(waiting):
            home = self.homes.get(prompt)
            if at in avoid:
                continue
            if home == at:
                return place
            if new is None and home is None:
                new = place
            if other is None and much:
                other = place
        return other if new is None else new

    def release(self, at: int) -> None:
        """Count a request as no longer in flight."""
        self.servers[at].in_flight -= 1

    def worked(self, at: int) -> bool:
        """Count a good answer; return whether the server had been down before it."""
        server = self.servers[at]
        fell = server.falls > 0
        server.answered += 1
        server.strikes = server.falls = server.pauses = 0
        if server.status != "refused":
            server.status, self.dark_since = "up", None
        return fell

    def failed(self, at: int, now: float, reason: str, *, seconds: float = 0.0) -> bool:
        """Count an attempt that failed at a server which can be reached; return whether that takes it down.

        Args:
            at: The server.
            now: The time.
            reason: Why it failed.
            seconds: How long the attempt took: the server then rests as long at least.
        """
        server = self.servers[at]
        server.strikes += 1
        if server.used:
            server.reason = reason
        if server.status != "trial" and server.strikes < max(STRIKES, server.limit // STRIKES_OF):
            return False
        return self._fall(at, now, max(seconds, _rest(server)))

    def unreachable(self, at: int, now: float, reason: str) -> bool:
        """Count that a server can't be connected to; return whether it was used until now."""
        server = self.servers[at]
        if server.status != "refused":
            server.reason = reason
        return self._fall(at, now, _rest(server))

    def still_down(self, at: int, now: float, reason: str) -> None:
        """Take that a look at a server which is down found it so still."""
        server = self.servers[at]
        server.reason, server.until = reason, now + _rest(server)
        server.falls += 1

    def turned_away(self, at: int, now: float, seconds: float) -> None:
        """Pause a server that is too busy, for as long as it says, or for a while that doubles."""
        server = self.servers[at]
        if now >= server.paused_until:  # else the request was sent before the server said so
            server.pauses += 1
        pause = seconds or min(LONGEST_REST, FIRST_PAUSE * 2 ** min(server.pauses - 1, 30))
        server.paused_until = max(server.paused_until, now + pause)

    def refuse(self, at: int, now: float, reason: str) -> bool:
        """Use a server no more; return whether it was not refused before."""
        server = self.servers[at]
        if server.status == "refused":
            return False
        server.status, server.reason = "refused", reason
        self._look_for_dark(now)
        return True

    def back(self, at: int) -> None:
        """Put a server that was down on trial."""
        if self.servers[at].status == "down":
            self.servers[at].status = "trial"

    def used(self) -> set[int]:
        """Return the servers that are used, paused ones too."""
        return {at for at, one in enumerate(self.servers) if one.used}

    def ready(self, now: float) -> set[int]:
        """Return the servers that are used and not paused."""
        return {at for at, one in enumerate(self.servers) if one.used and one.paused_until <= now}

    @property
    def in_flight(self) -> int:
        """How many requests are in flight, at all servers."""
        return sum(one.in_flight for one in self.servers)

    @property
    def all_refused(self) -> bool:
        """Whether no server will ever be used again."""
        return all(one.status == "refused" for one in self.servers)

    def next_change(self, now: float) -> float:
        """Return the seconds until the next pause ends, infinite where none is paused."""
        return min((s.paused_until - now for s in self.servers if s.used and s.paused_until > now), default=inf)

    def _fall(self, at: int, now: float, rest: float) -> bool:
        """Take a server down; return whether it was used until now."""
        server = self.servers[at]
        if not server.used:
            return False
        server.status, server.falls, server.strikes = "down", server.falls + 1, 0
        server.until = now + rest
        self._look_for_dark(now)
        return True

    def _look_for_dark(self, now: float) -> None:
        if self.dark_since is None and not any(one.status == "up" for one in self.servers):
            self.dark_since = now


def _rest(server: ServerState) -> float:
    """Return the seconds that a server rests which goes down now: they double with each fall."""
    return min(LONGEST_REST, FIRST_REST * 2 ** min(server.falls, 30))
