"""An answer as it is written: its pieces, how it ended, and the thread that writes it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import NamedTuple, TypeAlias

from schemas.errors import UserError


class Piece(NamedTuple):
    """A piece of an answer's text, or of its reasoning trace."""

    text: str
    reasoning: bool = False


@dataclass(frozen=True)
class Ended:
    """An answer that has ended.

    Attributes:
        text: The answer, without its reasoning trace.
        reasoning_content: The trace; None where there is none.
        finish_reason: Why it ended, as in ``Reply``; ``stopped`` where the reader stopped it.
        prompt_tokens: The tokens of the prompt; None where they are not known, as also below.
        completion_tokens: The tokens that were written.
        tool_calls: The names of the tools that the model called.
    """

    text: str
    reasoning_content: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tool_calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """The sampling that a person asks for; None leaves a setting to the model or its server.

    ``seed`` chooses the random numbers: the same seed, model, settings and conversation give the same answer.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int = 0


class TooLong(UserError):
    """A conversation does not fit the model's context. ``counted`` is whether its tokens were counted here."""

    def __init__(self, message: str, *, counted: bool = False) -> None:
        """Take the message."""
        super().__init__(message)
        self.counted = counted


Emit: TypeAlias = Callable[[Piece], None]


class Streamed:
    """The pieces of one answer, written in a thread of its own, so that a reader can stop it, and several can write.

    Attributes:
        ended: How the answer ended, once the pieces are read; None where it was stopped.
        stopped: Whether it was stopped; the writer looks at it.
    """

    def __init__(self, write: Callable[[Emit, "Streamed"], Ended]) -> None:
        """Begin to write.

        Args:
            write: Writes the answer: calls ``Emit`` with each piece, ends soon once ``stopped`` is set, and returns
                how the answer ended. What it raises is raised where the pieces are read.
        """
        self.ended: Ended | None = None
        self.stopped = False  # a plain flag: a signal handler sets it, which must not wait for a lock
        self._pieces: SimpleQueue[Piece | Ended | BaseException | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(write,), name="gristmill answer", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Piece]:
        """Yield the pieces as they are written."""
        while (found := self._pieces.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            if isinstance(found, Ended):
                self.ended = found
                return
            yield found

    def stop(self) -> None:
        """End the pieces at once. The writer may be in the middle of a token: see ``wait``."""
        self.stopped = True
        self._pieces.put(None)

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the writer has ended."""
        self._thread.join(seconds)

    def _run(self, write: Callable[[Emit, "Streamed"], Ended]) -> None:
        try:
            self._pieces.put(write(self._pieces.put, self))
        except BaseException as error:  # raised again where the pieces are read
            self._pieces.put(error)
