"""Tasks for a process that holds a model: texts to embed, requests to answer. ``curate.spread`` hands them to it.

A task is what one process would do at once (texts of one file of the cache, a window of requests), so that batches are
cut alike wherever it is done. A process holds the model of its last task.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curate.models.engine import engine_of
from curate.models.model_ref import ModelRef
from schemas.progress import Progress, StageWarning
from schemas.requests import Reply, Request, Spent, Task


@dataclass
class TextsTask:
    """Texts to embed with a model."""

    ref: ModelRef
    texts: list[str]


@dataclass
class Embedded:
    """Unit vectors as float32 bytes, a row a text; how many texts were cut to the model's longest."""

    rows: int
    vectors: bytes
    cut: int
    longest: int

    @property
    def array(self) -> np.ndarray:
        """The vectors, ``[texts, d]``."""
        return np.frombuffer(self.vectors, np.float32).reshape(self.rows, -1)


@dataclass
class RequestsTask:
    """Requests of one task for a model: a window of ``curate.models.windows``."""

    ref: ModelRef
    requests: list[Request]


@dataclass
class Batch:
    """Replies that arrived together, and their cost."""

    replies: list[Reply]
    spent: Spent


@dataclass
class Answered:
    """The replies to a window, a batch at a time, and what the engine said meanwhile."""

    batches: list[Batch] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


class Said(Progress):
    """A display that keeps its messages, for the process that asked to show."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        """Keep a message."""
        self.lines.append(message)

    def warn(self, warning: StageWarning) -> None:
        """Keep a warning."""
        self.lines.append(str(warning))


_held: dict[str, tuple[Any, Said]] = {}  # the model of the last task, by all that it depends on


def embed_texts(task: TextsTask) -> Embedded:
    """Return the vectors of texts."""
    load = engine_of(task.ref).embedder
    assert load is not None, task.ref.engine
    embedder, _ = _loaded(f"embed {task.ref!r}", lambda said: load(task.ref))
    before = embedder.cut
    vectors = np.ascontiguousarray(embedder.encode(task.texts).astype(np.float32))
    return Embedded(len(vectors), vectors.tobytes(), embedder.cut - before, embedder.longest)


def answer_requests(task: RequestsTask) -> Answered:
    """Return the replies to requests."""
    kind: Task = task.requests[0].task
    engine, said = _loaded(f"{kind} {task.ref!r}", lambda said: engine_of(task.ref).tasks[kind](task.ref, said))
    answered, groups = Answered(), iter([task.requests])
    engine.answer(
        lambda: next(groups, None), lambda replies, spent: answered.batches.append(Batch(list(replies), spent))
    )
    answered.said, said.lines[:] = said.lines[:], []
    return answered


def _loaded(name: str, load: Callable[[Said], Any]) -> tuple[Any, Said]:
    if name not in _held:
        for model, _ in _held.values():
            if hasattr(model, "close"):
                model.close()
        _held.clear()
        said = Said()
        _held[name] = load(said), said
    return _held[name]
