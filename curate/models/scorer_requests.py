"""Runs the model calls and embeddings that a scorer yields, from cached replies first."""

import math
from collections.abc import Callable

import polars as pl

from curate.models.embeddings import embed
from curate.models.failures import Failures
from curate.models.gateway import Gateway, replies_frame
from curate.models.model_ref import ModelRef
from curate.steps.model_calls import Embed, ModelCalls
from schemas.errors import Stopped
from schemas.requests import Request, Sampling, make_request

NOT_ASKED = "not asked: a budget is used up"


class ScorerRequests:
    """Runs scorers' model calls for one run.

    ``unasked`` counts the requests without a reply so far; ``transient`` lists the keys of those that failed but may
    succeed on another day.
    """

    def __init__(
        self,
        gateway: Gateway,
        model: Callable[[str], ModelRef],
        seed: int,
        *,
        label: str,
        failures: Failures,
        max_failed: float = 1.0,
        max_refused: float = 1.0,
        stop: bool = True,
        asking: bool = True,
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        Args:
            gateway: Answers the requests.
            model: Finds a model by its name in the recipe.
            seed: The recipe's seed, for sampling.
            label: The stage's name, for progress.
            failures: Counts the requests that fail.
            max_failed: The share of each call's requests that may fail on top of what ``failures`` allows.
            max_refused: The share that may fail or be refused for good.
            stop: Whether a used-up budget raises ``Stopped``; if not, the requests that are left have no reply.
            asking: Whether to ask at all; if not, only cached replies are read.
        """
        self.gateway, self.model, self.seed, self.label = gateway, model, seed, label
        self.failures, self.max_failed, self.max_refused = failures, max_failed, max_refused
        self.stop, self.asking = stop, asking
        self.unasked = 0
        self.transient: list[str] = []
        self.may_fail = self.may_be_refused = 0.0  # requests; a fraction until it is rounded up

    def answer(self, call: ModelCalls | Embed) -> pl.DataFrame | pl.Series:
        """Run what a scorer yields.

        Returns:
            For an ``Embed`` the vectors of its texts. For ``ModelCalls`` a row for each request, with the columns of a
            reply (``curate.models.gateway.REPLY_COLUMNS``).

        Raises:
            Stopped: A budget is used up, and ``stop`` is set.
            Failed: Too many requests failed.
        """
        ref = self.model(call.model)
        if isinstance(call, Embed):
            return embed(call.texts, ref, self.gateway.store, self.gateway.progress)
        requests = requests_of(call, ref, self.seed)
        present = [request for request in requests if request]
        if self.asking and present:
            self._ask(ref, call.model, present)
        replies = self.gateway.read(request.key for request in present)
        self.unasked += sum(request.key not in replies for request in present)
        self.transient += [key for key, reply in replies.items() if reply.transient]
        table = replies_frame([replies.get(request.key) if request else None for request in requests])
        missing = [request is not None and request.key not in replies for request in requests]
        absent = pl.Series(missing, dtype=pl.Boolean)
        return table.with_columns(error=pl.when(absent).then(pl.lit(NOT_ASKED)).otherwise("error"))

    def _ask(self, ref: ModelRef, name: str, requests: list[Request]) -> None:
        """Get the requests answered; a used-up budget ends the work or the asking."""
        self.may_fail += len(requests) * self.max_failed
        self.may_be_refused += len(requests) * self.max_refused
        self.failures.allowed = max(self.failures.allowed, math.ceil(self.may_fail))
        self.failures.refusable = max(self.failures.refusable, math.ceil(self.may_be_refused))
        self.gateway.progress.begin(f"{self.label} ({name})", len(requests), "replies")
        if not self.gateway.answer_all(ref, ([request] for request in requests), self.failures):
            if self.stop:
                raise Stopped("; ".join(self.gateway.stopped.values()))
            self.asking = False


def requests_of(call: ModelCalls, ref: ModelRef, seed: int) -> list[Request | None]:
    """Return the request of every row of a scorer's call, None where the row asks nothing."""
    sampling = Sampling(**call.sampling, seed=seed)
    return [
        None if text is None else make_request(ref.identity, text, None, sampling, 0, call.task)
        for text in call.requests
    ]
