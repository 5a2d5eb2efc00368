"""The edge at which scorers meet models: what one wants becomes requests, and the log of replies answers them first."""

import math
from collections.abc import Callable

import polars as pl

from curate.models.embeddings import embed
from curate.models.gateway import Failures, Gateway, replies_frame
from curate.models.model_ref import ModelRef
from curate.steps.model_calls import Embed, ModelCalls
from schemas.errors import Stopped
from schemas.requests import Request, Sampling, make_request

NOT_ASKED = "not asked: a budget is used up"


class ScorerRequests:
    """Gets scorers what they want, for one run.

    ``stop`` says what a used-up budget does: end the work (``Stopped``), or leave what is not answered without an
    answer. ``asking`` is False where only what was answered before is to be read.
    """

    def __init__(
        self,
        answers: Gateway,
        model: Callable[[str], ModelRef],
        seed: int,
        *,
        label: str,
        failures: Failures,
        max_failed: float = 1.0,
        stop: bool = True,
        asking: bool = True,
    ) -> None:
        """Ask through ``answers``; of each want's requests, ``max_failed`` (a share) more may fail."""
        self.answers, self.model, self.seed, self.label = answers, model, seed, label
        self.failures, self.max_failed = failures, max_failed
        self.stop, self.asking = stop, asking
        self.unasked = 0
        self.transient: list[str] = []
        self.wants = 0.0

    def answer(self, want: ModelCalls | Embed) -> pl.DataFrame | pl.Series:
        """Get what a scorer wants: embeddings, or a row a request with the columns of a reply."""
        ref = self.model(want.model)
        if isinstance(want, Embed):
            return embed(want.texts, ref, self.answers.store, self.answers.progress)
        made = requests_of(want, ref, self.seed)
        asked = [one for one in made if one]
        if self.asking and asked:
            self.wants += len(asked) * self.max_failed
            self.failures.allowed = max(self.failures.allowed, math.ceil(self.wants))
            self.answers.progress.begin(f"{self.label} ({want.model})", len(asked), "replies")
            if not self.answers.answer_all(ref, ([one] for one in asked), self.failures):
                if self.stop:
                    raise Stopped("; ".join(self.answers.stopped.values()))
                self.asking = False
        held = self.answers.read(one.key for one in asked)
        self.unasked += sum(one.key not in held for one in asked)
        self.transient += [key for key, reply in held.items() if reply.transient]
        found = replies_frame([held.get(one.key) if one else None for one in made])
        absent = pl.Series([one is not None and one.key not in held for one in made], dtype=pl.Boolean)
        return found.with_columns(error=pl.when(absent).then(pl.lit(NOT_ASKED)).otherwise("error"))


def requests_of(want: ModelCalls, ref: ModelRef, seed: int) -> list[Request | None]:
    """The request of every row of a want, None where nothing is asked."""
    how = Sampling(**want.sampling, seed=seed)
    return [None if ask is None else make_request(ref.identity, ask, None, how, 0, want.task) for ask in want.asks]
