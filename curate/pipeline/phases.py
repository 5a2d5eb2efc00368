"""The phases of a step that is made in tasks of ``spread``: their folders in the stage's work, and their progress."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from curate.pipeline.stage_spec import RunContext
from curate.spread.spread import Runner, spread
from curate.storage.stage import StageWriter

Task = TypeVar("Task")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Phases:
    """The phases of a step.

    Attributes:
        writer: The stage.
        run: Its progress display.
        label: The stage's label.
    """

    writer: StageWriter
    run: RunContext
    label: str

    def folder(self, name: str) -> Path:
        """Return the folder of a phase, which is made if it is missing."""
        folder = self.writer.parts.absolute() / name  # a task may be done in another current folder
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def made(
        self,
        name: str,
        function: Callable[[Task], Made],
        tasks: Iterable[Task],
        count: int,
        runner: Runner | None = None,
    ) -> Iterator[Made]:
        """Yield the result of each of ``count`` tasks, in order; those of finished tasks are kept in the folder."""
        self.run.progress.begin(f"{self.label}: {name}", count, "tasks")
        for made in spread(function, tasks, self.folder(name), runner):
            yield made
            self.run.progress.advance(1)
