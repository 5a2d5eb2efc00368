"""Budgets: what may still be asked of a model, and by a recipe, before the run stops.

A budget counts what was really spent: a model's, by everything the store's recipes have asked of it; the recipe's own
(``budget:``), by all its runs. So running again does not begin at zero; a larger budget goes on. A request is let
through only if its worst case fits into what neither spent nor in-flight requests have taken.
"""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from schemas.requests import Reply, Request, Spent, most_tokens

LIMITS = ("max_requests", "max_tokens", "max_cost", "max_seconds")


@dataclass
class Purse:
    """One owner's limits and what of them is used: ``models.teacher`` or ``budget``, as a recipe names them."""

    owner: str
    limits: dict[str, float]
    used: dict[str, float]

    def short_of(self, wanted: dict[str, float]) -> str | None:
        """The limit that ``wanted`` more would pass, or None."""
        return next((k for k, most in self.limits.items() if self.used[k] + wanted[k] > most), None)

    def spend(self, amounts: dict[str, float]) -> None:
        """Count what was spent."""
        for name, amount in amounts.items():
            self.used[name] += amount

    def reached(self, name: str) -> str:
        """Say that a limit is reached, and how to go on."""
        most, used = self.limits[name], self.used[name]
        shown = f"{used:,.4f}".rstrip("0").rstrip(".") if isinstance(used, float) else f"{used:,}"
        return (
            f"{self.owner}.{name} is reached: {shown} of {most:,} spent, the next request might not fit; "
            f"to go on, run again with --set {self.owner}.{name}={_more(most)}"
        )


@dataclass
class Budget:
    """What one model may still be asked: the model's purse and the recipe's, and the prices."""

    purses: list[Purse]
    prompt_price: float = 0.0
    completion_price: float = 0.0
    held: dict[str, dict[str, float]] = field(default_factory=dict)  # what each request in flight may take at most
    total: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LIMITS, 0.0))  # the sum of that
    excess: int = 0  # prompt tokens by which a request went past its estimate, at most
    refused: str | None = None  # why the last request was not let through
    clock: float = field(default_factory=monotonic)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Dollars for these tokens."""
        return (prompt_tokens * self.prompt_price + completion_tokens * self.completion_price) / 1e6

    def hold(self, group: list[Request]) -> bool:
        """Set aside what the requests may take at most; False, and nothing set aside, if that does not fit.

        All or nothing: samples asked for together are together in every run, so that they come out the same.
        """
        if not any(purse.limits for purse in self.purses):
            return True
        self.refused = None
        amounts = []
        for asked in group:
            prompt, new = most_tokens(asked)
            amounts.append(self._amounts(1, prompt + self.excess, new))
        taken = {k: self.total[k] + sum(a[k] for a in amounts) for k in LIMITS}
        for purse in self.purses:
            if limit := purse.short_of(taken | {"max_seconds": monotonic() - self.clock}):
                self.refused = purse.reached(limit)
                return False
        self.held.update((asked.key, amount) for asked, amount in zip(group, amounts, strict=True))
        self.total = taken
        return True

    def settle(self, replies: list[Reply], spent: Spent) -> tuple[float, float]:
        """Count what was spent and free what these requests had set aside; dollars and seconds since the last time."""
        for reply in replies:
            held = self.held.pop(reply.key, None)
            if held:
                self.total = {k: self.total[k] - v if self.held else 0.0 for k, v in held.items()}
                took = (reply.prompt_tokens or 0) + (reply.completion_tokens or 0)
                self.excess += max(0, took - int(held["max_tokens"]))
        cost, seconds = self.cost(spent.prompt_tokens, spent.completion_tokens), self.lap()
        amounts = self._amounts(spent.requests, spent.prompt_tokens, spent.completion_tokens)
        for purse in self.purses:
            purse.spend({**amounts, "max_seconds": seconds})
        return cost, seconds

    def overdrawn(self) -> str | None:
        """Whether attempts that failed have used up what requests in flight had set aside: then how to go on."""
        for purse in self.purses:
            if limit := purse.short_of(self.total):
                return purse.reached(limit)
        return None

    def lap(self) -> float:
        """Seconds since it was last asked."""
        before, self.clock = self.clock, monotonic()
        return self.clock - before

    def _amounts(self, requests: int, prompt_tokens: int, completion_tokens: int) -> dict[str, float]:
        return {
            "max_requests": requests,
            "max_tokens": prompt_tokens + completion_tokens,
            "max_cost": self.cost(prompt_tokens, completion_tokens),
            "max_seconds": 0.0,
        }


def purse(owner: str, settings: dict[str, Any], spent: dict[str, float]) -> Purse:
    """The purse of an owner with these settings (``max_cost`` ...), of whom so much has been spent before."""
    limits = {k: settings[k] for k in LIMITS if settings.get(k) is not None}
    used = {
        "max_requests": spent["requests"],
        "max_tokens": spent["prompt_tokens"] + spent["completion_tokens"],
        "max_cost": spent["cost"],
        "max_seconds": spent["seconds"],
    }
    return Purse(owner, limits, used)


def _more(most: float) -> str:
    """Twice as much, as a recipe writes it."""
    return str(max(2 * most, 1)) if isinstance(most, int) else f"{max(2 * most, 0.01):f}".rstrip("0").rstrip(".")
