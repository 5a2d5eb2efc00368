"""``StageSpec``: a stage of a recipe, with what it depends on, how it is made, and what it changes.

A verb's function (``filter_stage``, ``score_stage`` ...) checks the recipe's step and returns a ``StageSpec``; it makes
nothing. ``Pipeline`` makes the stages that are missing, ``Planner`` says what that would take.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.steps.code_hash import Code, code_hash
from curate.storage.reply_log import ReplyLog
from curate.storage.rows import RowSet
from curate.storage.stage import Stage, StageWriter
from curate.storage.store import Store
from schemas.ids import fingerprint
from schemas.progress import Progress

KNOWN_LATER = "the number of requests is known once the steps above are done"


@dataclass(frozen=True)
class RunContext:
    """The store, the progress display and the models, for making a stage; a plan has no models."""

    store: Store
    progress: Progress
    gateway: Gateway | None = None

    @property
    def models(self) -> Gateway:
        """The gateway to models."""
        if self.gateway is None:
            raise AssertionError("a plan asks no model")
        return self.gateway


@dataclass(frozen=True)
class ModelRequests:
    """Requests that a run would make: to which model, a sample of their messages, how many, new tokens each at most."""

    ref: ModelRef
    sample: list[str]
    requests: int
    max_tokens: int


@dataclass(frozen=True)
class Estimate:
    """The requests that making a stage would take: a line for people, and the requests as far as they are known."""

    note: str
    requests: list[ModelRequests] = field(default_factory=list)


@dataclass(frozen=True)
class StageSpec:
    """A stage of a recipe, whether it is made already or not.

    Attributes:
        label: The stage's name, unique in the recipe.
        key: The settings and the content of the inputs that the stage's rows depend on.
        build: Writes the stage's tables and returns a line about the result; a function of a module, or a ``partial``.
        adopt: Takes the stage's rows into the run's state; with None, that the stage is not made yet. A function of a
            module, or a ``partial``.
        code: Functions and classes beside ``build`` that the rows depend on and ``build`` does not name.
        ask: Asks the models first, before the stage is known to be complete; returns what is missing, or "".
        takes: Says what making the stage takes, where that is much; "" elsewhere.
        estimate: Says what ``ask`` would ask, given the replies that are there.
        in_plan: Whether a plan makes the stage too, because it takes no model and later stages must be looked at.
        waits_for: The training without whose model the stage's rows cannot be made yet, or "".
    """

    label: str
    key: dict[str, Any]
    build: Callable[[StageWriter, RunContext], str]
    adopt: Callable[[Stage | None], None]
    code: tuple[Code, ...] = ()
    ask: Callable[[RunContext], str] | None = None
    takes: Callable[[], str] | None = None
    estimate: Callable[[ReplyLog], Estimate] | None = None
    in_plan: bool = False
    waits_for: str = ""

    @cached_property
    def depends_on(self) -> dict[str, Any]:
        """All that the stage's rows depend on: its key and the hash of the code that makes them."""
        return {**self.key, "code": code_hash(self.build, self.adopt, RowSet, *self.code)}

    @cached_property
    def stage_id(self) -> str:
        """The id of the stage: a hash of its label and of what its rows depend on."""
        return fingerprint({"label": self.label, **self.depends_on})[:12]

    def part(self, missing: str) -> "StageSpec":
        """Return the stage that holds what there is, where ``missing`` says what a budget or failures left out."""
        return replace(self, key={**self.key, "part_of": self.stage_id, "missing": missing})


def input_key(rows: RowSet, prompts: RowSet | None, names: list[str]) -> dict[str, str]:
    """Return the part of a stage's key that says what it reads: columns of rows and of their prompts."""
    return {"input": rows.fingerprint(names), "context": prompts.fingerprint(names) if prompts else ""}
