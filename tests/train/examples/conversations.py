"""Random conversations in which every message has words of its own, and the rows that hold them."""

import json
from typing import Any

import polars as pl
from hypothesis import strategies as st

TOOLS = [{"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {"type": "object"}}}]
BEFORE = st.sampled_from(["", "", "", "\n", "\n\n", " ", "é漢🙂 ", "<|im_end|>", "  \n"])
BEHIND = st.sampled_from(["", "", "", "\n", " ", " é漢🙂", " <|im_start|>user\n", "."])


def word(place: int) -> str:
    """The word that only message ``place`` has."""
    return f"w{place}x"


def trace_word(place: int) -> str:
    """The word that only the trace of message ``place`` has."""
    return f"t{place}x"


def call_words(place: int, number: int) -> tuple[str, str, str]:
    """The name, argument and value that only one call of message ``place`` has."""
    return f"n{place}c{number}x", f"k{place}c{number}x", f"v{place}c{number}x"


class Writer:
    """Writes a random conversation message by message."""

    def __init__(self, draw: st.DrawFn, *, plain: bool) -> None:
        self.draw, self.plain = draw, plain
        self.found: list[dict[str, Any]] = []

    def happens(self, one_in: int) -> bool:
        """Draw whether something happens."""
        return self.draw(st.integers(0, one_in - 1)) == 0

    def say(self, role: str, **more: Any) -> dict[str, Any]:
        """Write a message."""
        content = self.draw(BEFORE) + word(len(self.found)) + self.draw(BEHIND)
        self.found.append({"role": role, "content": content, **more})
        return self.found[-1]

    def answer(self) -> dict[str, Any]:
        """Write an answer, with or without a trace and a mark."""
        message = self.say("assistant")
        if not self.plain and self.happens(2):
            message["reasoning_content"] = f"{trace_word(len(self.found) - 1)} and so on"
        if self.happens(4):
            message |= self.draw(st.sampled_from([{"weight": 0}, {"train": False}, {"weight": 1}]))
        return message

    def call(self) -> None:
        """Write an answer with calls, and mostly their results."""
        message, place = self.answer(), len(self.found) - 1
        message["tool_calls"] = [
            {"id": f"call_{place}_{i}", "type": "function", "function": {"name": name, "arguments": {key: value}}}
            for i in range(self.draw(st.integers(1, 2)))
            for name, key, value in [call_words(place, i)]
        ]
        if self.happens(2):
            message["content"] = ""
        if not self.happens(5):
            for one in message["tool_calls"]:
                self.say("tool", tool_call_id=one["id"])

    def reply(self) -> None:
        """Write all that follows a question: calls, and answers where the last message is no call."""
        if self.plain:
            self.answer()
            return
        for _ in range(self.draw(st.integers(0, 2))):
            self.call()
        for _ in range(self.draw(st.integers(0 if self.found[-1].get("tool_calls") else 1, 2))):
            self.answer()


@st.composite
def conversations(draw: st.DrawFn, *, plain: bool = False) -> list[dict[str, Any]]:
    """A conversation that ends with the assistant: greetings, several turns in a row, calls, traces, marks.

    Args:
        draw: Hypothesis's function.
        plain: No calls, no traces, and user and assistant alternate.
    """
    writer = Writer(draw, plain=plain)
    if writer.happens(2):
        writer.say("system")
    if not plain and writer.happens(5):
        writer.answer()
    for _ in range(draw(st.integers(1, 3))):
        writer.say("user")
        writer.reply()
    return writer.found


def row(messages: list[dict[str, Any]], split: int | None = None, tools: list | None = None) -> pl.DataFrame:
    """An SFT row of a conversation; ``split`` is where the completion begins, by default with the last answer."""
    split = len(messages) - 1 if split is None else split
    return pl.DataFrame(
        {
            "row_id": ["r_0"],
            "prompt": [json.dumps(messages[:split])],
            "completion": [json.dumps(messages[split:])],
            "tools": [json.dumps(tools) if tools else None],
        },
        schema={"row_id": pl.String, "prompt": pl.String, "completion": pl.String, "tools": pl.String},
    )


def pair(prompt: list, chosen: list, rejected: list, tools: list | None = None, row_id: str = "r_0") -> pl.DataFrame:
    """A preference row of a prompt and two answers."""
    texts = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    columns = {name: [json.dumps(messages)] for name, messages in texts.items()}
    return pl.DataFrame({"row_id": [row_id], **columns, "tools": [json.dumps(tools) if tools else None]})


def turn(role: str, content: str | None, **more: Any) -> dict[str, Any]:
    """A message."""
    return {"role": role, "content": content, **more}


def call(call_id: str, name: str, **arguments: Any) -> dict[str, Any]:
    """A tool call."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
