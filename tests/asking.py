"""Who asks an engine, in tests: hands out requests, keeps every reply, and holds the engine to its contract."""

from collections import deque
from collections.abc import Iterable
from dataclasses import astuple

from schemas.requests import Reply, Request, Spent


def groups(requests: Iterable[Request]) -> list[list[Request]]:
    """Requests in groups as ``take`` hands them out: alike in all but ``sample_index``, in order of appearance."""
    together: dict[tuple, list[Request]] = {}
    for one in requests:
        together.setdefault((one.messages, one.tools, one.sampling), []).append(one)
    return list(together.values())


class Asked:
    """Requests to be answered: ``engine.answer(asked.take, asked.give)``, or ``asked.by(engine)`` for the replies.

    ``in_flight`` bounds the requests taken and not yet answered, as a budget does: ``take`` returns None meanwhile.
    After ``stop_after`` replies, once they are kept, ``give`` raises KeyboardInterrupt. A reply to what was not asked,
    a second reply to a request, or any reply after that is an AssertionError.
    """

    def __init__(self, requests: Iterable[list[Request]], *, in_flight: int = 1 << 60, stop_after: int = 1 << 60):
        self.waiting = deque(list(group) for group in requests)
        self.in_flight, self.stop_after = in_flight, stop_after
        self.open: dict[str, Request] = {}
        self.taken: list[list[Request]] = []
        self.replies: dict[str, Reply] = {}  # by key, in the order they came
        self.gifts: list[tuple[list[Reply], Spent]] = []  # every call of give
        self.spent = Spent()

    def take(self) -> list[Request] | None:
        if not self.waiting or len(self.open) + len(self.waiting[0]) > max(self.in_flight, len(self.waiting[0])):
            return None
        group = self.waiting.popleft()
        assert len({(r.messages, r.tools, r.sampling) for r in group}) == 1, "a group is samples of one prompt"
        assert not any(r.key in self.open or r.key in self.replies for r in group), "a request is handed out once"
        self.open |= {r.key: r for r in group}
        self.taken.append(group)
        return group

    def give(self, replies: list[Reply], spent: Spent) -> None:
        assert len(self.replies) < self.stop_after, "a reply after the run was interrupted"
        for reply in replies:
            assert reply.key not in self.replies, f"a second reply to {reply.key}"
            assert self.open.pop(reply.key, None), f"a reply to what was not asked: {reply}"
            said = reply.text is not None or reply.tool_calls is not None or reply.value is not None
            assert (reply.error is None) == said, reply
            self.replies[reply.key] = reply
        self.gifts.append((replies, spent))
        self.spent = Spent(*(a + b for a, b in zip(astuple(self.spent), astuple(spent), strict=True)))
        if len(self.replies) >= self.stop_after:
            raise KeyboardInterrupt

    def by(self, engine) -> dict[str, Reply]:
        """The replies of an engine, by key: every request has one when it returns."""
        engine.answer(self.take, self.give)
        assert not self.open and not self.waiting, (len(self.open), len(self.waiting))
        return self.replies
