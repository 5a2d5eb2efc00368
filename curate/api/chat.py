"""A conversation with a model: its history, and answers that come as they are written.

    session = ChatSession("smollm2-135m", system="Answer in one sentence.")
    for piece in session.reply("What is a haiku?"):
        print(piece.text, end="", flush=True)

Nothing is written to a store.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from curate.api.chat_model import budget_of, chat_model
from curate.models.engine import Streamer, engine_of
from curate.models.model_ref import ModelRef
from curate.models.streamed import Asked, Ended, Piece, Streamed, TooLong
from schemas.errors import UserError
from schemas.messages import Message
from schemas.progress import Progress

STOP_SECONDS = 10.0  # that a stopped answer has to end, when the session is closed


class ChatSession:
    """A conversation with one model.

    Attributes:
        ref: The model.
        system: The system prompt; empty for none. It may be set between turns.
        messages: The turns so far, without the system prompt: a user's and an assistant's by turns.
        left_out: How many of the first messages are no longer sent, as the model's context has no room for them.
        last: How the last answer ended; None where there is none. Its turn is kept unless its text is empty.
    """

    def __init__(
        self,
        model: ModelRef | str,
        *,
        system: str = "",
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Load the model, or start its server; of a model behind a server nothing is asked yet.

        Args:
            model: The model, or its name as in ``chat_model``.
            system: The system prompt.
            temperature: At least 0, which is greedy; by default as the model's ``generation_config.json`` says, else
                0.7; behind a server that is not ours, as the server says. So for ``top_p``.
            top_p: Above 0, at most 1.
            max_tokens: The most tokens of an answer: by default 1,024; behind a server that is not ours, its own limit.
            seed: Chooses the random numbers; by default another one each time.
            progress: The display for messages about the model.

        Raises:
            UserError: There is no such model, or it can't be loaded.
        """
        self.progress = progress or Progress()
        self.ref = chat_model(model) if isinstance(model, str) else model
        self.asked = Asked(temperature, top_p, max_tokens, secrets.randbelow(1 << 31) if seed is None else seed)
        _check(self.asked)
        spec = engine_of(self.ref)
        if spec.streamer is None:
            raise UserError(f"the model {self.ref.name!r} has the engine {self.ref.engine!r}, which can't chat")
        if budgets := budget_of(self.ref):
            self.progress.say(f"{self.ref.name}: its budget ({budgets}) does not count what is said here")
        self._streamer: Streamer = spec.streamer(self.ref, self.progress)
        self.system, self.messages, self.left_out = system, list[Message](), 0
        self.last: Ended | None = None
        self._streamed: Streamed | None = None
        self._asked_last: tuple[str, int] | None = None  # the last text that was asked, and how often before

    @property
    def how(self) -> str:
        """The sampling settings in a few words."""
        return self._streamer.describe(self.asked)

    @property
    def asked_text(self) -> str:
        """The text that was asked last; empty where none was."""
        return self._asked_last[0] if self._asked_last else ""

    @property
    def conversation(self) -> list[Message]:
        """The system prompt and all turns, as a row of messages has them."""
        return [*self._system(), *self.messages]

    def reply(self, text: str) -> Iterator[Piece]:
        """Yield the pieces of the answer to a text. The turn is kept once the answer has ended, or was stopped.

        An answer that is stopped (``stop``, Ctrl-C, or a loop that breaks off) is kept as far as it was written, if
        it has a text. Where the conversation does not fit the model's context, its oldest turns are left out.

        Raises:
            UserError: The text is empty; the text alone does not fit the context; the server refuses it.
            Failed: There is no answer, or it broke off. The turn is not kept.
        """
        if not text.strip():
            raise UserError("there is no text to answer")
        self._asked_last = (text, 0)
        return self._answer(text, 0)

    def retry(self) -> Iterator[Piece]:
        """Yield the pieces of another answer to the last text, in place of the one there was."""
        if self._asked_last is None:
            raise UserError("nothing was asked yet")
        text, before = self._asked_last
        if self.messages and self.messages[-2]["content"] == text:
            self._take_back()
        self._asked_last = (text, before + 1)
        return self._answer(text, before + 1)

    def undo(self) -> str:
        """Take back the last turn; return its text. Raises ``UserError`` where there is none."""
        if not self.messages:
            raise UserError("there is no turn to take back")
        text = self._take_back()
        self._asked_last = None
        return text

    def reset(self) -> None:
        """Forget all turns; the system prompt stays."""
        self.messages, self.left_out, self._asked_last, self.last = [], 0, None, None

    def stop(self) -> None:
        """End the answer that is being written; it may be called from a signal handler, or another thread."""
        streamed = self._streamed
        if streamed is not None:
            streamed.stop()

    def save(self, path: Path) -> int:
        """Append the conversation to a file of JSON lines, as a row of messages that a recipe can have as a source.

        Args:
            path: The file, whose name ends in ``.jsonl``; it is made where it is not there.

        Returns:
            The number of the row's messages.

        Raises:
            UserError: There is no turn yet, or the file can't be written.
        """
        if path.suffix != ".jsonl":
            raise UserError(f"{path}: expected a file that ends in .jsonl: a conversation is a line of it")
        if not self.messages:
            raise UserError("there is no turn to save yet")
        row = json.dumps({"messages": self.conversation, "model": self.ref.short_name}, ensure_ascii=False)
        row = "".join(c if c == " " or c.isprintable() else json.dumps(c)[1:-1] for c in row)
        try:
            with open(path, "a+b") as file:
                if file.tell():
                    file.seek(-1, 2)
                    row = row if file.read(1) == b"\n" else f"\n{row}"
                file.write(f"{row}\n".encode("utf-8", "replace"))
        except OSError as error:
            raise UserError(f"{path}: can't be written: {error.strerror}") from None
        return len(self.conversation)

    def close(self) -> None:
        """End the answer that is being written; free the model's memory, or stop its server. May be called twice."""
        if self._streamed is not None:
            self._streamed.stop()
            self._streamed.wait(STOP_SECONDS)
        self._streamer.close()

    def __enter__(self) -> "ChatSession":
        """Return the session."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _system(self) -> list[Message]:
        return [{"role": "system", "content": self.system}] if self.system else []

    def _take_back(self) -> str:
        text = self.messages[-2]["content"]
        del self.messages[-2:]
        self.left_out = min(self.left_out, len(self.messages))
        return text

    def _answer(self, text: str, sample: int) -> Iterator[Piece]:
        """Yield the pieces of an answer; keep the turn."""
        self.last = None
        while True:
            said: list[Piece] = []
            try:
                streamed = self._begin(text, sample)
                try:
                    for piece in streamed:
                        said.append(piece)
                        yield piece
                except Exception:
                    streamed.stop()
                    raise  # an answer that broke off is not kept
                except BaseException:  # the reader has stopped it: Ctrl-C, or a loop that breaks off
                    streamed.stop()
                    self._keep(text, _stopped(said))
                    raise
                self._keep(text, streamed.ended or _stopped(said))
                return
            except TooLong as error:
                if not self._leave_out(error):
                    raise

    def _begin(self, text: str, sample: int) -> Streamed:
        """Ask for an answer."""
        if self._streamed is not None:
            self._streamed.wait()  # one that was stopped may still be at its last token
        user: Message = {"role": "user", "content": text}
        sent = [*self._system(), *self.messages[self.left_out :], user]
        self._streamed = self._streamer.stream(sent, self.asked, sample)
        return self._streamed

    def _leave_out(self, error: TooLong) -> bool:
        """Leave out the oldest turns that are still sent; return whether there were any."""
        turns = (len(self.messages) - self.left_out) // 2
        # A server does not say how many tokens there are too many, and is not asked for each turn anew.
        fewer = 1 if error.counted else (turns + 1) // 2
        if not turns:
            return False
        self.left_out += 2 * fewer
        self.progress.say(
            f"{self.ref.name}: its context is full: the oldest {self.left_out // 2} of {len(self.messages) // 2} turns "
            f"are left out from here on"
        )
        return True

    def _keep(self, text: str, ended: Ended) -> None:
        """Keep a turn, unless its answer has no text."""
        self.last = ended
        if not ended.text.strip():
            return
        answer: Message = {"role": "assistant", "content": ended.text}
        if ended.reasoning_content:
            answer["reasoning_content"] = ended.reasoning_content
        self.messages += [{"role": "user", "content": text}, answer]


def _stopped(said: list[Piece]) -> Ended:
    """Return the end of an answer that was stopped after these pieces."""
    text = "".join(piece.text for piece in said if not piece.reasoning)
    trace = "".join(piece.text for piece in said if piece.reasoning)
    return Ended(text, trace or None, "stopped")


def _check(asked: Asked) -> None:
    """Raise ``UserError`` for a sampling setting that is out of its range."""
    if asked.temperature is not None and not 0 <= asked.temperature <= 100:
        raise UserError(f"temperature: {asked.temperature!r} is out of range, it is from 0 (greedy) to 100")
    if asked.top_p is not None and not 0 < asked.top_p <= 1:
        raise UserError(f"top_p: {asked.top_p!r} is out of range, it is above 0 and at most 1")
    if asked.max_tokens is not None and not 1 <= asked.max_tokens <= 1 << 20:
        raise UserError(f"max_tokens: {asked.max_tokens!r} is out of range, it is at least 1")
    if not 0 <= asked.seed < 1 << 63:
        raise UserError(f"seed: {asked.seed!r} is out of range, it is at least 0")
