"""Shows a run's progress on stderr: a bar for the current stage and a line for each finished one; no bar in a pipe."""

import time

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from cli.plain_console import PlainConsole
from cli.terminal import terminal_text
from schemas.errors import printable
from schemas.progress import Progress, StageWarning

LABEL = 34  # characters of a stage's label
WIDE = 110  # columns of a terminal that has room for the time so far and a long bar beside a training's figures
LONG, SHORT = 24, 16  # characters of a stage's label beside the bar of a wide terminal, and of a narrower one


class Bars(Progress):
    """Shows a run's progress. Use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        """Write to ``console``, stderr by default."""
        self.console = console or PlainConsole(stderr=True)
        wide = self.console.width >= WIDE
        self.label = LONG if wide else SHORT
        self.bars = rich.progress.Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28 if wide else 8),
            MofNCompleteColumn(),
            *([TextColumn("{task.fields[unit]}", markup=False), TimeElapsedColumn()] if wide else []),
            TextColumn("{task.fields[note]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            console=self.console,
            expand=True,  # so that the figures get what is left, and not the other columns less than they need
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task: TaskID | None = None
        self.started = time.monotonic()

    def __enter__(self) -> "Bars":
        """Show the bar."""
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self.bars.stop()

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        """Replace the bar by one for this stage."""
        self._clear()
        if total is None or total > 0:
            short = label if len(label) <= self.label else f"{label[: self.label - 1]}\u2026"
            self.task = self.bars.add_task(printable(short), total=total, unit=unit, note="")
            if not self.console.is_terminal and total and unit != "rows":
                self.console.print(Text(f"  {printable(label)}: {total:,} {unit} ..."))

    def advance(self, done: int, note: str = "") -> None:
        """Advance the bar."""
        if self.task is not None:
            self.bars.update(self.task, advance=done)
            if note:
                self.bars.update(self.task, note=printable(note))

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        """Print a line for the finished stage."""
        seconds = time.monotonic() - self.started  # since the last stage ended: a stage may begin several bars
        self._clear()
        mark, style = ("=", "dim") if reused else ("+", "")
        took = "reused" if reused else f"{seconds:.1f} s"
        result = printable(result)
        if self.console.is_terminal and LABEL + len(result) > self.console.width:
            result = f"; \n{' ' * (LABEL + 3)}".join(result.split("; "))  # a pipe has a line a stage
        line = Text.assemble(  # no markup: a result may hold names and tokens of a file, such as [/INST]
            (mark, "green"), " ", (f"{printable(label):<{LABEL}}", style or "bold"), f" {result}  ", (took, "dim")
        )
        self.console.print(line, style=style, soft_wrap=True)
        self.started = time.monotonic()

    def say(self, message: str) -> None:
        """Print a line."""
        self.console.print(Text(terminal_text(message)), soft_wrap=True)

    def detail(self, line: str) -> None:
        """Print a line."""
        self.console.print(Text(printable(line)), soft_wrap=True)

    def status(self, line: str) -> None:
        """Print a line, where there is no bar that shows it."""
        if not self.console.is_terminal:
            self.console.print(Text(printable(line)), soft_wrap=True)

    def warn(self, warning: StageWarning) -> None:
        """Print a warning."""
        line = Text.assemble(("warning:", "yellow"), " ", printable(str(warning)))
        self.console.print(line, soft_wrap=True)

    def _clear(self) -> None:
        if self.task is not None:
            self.bars.remove_task(self.task)
            self.task = None
