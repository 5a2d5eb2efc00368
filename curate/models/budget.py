"""Budgets: limits a model's and a recipe's requests, tokens, dollars and seconds.

A budget counts real spending: a model's, by all recipes of the store; a recipe's own (``budget:``), by all its runs. So
running again does not begin at zero, and a larger budget goes on. A request is let through only if its worst case fits
into the budget beside what is spent and what requests in flight may still take.
"""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from schemas.requests import Reply, Request, Spent, most_tokens

LIMITS = ("max_requests", "max_tokens", "max_cost", "max_seconds")


@dataclass
class SpendingLimit:
    """One owner's limits and how much of each is used; ``owner`` is a name as ``models.teacher`` or ``budget``."""

    owner: str
    limits: dict[str, float]
    used: dict[str, float]

    def exceeded_by(self, amounts: dict[str, float]) -> str | None:
        """Return the name of the first limit that spending ``amounts`` more would exceed, or None."""
        return next((k for k, most in self.limits.items() if self.used[k] + amounts[k] > most), None)

    def spend(self, amounts: dict[str, float]) -> None:
        """Add amounts to what is used."""
        for name, amount in amounts.items():
            self.used[name] += amount

    def reached(self, name: str) -> str:
        """Return the message that a limit is reached, and how to go on."""
        most, used = self.limits[name], self.used[name]
        shown = f"{used:,.4f}".rstrip("0").rstrip(".") if isinstance(used, float) else f"{used:,}"
        return (
            f"{self.owner}.{name} is reached: {shown} of {most:,} spent, the next request might not fit; "
            f"to continue, run again with --set {self.owner}.{name}={_doubled(most)}"
        )


@dataclass
class Budget:
    """The budget of one model in one run: the model's limits and the recipe's, and the prices.

    Attributes:
        spending_limits: The limits that every request must fit into.
        prompt_price: Dollars for a million prompt tokens.
        completion_price: Dollars for a million completion tokens.
        reserved: The amounts that each request in flight may take at most, by its key.
        reserved_total: The sum of those.
        excess: The most prompt tokens by which a request went past its estimate.
        refused: Why the last request was not let through, or None.
        clock: When ``lap`` was last called.
    """

    spending_limits: list[SpendingLimit]
    prompt_price: float = 0.0
    completion_price: float = 0.0
    reserved: dict[str, dict[str, float]] = field(default_factory=dict)
    reserved_total: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LIMITS, 0.0))
    excess: int = 0
    refused: str | None = None
    clock: float = field(default_factory=monotonic)

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return the dollars for these tokens."""
        return (prompt_tokens * self.prompt_price + completion_tokens * self.completion_price) / 1e6

    def reserve(self, group: list[Request]) -> bool:
        """Reserve the most that the requests may take; return False, and reserve nothing, if it does not fit.

        All or nothing: samples asked for together are together in every run, so that they come out the same.
        """
        if not any(owner.limits for owner in self.spending_limits):
            return True
        self.refused = None
        amounts = []
        for request in group:
            prompt, new = most_tokens(request)
            amounts.append(self._amounts(1, prompt + self.excess, new))
        taken = {k: self.reserved_total[k] + sum(a[k] for a in amounts) for k in LIMITS}
        for owner in self.spending_limits:
            if limit := owner.exceeded_by(taken | {"max_seconds": monotonic() - self.clock}):
                self.refused = owner.reached(limit)
                return False
        self.reserved.update((request.key, amount) for request, amount in zip(group, amounts, strict=True))
        self.reserved_total = taken
        return True

    def record(self, replies: list[Reply], spent: Spent) -> tuple[float, float]:
        """Count what was spent, and free what these requests had reserved.

        Returns:
            The dollars spent, and the seconds since ``lap`` was last called.
        """
        for reply in replies:
            amounts = self.reserved.pop(reply.key, None)
            if amounts:
                self.reserved_total = {
                    k: self.reserved_total[k] - v if self.reserved else 0.0 for k, v in amounts.items()
                }
                taken = (reply.prompt_tokens or 0) + (reply.completion_tokens or 0)
                self.excess += max(0, taken - int(amounts["max_tokens"]))
        cost, seconds = self.cost(spent.prompt_tokens, spent.completion_tokens), self.lap()
        amounts = self._amounts(spent.requests, spent.prompt_tokens, spent.completion_tokens)
        for owner in self.spending_limits:
            owner.spend({**amounts, "max_seconds": seconds})
        return cost, seconds

    def overdrawn(self) -> str | None:
        """Return how to go on if failed attempts have used up what requests in flight had reserved, else None."""
        for owner in self.spending_limits:
            if limit := owner.exceeded_by(self.reserved_total):
                return owner.reached(limit)
        return None

    def lap(self) -> float:
        """Return the seconds since the last call."""
        before, self.clock = self.clock, monotonic()
        return self.clock - before

    def _amounts(self, requests: int, prompt_tokens: int, completion_tokens: int) -> dict[str, float]:
        """Return what these requests and tokens take of each limit."""
        return {
            "max_requests": requests,
            "max_tokens": prompt_tokens + completion_tokens,
            "max_cost": self.cost(prompt_tokens, completion_tokens),
            "max_seconds": 0.0,
        }


def spending_limit(owner: str, settings: dict[str, Any], spent: dict[str, float]) -> SpendingLimit:
    """Return the spending limit of an owner.

    Args:
        owner: Its name in the recipe.
        settings: Its limits, some of ``LIMITS``; None is no limit.
        spent: What has been spent before, by ``ReplyLog.spent``.
    """
    limits = {k: settings[k] for k in LIMITS if settings.get(k) is not None}
    used = {
        "max_requests": spent["requests"],
        "max_tokens": spent["prompt_tokens"] + spent["completion_tokens"],
        "max_cost": spent["cost"],
        "max_seconds": spent["seconds"],
    }
    return SpendingLimit(owner, limits, used)


def _doubled(most: float) -> str:
    """Return twice a limit, as a recipe writes it."""
    return str(max(2 * most, 1)) if isinstance(most, int) else f"{max(2 * most, 0.01):f}".rstrip("0").rstrip(".")
