"""Shows a run's progress on stderr: a bar for the current stage and a line for each finished one; no bar in a pipe."""

import textwrap
import time

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from cli.pace import PartPace, fitted, words
from cli.plain_console import PlainConsole
from cli.program import with_program
from cli.terminal import terminal_text
from schemas.errors import printable
from schemas.progress import Progress, StageWarning
from train.reports.words import in_time

LABEL = 34  # characters of a stage's label in its line
WIDE = 110  # columns of a terminal that has room for the time so far and a long bar beside a training's figures
NARROW = 76  # columns of a terminal that has none for a bar beside them
LONG, SHORT = 24, 16  # characters of a stage's label beside the bar of a wide terminal, and of a narrower one
LINE_EVERY = 60.0  # seconds between the lines of a long part in a pipe


class Bars(Progress):
    """Shows a run's progress. Use it as a context manager."""

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        """Write to ``console``, stderr by default; if ``quiet`` only warnings."""
        self.console = console or PlainConsole(stderr=True)
        self.quiet = quiet
        width = self.console.width
        self.label = LONG if width >= WIDE else SHORT
        no_wrap = Column(no_wrap=True)
        self.bars = rich.progress.Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=no_wrap),
            *([BarColumn(bar_width=28 if width >= WIDE else 8)] if width >= NARROW else []),
            Figures(self.console, table_column=Column(ratio=1, no_wrap=True)),
            console=self.console,
            expand=True,  # so that the figures get what is left, and not the other columns less than they need
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self.task: TaskID | None = None
        self.pace = PartPace(None, "")
        self.part = ""
        self.started = self.told = time.monotonic()

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
        self.pace, self.part, self.told = PartPace(total, unit), printable(label), time.monotonic()
        if total is None or total > 0:
            short = label if len(label) <= self.label else f"{label[: self.label - 1]}\u2026"
            self.task = self.bars.add_task(printable(short), total=total, pace=self.pace, note="")
            if total and unit != "rows":
                self._line(f"  {self.part}: {total:,} {unit} ...")

    def advance(self, done: int, note: str = "") -> None:
        """Advance the bar; in a pipe a line is written now and then."""
        if self.task is None:
            return
        self.pace.advance(done, at_once=self.pace.unit == "replies" and not note)  # an earlier run's have no note
        self.bars.update(self.task, advance=done)
        if note:
            self.bars.update(self.task, note=printable(note))
        if time.monotonic() - self.told >= LINE_EVERY and "left" not in note:  # a training has lines of its own
            self.told = time.monotonic()
            of = f"{self.pace.done:,}" if self.pace.total is None else f"{self.pace.done:,} of {self.pace.total:,}"
            self._line(f"  {', '.join([f'{self.part}: {of} {self.pace.unit}', *words(self.pace, printable(note))])}")

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        """Print a line for the finished stage."""
        seconds = time.monotonic() - self.started  # since the last stage ended: a stage may begin several bars
        self._clear()
        self.started = time.monotonic()
        if self.quiet:
            return
        mark, style = ("=", "dim") if reused else ("+", "")
        took = "reused" if reused else f"{seconds:.1f} s" if seconds < 600 else in_time(seconds)
        result = printable(result)
        if self.console.is_terminal:
            result = _folded(result, self.console.width, len(took) + 2, len(label))
        line = Text.assemble(  # no markup: a result may hold names and tokens of a file, such as [/INST]
            (mark, "green"), " ", (f"{printable(label):<{LABEL}}", style or "bold"), f" {result}  ", (took, "dim")
        )
        self.console.print(line, style=style, soft_wrap=True)

    def say(self, message: str) -> None:
        """Print a line."""
        if not self.quiet:
            self.console.print(Text(terminal_text(with_program(message))), soft_wrap=True)

    def detail(self, line: str) -> None:
        """Print a line."""
        self.say(printable(line))

    def status(self, line: str) -> None:
        """Print a line, where there is no bar that shows it."""
        self._line(printable(line))

    def warn(self, warning: StageWarning) -> None:
        """Print a warning."""
        line = Text.assemble(("warning:", "yellow"), " ", printable(with_program(str(warning))))
        self.console.print(line, soft_wrap=True)

    def _line(self, line: str) -> None:
        """Print a line in a pipe, where there is no bar."""
        if not self.console.is_terminal and not self.quiet:
            self.console.print(Text(line), soft_wrap=True)

    def _clear(self) -> None:
        if self.task is not None:
            self.bars.remove_task(self.task)
            self.task = None


class Figures(ProgressColumn):
    """Shows the finished units of a part, its rate, its note and the time left: as much as there is room for."""

    def __init__(self, console: Console, table_column: Column) -> None:
        """Take the console, whose width may change."""
        super().__init__(table_column)
        self.console = console

    def render(self, task: Task) -> Text:
        """Return the figures of a part."""
        pace: PartPace = task.fields["pace"]
        wide = self.console.width >= WIDE
        beside = 3 + (LONG + 29 if wide else SHORT + 9 if self.console.width >= NARROW else SHORT)
        done = ""
        if pace.total is not None and pace.unit:
            done = f"{pace.done}/{pace.total}" if pace.done else f"{pace.total:,} {pace.unit}"
        elif pace.done:
            done = f"{pace.done:,} {pace.unit}"
        if wide and pace.so_far >= 1:
            done += f"  {int(pace.so_far) // 3600}:{int(pace.so_far) // 60 % 60:02d}:{int(pace.so_far) % 60:02d}"
        told = fitted(words(pace, task.fields["note"]), self.console.width - beside - len(done) - 2)
        return Text("  ".join(filter(None, (done, told))), no_wrap=True, overflow="ellipsis")


def _folded(result: str, width: int, after: int, label: int) -> str:
    """Return a stage's result in lines that end within the terminal's width: at its parts first, then at words."""
    indent, first = LABEL + 3, max(label, LABEL) + 3
    if first + len(result) + after <= width:
        return result
    if width < indent + 30:  # too narrow for a column of results: they stand below the label
        indent = first = 4
    lines = [line for part in result.split("; ") for line in textwrap.wrap(f"{part}; ", width - indent - after)]
    folded = f"\n{' ' * indent}".join(lines).rstrip("; ")
    return folded if first > 4 else f"\n{' ' * indent}{folded}"
