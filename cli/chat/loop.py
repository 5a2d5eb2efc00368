"""The turns of ``gristmill chat``: what is read goes to the models, and commands change the conversation."""

import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from cli.chat.answers import Printer
from cli.chat.input import Inputs, Line
from cli.chat.text import safe_text
from cli.terminal import say
from schemas.errors import OneLine, UserError, printable

if TYPE_CHECKING:
    from curate.api.chat import ChatSession
    from curate.models.streamed import Piece

HELP = {
    "/reset": "forget the conversation; the system prompt stays",
    "/system": "/system TEXT sets the system prompt; alone it shows it, /system none removes it",
    "/undo": "take back the last turn",
    "/retry": "answer the last turn anew",
    "/save": "/save FILE.jsonl appends the conversation, as a row that a recipe can have as a source",
    "/help": "this list",
    "/exit": "end, as Ctrl-D does",
}
MORE_HELP = (
    'a line that ends with \\ goes on in the next one; """ begins and ends a text of several lines',
    "Ctrl-C stops an answer, and what is written of it stays in the conversation",
)


class Conversation:
    """A conversation with one model or several, each of which has its own history."""

    def __init__(self, sessions: "dict[str, ChatSession]", printer: Printer, *, terminal: bool) -> None:
        """Begin.

        Args:
            sessions: The sessions, by the name that their answers have.
            printer: Prints the answers.
            terminal: Whether a person types: then errors are said, and the conversation goes on.
        """
        self.sessions, self.printer, self.terminal = sessions, printer, terminal
        self.inputs = Inputs(sys.stdin, tuple(HELP), edited=terminal)

    def run(self) -> None:
        """Answer until the input ends.

        Raises:
            OneLine: There is no answer, where no person could go on.
            KeyboardInterrupt: Ctrl-C twice at the prompt, or while nothing can be stopped.
        """
        pressed = False  # whether Ctrl-C came at the prompt before
        while True:
            try:
                line = self.inputs.next()
                pressed = False
                if line is None or line.command == "/exit":
                    break
                self._take(line)
            except KeyboardInterrupt:
                if pressed or not self.terminal:
                    raise
                pressed = True
                sys.stdout.write("\n")
                self.printer.note("(Ctrl-D or /exit ends; so does Ctrl-C once more)")
            except OneLine as error:
                if not self.terminal:
                    raise
                self.printer.note(f"error: {error}")
        if self.terminal and line is None:
            sys.stdout.write("\n")

    def _take(self, line: Line) -> None:
        """Do a command, or have a text answered."""
        commands: dict[str, Callable[[str], None]] = {
            "/reset": self._reset,
            "/system": self._system,
            "/undo": self._undo,
            "/retry": self._retry,
            "/save": self._save,
            "/help": self._help,
        }
        if line.command:
            commands[line.command](line.text)
        else:
            self._ask(line.text, [session.reply(line.text) for session in self.sessions.values()])

    def _ask(self, text: str, pieces: "Sequence[Iterator[Piece]]") -> None:
        with self._stoppable():
            names_and_sessions = zip(self.sessions.items(), pieces, strict=True)
            self.printer.show(text, [(name, session, one) for (name, session), one in names_and_sessions])

    @contextmanager
    def _stoppable(self) -> Generator[None]:
        """Let Ctrl-C stop the answers, where a person reads along; a second one does not wait for their ends."""
        if not self.terminal or threading.current_thread() is not threading.main_thread():
            yield
            return
        pressed = False

        def stop(number: int, frame: FrameType | None) -> None:
            nonlocal pressed
            if pressed:
                raise KeyboardInterrupt
            pressed = True
            for session in self.sessions.values():
                session.stop()

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _reset(self, rest: str) -> None:
        for session in self.sessions.values():
            session.reset()
        self.printer.note("(the conversation is empty)")

    def _system(self, rest: str) -> None:
        if rest:
            for session in self.sessions.values():
                session.system = "" if rest == "none" else rest
        system = next(iter(self.sessions.values())).system
        self.printer.note(f"(system prompt: {safe_text(system)})" if system else "(there is no system prompt)")

    def _undo(self, rest: str) -> None:
        taken = [session.undo() for session in self.sessions.values() if session.messages]
        if not taken:
            raise UserError("there is no turn to take back")
        self.printer.note(f"(taken back: {printable(taken[0])[:60]})")

    def _retry(self, rest: str) -> None:
        pieces = [session.retry() for session in self.sessions.values()]
        self._ask(next(iter(self.sessions.values())).asked_text, pieces)

    def _save(self, rest: str) -> None:
        if not rest:
            raise UserError("/save needs a file, such as /save talk.jsonl")
        path = Path(rest).expanduser()
        for session in self.sessions.values():
            session.save(path)
        rows = "a row" if len(self.sessions) == 1 else f"{len(self.sessions)} rows"
        self.printer.note(f"({printable(str(path))}: {rows} added)")

    def _help(self, rest: str) -> None:
        lines = [f"  {name:8} {meaning}" for name, meaning in HELP.items()]
        say("\n".join([*lines, *(f"  {line}" for line in MORE_HELP)]), err=not self.terminal)
