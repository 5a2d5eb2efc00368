"""Prints answers while they are written: one below the other, in columns, or each as a line of JSON."""

import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, TextIO

from cli.chat.columns import Columns, column_width
from cli.chat.text import safe_text
from cli.terminal import terminal_text
from schemas.counted import counted

if TYPE_CHECKING:
    from curate.api.chat import ChatSession
    from curate.models.streamed import Ended, Piece

DIM, PLAIN = "\x1b[2m", "\x1b[0m"
OPEN, CLOSE = "<think>", "</think>"
# An answer of a session, before it is asked for: ``ChatSession.reply`` with a text, or ``retry``.
Asking = Sequence[tuple[str, "ChatSession", "Iterator[Piece]"]]


class Shown:
    """Makes the text to print of an answer's pieces: safe, without blank lines around it, the trace marked."""

    def __init__(self, opening: str = f"{OPEN}\n", closing: str = f"\n{CLOSE}") -> None:
        """Begin an answer; ``opening`` and ``closing`` are printed around its reasoning trace."""
        self.opening, self.closing = opening, closing
        self._blank = ""  # white space at the end, which is printed once something follows
        self._begun = self._reasoning = False

    def add(self, piece: "Piece") -> str:
        """Return the text to print for one more piece."""
        turned = piece.reasoning != self._reasoning
        text = safe_text(piece.text)
        if not text.strip() and (turned or not self._begun):
            return ""
        mark = self._turn(piece.reasoning) if turned else ""
        text = text if self._begun else text.lstrip()
        self._begun = True
        body = text.rstrip()
        made = mark + (self._blank + body if body else "")
        self._blank = text[len(body) :] if body else self._blank + text
        return made

    def end(self) -> str:
        """Return what ends the answer: a line end, and before it the end of a trace that is open."""
        return (self._turn(False).rstrip("\n") if self._reasoning else "") + "\n"

    def _turn(self, reasoning: bool) -> str:
        self._reasoning, self._begun, self._blank = reasoning, False, ""
        return self.opening if reasoning else f"{self.closing}\n\n"


class Printer:
    """Prints the answers of one model or of several to standard output, and messages about them to standard error."""

    def __init__(self, *, terminal: bool, as_json: bool = False) -> None:
        """Prepare to print.

        Args:
            terminal: Whether a person reads along.
            as_json: Whether each answer is a line of JSON.
        """
        self.out: TextIO = sys.stdout
        self.terminal, self.as_json = terminal, as_json
        self.steerable = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self.coloured = self.steerable and not os.environ.get("NO_COLOR")

    def note(self, text: str) -> None:
        """Say something about an answer or the conversation, on a line of its own on standard error."""
        coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        text = terminal_text(text)
        print(f"{DIM}{text}{PLAIN}" if coloured else text, file=sys.stderr, flush=True)  # noqa: T201 - made safe

    def show(self, text: str, asking: Asking) -> None:
        """Print the answers to a text."""
        columns = shutil.get_terminal_size().columns
        width = column_width(columns, len(asking)) if self.terminal and self.steerable and len(asking) > 1 else 0
        if self.as_json:
            for name, session, pieces in asking:
                for _ in pieces:
                    pass
                self._print(f"{json.dumps(_record(name, text, session.last))}\n")
        elif width:
            self._side_by_side(asking, width)
        else:
            self._one_by_one(asking)

    def _one_by_one(self, asking: Asking) -> None:
        """Print answers one below the other; where one is stopped, those behind it are not asked for."""
        for index, (name, session, pieces) in enumerate(asking):
            if len(asking) > 1:
                self._print(f"[{safe_text(name)}]\n")
            self._one(pieces)
            self._end(name if len(asking) > 1 else "", session)
            if session.last and session.last.finish_reason == "stopped":
                left = ", ".join(other for other, _, _ in asking[index + 1 :])
                if left:
                    self.note(safe_text(f"({left}: not asked)"))
                return

    def _one(self, pieces: "Iterator[Piece]") -> None:
        """Print one answer."""
        shown = Shown(DIM, PLAIN) if self.coloured else Shown()
        try:
            for piece in pieces:
                self._print(shown.add(piece))
        finally:
            self._print(shown.end())

    def _side_by_side(self, asking: Asking, width: int) -> None:
        """Print answers in columns; all models write at once. Raises the first error, once all have ended."""
        columns = Columns(self.out, [name for name, _, _ in asking], width)
        shown = [Shown() for _ in asking]
        failed: list[BaseException] = []
        for index, piece in _as_they_come([pieces for _, _, pieces in asking]):
            if piece is None or isinstance(piece, BaseException):
                failed += [] if piece is None else [piece]
                columns.add(index, shown[index].end().rstrip("\n"))
                columns.end(index)
            elif text := shown[index].add(piece):
                columns.add(index, text)
        for name, session, _ in asking:
            self._end(name, session)
        for error in failed[1:]:
            self.note(f"error: {error}")
        if failed:
            raise failed[0]

    def _end(self, name: str, session: "ChatSession") -> None:
        """Say why an answer ended, where it is not whole."""
        said = _why(session)
        if said:
            self.note(f"({name}: {said})" if name else f"({said})")

    def _print(self, text: str) -> None:
        if text:
            self.out.write(text)
            self.out.flush()


def _as_they_come(streams: "Sequence[Iterator[Piece]]") -> "Iterator[tuple[int, Piece | BaseException | None]]":
    """Yield the pieces of several answers as they come, each with its answer's place, and each one's end or error."""
    found: SimpleQueue[tuple[int, Piece | BaseException | None]] = SimpleQueue()

    def read(index: int, pieces: "Iterator[Piece]") -> None:
        try:
            for piece in pieces:
                found.put((index, piece))
            found.put((index, None))
        except BaseException as error:  # the reader raises it
            found.put((index, error))

    for index, pieces in enumerate(streams):
        threading.Thread(target=read, args=(index, pieces), daemon=True).start()
    left = len(streams)
    while left:
        index, piece = found.get()
        left -= piece is None or isinstance(piece, BaseException)
        yield index, piece


def _why(session: "ChatSession") -> str:
    """Return why the last answer is not whole, or is not there; empty where it is."""
    last = session.last
    if last is None:
        return ""
    tokens = counted(last.completion_tokens, "token") if last.completion_tokens else "too many tokens"
    said = {
        "length": f"cut off after {tokens}: see --max-tokens",
        "stopped": "stopped",
        "content_filter": "cut off by the server's content filter",
    }.get(last.finish_reason or "", "")
    said = said or (f"it calls {', '.join(last.tool_calls)}: tools are not run here" if last.tool_calls else "")
    if not last.text.strip():
        said = f"{said or 'no answer'}; the turn is not kept"
    return safe_text(said).replace("\n", " ")


def _record(name: str, text: str, last: "Ended | None") -> dict[str, object]:
    """Return an answer for a line of JSON."""
    found = {} if last is None else vars(last)
    kept = ("reasoning_content", "finish_reason", "prompt_tokens", "completion_tokens")
    more = {key: found[key] for key in kept if found.get(key) is not None}
    return {"model": name, "prompt": text, "response": found.get("text", ""), **more}
