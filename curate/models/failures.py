"""Counts the requests of a stage that failed, and ends the run where they are more than may fail."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.errors import Failed

MAX_FAILED_SHARE = 0.01  # the share of a generate step's requests that may fail
MAX_REFUSED_SHARE = 0.5  # the share that may be refused for good, as a flagged prompt is, where no max_failed is set
NUMBER = re.compile(r"(https?://\S+|HTTP \d+)|\d+")  # numbers tell like errors apart; an address or a status stays


@dataclass
class Failures:
    """Counts a stage's failed requests by reason, and holds how many may fail.

    ``allowed`` is how many may fail at all. Of those that are refused for good, as a flagged prompt is, ``refusable``
    may be more: another run would ask the same in vain, so it is no use to end this one. ``first`` is what the first
    request that failed asked, in short.
    """

    label: str
    allowed: int
    reasons: Counter[str] = field(default_factory=Counter)
    refusable: int = 0
    refused: int = 0
    first: str = ""

    def count(self, errors: Iterable[str]) -> None:
        """Count errors by their text, numbers aside."""
        self.reasons.update(NUMBER.sub(lambda found: found[1] or "N", error)[:200] for error in errors)

    def add(self, errors: Iterable[str], refused: Iterable[str] = ()) -> None:
        """Count errors. Raises ``Failed`` once they are more than is allowed.

        Args:
            errors: The errors of requests that may succeed on another day.
            refused: The errors of requests that are refused for good.
        """
        self.count(errors)
        before = self.reasons.total()
        self.count(refused)
        self.refused += self.reasons.total() - before
        allowed = self.allowed if self.reasons.total() - self.refused > self.allowed else self.most
        if self.reasons.total() > allowed:
            # Of few requests a tenth is none, and a max_failed that is set is no less than what is allowed now.
            more = "0.1" if 0 < self.allowed == allowed != self.refusable else "1"
            about = f"; the first asked {self.first}" if self.first else ""
            raise Failed(
                f"{self.label}: {self.summary()}; more than max_failed allows ({allowed:,}){about}. The replies "
                f"so far are kept; run again to retry, or allow more: max_failed: {more}{self._leave_out()}"
            )

    def _leave_out(self) -> str:
        """Return what else may help, where the commonest reason is a refusal that may be about a parameter."""
        reason = self.reasons.most_common(1)[0][0]
        about = any(status in reason for status in ("HTTP 400", "HTTP 422")) and self.reasons.total() > self.refused
        return "; a parameter that the server does not take is left out with leave_out: [seed, ...]" if about else ""

    @property
    def most(self) -> int:
        """The most requests that may fail, refused ones included."""
        return max(self.allowed, self.refusable)

    def summary(self) -> str:
        """``3 requests failed: 2 x ..., 1 x ...``, or empty."""
        count = sum(self.reasons.values())
        if not count:
            return ""
        common = ", ".join(f"{n} x {reason}" for reason, n in self.reasons.most_common(3))
        return f"{count:,} request{'s' * (count > 1)} failed: {common}"
