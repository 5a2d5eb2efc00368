"""Take a row's prompt out of it: a conversation, or a text with its context, its earlier rounds and a system text."""

from string import ascii_uppercase
from typing import Any

from curate.sources import layout_names as names
from curate.sources.recorded_candidates import Candidate, read_filled_text, read_text
from curate.sources.row_keys import normal
from curate.sources.row_layout import Layout
from curate.sources.transcripts import is_transcript, read_transcript
from schemas.errors import BadRow, kind_of, short_repr
from schemas.json_text import blank
from schemas.messages import Message, read_messages, same_message, trailing_assistant_count


def take_prompt(rest: dict[str, Any], layout: Layout) -> list[Message]:
    """Take the prompt's messages out of the row."""
    key = layout.prompt
    if key is None:
        return []
    value = rest[key] if layout.keys[:1] == (key,) else rest.pop(key)
    if layout.turns:
        if normal(key) == "prompt" and not isinstance(value, list | dict):
            raise BadRow(f"{key!r} is {kind_of(value)}; expected text or a list of messages")
        if normal(key) == "prompt" and isinstance(value, list) and all(isinstance(turn, str) for turn in value):
            return [{"role": "user", "content": read_filled_text(turn, key)} for turn in value]  # Chatbot Arena
        return read_messages(value if normal(key) == "messages" else _turns(value), key)
    if isinstance(value, dict):
        if "role" in value or "from" in value:
            return read_messages(value, key)
        inner = next((value[name] for name in ("text", "full_text", "content", "prompt") if name in value), None)
        if not isinstance(inner, str):
            raise BadRow(f"{key!r} is a mapping; expected text or a list of messages")
        rest[key] = {name: one for name, one in value.items() if one is not inner}
        value = inner
    text = read_filled_text(value, key)
    if is_transcript(text):
        return read_transcript(text, key)
    context = _context(rest.pop(layout.context), layout.context) if layout.context else ""
    text = text if blank(context) or context in text else f"{text}\n\n{context}"
    choices = read_choices(rest, layout.choices)
    text = "\n".join([f"{text}\n", *(f"{letter}. {choice}" for letter, choice in choices)]) if choices else text
    return [*_history(rest), {"role": "user", "content": text}]


def read_choices(rest: dict[str, Any], key: str | None) -> list[tuple[str, str]]:
    """Return the choices of a question, each with its letter: a list of texts, or ``{text: [...], label: [...]}``."""
    value = rest.get(key) if key else None
    texts = value.get("text") if isinstance(value, dict) else value
    labels = value.get("label") if isinstance(value, dict) else None
    if not isinstance(texts, list) or not texts or len(texts) > len(ascii_uppercase):
        return []
    if not isinstance(labels, list) or len(labels) != len(texts):
        labels = list(ascii_uppercase[: len(texts)])
    return [(str(label), read_text(text, key or "")) for label, text in zip(labels, texts, strict=True)]


def _context(value: Any, key: str) -> str:
    """Return the text that belongs to a prompt; several texts are paragraphs of it."""
    texts = value if isinstance(value, list) else [value]
    return "\n\n".join(read_text(text, key) for text in texts)


def _turns(value: Any) -> Any:
    """Return a conversation's turns: texts by turns, or rounds of a question and its answer, become messages."""
    if isinstance(value, list) and value:
        if all(isinstance(turn, str) for turn in value):
            return [{"role": ("user", "assistant")[index % 2], "content": turn} for index, turn in enumerate(value)]
        for asked, answered in names.ROUNDS:
            if all(isinstance(turn, dict) and turn.keys() == {asked, answered} for turn in value):
                roles = (("user", asked), ("assistant", answered))
                return [{"role": role, "content": turn[key]} for turn in value for role, key in roles]
    return value


def _history(rest: dict[str, Any]) -> list[Message]:
    """Take earlier rounds, ``[[question, answer], ...]``, out of a row."""
    if not isinstance(rest.get("history"), list):
        return []
    messages: list[Message] = []
    for index, pair in enumerate(rest.pop("history")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadRow(f"history[{index}] is {short_repr(pair)}; expected [question, answer]")
        question, reply = (read_filled_text(text, f"history[{index}]") for text in pair)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return messages


def without_blank_system(messages: list[Message]) -> list[Message]:
    """Return the messages without a system turn at the start that has no text."""
    return messages[1:] if messages and messages[0]["role"] == "system" and blank(messages[0]["content"]) else messages


def with_system(system: Any, messages: list[Message]) -> list[Message]:
    """Return the messages with ``system`` as a system message first, unless they begin with it already."""
    if blank(read_text(system, "system")):
        return messages
    message: Message = {"role": "system", "content": system}
    if not messages or messages[0]["role"] != "system":
        return [message, *messages]
    if not same_message(messages[0], message):
        raise BadRow("the row has a 'system' text and its messages begin with another system turn; remove one")
    return messages


def check_prompt(messages: list[Message], candidates: list[Candidate], key: str) -> None:
    """Raise ``BadRow`` where the prompt has no user message or ends with an assistant's."""
    if trailing_assistant_count(messages) == len(messages):
        raise BadRow(f"{key!r} has only assistant turns; expected a user turn before them")
    if not any(message["role"] == "user" for message in messages):
        raise BadRow(f"{key!r} has no user turn; expected at least one")
    if messages[-1]["role"] == "assistant":
        raise BadRow(
            f"{key!r} ends with an assistant turn although the row has {len(candidates)} recorded answers; "
            "remove the turn, or the answers"
        )
